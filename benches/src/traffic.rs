//! Connections that live side by side, a packet at a time.

mod steady;

use std::str::FromStr;

use crate::frame::Frame;
use crate::random::Random;

/// What the traffic is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Handshakes and pure ACKs, 60 bytes a frame: the worst case for work per packet.
    Small,
    /// Seven of 60, four of 590, one of 1514 bytes, as IMIX has them.
    Imix,
    /// Long connections of full frames and their ACKs.
    Elephants,
    /// Connections of a few packets each: the worst case for the table.
    Churn,
    /// One SYN a connection, never answered.
    SynFlood,
    /// One SYN a target, all refused: sixteen ports of each host, by one source after another.
    Scan,
    /// As [`Mix::Imix`], behind a VLAN tag.
    Vlan,
    /// As [`Mix::Imix`], IPv6.
    Ipv6,
}

impl Mix {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Small,
        Self::Imix,
        Self::Elephants,
        Self::Churn,
        Self::SynFlood,
        Self::Scan,
        Self::Vlan,
        Self::Ipv6,
    ];

    /// Its name on command lines and in benches.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Imix => "imix",
            Self::Elephants => "elephants",
            Self::Churn => "churn",
            Self::SynFlood => "syn-flood",
            Self::Scan => "scan",
            Self::Vlan => "vlan",
            Self::Ipv6 => "ipv6",
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|mix| mix.name() == name);
        found.ok_or_else(|| format!("unknown mix {name:?}; known are {names}"))
    }
}

/// How much of what.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What it is made of.
    pub mix: Mix,
    /// Connections that live side by side; at least one.
    pub flows: usize,
    /// Thousandths of the packets that are resets.
    pub resets_per_mille: u64,
    /// Packets a second, which sets their times apart.
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
            rate: 1_000_000,
            start_ns: 1_700_000_000_000_000_000,
            seed: 1,
            frame_len: None,
        }
    }
}

/// Plays connections for ever.
#[derive(Clone, Debug)]
pub struct Traffic {
    options: Options,
    random: Random,
    flows: Vec<Flow>,
    opened: u32,
    sent: u64,
}

/// One connection.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// Client and server: the last bytes of the address, and the port.
    hosts: [(u32, u16); 2],
    next: [u32; 2],
    ip_id: [u16; 2],
    stage: Stage,
    /// Packets until it closes.
    left: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Unopened,
    SynSent,
    SynAcked,
    Open,
    Closing,
}

impl Traffic {
    /// Makes room for the connections; none is open yet.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            options: *options,
            random: Random::new(options.seed),
            flows: vec![Flow::default(); options.flows.max(1)],
            opened: 0,
            sent: 0,
        }
    }

    /// Writes the next frame into `frame` and gives its time.
    pub fn next_frame(&mut self, frame: &mut Vec<u8>) -> u64 {
        let time_ns = self.next_time_ns();
        let index = self.random.below(self.flows.len() as u64) as usize;
        if self.flows[index].stage == Stage::Unopened {
            self.flows[index] = self.unopened();
        }
        let is_open = matches!(self.flows[index].stage, Stage::SynAcked | Stage::Open);
        // Only some stages can be reset, so those are a little more often.
        if is_open && self.random.per_mille(self.options.resets_per_mille * 5 / 4) {
            self.reset(index, frame);
        } else {
            self.step(index, time_ns, frame);
        }
        time_ns
    }

    fn next_time_ns(&mut self) -> u64 {
        let since_ns = u128::from(self.sent) * 1_000_000_000 / u128::from(self.options.rate.max(1));
        self.sent += 1;
        self.options.start_ns + since_ns as u64
    }

    /// The next 4-tuple; it comes again after 2^32 connections.
    fn unopened(&mut self) -> Flow {
        self.opened = self.opened.wrapping_add(1);
        let opened = self.opened;
        if self.options.mix == Mix::Scan {
            return self.target(opened);
        }
        let client = 0x0a00_0000 | opened >> 14 & 0xff_ffff;
        let server = 0xc612_0000 | self.random.below(4096) as u32;
        let port = 20_000 + (opened & 0x3fff) as u16;
        let length = match self.options.mix {
            Mix::Elephants => 10_000,
            Mix::Churn => 4,
            _ => 40,
        };
        Flow {
            hosts: [(client, port), (server, if opened & 1 == 0 { 443 } else { 8080 })],
            next: [self.random.next() as u32, self.random.next() as u32],
            ip_id: [self.random.next() as u16, self.random.next() as u16],
            stage: Stage::Unopened,
            left: length / 2 + self.random.below(u64::from(length)) as u32,
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
            stage: Stage::Unopened,
            left: 0,
        }
    }

    fn step(&mut self, index: usize, time_ns: u64, frame: &mut Vec<u8>) {
        let flood = self.options.mix == Mix::SynFlood;
        let from = self.random.below(2) as usize;
        let payload_len = self.payload_len(from);
        let flow = self.flows[index];
        let clock = (time_ns / 1_000_000) as u32;
        let (from, flags, payload_len, stage) = match flow.stage {
            Stage::Unopened if flood => (0, Frame::SYN, 0, Stage::Unopened),
            Stage::Unopened => (0, Frame::SYN, 0, Stage::SynSent),
            Stage::SynSent if self.options.mix == Mix::Scan => {
                (1, Frame::RST | Frame::ACK, 0, Stage::Unopened)
            }
            Stage::SynSent => (1, Frame::SYN | Frame::ACK, 0, Stage::SynAcked),
            Stage::SynAcked => (0, Frame::ACK, 0, Stage::Open),
            Stage::Open if flow.left == 0 => (0, Frame::FIN | Frame::ACK, 0, Stage::Closing),
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
        self.write(index, from, flags, options, payload_len, frame);
        let controls = u32::from(flags & (Frame::SYN | Frame::FIN) != 0);
        let flow = &mut self.flows[index];
        flow.next[from] = flow.next[from].wrapping_add(payload_len as u32 + controls);
        flow.left = flow.left.saturating_sub(1);
        flow.stage = stage;
    }

    /// As Linux resets: half of them by a closing application, half of them answers.
    fn reset(&mut self, index: usize, frame: &mut Vec<u8>) {
        let from = self.random.below(2) as usize;
        let flags = if self.random.per_mille(500) { Frame::RST | Frame::ACK } else { Frame::RST };
        self.write(index, from, flags, &[], 0, frame);
        self.flows[index].stage = Stage::Unopened;
    }

    fn write(
        &mut self,
        index: usize,
        from: usize,
        flags: u8,
        options: &[u8],
        payload_len: usize,
        frame: &mut Vec<u8>,
    ) {
        let flow = &mut self.flows[index];
        let is_refusal = self.options.mix == Mix::Scan && from == 1;
        flow.ip_id[from] = flow.ip_id[from].wrapping_add(u16::from(!is_refusal));
        let [client, server] = flow.hosts;
        let has_ack = flags & Frame::ACK != 0;
        Frame {
            is_v6: self.options.mix == Mix::Ipv6,
            vlan: (self.options.mix == Mix::Vlan).then_some(100),
            hosts: if from == 0 { [client, server] } else { [server, client] },
            hop_limit: [61, 57][from],
            ip_id: if flags == Frame::RST { 0 } else { flow.ip_id[from] },
            flags,
            seq: flow.next[from],
            ack: if has_ack { flow.next[1 - from] } else { 0 },
            window: if flags == Frame::RST || is_refusal { 0 } else { 502 },
            options,
            payload_len,
        }
        .write(frame);
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
                Mix::Ipv6 => assert_eq!(longest, 1534),
            }
        }
    }
}
