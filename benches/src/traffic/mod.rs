//! Connections that live side by side, a packet at a time.
//!
//! | file | idea |
//! |---|---|
//! | `mix` | what traffic is made of, by name |
//! | `flow` | one connection |
//! | `resets` | resets of every kind |
//! | `composition` | what it turned out to consist of |

mod composition;
mod flow;
mod mix;
mod resets;

use std::collections::VecDeque;

pub use composition::Composition;
pub use mix::{Mix, Resets, Start};

use crate::frame::{self, Frame};
use crate::random::Random;
use flow::{Flow, Stage};

/// How much of what.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What it is made of.
    pub mix: Mix,
    /// Connections that live side by side; at least one.
    pub flows: usize,
    /// Thousandths of the packets that are resets.
    pub resets_per_mille: u64,
    /// Which resets.
    pub resets: Resets,
    /// Whether connections are open when it begins.
    pub start: Start,
    /// Packets a second, which sets their times apart; a warm-up comes at [`WARM_UP_RATE`].
    pub rate: u64,
    /// Time of the first packet, nanoseconds since the epoch.
    pub start_ns: u64,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// Bytes of every frame with data, and every frame of an open connection has some; `None` for
    /// the lengths of the mix.
    pub frame_len: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mix: Mix::Imix,
            flows: 100_000,
            resets_per_mille: 20,
            resets: Resets::default(),
            start: Start::default(),
            rate: 1_000_000,
            start_ns: 1_700_000_000_000_000_000,
            seed: 1,
            frame_len: None,
        }
    }
}

/// Plays connections for ever.
///
/// After a warm-up (`start` is not [`Start::Cold`]) it is steady: connections that open and close
/// get their answers after 10 ms, and the share of every sort of packet stays what it is.
#[derive(Clone, Debug)]
pub struct Traffic {
    options: Options,
    random: Random,
    flows: Vec<Flow>,
    opened: u32,
    sent: u64,
    warm_up_len: u64,
    /// Chance of an event with resets at each turn, in millionths.
    event_chance: u64,
    /// What an event still has to send.
    pending: VecDeque<Frame<'static>>,
    /// Flows whose peer owes an answer, and from which packet on.
    owed: VecDeque<(u64, usize)>,
    /// Some of those that ended.
    closed: Vec<Flow>,
    composition: Composition,
}

