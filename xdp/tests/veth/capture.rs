//! What is captured, and that it is what was sent.

use xdp::{
    AttachMode, Attachment, Backing, BusyPoll, Capture, HugePages, Mode, Options, Others, Ration,
    Sender, Warning, ZeroCopy,
};

use crate::namespace::{SENDING, Veth, WATCHED, run, with_veth};
use crate::packets::{ACK, FIN, RST, Raw, SYN, ethernet, ipv4, ipv6, segment, tagged, tcp, udp};
use crate::{chain, open, options, receive, wait_until};

/// Frames that must reach user space.
fn captured() -> Vec<Vec<u8>> {
    let v4 = ipv4(6, 0, &tcp(RST, b"v4"));
    let v6 = ipv6(6, &tcp(SYN, b"v6"));
    let with_options = {
        let mut packet = ipv4(6, 0, &[&[1_u8; 12][..], &tcp(RST | ACK, b"options")].concat());
        packet[0] = 0x48;
        packet
    };
    vec![
        ethernet(0x0800, &v4),
        ethernet(0x86dd, &v6),
        ethernet(0x0800, &with_options),
        ethernet(0x8100, &tagged(7, 0x0800, &v4)),
        ethernet(0x88a8, &tagged(7, 0x8100, &tagged(8, 0x86dd, &v6))),
        ethernet(0x9100, &tagged(7, 0x9100, &tagged(8, 0x0800, &v4))),
        // Hop-by-hop options of 16 bytes, then a first fragment, then TCP.
        ethernet(
            0x86dd,
            &ipv6(0, &[&[44, 1][..], &[0; 14], &[6, 0, 0, 1, 0, 0, 0, 9], &tcp(ACK, b"")].concat()),
        ),
        ethernet(0x0800, &ipv4(6, 0x2000, &tcp(ACK, b"first fragment"))),
        ethernet(0x0800, &ipv4(6, 0x00b9, b"later fragment")),
        ethernet(0x86dd, &ipv6(44, &[6, 0, 1, 0, 0, 0, 0, 9, 1, 2, 3, 4])),
        // TCP without a byte of its header is user space's to count.
        ethernet(0x0800, &ipv4(6, 0, b"")),
        ethernet(0x0800, &ipv4(6, 0, &tcp(ACK, &[0xa5; 1440]))),
    ]
}

/// Frames that may carry TCP further inside.
fn maybe() -> Vec<Vec<u8>> {
    let inner = ipv4(6, 0, &tcp(RST, b"inner"));
    let mut frames: Vec<Vec<u8>> = [4, 41, 47, 51, 97, 115, 137]
        .into_iter()
        .map(|protocol| ethernet(0x0800, &ipv4(protocol, 0, &inner)))
        .collect();
    frames.extend(
        [4789, 8472, 6081, 2152, 1701, 3544]
            .map(|port| ethernet(0x0800, &ipv4(17, 0, &udp(port, &inner)))),
    );
    frames.extend([0x8847, 0x8848, 0x8864, 0x88e7, 0x894f].map(|kind| ethernet(kind, &inner)));
    frames.push(ethernet(0x86dd, &ipv6(47, &inner)));
    let three_tags = tagged(1, 0x8100, &tagged(2, 0x8100, &tagged(3, 0x0800, &inner)));
    frames.push(ethernet(0x8100, &three_tags));
    frames
}

/// Frames that carry no TCP.
fn others() -> Vec<Vec<u8>> {
    vec![
        ethernet(0x0800, &ipv4(17, 0, &udp(53, b"question"))),
        ethernet(0x0800, &ipv4(17, 0x00b9, b"later fragment of udp....")),
        ethernet(0x0800, &ipv4(1, 0, &[8, 0, 0, 0, 0, 1, 0, 1])),
        ethernet(0x0806, &[0; 28]),
        ethernet(0x86dd, &ipv6(0, &[&[58, 0][..], &[0; 6], &[143; 20]].concat())),
        ethernet(0x86dd, &ipv6(44, &[17, 0, 1, 0, 0, 0, 0, 9, 1, 2, 3, 4])),
        ethernet(0x8100, &tagged(7, 0x88cc, &[0; 30])),
        ethernet(40, &[0x42; 40]),
    ]
}

