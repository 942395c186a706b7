//! The road of plain segments against the road of all segments: the same frames must leave the same
//! record, whichever they take, and be the same flow.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use flowtable::{
    Direction, Ends, FlowKey, FlowRecord, FlowTable, KeyScope, Plain, Segment, TableOptions,
    TapPort, Timeouts, Timestamp,
};
use proptest::prelude::*;
use wire::{CommonV4, CommonV6, LinkType, parse};

/// A frame of a conversation, with whatever a sender may choose.
#[derive(Clone, Debug)]
struct Shown {
    from_low: bool,
    wait_ns: u64,
    flags: u8,
    /// Steps of the sequence and the acknowledgment number.
    steps: [i32; 2],
    payload: Vec<u8>,
    has_timestamps: bool,
    has_other_options: bool,
    id_step: u16,
    hop_limit: u8,
    window: u16,
    card: u8,
    traffic_class: u8,
}

fn shown() -> impl Strategy<Value = Shown> {
    let flags = prop_oneof![
        12 => Just(0x10_u8),
        6 => Just(0x18),
        1 => prop_oneof![Just(0x02), Just(0x12), Just(0x11), Just(0x04), Just(0x14), any::<u8>()],
    ];
    let step = || prop_oneof![6 => Just(0), 6 => 1..2000_i32, 1 => Just(-1), 1 => -3000..0_i32, 1 => any::<i32>()];
    let payload = prop_oneof![
        4 => Just(vec![]),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![23, 3, 3, 0, 19, 1, 2, 3]),
        1 => Just(vec![22, 3, 3, 1, 0, 2, 0, 0]),
        1 => Just(b"x".to_vec()),
    ];
    let wait = prop_oneof![4 => 0..3_000_000_u64, 1 => 0..40_000_000_000_u64];
    let rest = (any::<bool>(), 0..12_u8, prop_oneof![Just(1_u16), 0..90_u16], 55..58_u8, 0..3_u16);
    (any::<bool>(), wait, flags, [step(), step()], payload, rest, 0..2_u8, 0..2_u8).prop_map(
        |(from_low, wait_ns, flags, steps, payload, rest, card, traffic_class)| {
            let (has_timestamps, other, id_step, hop_limit, window) = rest;
            let has_other_options = other == 0;
            Shown {
                from_low,
                wait_ns,
                flags,
                steps,
                payload,
                has_timestamps,
                has_other_options,
                id_step,
                hop_limit,
                window: window * 500,
                card,
                traffic_class,
            }
        },
    )
}

/// Numbers as they stand at each side.
#[derive(Default)]
struct Hosts {
    seq: [u32; 2],
    ip_id: [u16; 2],
}

impl Hosts {
    fn frame(&mut self, shown: &Shown, is_v6: bool, has_tag: bool) -> Vec<u8> {
        let from = usize::from(!shown.from_low);
        self.seq[from] = self.seq[from].wrapping_add_signed(shown.steps[0]);
        self.ip_id[from] = self.ip_id[from].wrapping_add(shown.id_step);
        let ack = self.seq[1 - from].wrapping_add_signed(shown.steps[1] % 5);
        let options: &[u8] = match (shown.has_other_options, shown.has_timestamps) {
            (true, _) => &[2, 4, 5, 0xb4],
            (false, true) => &[1, 1, 8, 10, 0, 0, 1, 7, 0, 0, 0, 9],
            (false, false) => &[],
        };
        let mut tcp = [[9, 0], [1, 0xbb]][from].to_vec();
        tcp.extend([[1, 0xbb], [9, 0]][from]);
        tcp.extend([self.seq[from].to_be_bytes(), ack.to_be_bytes()].concat());
        tcp.extend([(20 + options.len() as u8) << 2, shown.flags]);
        tcp.extend(shown.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(&shown.payload);
        let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, from as u8, shown.card];
        if has_tag {
            frame.extend([0x81, 0, 0, 7]);
        }
        let hosts = [[10, 0, 0, 1], [10, 0, 0, 2]];
        let [source, target] = [hosts[from], hosts[1 - from]];
        if is_v6 {
            frame.extend([0x86, 0xdd, 0x60 | shown.traffic_class >> 4, shown.traffic_class << 4]);
            frame.extend([0, self.ip_id[from] as u8]);
            frame.extend((tcp.len() as u16).to_be_bytes());
            frame.extend([6, shown.hop_limit]);
            for host in [source, target] {
                frame.extend([&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0][..], &host].concat());
            }
        } else {
            frame.extend([8, 0, 0x45, shown.traffic_class]);
            frame.extend((20 + tcp.len() as u16).to_be_bytes());
            frame.extend(self.ip_id[from].to_be_bytes());
            frame.extend([0x40, 0, shown.hop_limit, 6, 0, 0]);
            frame.extend([source, target].concat());
        }
        frame.extend(tcp);
        frame
    }
}

