//! Properties of the parser over random bytes, random stacks of headers and their mutations.

use proptest::prelude::*;
use wire::{LinkType, Skip, parse};

#[path = "../src/frames.rs"]
mod frames;
mod invariants;

/// Wraps an IP packet in a tunnel; gives an IP packet again.
fn tunnelled(kind: usize, packet: &[u8]) -> Vec<u8> {
    let is_v6 = packet[0] >> 4 == 6;
    let ether_type: u16 = if is_v6 { 0x86dd } else { 0x0800 };
    let [high, low] = ether_type.to_be_bytes();
    let bridged = frames::ethernet(ether_type, packet);
    let ppp: &[u8] = if is_v6 { &[0xff, 3, 0, 0x57] } else { &[0xff, 3, 0, 0x21] };
    let [len_high, len_low] = (packet.len() as u16).to_be_bytes();
    let outer = |protocol: u8, header: &[u8], inside: &[u8]| {
        frames::ipv4(protocol, &[header, inside].concat())
    };
    let udp = |port: u16, header: &[u8], inside: &[u8]| {
        frames::ipv6(17, &frames::udp(50000, port, &[header, inside].concat()))
    };
    match kind {
        0 => outer(if is_v6 { 41 } else { 4 }, &[], packet),
        1 => outer(47, &[0x30, 0, high, low, 0, 0, 0, 7, 0, 0, 0, 1], packet),
        2 => outer(47, &[0, 0, 0x65, 0x58], &bridged),
        3 => outer(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 9, 0, 5, 0, 0, 0, 0], &bridged),
        4 => outer(115, &[0, 0, 0, 9], &bridged),
        5 => udp(4789, &[8, 0, 0, 0, 0, 0, 9, 0], &bridged),
        6 => udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 9, 0], &bridged),
        7 => udp(6081, &[1, 0, high, low, 0, 0, 9, 0, 1, 2, 3, 0], packet),
        8 => udp(2152, &[0x30, 255, len_high, len_low, 0, 0, 0, 9], packet),
        9 => udp(1701, &[0, 2, 0, 1, 0, 2], &[ppp, packet].concat()),
        _ => frames::ipv6(0, &[&[4 + 37 * u8::from(is_v6), 0, 1, 4, 0, 0, 0, 0], packet].concat()),
    }
}

/// Puts an IP packet on a link.
fn linked(kind: usize, packet: &[u8]) -> (LinkType, Vec<u8>) {
    let is_v6 = packet[0] >> 4 == 6;
    let [high, low] = if is_v6 { [0x86, 0xdd] } else { [8, 0] };
    let ppp = if is_v6 { 0x57 } else { 0x21 };
    let family = if is_v6 { 10 } else { 2 };
    let macs = &frames::MACS[..];
    let pppoe_len = packet.len() as u16 + 2;
    let [len_high, len_low] = pppoe_len.to_be_bytes();
    let (link, header) = match kind {
        0 => (LinkType::Ethernet, [macs, &[high, low]].concat()),
        1 => (LinkType::Ethernet, [macs, &[0x81, 0, 0, 9, high, low]].concat()),
        2 => (LinkType::Ethernet, [macs, &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 8, high, low]].concat()),
        3 => (LinkType::Ethernet, [macs, &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]].concat()),
        4 => {
            let session = [0x88, 0x64, 0x11, 0, 0, 7, len_high, len_low, 0, ppp];
            (LinkType::Ethernet, [macs, &session].concat())
        }
        5 => (LinkType::RawIp, vec![]),
        6 => (LinkType::Null, vec![family, 0, 0, 0]),
        7 => (LinkType::Loop, vec![0, 0, 0, family]),
        8 => (LinkType::LinuxSll, vec![0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, high, low]),
        9 => {
            let start = [high, low, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6];
            (LinkType::LinuxSll2, [&start[..], &[1, 2, 3, 4, 5, 6, 0, 0]].concat())
        }
        10 => (LinkType::Ppp, vec![0xff, 3, 0, ppp]),
        11 => (LinkType::CiscoHdlc, vec![0x0f, 0, high, low]),
        12 => {
            let start = [&[0x88, 1, 0, 0][..], &[7; 18], &[0, 0, 0, 0]].concat();
            (LinkType::Ieee80211, [&start[..], &[0xaa, 0xaa, 3, 0, 0, 0, high, low]].concat())
        }
        _ => {
            let [len_high, len_low] = (packet.len() as u16 + 4).to_be_bytes();
            (LinkType::Nflog, vec![family, 0, 0, 0, len_low, len_high, 9, 0])
        }
    };
    (link, [&header[..], packet].concat())
}

prop_compose! {
    /// A frame with a TCP segment somewhere inside, and the segment's payload.
    fn framed()(
        is_v6: bool,
        words in proptest::collection::vec(any::<[u8; 4]>(), 0..10),
        payload in proptest::collection::vec(any::<u8>(), 0..40),
        tunnels in proptest::collection::vec(0..11usize, 0..4),
        link in 0..14usize,
    ) -> (LinkType, Vec<u8>, Vec<u8>) {
        let segment = frames::tcp(&words.concat(), &payload);
        let mut packet =
            if is_v6 { frames::ipv6(6, &segment) } else { frames::ipv4(6, &segment) };
        for kind in tunnels {
            packet = tunnelled(kind, &packet);
        }
        let (link, frame) = linked(link, &packet);
        (link, frame, payload)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_on_any_link_are_parsed_or_skipped(
        link in 0..LinkType::ALL.len(),
        frame in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = invariants::check(LinkType::ALL[link], &frame);
    }

    #[test]
    fn the_segment_is_found_through_every_stack((link, frame, payload) in framed()) {
        let packet = invariants::check(link, &frame).unwrap();
        prop_assert_eq!(packet.payload, &payload[..]);
        prop_assert_eq!(packet.payload_len as usize, payload.len());
    }

    #[test]
    fn padding_is_not_payload_and_is_never_read(
        (link, frame, _) in framed(),
        padding in proptest::collection::vec(any::<u8>(), 1..64),
    ) {
        let packet = parse(link, &frame).unwrap();
        let padded = [&frame[..], &padding].concat();
        let again = parse(link, &padded).unwrap();
        prop_assert_eq!(format!("{packet:?}"), format!("{again:?}"));
        prop_assert_eq!(packet.checksum(), again.checksum());
    }

    #[test]
    fn a_cut_frame_says_the_same_or_nothing((link, frame, payload) in framed()) {
        let whole = parse(link, &frame).unwrap();
        for captured in 0..frame.len() {
            match invariants::check(link, &frame[..captured]) {
                Ok(cut) => {
                    prop_assert_eq!(invariants::located(&cut), invariants::located(&whole));
                    prop_assert_eq!(cut.payload_len as usize, payload.len());
                    prop_assert!(payload.starts_with(cut.payload));
                }
                // Where a tunnel must look inside to be recognised, a cut one is ordinary.
                Err(skip) => prop_assert!(
                    matches!(skip, Skip::Truncated | Skip::NotTcp | Skip::NotIp), "{skip:?}"
                ),
            }
        }
    }

    #[test]
    fn a_mutated_frame_is_parsed_or_skipped(
        (link, mut frame, _) in framed(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        captured in any::<prop::sample::Index>(),
    ) {
        for (at, value) in changes {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        let _ = invariants::check(link, &frame);
        let _ = invariants::check(link, &frame[..captured.index(frame.len())]);
    }
}
