//! Live through AF_XDP on veth pairs in namespaces of our own, against a replay of the same frames.
//!
//! These tests need root and iproute2; without them they say so and do nothing, except in CI, where
//! they fail.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]
#![allow(clippy::print_stdout, reason = "figures and modes are worth reading")]

mod support;

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use events::Event;
use pipeline::{Capture, Ration, RunOptions};
use support::live::{SENDING, WATCHED, ip, run_options, wait_until, watch, with_veth};
use support::{
    CLIENT, Conversation, Kept, MS, SECOND, SERVER, START_NS, Timed, read_frames, verdict,
};
use xdp::{Interface, Sender};

/// Eight conversations of four kinds side by side, each reset once.
fn burst(round: u32) -> Vec<Timed> {
    let talk = |number: u32| {
        let start = START_NS + u64::from(round) * SECOND;
        let talk = Conversation::new(round * 8 + number, start, MS);
        match number % 4 {
            0 => talk.syn().abort(SERVER),
            1 => talk.handshake().data(CLIENT, 100).data(SERVER, 900).abort(CLIENT),
            2 => talk.handshake().data(CLIENT, 50).fin(SERVER).data(CLIENT, 10).answer(SERVER),
            _ => talk.handshake().data(CLIENT, 70).forged(SERVER, 5_000),
        }
    };
    support::merged((0..8).map(talk))
}

/// Sends frames in order; the queue of each is its direction's, by who has the port 443.
fn send(frames: &[Timed], queues: u32) {
    send_spaced(frames, queues, Duration::ZERO);
}

/// Sends frames of one time at once and lets a moment pass before the next: every queue has then
/// been emptied, and the order across queues is that of sending.
fn send_in_step(frames: &[Timed], queues: u32) {
    send_spaced(frames, queues, Duration::from_millis(1));
}

fn send_spaced(frames: &[Timed], queues: u32, pause: Duration) {
    let mut senders: Vec<Sender> =
        (0..queues).map(|queue| Sender::open(SENDING, queue).unwrap()).collect();
    let mut time = 0;
    for (at, bytes) in frames {
        if *at != time {
            std::thread::sleep(pause);
            time = *at;
        }
        let from_server = bytes[34..36] == 443u16.to_be_bytes();
        let queue = usize::from(from_server) % senders.len();
        senders[queue].send_all(&[bytes]).unwrap();
    }
}

fn sorted<'e>(events: impl Iterator<Item = &'e Event>) -> Vec<String> {
    let mut verdicts: Vec<String> = events.map(verdict).collect();
    verdicts.sort();
    verdicts
}

/// On a busy machine a frame may come late, and times are evidence: some round in a few is as it
/// was meant.
const ROUNDS: u32 = 6;

#[test]
fn a_live_run_tells_what_a_replay_tells() {
    with_veth(1, || {
        let (kept, outcome) = watch(&run_options(), |watched| {
            for round in 0..ROUNDS {
                send_in_step(&burst(round), 1);
                let told = u64::from((round + 1) * 8);
                wait_until("finals", || watched.finals.load(Ordering::Relaxed) >= told);
            }
        });
        let report = outcome.unwrap();
        assert!(report.losses.is_empty(), "{:?}", report.losses);
        assert_eq!(kept.finals().count(), 8 * ROUNDS as usize, "each reset once");
        let (replayed, _) = read_frames(&(0..ROUNDS).flat_map(burst).collect::<Vec<_>>());
        let of_round = |kept: &Kept, round: u32| {
            let ports = 20_000 + round as u16 * 8..20_008 + round as u16 * 8;
            sorted(kept.finals().filter(|event| ports.contains(&event.client.port)))
        };
        let is_alike = |round: &u32| of_round(&kept, *round) == of_round(&replayed, *round);
        let alike = (0..ROUNDS).filter(is_alike).count();
        assert!(alike > 0, "{:#?}", (sorted(kept.finals()), sorted(replayed.finals())));
        println!("{alike} of {ROUNDS} rounds alike");
    });
}