const PORTS: [u16; 2] = [2304, 443];

/// What the short look makes of a frame.
fn short(frame: &[u8], table: &FlowTable, scope: KeyScope) -> Option<(Plain, u64, Direction)> {
    if let Some(common) = CommonV4::find(frame) {
        let (ends, direction) = Ends::of_v4(&common, scope);
        return common.is_plain().then(|| (Plain::of_v4(&common), table.hash(&ends).0, direction));
    }
    let common = CommonV6::find(frame)?;
    let (ends, direction) = Ends::of_v6(&common, scope)?;
    common.is_plain().then(|| (Plain::of_v6(&common), table.hash(&ends).0, direction))
}

fn table() -> FlowTable {
    let timeouts = Timeouts::default();
    FlowTable::new(&TableOptions { flows: 16, hosts: 16, seed: 7, timeouts })
}

proptest! {
    #[test]
    fn both_roads_lead_to_the_same_record(
        shown in proptest::collection::vec(shown(), 1..60),
        is_v6: bool,
        has_tag: bool,
        handshake: bool,
        starts: [u32; 2],
    ) {
        let (table, mut hosts) = (table(), Hosts { seq: starts, ip_id: [1, 1] });
        let (mut whole, mut mixed) = (FlowRecord::empty(), FlowRecord::empty());
        let mut time = Timestamp(1_700_000_000_000_000_000);
        let mut plain_taken = 0;
        for (index, mut shown) in shown.into_iter().enumerate() {
            if handshake && index < 3 {
                shown.flags = [0x02, 0x12, 0x10][index];
                (shown.from_low, shown.payload) = (index != 1, vec![]);
            }
            time = time.plus_ns(shown.wait_ns);
            let frame = hosts.frame(&shown, is_v6, has_tag);
            let packet = parse(LinkType::Ethernet, &frame).unwrap();
            let scope = KeyScope { vlan: has_tag, tunnel: false };
            let (key, direction) = FlowKey::of(&packet, scope);
            let port = TapPort(shown.card);
            let segment = Segment::of(&packet, time, port);
            let whole_change = whole.observe(direction, &segment, PORTS);
            match short(&frame, &table, scope) {
                Some((mut plain, hash, short_direction)) => {
                    plain.set_port(port);
                    prop_assert_eq!((hash, short_direction), (table.hash(&key).0, direction));
                    prop_assert_eq!(FlowKey::of_common(&frame, scope), Some(key));
                    if mixed.takes_plain(direction, &plain) {
                        mixed.observe_plain(direction, &plain, time.tick());
                        plain_taken += 1;
                    } else if mixed.takes_handshake_end(direction, &plain) {
                        let change = mixed.observe_handshake_end(direction, &plain, time.tick());
                        prop_assert_eq!(change, whole_change);
                    } else {
                        mixed.observe(direction, &segment, PORTS);
                    }
                }
                None => {
                    mixed.observe(direction, &segment, PORTS);
                }
            }
            prop_assert_eq!(format!("{whole:?}"), format!("{mixed:?}"), "after {}", index);
        }
        // Otherwise this test tests nothing.
        prop_assert!(!handshake || plain_taken > 0 || whole.is_over() || whole.side(Direction::FromHigh).packets < 9);
    }

    #[test]
    fn mapped_addresses_are_the_flow_that_they_are_in_ipv4(low: [u8; 4], high: [u8; 4]) {
        let table = table();
        let mut hosts = Hosts::default();
        let shown = Shown {
            from_low: true, wait_ns: 0, flags: 0x10, steps: [0; 2], payload: vec![],
            has_timestamps: false, has_other_options: false, id_step: 0, hop_limit: 64,
            window: 9, card: 0, traffic_class: 0,
        };
        let [mut v4, mut v6] = [false, true].map(|is_v6| hosts.frame(&shown, is_v6, false));
        v4[26..34].copy_from_slice(&[low, high].concat());
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
        for (at, host) in [(22, low), (38, high)] {
            v6[at..at + 16].copy_from_slice(&[&mapped[..], &host].concat());
        }
        let scope = KeyScope::default();
        let hash = |frame: &[u8]| {
            table.hash(&FlowKey::of(&parse(LinkType::Ethernet, frame).unwrap(), scope).0).0
        };
        prop_assert_eq!(hash(&v4), hash(&v6));
        prop_assert_eq!(short(&v4, &table, scope).unwrap().1, hash(&v4));
        prop_assert!(short(&v6, &table, scope).is_none(), "left to the whole road");
    }
}