/// Frames that end within a header.
fn short() -> Vec<Vec<u8>> {
    vec![
        ethernet(0x0800, &ipv4(6, 0, b"")[..19]),
        ethernet(0x86dd, &ipv6(6, b"")[..39]),
        ethernet(0x86dd, &ipv6(0, &[6, 0, 0])),
        ethernet(0x8100, &[0, 7]),
        ethernet(0x0800, &ipv4(17, 0, &[0, 1])),
    ]
}

fn send(frames: &[Vec<u8>]) {
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    Sender::open(SENDING, 0).unwrap().send_all(&frames).unwrap();
}

fn assert_arrive(options: &Options, frames: &[Vec<u8>]) {
    let (_attachment, mut queue) = open(options);
    send(frames);
    for (sent, (bytes, len)) in frames.iter().zip(receive(&mut queue, frames.len())) {
        assert_eq!(&bytes, sent);
        assert_eq!(len as usize, sent.len());
    }
    assert_eq!(queue.receive(), 0);
}

#[test]
fn tcp_arrives_byte_for_byte() {
    with_veth(Veth::default(), || assert_arrive(&options(), &captured()));
}

#[test]
fn what_may_carry_tcp_arrives_byte_for_byte() {
    with_veth(Veth::default(), || assert_arrive(&options(), &maybe()));
}

#[test]
fn generic_mode_captures_the_same() {
    with_veth(Veth::default(), || {
        let options = Options { attach_mode: AttachMode::GenericOnly, ..options() };
        let (attachment, queue) = open(&options);
        assert_eq!(queue.mode(), Mode::GenericCopy);
        assert!(!attachment.is_native());
        drop((attachment, queue));
        assert_arrive(&options, &captured());
    });
}

#[test]
fn everything_is_counted_by_what_became_of_it() {
    with_veth(Veth::default(), || {
        let (attachment, mut queue) = open(&options());
        send(&[captured(), maybe(), others(), short()].concat());
        receive(&mut queue, captured().len() + maybe().len());
        let total = (captured().len() + maybe().len() + others().len() + short().len()) as u64;
        wait_until("all counted", || attachment.counters().unwrap().packets() == total);
        let counters = attachment.counters().unwrap();
        assert_eq!(counters.tcp_redirected, captured().len() as u64);
        assert_eq!(counters.maybe_tcp_redirected, maybe().len() as u64);
        assert_eq!(counters.not_tcp_dropped, others().len() as u64);
        assert_eq!(counters.not_tcp_passed, 0);
        assert_eq!(counters.too_short, short().len() as u64);
        assert_eq!((counters.left_out, counters.no_socket), (0, 0));
    });
}

#[test]
fn without_tunnels_only_plain_tcp_is_captured() {
    with_veth(Veth::default(), || {
        let (attachment, mut queue) = open(&Options { tunnels: false, ..options() });
        send(&[maybe(), captured()].concat());
        let arrived = receive(&mut queue, captured().len());
        assert!(arrived.iter().map(|(bytes, _)| bytes).eq(&captured()));
        assert_eq!(attachment.counters().unwrap().not_tcp_dropped, maybe().len() as u64);
    });
}

#[test]
fn tunnel_ports_are_configuration() {
    with_veth(Veth::default(), || {
        let frame = |port| ethernet(0x0800, &ipv4(17, 0, &udp(port, b"inside")));
        let (_attachment, mut queue) = open(&Options { tunnel_ports: vec![7777], ..options() });
        send(&[frame(4789), frame(7777)]);
        assert_eq!(receive(&mut queue, 1)[0].0, frame(7777));
        assert_eq!(queue.receive(), 0);
    });
}

