//! Faults of the tap itself, found in its traffic. What mends them is done at the switch: the tests do it
//! by sending what a mended one would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use benches::Frame;
use xdp::Sender;

use crate::{SENDING, doctor, with_veth};

/// Long enough for twenty connections, also on a busy machine.
const WATCH: &str = "--watch 10";

/// What a mirror port does to conversations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mirror {
    /// Both directions, each packet once, a conversation to one queue.
    Whole,
    /// What clients say only.
    OneSided,
    /// Everything twice.
    Twice,
    /// Each direction to a queue of its own.
    Split,
}

/// Sends conversations until dropped.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(mirror: Mirror, queues: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let open = |queue| Sender::open(SENDING, queue).unwrap();
            let mut senders: Vec<Sender> = (0..queues).map(open).collect();
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                talk(mirror, number, &mut senders);
                number += 1;
                // A pace, not a wait: some thousand packets a second, which no core is too slow for.
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()) || std::thread::panicking());
    }
}

const CLIENT: usize = 0;

/// One conversation: handshake, requests and answers, both ends close.
fn talk(mirror: Mirror, number: u32, senders: &mut [Sender]) {
    let hosts =
        [(0x0a00_0001 + number / 20_000, 20_000 + (number % 20_000) as u16), (0xc633_6401, 443)];
    let mut next = [1_000 + number, 9_000_000 + number];
    let mut ip_id = [100, 50_000];
    let (syn, ack, psh, fin) =
        (Frame::SYN, Frame::ACK, Frame::PSH | Frame::ACK, Frame::FIN | Frame::ACK);
    let said = [
        (0, syn, 0),
        (1, syn | ack, 0),
        (0, ack, 0),
        (0, psh, 200),
        (1, psh, 900),
        (0, psh, 100),
        (1, psh, 700),
        (0, ack, 0),
        (0, fin, 0),
        (1, fin, 0),
        (0, ack, 0),
    ];
    for (from, flags, payload_len) in said {
        ip_id[from] += 1;
        let mut bytes = Vec::new();
        Frame {
            is_v6: false,
            vlan: None,
            hosts: if from == CLIENT { hosts } else { [hosts[1], hosts[0]] },
            hop_limit: [61, 57][from],
            ip_id: ip_id[from],
            flags,
            seq: next[from],
            ack: if flags == syn { 0 } else { next[1 - from] },
            window: 502,
            options: &[],
            payload_len,
        }
        .write(&mut bytes);
        let controls = u32::from(flags & (Frame::SYN | Frame::FIN) != 0);
        next[from] += payload_len as u32 + controls;
        let queue = match mirror {
            Mirror::Split => from,
            _ => number as usize % senders.len(),
        };
        match mirror {
            Mirror::OneSided if from != CLIENT => {}
            Mirror::Twice => senders[queue].send_all(&[bytes.as_slice(), &bytes]).unwrap(),
            _ => senders[queue].send_all(&[bytes.as_slice()]).unwrap(),
        }
    }
}

/// Looks while a faulty mirror sends, then while a good one does.
fn found_and_gone(mirror: Mirror, queues: u32, name: &'static str, level: &'static str) {
    with_veth(queues, move || {
        let bad = Traffic::start(mirror, queues);
        doctor(WATCH).assert(name, level);
        drop(bad);
        let _good = Traffic::start(Mirror::Whole, queues);
        let found = doctor(WATCH);
        found.assert(name, "OK");
        assert_eq!(found.code, 0, "{}", found.summary());
    });
}

#[test]
fn a_mirror_of_one_direction_is_found() {
    found_and_gone(Mirror::OneSided, 1, "both directions", "FAIL");
}

#[test]
fn a_mirror_that_sends_everything_twice_is_found() {
    found_and_gone(Mirror::Twice, 1, "packets once", "FAIL");
}

#[test]
fn directions_on_different_queues_are_found() {
    found_and_gone(Mirror::Split, 2, "queues of a connection", "WARN");
}
