//! Sent = received + losses, each with a name.

use std::collections::HashSet;
use std::time::Duration;

use xdp::{Attachment, Flood, Options, Sender};

use crate::namespace::{SENDING, Veth, ip, with_veth};
use crate::packets::{ACK, FIN, RST, SYN, segment};
use crate::{open, options, receive, wait_until};

/// Sends numbered segments and waits until all of them have come to the program, or were dropped by
/// veth before, which is returned.
fn send(attachment: &Attachment, sender: &mut Sender, numbers: std::ops::Range<u32>) -> u64 {
    let count = u64::from(numbers.end - numbers.start);
    let before = attachment.counters().unwrap().packets();
    let dropped_before = dropped();
    let frames: Vec<Vec<u8>> = numbers.map(segment).collect();
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    sender.send_all(&frames).unwrap();
    let seen = || attachment.counters().unwrap().packets() - before;
    wait_until("all packets seen", || seen() + (dropped() - dropped_before) >= count);
    let lost_by_veth = dropped() - dropped_before;
    assert_eq!(seen() + lost_by_veth, count);
    lost_by_veth
}

/// Packets that found the queue between the two ends full.
fn dropped() -> u64 {
    let link = ip(&format!("-s -o link show {SENDING}"));
    let words: Vec<&str> = link.split_ascii_whitespace().collect();
    // TX: bytes packets errors dropped carrier collsns \ 1 2 3 4 5 6
    let header = words.iter().position(|word| *word == "TX:").unwrap();
    let first = (header + 1..).find(|at| words[*at].parse::<u64>().is_ok()).unwrap();
    words[first + 3].parse().unwrap()
}

#[test]
fn packets_without_a_frame_are_counted_exactly() {
    with_veth(Veth::default(), || {
        let (attachment, mut queue) = open(&options());
        let mut sender = Sender::open(SENDING, 0).unwrap();
        let veth = send(&attachment, &mut sender, 0..1000);
        let statistics = queue.statistics().unwrap();
        // 64 frames hold 64 packets; nobody gave any back.
        assert_eq!(statistics.rx_dropped, 1000 - 64 - veth);
        assert_eq!(statistics.rx_fill_ring_empty_descs, statistics.rx_dropped);
        assert_eq!(statistics.rx_ring_full, 0);
        assert_eq!(receive(&mut queue, 64).len(), 64);
        assert_eq!(queue.receive(), 0);

        // And all frames are back in service.
        let veth = send(&attachment, &mut sender, 0..64);
        assert_eq!(receive(&mut queue, 64 - veth as usize).len() as u64, 64 - veth);
    });
}

#[test]
fn packets_without_a_place_in_the_ring_are_counted_exactly() {
    with_veth(Veth::default(), || {
        let few = Options { frames: 1024, receive_ring: Some(128), ..options() };
        let (attachment, mut queue) = open(&few);
        let mut sender = Sender::open(SENDING, 0).unwrap();
        let veth = send(&attachment, &mut sender, 0..1000);
        let arrived = receive(&mut queue, 128);
        assert_eq!(queue.receive(), 0);
        let statistics = queue.statistics().unwrap();
        assert_eq!(statistics.rx_ring_full, 1000 - 128 - veth);
        assert_eq!(statistics.rx_dropped, 0);
        assert_eq!(statistics.packets + statistics.lost() + veth, 1000);
        assert_eq!(attachment.counters().unwrap().tcp_redirected, 1000 - veth);
        // The first ones are kept, in order.
        for (number, (bytes, _)) in (0..).zip(arrived) {
            assert_eq!(bytes, segment(number));
        }
    });
}