#[test]
fn control_capture_rations_what_is_neither_beginning_nor_end_and_counts_it() {
    with_veth(Veth::default(), || {
        let frame = |flags, note: &[u8]| ethernet(0x0800, &ipv4(6, 0, &tcp(flags, note)));
        let ration = Ration { first_packets: 2, connections: 16 };
        let capture = Capture::Control(ration);
        let (attachment, mut queue) = open(&Options { capture, ..options() });
        let first = [frame(SYN, b""), frame(ACK, b"first"), frame(ACK | 8, b"second")];
        let beyond: Vec<_> = (0..9).map(|_| frame(ACK, b"beyond")).collect();
        let others = [
            ethernet(0x0800, &ipv4(6, 0x2000, &tcp(ACK, b"first fragment"))),
            ethernet(0x0800, &ipv4(6, 0x00b9, b"later fragment")),
            ethernet(0x0800, &ipv4(6, 0, &tcp(ACK, b"")[..8])),
            frame(0, b"no flags"),
        ];
        let ends = [frame(RST, b""), frame(ACK, b"after it"), frame(FIN | ACK, b"")];
        send(&[&first[..], &beyond, &others, &ends].concat());
        let wanted = [&first[..], &others, &ends].concat();
        let mut arrived = receive(&mut queue, wanted.len());
        // Seconds may have passed meanwhile: each brings one more.
        let is_one_more = |(bytes, _): &(Vec<u8>, u32)| *bytes == beyond[0];
        let mut more = arrived.iter().filter(|packet| is_one_more(packet)).count();
        let left_out = (beyond.len() - more) as u64;
        while more > 0 {
            let rest = receive(&mut queue, more);
            more = rest.iter().filter(|packet| is_one_more(packet)).count();
            arrived.extend(rest);
        }
        arrived.retain(|packet| !is_one_more(packet));
        assert!(arrived.iter().map(|(bytes, _)| bytes).eq(&wanted));
        assert_eq!(attachment.counters().unwrap().left_out, left_out);
    });
}

#[test]
fn what_is_not_tcp_reaches_the_host_when_passed() {
    with_veth(Veth::default(), || {
        let (attachment, mut queue) = open(&Options { others: Others::Pass, ..options() });
        let host = Raw::open(WATCHED);
        // A packet socket shows VLAN tags beside the packet, not in it.
        let mut passed = others();
        passed.retain(|frame| frame[12..14] != [0x81, 0]);
        send(&[captured(), passed.clone()].concat());
        for sent in &passed {
            assert_eq!(&host.receive(), sent);
        }
        receive(&mut queue, captured().len());
        let counters = attachment.counters().unwrap();
        assert_eq!(counters.not_tcp_passed, passed.len() as u64);
        assert_eq!(counters.not_tcp_dropped, 0);
    });
}

#[test]
fn jumbo_packets_come_as_one_with_their_length() {
    with_veth(Veth { mtu: 9000, ..Veth::default() }, || {
        let (_attachment, mut queue) = open(&options());
        let sender = Raw::open(SENDING);
        // Three frames of 64 are lost for good with each packet, if any is not given back.
        for number in 0..200_u32 {
            let payload: Vec<u8> = number.to_be_bytes().repeat(2240);
            let jumbo = ethernet(0x0800, &ipv4(6, 0, &tcp(ACK, &payload)));
            sender.send(&jumbo);
            sender.send(&segment(number));
            let arrived = receive(&mut queue, 2);
            let (first, len) = &arrived[0];
            assert_eq!(*len as usize, jumbo.len());
            assert!(first.len() >= 1792 && jumbo.starts_with(first), "{} bytes", first.len());
            assert_eq!(arrived[1].0, segment(number));
        }
        let statistics = queue.statistics().unwrap();
        assert_eq!(statistics.multi_buffer_packets, 200);
        assert_eq!(statistics.lost(), 0);
    });
}

