//! Two ports of a tap, live: real connections of the kernel, each direction mirrored to its own port.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]
#![allow(clippy::print_stdout, reason = "figures and modes are worth reading")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;

use classifiers::Clue;
use events::{Event, Fibre, Report};
use pipeline::Link;
use support::Kept;
use support::live::{add_veth, ip, run_options, tool, wait_until, watch, with_veth};
use xdp::Sender;

const PORT: u16 = 4433;
const CONNECTIONS: u64 = 30;

/// Mirrors what goes to the server's port to one pair of interfaces, and what comes from it to another.
fn mirror(ports: [&str; 2]) {
    ip("link set lo up");
    // Segments as they are on a wire.
    tool("ethtool", "-K lo tx off tso off gso off gro off");
    tool("tc", "qdisc add dev lo clsact");
    for (field, to) in ["dport", "sport"].into_iter().zip(ports) {
        tool(
            "tc",
            &format!(
                "filter add dev lo egress protocol ip u32 match ip protocol 6 0xff \
                 match ip {field} {PORT} 0xffff action mirred egress mirror dev {to}"
            ),
        );
    }
}

/// Real connections one after the other: the server aborts each once it has answered twice.
fn connect_and_abort() {
    let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    for _ in 0..CONNECTIONS {
        let mut client = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        for round in 0..2 {
            client.write_all(&[b'q'; 100]).unwrap();
            server.read_exact(&mut [0; 100]).unwrap();
            server.write_all(&[b'a'; 300]).unwrap();
            client.read_exact(&mut [0; 300]).unwrap();
            assert!(round < 2);
        }
        // What is not read when a socket is closed is reset.
        client.write_all(b"more").unwrap();
        server.peek(&mut [0; 4]).unwrap();
        drop(server);
        // So that the queues are emptied between, if the machine is not too busy.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn watch_link(link: Link, finals: u64, play: impl FnOnce() + Send) -> (Kept, Report) {
    let options = pipeline::RunOptions { links: vec![link], ..run_options() };
    let (kept, outcome) = watch(&options, |watched| {
        play();
        wait_until("finals", || watched.finals.load(Ordering::Relaxed) >= finals);
        let status = watched.status.lock().unwrap().clone();
        let fibres: Vec<_> = status.queues.iter().map(|queue| queue.fibre).collect();
        if fibres.len() == 2 {
            assert_eq!(fibres, [Some(Fibre::East), Some(Fibre::West)]);
            assert!(status.queues.iter().all(|queue| queue.packets > CONNECTIONS), "{status:?}");
        } else {
            assert_eq!(fibres, [None]);
        }
    });
    (kept, outcome.unwrap())
}

/// Who, why and what it cost, without addresses.
fn said(event: &Event) -> String {
    let told = &event.verdict;
    format!("{:?} {:?} {:?} {:?}", told.origin, told.cause, told.role, told.impact)
}

fn sums(report: &Report) -> [u64; 4] {
    let sums = report.connections;
    [sums.opened, sums.established, sums.midstream, report.resets.primary]
}

#[test]
fn real_connections_on_two_ports_are_judged_as_on_one() {
    with_veth(1, || {
        add_veth(["rs-c", "rs-d"], "");
        mirror(["rs-a", "rs-c"]);
        let link = Link::tap("rs-b+rs-d");
        let (two, two_report) = watch_link(link, CONNECTIONS, connect_and_abort);
        tool("tc", "qdisc del dev lo clsact");
        mirror(["rs-a", "rs-a"]);
        let link = Link::tap("rs-b");
        let (one, one_report) = watch_link(link, CONNECTIONS, connect_and_abort);
        for report in [&two_report, &one_report] {
            assert!(report.losses.is_empty(), "{:?}", report.losses);
            let [opened, established, midstream, resets] = sums(report);
            assert_eq!([opened, established, resets], [CONNECTIONS; 3], "{:?}", report.connections);
            // More than a batch waits where the machine is busy, and is then cut in proportion: an
            // answer may come a turn before its question.
            assert!(midstream <= CONNECTIONS / 10, "{:?}", report.connections);
        }
        let said = |kept: &Kept| kept.finals().map(said).collect::<Vec<_>>();
        let (two_said, one_said) = (said(&two), said(&one));
        let alike = two_said.iter().filter(|said| one_said.contains(said)).count();
        assert!(alike >= CONNECTIONS as usize * 9 / 10, "{two_said:?} {one_said:?}");
        assert!(said(&two)[0].starts_with("Server AppAbort"), "{}", said(&two)[0]);
        assert!(two.finals().all(|event| !has_port_clue(event)));
    });
}

#[test]
fn control_packets_of_two_ports_are_refused_before_anything_is_opened() {
    let mut options = pipeline::RunOptions { links: vec![Link::tap("rs-b+rs-d")], ..run_options() };
    options.options.capture = pipeline::Capture::Control(pipeline::Ration::of(16));
    let (stop, mut sink) = (std::sync::atomic::AtomicBool::new(false), Kept::default());
    let error = pipeline::run(&options, &stop, &mut sink).err().unwrap().to_string();
    assert!(error.starts_with("watch rs-b+rs-d for control packets only"), "{error}");
}

fn has_port_clue(event: &Event) -> bool {
    event.verdict.evidence.iter().any(|item| item.clue == Clue::Port)
}

#[test]
fn a_reset_injected_into_the_other_fibre_is_found_by_its_fibre() {
    with_veth(1, || {
        add_veth(["rs-c", "rs-d"], "");
        mirror(["rs-a", "rs-c"]);
        let (kept, _) = watch_link(Link::tap("rs-b+rs-d"), 1, || {
            let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
            let mut client = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            for _ in 0..CONNECTIONS {
                client.write_all(b"question").unwrap();
                server.read_exact(&mut [0; 8]).unwrap();
                server.write_all(b"answer").unwrap();
                client.read_exact(&mut [0; 6]).unwrap();
            }
            // In the server's name, but on the client's fibre.
            let client = client.local_addr().unwrap().port();
            let mut bytes = Vec::new();
            benches::Frame {
                is_v6: false,
                vlan: None,
                hosts: [(0x7f00_0001, PORT), (0x7f00_0001, client)],
                hop_limit: 64,
                ip_id: 0,
                flags: benches::Frame::RST,
                seq: 12345,
                ack: 0,
                window: 0,
                options: &[],
                payload_len: 0,
            }
            .write(&mut bytes);
            Sender::open("rs-a", 0).unwrap().send_all(&[&bytes[..]]).unwrap();
        });
        let event = kept.finals().next().unwrap();
        assert!(has_port_clue(event), "{event:?}");
        let origin = format!("{:?}", event.verdict.origin);
        assert_ne!(origin, "Server");
        println!("{}", said(event));
    });
}
