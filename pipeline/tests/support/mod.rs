//! What the tests of the whole pipeline share: conversations as frames, and a sink that keeps all.
#![allow(dead_code, reason = "no test needs all of it")]

pub(crate) mod live;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use benches::{CaptureWriter, Frame};
use events::{Event, EventStatus, Evidence, Report, Start};
use pipeline::{Options, Sink};

/// A frame and its time.
pub(crate) type Timed = (u64, Vec<u8>);

/// The time at which conversations begin.
pub(crate) const START_NS: u64 = 1_700_000_000_000_000_000;
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

/// A client at 61 hops' distance from 64 and a server at 57, on a path of some length.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) hosts: [(u32, u16); 2],
    next: [u32; 2],
    ip_id: [u16; 2],
    pub(crate) frames: Vec<Timed>,
    now: u64,
    step_ns: u64,
}

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

impl Conversation {
    /// The `number`-th pair of hosts, its first packet at `start_ns`, the others `step_ns` apart.
    pub(crate) fn new(number: u32, start_ns: u64, step_ns: u64) -> Self {
        let client = (0x0a00_0000 + number / 20_000, 20_000 + (number % 20_000) as u16);
        Self {
            hosts: [client, (0xc633_6401, 443)],
            next: [1_000 + number, 9_000_000 + number],
            ip_id: [100, 50_000],
            frames: Vec::new(),
            now: start_ns,
            step_ns,
        }
    }

    /// Lets time pass.
    pub(crate) fn pause(mut self, ns: u64) -> Self {
        self.now += ns;
        self
    }

    pub(crate) fn syn(self) -> Self {
        self.say(CLIENT, Frame::SYN, 0, 0)
    }

    pub(crate) fn handshake(self) -> Self {
        self.syn().say(SERVER, Frame::SYN | Frame::ACK, 0, 0).say(CLIENT, Frame::ACK, 0, 0)
    }

    pub(crate) fn data(self, from: usize, len: usize) -> Self {
        self.say(from, Frame::PSH | Frame::ACK, len, 0)
    }

    pub(crate) fn fin(self, from: usize) -> Self {
        self.say(from, Frame::FIN | Frame::ACK, 0, 0)
    }

    /// As Linux aborts: RST with ACK, the sender's own numbers.
    pub(crate) fn abort(self, from: usize) -> Self {
        self.say(from, Frame::RST | Frame::ACK, 0, 0)
    }

    /// As Linux answers a segment with ACK when there is no connection: bare, the number asked for.
    pub(crate) fn answer(self, from: usize) -> Self {
        self.say(from, Frame::RST, 0, 0)
    }

    /// A bare reset `beyond` bytes beyond everything sent, as injectors send them.
    pub(crate) fn forged(self, from: usize, beyond: u32) -> Self {
        self.say(from, Frame::RST, 0, beyond)
    }

    fn say(mut self, from: usize, flags: u8, payload_len: usize, beyond: u32) -> Self {
        let is_bare_reset = flags == Frame::RST;
        self.ip_id[from] += 1;
        let [client, server] = self.hosts;
        let mut bytes = Vec::new();
        Frame {
            is_v6: false,
            vlan: None,
            hosts: if from == CLIENT { [client, server] } else { [server, client] },
            hop_limit: [61, 57][from],
            ip_id: if is_bare_reset { 0 } else { self.ip_id[from] },
            flags,
            seq: self.next[from].wrapping_add(beyond),
            ack: if flags & Frame::ACK == 0 { 0 } else { self.next[1 - from] },
            window: if is_bare_reset { 0 } else { 502 },
            options: &[],
            payload_len,
        }
        .write(&mut bytes);
        let controls = u32::from(flags & (Frame::SYN | Frame::FIN) != 0);
        self.next[from] = self.next[from].wrapping_add(payload_len as u32 + controls);
        self.frames.push((self.now, bytes));
        self.now += self.step_ns;
        self
    }
}

/// All frames of several conversations in the order of their times.
pub(crate) fn merged(conversations: impl IntoIterator<Item = Conversation>) -> Vec<Timed> {
    let mut frames: Vec<Timed> = conversations.into_iter().flat_map(|talk| talk.frames).collect();
    frames.sort_by_key(|frame| frame.0);
    frames
}

/// The bytes of a capture.
pub(crate) fn capture(frames: &[Timed]) -> Vec<u8> {
    let mut writer = CaptureWriter::begin(Vec::new()).unwrap();
    for (time, bytes) in frames {
        writer.frame(*time, bytes).unwrap();
    }
    writer.finish().unwrap()
}

/// Keeps everything it is told.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) start: Option<Start>,
    pub(crate) events: Vec<Event>,
    /// Each behind its event, with how many events were told before.
    pub(crate) evidence: Vec<(usize, Evidence)>,
}

impl Sink for Kept {
    fn start(&mut self, start: &Start) -> io::Result<()> {
        self.start = Some(start.clone());
        Ok(())
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.events.push(event.clone());
        Ok(())
    }

    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        self.evidence.push((self.events.len(), evidence.clone()));
        Ok(())
    }
}

impl Kept {
    pub(crate) fn finals(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.status == EventStatus::Final)
    }
}

/// A small sensor whose hash is always the same.
pub(crate) fn options() -> Options {
    Options { flows: 1 << 14, seed: Some(1), provisional: true, ..Options::default() }
}

/// Reads capture files with these contents.
pub(crate) fn read_files(contents: &[Vec<u8>], options: &Options) -> (Kept, Report) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> =
        (0..contents.len()).map(|index| folder.path().join(format!("{index}.pcap"))).collect();
    for (path, bytes) in paths.iter().zip(contents) {
        std::fs::write(path, bytes).unwrap();
    }
    let mut kept = Kept::default();
    let report = pipeline::read(&paths, options, None, &AtomicBool::new(false), &mut kept).unwrap();
    (kept, report)
}

pub(crate) fn read_frames(frames: &[Timed]) -> (Kept, Report) {
    read_files(&[capture(frames)], &options())
}

/// Who, why and what came of it, as far as it does not depend on where the packets were received.
pub(crate) fn verdict(event: &Event) -> String {
    format!(
        "{} > {} by {:?}: {} {:?} {:?} {:?} {:?} {:?}",
        event.client,
        event.server,
        event.claimed,
        event.rst.flags,
        event.verdict.origin,
        event.verdict.cause,
        event.verdict.role,
        event.verdict.effect,
        event.verdict.impact,
    )
}

/// The verdict with how sure it is and why.
pub(crate) fn verdict_with_evidence(event: &Event) -> String {
    let told = &event.verdict;
    let evidence: Vec<_> = told.evidence.iter().map(|item| (&item.clue, &item.observed)).collect();
    let sure = (told.origin_confidence, told.cause_confidence);
    format!("{} {sure:?} {evidence:?} of {}", verdict(event), event.rst_count)
}