impl Traffic {
    /// Makes room for the connections; none is open yet.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let flows = options.flows.max(1);
        Self {
            options: *options,
            random: Random::new(options.seed),
            flows: vec![Flow::default(); flows],
            opened: 0,
            sent: 0,
            warm_up_len: if options.mix.has_connections() {
                options.start.frames() * flows as u64
            } else {
                0
            },
            event_chance: resets::event_chance(options.resets_per_mille),
            pending: VecDeque::new(),
            owed: VecDeque::new(),
            closed: Vec::new(),
            composition: Composition::default(),
        }
    }

    /// Packets until every connection is open.
    #[must_use]
    pub const fn warm_up_len(&self) -> u64 {
        self.warm_up_len
    }

    /// Another share of resets from now on, thousandths of the packets.
    pub fn set_resets_per_mille(&mut self, share: u64) {
        self.options.resets_per_mille = share;
        self.event_chance = resets::event_chance(share);
    }

    /// What was sent since the warm-up.
    #[must_use]
    pub const fn composition(&self) -> Composition {
        self.composition
    }

    /// Writes the next frame into `frame` and gives its time.
    pub fn next_frame(&mut self, frame: &mut Vec<u8>) -> u64 {
        let number = self.sent;
        let time_ns = self.time_ns(number);
        self.sent += 1;
        if number < self.warm_up_len {
            self.warm_up(number, time_ns, frame);
            return time_ns;
        }
        if let Some(next) = self.pending.pop_front() {
            self.write(&next, frame);
            return time_ns;
        }
        let index = self.next_flow(number);
        if self.flows[index].stage == Stage::Unopened {
            self.flows[index] = self.unopened();
        }
        let is_open = matches!(self.flows[index].stage, Stage::SynAcked | Stage::Open);
        if is_open && self.is_reset_due() {
            self.reset(index, frame);
        } else {
            self.step(index, time_ns, frame);
            self.owe(index, number);
        }
        time_ns
    }

    fn time_ns(&self, number: u64) -> u64 {
        let at = |number: u64, rate: u64| {
            (u128::from(number) * 1_000_000_000 / u128::from(rate.max(1))) as u64
        };
        let warm = at(number.min(self.warm_up_len), WARM_UP_RATE);
        let steady = at(number.saturating_sub(self.warm_up_len), self.options.rate);
        self.options.start_ns + warm + steady
    }

    /// Whose turn it is: who owes an answer, or anybody.
    fn next_flow(&mut self, number: u64) -> usize {
        match self.owed.front() {
            Some(&(due, index)) if due <= number => {
                self.owed.pop_front();
                index
            }
            _ => self.random.below(self.flows.len() as u64) as usize,
        }
    }

    /// Handshakes and closes go on by themselves; a cold start leaves them to chance.
    fn owe(&mut self, index: usize, number: u64) {
        let is_owed =
            matches!(self.flows[index].stage, Stage::SynSent | Stage::SynAcked | Stage::Closing);
        if is_owed && self.options.start != Start::Cold {
            self.owed.push_back((number + self.options.rate / 100, index));
        }
    }

    fn is_reset_due(&mut self) -> bool {
        match self.options.resets {
            // Only some stages can be reset, so those are a little more often.
            Resets::Plain => self.random.per_mille(self.options.resets_per_mille * 5 / 4),
            Resets::AllKinds => self.random.below(1_000_000) < self.event_chance,
        }
    }

    /// Opens the connections block by block, so that their handshakes take a millisecond.
    fn warm_up(&mut self, number: u64, time_ns: u64, frame: &mut Vec<u8>) {
        let per_flow = self.options.start.frames();
        let block = number / (BLOCK * per_flow);
        let first = block * BLOCK;
        let len = (self.flows.len() as u64 - first).min(BLOCK);
        let within = number - block * BLOCK * per_flow;
        let index = (first + within % len) as usize;
        if self.flows[index].stage == Stage::Unopened {
            self.flows[index] = self.unopened();
            // As old as any: somewhere between its beginning and its end.
            let left = u64::from(self.flows[index].left);
            self.flows[index].left = self.random.below(left + 1) as u32;
            if self.options.start == Start::Midstream {
                self.flows[index].stage = Stage::Open;
            }
        }
        if self.options.start == Start::Handshakes {
            return self.step(index, time_ns, frame);
        }
        let from = (within / len) as usize;
        let options = timestamps((time_ns / 1_000_000) as u32);
        let options = if self.options.mix == Mix::Small { &[][..] } else { &options };
        let ack = Frame { options, ..self.flows[index].segment(from, Frame::ACK) };
        self.write(&ack, frame);
    }

    /// The next 4-tuple; it comes again after 2^32 connections.
    fn unopened(&mut self) -> Flow {
        self.opened = self.opened.wrapping_add(1);
        let opened = self.opened;
        if self.options.mix == Mix::Scan {
            return self.target(opened);
        }
        // From a cold start client after client opens all it can; else thousands take turns.
        let (client, port) = match self.options.start {
            Start::Cold => (opened >> 14, opened & 0x3fff),
            _ => (opened & 0xfff | opened >> 26 << 12, opened >> 12 & 0x3fff),
        };
        let client = 0x0a00_0000 | client & 0xff_ffff;
        let server = 0xc612_0000 | self.random.below(4096) as u32;
        let port = 20_000 + port as u16;
        let length = match self.options.mix {
            Mix::Elephants => 10_000,
            Mix::Churn => 4,
            _ => 40,
        };
        Flow {
            hosts: [(client, port), (server, if opened & 1 == 0 { 443 } else { 8080 })],
            next: [self.random.next() as u32, self.random.next() as u32],
            ip_id: [self.random.next() as u16, self.random.next() as u16],
            left: length / 2 + self.random.below(u64::from(length)) as u32,
            is_v6: self.options.mix == Mix::Ipv6,
            vlan: (self.options.mix == Mix::Vlan).then_some(100),
            stage: Stage::Unopened,
        }
    }

    /// The next target of a scan; another source goes on after 65,536 of them.
    fn target(&mut self, number: u32) -> Flow {
        let source = 0x0a00_0000 | number >> 16;
        let host = 0xc600_0000 | number >> 4 & 0xff_ffff;
        let port = 20_000 + self.random.below(1 << 14) as u16;
        let counts = host & 1 == 1;
        Flow {
            hosts: [(source, port), (host, 1 + (number & 15) as u16)],
            // A refusal bears the number 0 (RFC 9293, section 3.10.7.1).
            next: [self.random.next() as u32, 0],
            // Linux refuses with identification 0, others count.
            ip_id: [self.random.next() as u16, if counts { self.random.next() as u16 } else { 0 }],
            ..Flow::default()
        }
    }

    fn step(&mut self, index: usize, time_ns: u64, frame: &mut Vec<u8>) {
        let flood = self.options.mix == Mix::SynFlood;
        let from = self.random.below(2) as usize;
        let payload_len = self.payload_len(from);
        let clock = (time_ns / 1_000_000) as u32;
        let (from, flags, payload_len, stage) = match self.flows[index].stage {
            Stage::Unopened if flood => (0, Frame::SYN, 0, Stage::Unopened),
            Stage::Unopened => (0, Frame::SYN, 0, Stage::SynSent),
            Stage::SynSent if self.options.mix == Mix::Scan => {
                (1, Frame::RST | Frame::ACK, 0, Stage::Unopened)
            }
            Stage::SynSent => (1, Frame::SYN | Frame::ACK, 0, Stage::SynAcked),
            Stage::SynAcked => (0, Frame::ACK, 0, Stage::Open),
            Stage::Open if self.flows[index].left == 0 => {
                (0, Frame::FIN | Frame::ACK, 0, Stage::Closing)
            }
            Stage::Open if payload_len > 0 => {
                (from, Frame::PSH | Frame::ACK, payload_len, Stage::Open)
            }
            Stage::Open => (from, Frame::ACK, 0, Stage::Open),
            Stage::Closing => (1, Frame::FIN | Frame::ACK, 0, Stage::Unopened),
        };
        let (syn, timestamps) = (syn_options(clock), timestamps(clock));
        let options = match self.options.mix {
            // The smallest frames have no room for options.
            Mix::Small => &[],
            _ if flags & Frame::SYN != 0 => &syn[..],
            _ if flags & Frame::RST != 0 => &[],
            _ => &timestamps,
        };
        let is_refusal = self.options.mix == Mix::Scan && from == 1;
        let flow = &mut self.flows[index];
        flow.ip_id[from] = flow.ip_id[from].wrapping_add(u16::from(!is_refusal));
        let segment = flow.segment(from, flags);
        let window = if is_refusal { 0 } else { segment.window };
        let controls = u32::from(flags & (Frame::SYN | Frame::FIN) != 0);
        flow.next[from] = flow.next[from].wrapping_add(payload_len as u32 + controls);
        flow.left = flow.left.saturating_sub(1);
        flow.stage = stage;
        if stage == Stage::Unopened && flags & Frame::FIN != 0 {
            self.end(index);
        }
        self.write(&Frame { options, payload_len, window, ..segment }, frame);
    }

    /// Plain ones are as Linux resets: half of them by a closing application, half of them answers.
    fn reset(&mut self, index: usize, frame: &mut Vec<u8>) {
        let reset = match self.options.resets {
            Resets::AllKinds => self.reset_event(index),
            Resets::Plain => {
                let from = self.random.below(2) as usize;
                let is_abort = self.random.per_mille(500);
                let flow = &mut self.flows[index];
                flow.ip_id[from] = flow.ip_id[from].wrapping_add(1);
                flow.stage = Stage::Unopened;
                if is_abort { flow.segment(from, Frame::RST | Frame::ACK) } else { flow.bare(from) }
            }
        };
        self.write(&reset, frame);
    }

    fn write(&mut self, segment: &Frame<'_>, frame: &mut Vec<u8>) {
        if self.sent > self.warm_up_len {
            self.composition.add(segment);
        }
        segment.write(frame);
        if self.options.mix == Mix::Vxlan {
            frame::in_vxlan(frame, 42);
        }
    }

    fn payload_len(&mut self, from: usize) -> usize {
        const HEADERS: usize = 14 + 20 + 20 + 12;
        if let Some(len) = self.options.frame_len {
            return len.saturating_sub(HEADERS);
        }
        match self.options.mix {
            Mix::Small | Mix::SynFlood | Mix::Scan => 0,
            // Data one way, ACKs the other.
            Mix::Elephants => from * (1514 - HEADERS),
            _ => match self.random.below(12) {
                0..7 => 0,
                7..11 => 590 - HEADERS,
                _ => 1514 - HEADERS,
            },
        }
    }
}