#[test]
fn each_queue_delivers_its_own_packets() {
    with_veth(Veth { queues: 4, ..Veth::default() }, || {
        let (attachment, mut queues) = Attachment::open(&options()).unwrap();
        assert_eq!(queues.len(), 4);
        for queue in [2, 0, 3, 1] {
            let frames = [segment(queue), segment(queue + 100)];
            let frames = [frames[0].as_slice(), frames[1].as_slice()];
            Sender::open(SENDING, queue).unwrap().send_all(&frames).unwrap();
        }
        let workers = queues
            .drain(..)
            .map(|mut queue| std::thread::spawn(move || (queue.id(), receive(&mut queue, 2))));
        for worker in workers.collect::<Vec<_>>() {
            let (id, arrived) = worker.join().unwrap();
            assert_eq!(arrived[0].0, segment(id));
            assert_eq!(arrived[1].0, segment(id + 100));
        }
        assert_eq!(attachment.counters().unwrap().tcp_redirected, 8);
    });
}

#[test]
fn a_queue_without_a_socket_is_counted() {
    with_veth(Veth { queues: 2, ..Veth::default() }, || {
        let (attachment, mut queue) = open(&Options { queues: Some(vec![1]), ..options() });
        for queue in [0, 1] {
            let frame = segment(queue);
            Sender::open(SENDING, queue).unwrap().send_all(&[&frame]).unwrap();
        }
        assert_eq!(receive(&mut queue, 1)[0].0, segment(1));
        wait_until("counted", || attachment.counters().unwrap().no_socket == 1);
    });
}

#[test]
fn zero_copy_falls_back_to_copy_and_says_so() {
    with_veth(Veth::default(), || {
        let (attachment, queue) = open(&Options { zero_copy: ZeroCopy::Prefer, ..options() });
        assert_eq!(queue.mode(), Mode::Copy);
        let refused = attachment
            .warnings()
            .iter()
            .find(|warning| matches!(warning, Warning::ZeroCopyRefused { queue: 0, .. }));
        let text = refused.unwrap().to_string();
        assert!(text.contains("queue 0 of rs-b: no zero copy"), "{text}");
        drop((attachment, queue));

        let required = Options { zero_copy: ZeroCopy::Require, ..options() };
        let error = Attachment::open(&required).err().unwrap();
        assert!(chain(&error).contains("bind queue 0 of rs-b for zero copy"), "{error}");

        let (attachment, _queue) = open(&Options { zero_copy: ZeroCopy::Never, ..options() });
        let is_refusal = |warning: &Warning| matches!(warning, Warning::ZeroCopyRefused { .. });
        assert!(!attachment.warnings().iter().any(is_refusal));
    });
}

#[test]
fn a_driver_that_refuses_is_replaced_by_the_network_stack() {
    with_veth(Veth { queues: 2, ..Veth::default() }, || {
        // Native XDP on veth wants a receive queue for each transmit queue of the peer.
        run("ethtool", &format!("-L {WATCHED} rx 1"));
        let (attachment, queue) = open(&options());
        assert_eq!(queue.mode(), Mode::GenericCopy);
        let is_refusal = |warning: &&Warning| matches!(warning, Warning::NativeRefused { .. });
        let refusal = attachment.warnings().iter().find(is_refusal).unwrap().to_string();
        assert!(refusal.contains("rs-b: the driver does not run the XDP program"), "{refusal}");
        drop((attachment, queue));

        let native = Options { attach_mode: AttachMode::NativeOnly, ..options() };
        let error = chain(&Attachment::open(&native).err().unwrap());
        assert!(error.contains("native mode: too few receive queues"), "{error}");
    });
}

#[test]
fn busy_polling_receives_the_same() {
    with_veth(Veth::default(), || {
        let busy_poll = Some(BusyPoll { duration_us: 20, budget: 64 });
        assert_arrive(&Options { busy_poll, ..options() }, &captured());
    });
}

#[test]
fn huge_pages_that_are_not_there_are_replaced_and_named() {
    with_veth(Veth::default(), || {
        let reserved: u64 =
            std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap().trim().parse().unwrap();
        let wanted = Options { huge_pages: HugePages::Reserved, ..options() };
        let (attachment, queue) = open(&wanted);
        let warned = attachment
            .warnings()
            .iter()
            .any(|warning| matches!(warning, Warning::HugePagesRefused { queue: 0, .. }));
        assert_eq!(queue.backing() == Backing::HugeTlb, !warned);
        assert!(reserved > 0 || warned, "no pool, and no warning");
    });
}