#[test]
fn in_control_mode_the_driver_leaves_out_the_rest_of_a_transfer() {
    with_veth(1, || {
        let talk = Conversation::new(1, START_NS, MS).handshake().data(CLIENT, 100);
        let talk = (0..400).fold(talk, |talk, _| talk.data(SERVER, 900)).abort(SERVER);
        let sent = talk.frames.len() as u64;
        let ration = Ration { first_packets: 4, connections: 16 };
        let mut options = run_options();
        options.options.capture = Capture::Control(ration);
        let (kept, outcome) = watch(&options, move |watched| {
            send(&talk.frames, 1);
            wait_until("final", || watched.finals.load(Ordering::Relaxed) >= 1);
        });
        let report = outcome.unwrap();
        let control = report.control.unwrap();
        assert_eq!(control.first_packets, 4);
        assert_eq!(control.left_out + report.packets, sent);
        // Each second that passes meanwhile brings one more.
        assert!(control.left_out > 300, "{control:?}");
        assert!(report.losses.is_empty(), "{:?}", report.losses);
        let event = kept.finals().next().unwrap();
        assert!(event.capture.control_only);
        assert_eq!(format!("{:?}", event.verdict.origin), "Server");
    });
}

#[test]
fn names_of_live_events_are_their_own() {
    with_veth(1, || {
        let (kept, outcome) = watch(&run_options(), |watched| {
            send(&burst(0), 1);
            wait_until("finals", || watched.finals.load(Ordering::Relaxed) >= 8);
        });
        outcome.unwrap();
        let mut names: Vec<&str> = kept.finals().map(|event| event.id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 8, "eight resets have eight names");
    });
}

/// Each direction on a queue of its own, so most segments are handed over: no connection may be
/// met in mid-stream, none reset twice.
#[test]
fn both_directions_meet_whatever_queues_they_come_in_on() {
    with_veth(3, || {
        let (kept, outcome) = watch(&run_options(), |watched| {
            for round in 0..ROUNDS {
                send_in_step(&burst(round), 3);
            }
            let told = u64::from(ROUNDS * 8);
            wait_until("finals", || watched.finals.load(Ordering::Relaxed) >= told);
            let sent = u64::from(ROUNDS) * burst(0).len() as u64;
            wait_until("all is judged", || {
                let status = watched.status.lock().unwrap().clone();
                status.queues.iter().map(|queue| queue.judged).sum::<u64>() == sent
            });
            let status = watched.status.lock().unwrap().clone();
            let packets: Vec<u64> = status.queues.iter().map(|queue| queue.packets).collect();
            assert!(
                packets.len() == 3 && packets[0] > 0 && packets[1] > 0 && packets[2] == 0,
                "clients on queue 0, the server on 1: {packets:?}"
            );
            assert_eq!(packets.iter().sum::<u64>(), sent);
            for (number, queue) in (0..).zip(&status.queues) {
                assert_eq!((queue.interface.as_str(), queue.queue), (WATCHED, number));
                assert!(queue.is_up && queue.losses.is_empty(), "{queue:?}");
                assert_eq!(queue.mode, "native copy");
            }
            assert!(status.flows_max >= 1 << 14, "{}", status.flows_max);
            assert_eq!(status.connections.opened, u64::from(ROUNDS * 8));
            assert!(status.exporter_lag_s < 10.0, "{}", status.exporter_lag_s);
        });
        let report = outcome.unwrap();
        assert_eq!(report.workers, 3);
        assert!(report.losses.is_empty(), "{:?}", report.losses);
        assert_eq!(kept.finals().count(), 8 * ROUNDS as usize, "each reset once");
        assert_eq!(report.packets, u64::from(ROUNDS) * burst(0).len() as u64);
        let sums = report.connections;
        assert_eq!(sums.opened, u64::from(ROUNDS * 8), "{sums:?}");
        let queues: Vec<Option<u16>> = kept.finals().map(|event| event.queue).collect();
        assert!(queues.contains(&Some(0)) && queues.contains(&Some(1)), "{queues:?}");
        let both = kept.finals().filter(|event| !event.capture.asymmetric).count();
        // Two of eight have no answer before their reset.
        assert!(both >= 6 * ROUNDS as usize * 9 / 10, "{both} of {}", 6 * ROUNDS);
    });
}