#[test]
fn frames_are_never_lost_over_many_batches() {
    with_veth(Veth::default(), || {
        let (attachment, mut queue) = open(&options());
        let mut sender = Sender::open(SENDING, 0).unwrap();
        let mut veth = 0;
        for round in 0..200_u32 {
            let numbers = round * 50..round * 50 + 50;
            let lost = send(&attachment, &mut sender, numbers);
            receive(&mut queue, 50 - lost as usize);
            assert_eq!(queue.receive(), 0);
            veth += lost;
        }
        let statistics = queue.statistics().unwrap();
        assert_eq!(statistics.packets, 10_000 - veth);
        assert_eq!(statistics.bytes, statistics.packets * segment(0).len() as u64);
        assert_eq!((statistics.lost(), statistics.rx_invalid_descs), (0, 0));
    });
}

#[test]
fn a_flood_is_accounted_for_to_the_last_packet() {
    with_veth(Veth::default(), || {
        const TIMES: u32 = 100_000;
        let (attachment, mut queue) = open(&Options { frames: 1024, ..options() });
        let flood = Flood::open(SENDING, 16).unwrap();
        let sender = std::thread::spawn(move || flood.send(&segment(0), TIMES).unwrap());
        let mut sources = HashSet::new();
        while !sender.is_finished() || queue.wait(Duration::from_millis(10)).unwrap() {
            for index in 0..queue.receive() {
                sources.insert(queue.frame(index)[26..30].to_vec());
            }
        }
        sender.join().unwrap();
        let redirected = attachment.counters().unwrap().tcp_redirected;
        let statistics = queue.statistics().unwrap();
        assert_eq!(statistics.packets + statistics.lost(), redirected);
        // The rest found the queue between the two ends full, and veth drops it uncounted.
        assert!(redirected <= u64::from(TIMES) && redirected > 256, "{redirected}");
        assert_eq!(sources.len(), 16);
    });
}

/// What bytes of a packet without IP options say.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The sum of 16-bit words of bytes that are right is all ones (RFC 1071).
fn sum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

/// Every connection of the generator, packet by packet, is one that TCP could have made.
#[test]
fn conversations_of_a_flood_are_right_to_the_last_number() {
    with_veth(Veth::default(), || {
        const FLOWS: u32 = 8;
        const TIMES: u32 = FLOWS * 16 * 33;
        let (_attachment, mut queue) = open(&Options { frames: 8192, ..options() });
        let flood = Flood::conversations(SENDING, FLOWS, 8).unwrap();
        let frame = vec![0; 70];
        let mut packets = Vec::new();
        // A little at a time: veth holds no more than 256.
        for _ in 0..TIMES / 128 {
            flood.send(&frame, 128).unwrap();
            packets.extend(receive(&mut queue, 128));
        }
        let mut next = std::collections::HashMap::new();
        let (mut resets, mut ends) = (0, 0);
        for (bytes, _) in &packets {
            let ip_len = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
            let tcp_len = ip_len as u16 - 20;
            assert_eq!(sum(&[&bytes[14..34]]), 0xffff, "{bytes:02x?}");
            let pseudo = [&bytes[26..34], &[0, 6], &tcp_len.to_be_bytes()].concat();
            assert_eq!(sum(&[&pseudo, &bytes[34..14 + ip_len]]), 0xffff, "{bytes:02x?}");
            let (from, to) = ((&bytes[26..30], &bytes[34..36]), (&bytes[30..34], &bytes[36..38]));
            let flags = bytes[47];
            let (seq, ack) = (word(bytes, 38), word(bytes, 42));
            if flags & SYN != 0 {
                next.insert((from, to), seq);
            }
            let Some(expected) = next.get_mut(&(from, to)) else { continue };
            assert_eq!(seq, *expected, "{bytes:02x?}");
            let controls = (flags & SYN).count_ones() + (flags & FIN).count_ones();
            *expected = seq.wrapping_add(ip_len as u32 - 40 + controls);
            if flags & ACK != 0
                && let Some(&peer) = next.get(&(to, from))
            {
                assert_eq!(ack, peer, "{bytes:02x?}");
            }
            resets += u32::from(flags & RST != 0);
            ends += u32::from(flags & FIN != 0);
        }
        // 8 of 16 conversations, of 33 of every flow.
        assert!((80..190).contains(&resets) && ends > 160, "{resets} resets, {ends} FIN");
    });
}
