//! What the card tells of each packet: veth knows a receive hash, and no time.

use xdp::{Attachment, Clock, Options, Queue};

use crate::namespace::{SENDING, Veth, with_veth};
use crate::packets::{ACK, Raw, ethernet, ipv4, segment, tcp};
use crate::{options, wait_until};

/// The hashes of `frames`, as the card tells them.
fn hashes(queue: &mut Queue, frames: &[Vec<u8>]) -> Vec<Option<u32>> {
    // A raw socket: what an AF_XDP socket sends has no hash on veth.
    let raw = Raw::open(SENDING);
    frames.iter().for_each(|frame| raw.send(frame));
    let mut hashes = Vec::new();
    wait_until("all frames come", || {
        for index in 0..queue.receive() {
            assert!(frames.iter().any(|frame| frame == queue.frame(index)), "a whole frame");
            assert_eq!(queue.metadata(index).stamp_ns, None, "veth knows no time");
            hashes.push(queue.metadata(index).hash);
        }
        hashes.len() == frames.len()
    });
    hashes
}

#[test]
fn the_receive_hash_of_the_card_comes_with_each_packet() {
    with_veth(Veth::default(), || {
        let wanted = Options { receive_hash: true, ..options() };
        let (attachment, mut queues) = Attachment::open(&wanted).unwrap();
        let told = format!("{:?}", attachment.warnings());
        assert!(queues[0].has_metadata() && !told.contains("MetadataRefused"), "{told}");
        let other = ethernet(0x0800, &ipv4(6, 0, &tcp(ACK, b"longer")));
        let mut of_another = other.clone();
        of_another[14 + 15] ^= 1;
        let hashes = hashes(&mut queues[0], &[segment(1), segment(2), other, of_another]);
        assert!(hashes.iter().all(Option::is_some), "{hashes:?}");
        assert!(hashes[..3].iter().all(|hash| *hash == hashes[0]), "one connection: {hashes:?}");
        assert_ne!(hashes[3], hashes[0], "another one");
    });
}

#[test]
fn without_being_asked_the_card_tells_nothing() {
    with_veth(Veth::default(), || {
        let (_attachment, mut queues) = Attachment::open(&options()).unwrap();
        assert!(!queues[0].has_metadata());
        assert_eq!(hashes(&mut queues[0], &[segment(1), segment(2)]), [None, None]);
    });
}

#[test]
fn where_the_card_has_no_clock_the_systems_is_used_and_that_is_said() {
    with_veth(Veth::default(), || {
        let wanted = Options { clock: Clock::Card, ..options() };
        let (attachment, queues) = Attachment::open(&wanted).unwrap();
        assert!(!queues[0].has_metadata());
        let told: Vec<String> = attachment.warnings().iter().map(ToString::to_string).collect();
        let is_said = |told: &String| {
            told.contains("let the card of rs-b stamp every packet")
                && told.contains("system's clock")
        };
        assert!(told.iter().any(is_said), "{told:?}");
    });
}
