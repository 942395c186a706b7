//! Interfaces that come and go while a run watches them.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

mod support;

use std::sync::atomic::Ordering;

use events::{QueueStatus, Status};
use pipeline::RunOptions;
use support::live::{
    SENDING, WATCHED, Watched, add_veth, ip, run_options, wait_until, watch, with_veth,
};
use support::{CLIENT, Conversation, MS, SERVER, START_NS, Timed};
use xdp::{Interface, Sender};

const OTHERS: [&str; 2] = ["rs-c", "rs-d"];

fn send(frames: &[Timed], interface: &str) {
    let mut sender = Sender::open(interface, 0).unwrap();
    let frames: Vec<&[u8]> = frames.iter().map(|(_, bytes)| &bytes[..]).collect();
    sender.send_all(&frames).unwrap();
}

fn status(watched: &Watched) -> Status {
    watched.status.lock().unwrap().clone()
}

fn queue(watched: &Watched, interface: &str) -> QueueStatus {
    let queues = status(watched).queues;
    queues.into_iter().find(|queue| queue.interface == interface).unwrap_or_default()
}

fn wait_for_packets(watched: &Watched, interface: &str, packets: u64) {
    wait_until("packets", || queue(watched, interface).judged >= packets);
}

fn wait_for_state(watched: &Watched, interface: &str, is_up: bool) {
    wait_until("the state", || queue(watched, interface).is_up == is_up);
}

/// A conversation up to its last segment, a reset, and that.
fn talk(number: u32) -> (Vec<Timed>, Vec<Timed>) {
    let talk = Conversation::new(number, START_NS, MS).handshake().data(CLIENT, 100);
    let mut frames = talk.data(SERVER, 900).abort(CLIENT).frames;
    let reset = frames.split_off(frames.len() - 1);
    (frames, reset)
}

#[test]
fn an_interface_that_is_made_anew_is_watched_again_and_its_flows_are_still_known() {
    with_veth(1, || {
        let (kept, outcome) = watch(&run_options(), |watched| {
            let (before, reset) = talk(1);
            send(&before, SENDING);
            wait_for_packets(watched, WATCHED, 5);
            ip(&format!("link del {SENDING}"));
            wait_for_state(watched, WATCHED, false);
            assert!(!watched.stop.load(Ordering::Relaxed), "the run goes on");
            add_veth([SENDING, WATCHED], "");
            wait_for_state(watched, WATCHED, true);
            wait_until("attached", || Interface::query(WATCHED).unwrap().program_id().is_some());
            send(&reset, SENDING);
            wait_for_packets(watched, WATCHED, 6);
            assert_eq!(status(watched).queues.len(), 1, "one queue, whatever became of it");
            wait_until("the verdict", || watched.finals.load(Ordering::Relaxed) >= 1);
        });
        let report = outcome.unwrap();
        assert!(report.losses.is_empty(), "{:?}", report.losses);
        assert_eq!(report.inputs[0].packets, 6);
        let event = kept.finals().next().unwrap();
        assert!(!event.capture.midstream, "{event:?}");
        assert_eq!(format!("{:?}", event.verdict.origin), "Client");
        assert_eq!(Interface::query(WATCHED).unwrap().program_id(), None, "detached");
    });
}

#[test]
fn the_other_links_go_on_while_one_is_away() {
    with_veth(1, || {
        add_veth(OTHERS, "");
        let options = RunOptions {
            links: [WATCHED, OTHERS[1]].map(pipeline::Link::tap).to_vec(),
            ..run_options()
        };
        let (_, outcome) = watch(&options, |watched| {
            wait_until("a status", || status(watched).queues.len() == 2);
            ip(&format!("link del {SENDING}"));
            wait_for_state(watched, WATCHED, false);
            send(&talk(1).0, OTHERS[0]);
            wait_for_packets(watched, OTHERS[1], 5);
            assert!(queue(watched, OTHERS[1]).is_up);
            wait_until("the window of these", || status(watched).packets == 5);
        });
        assert_eq!(outcome.unwrap().packets, 5);
    });
}

#[test]
fn a_link_that_flaps_is_told_and_nothing_is_lost_of_it() {
    with_veth(1, || {
        let (_, outcome) = watch(&run_options(), |watched| {
            let (before, reset) = talk(1);
            let program = Interface::query(WATCHED).unwrap().program_id();
            send(&before, SENDING);
            wait_for_packets(watched, WATCHED, 5);
            for interface in [SENDING, WATCHED] {
                // No carrier, then down.
                ip(&format!("link set {interface} down"));
                wait_for_state(watched, WATCHED, false);
                ip(&format!("link set {interface} up"));
                wait_for_state(watched, WATCHED, true);
            }
            send(&reset, SENDING);
            wait_until("the verdict", || watched.finals.load(Ordering::Relaxed) >= 1);
            assert_eq!(Interface::query(WATCHED).unwrap().program_id(), program, "never let go");
        });
        let report = outcome.unwrap();
        assert_eq!((report.packets, report.connections.opened), (6, 1));
    });
}

#[test]
fn an_interface_that_is_not_there_yet_is_waited_for_if_asked_so() {
    with_veth(1, || {
        let missing = RunOptions { links: vec![pipeline::Link::tap(OTHERS[1])], ..run_options() };
        let (_, outcome) = watch(&missing, |_| {});
        let error = outcome.unwrap_err();
        assert!(error.contains("interface rs-d does not exist"), "{error}");

        let waiting = RunOptions { wait_for_interfaces: true, ..missing };
        let here = std::thread::scope(|scope| {
            // It comes up while the run waits: made, but down, before it begins.
            let [one, other] = OTHERS;
            ip(&format!("link add {one} type veth peer name {other}"));
            scope.spawn(move || {
                std::thread::park_timeout(std::time::Duration::from_millis(300));
                OTHERS.iter().for_each(|end| drop(ip(&format!("link set {end} up"))));
            });
            let (_, outcome) = watch(&waiting, |watched| {
                send(&talk(1).0, OTHERS[0]);
                wait_for_packets(watched, OTHERS[1], 5);
            });
            outcome.unwrap()
        });
        // The kernel itself may say something on an interface that comes up, but not by TCP.
        assert_eq!(here.connections.opened, 1);
    });
}