/// All traffic on one queue, so the other workers hear only what is handed to them; they may not
/// sleep while their rings fill.
#[test]
fn a_worker_without_packets_of_its_own_takes_what_is_handed_over() {
    with_veth(2, || {
        const PACKETS: usize = 60_000;
        let (_, outcome) = watch(&run_options(), |watched| {
            let options = benches::Options { mix: benches::Mix::Small, ..Default::default() };
            let mut traffic = benches::Traffic::new(&options);
            let mut sender = Sender::open(SENDING, 0).unwrap();
            let mut frame = Vec::new();
            for _ in 0..PACKETS / 100 {
                let batch: Vec<Vec<u8>> = (0..100)
                    .map(|_| {
                        traffic.next_frame(&mut frame);
                        frame.clone()
                    })
                    .collect();
                let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
                sender.send_all(&batch).unwrap();
                // A hundred thousand a second at most.
                std::thread::sleep(Duration::from_millis(1));
            }
            wait_until("packets", || watched.packets.load(Ordering::Relaxed) >= PACKETS as u64);
        });
        let report = outcome.unwrap();
        assert_eq!(report.packets, PACKETS as u64);
        assert_eq!(report.losses.get("handover_ring_full"), None, "{:?}", report.losses);
    });
}

/// Where the card keeps both directions of a connection on one queue there are no rings.
#[test]
fn workers_of_symmetric_queues_hand_nothing_over() {
    with_veth(2, || {
        let options = RunOptions { sharding: pipeline::Sharding::ByQueue, ..run_options() };
        let (kept, outcome) = watch(&options, |watched| {
            send(&burst(0), 1);
            wait_until("packets", || watched.packets.load(Ordering::Relaxed) > 30);
            wait_until("verdicts", || watched.finals.load(Ordering::Relaxed) >= 8);
        });
        let report = outcome.unwrap();
        assert_eq!(kept.finals().count(), 8);
        assert_eq!(report.workers, 2);
        let rings = report.memory.items.iter().find(|item| item.name == "hand-over rings");
        assert_eq!(rings.map_or(0, |item| item.bytes), 0);
    });
}

#[test]
fn a_second_run_on_one_interface_says_who_has_it() {
    with_veth(1, || {
        let (_, outcome) = watch(&run_options(), |_| {
            let (stop, mut sink) = (AtomicBool::new(false), Kept::default());
            let error = pipeline::run(&run_options(), &stop, &mut sink).err().unwrap();
            let error = error.to_string();
            println!("{error}");
            assert!(error.contains(WATCHED), "{error}");
            let own = format!("(pid {})", std::process::id());
            assert!(error.contains(&own), "{error} names {own}");
        });
        outcome.unwrap();
        assert_eq!(Interface::query(WATCHED).unwrap().program_id(), None, "detached");
    });
}

/// Makes this test binary watch in a process of its own.
const CHILD: &str = "LIVE_TEST_CHILD";

/// Not a test: what the next one kills.
#[test]
#[ignore = "started by another test"]
fn child_that_watches() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (_, outcome) = watch(&run_options(), |_| {
        println!("\nwatching");
        let mut nothing = String::new();
        io::stdin().read_to_string(&mut nothing).unwrap();
    });
    outcome.unwrap();
}

#[test]
fn a_killed_run_leaves_nothing_on_the_interface() {
    with_veth(1, || {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_watches", "--ignored", "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "watching"), "the child watches");
        assert!(Interface::query(WATCHED).unwrap().program_id().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        let program = || Interface::query(WATCHED).unwrap().program_id();
        wait_until("program gone", || program().is_none());
        assert!(!ip(&format!("link show {WATCHED}")).contains("xdp"));
    });
}