/// Packets a second of a warm-up.
pub const WARM_UP_RATE: u64 = 1_000_000;
/// Flows that shake hands side by side.
const BLOCK: u64 = 1_000;

/// MSS, SACK permitted, timestamps, window scale: the order of Linux.
fn syn_options(clock: u32) -> [u8; 20] {
    let [a, b, c, d] = clock.to_be_bytes();
    [2, 4, 5, 0xb4, 4, 2, 8, 10, a, b, c, d, 0, 0, 0, 0, 1, 3, 3, 7]
}

/// Timestamps, padded in front as usual.
fn timestamps(clock: u32) -> [u8; 12] {
    let [a, b, c, d] = clock.to_be_bytes();
    [1, 1, 8, 10, a, b, c, d, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(options: &Options, count: usize) -> Vec<Vec<u8>> {
        let mut traffic = Traffic::new(options);
        let mut frame = Vec::new();
        let mut next = || {
            traffic.next_frame(&mut frame);
            frame.clone()
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let options = Options::default();
        assert_eq!(frames(&options, 500), frames(&options, 500));
        assert_ne!(frames(&options, 500), frames(&Options { seed: 2, ..options }, 500));
    }

    #[test]
    fn every_mix_can_be_named_and_is_of_its_size() {
        for mix in Mix::ALL {
            assert_eq!(mix.name().parse(), Ok(mix));
            let longest = frames(&Options { mix, flows: 100, ..Options::default() }, 5_000);
            let longest = longest.iter().map(Vec::len).max().unwrap();
            match mix {
                Mix::Small => assert_eq!(longest, 60),
                Mix::SynFlood | Mix::Scan => assert_eq!(longest, 74),
                Mix::Imix | Mix::Elephants | Mix::Churn => assert_eq!(longest, 1514),
                Mix::Vlan => assert_eq!(longest, 1518),
                Mix::Vxlan => assert_eq!(longest, 1564),
                Mix::Ipv6 => assert_eq!(longest, 1534),
            }
        }
    }

    #[test]
    fn a_warm_up_opens_every_connection_before_anything_else() {
        for (start, per_flow) in [(Start::Handshakes, 3), (Start::Midstream, 2)] {
            let options = Options { start, flows: 2_500, ..Options::default() };
            let mut traffic = Traffic::new(&options);
            assert_eq!(traffic.warm_up_len(), per_flow * 2_500);
            let mut frame = Vec::new();
            let times: Vec<u64> =
                (0..traffic.warm_up_len()).map(|_| traffic.next_frame(&mut frame)).collect();
            assert!(times.is_sorted());
            assert!(traffic.flows.iter().all(|flow| flow.stage == Stage::Open));
            assert_eq!(traffic.composition().frames(), 0);
        }
    }
}
