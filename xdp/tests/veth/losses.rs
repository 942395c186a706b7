//! Sent = received + losses, each with a name.

use std::collections::HashSet;
use std::time::Duration;

use xdp::{Attachment, Flood, Options, Sender};

use crate::namespace::{SENDING, Veth, ip, with_veth};
use crate::packets::segment;
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
