//! What a host writes into its headers unless a script says otherwise: the grammar of the stacks
//! (classification.md, section 2), so that a script names only what deviates from it.

use std::net::IpAddr;

/// A TCP stack whose habits are known here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StackKind {
    Linux,
    Windows,
    Apple,
    Bsd,
    /// MSS alone in its SYN: scanners, small devices.
    Bare,
}

impl StackKind {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "linux" => Self::Linux,
            "windows" => Self::Windows,
            "apple" => Self::Apple,
            "bsd" => Self::Bsd,
            "bare" => Self::Bare,
            _ => return None,
        })
    }

    const fn initial_ttl(self) -> u8 {
        if matches!(self, Self::Windows) { 128 } else { 64 }
    }

    /// Option kinds of a SYN, as `flowtable/src/stack.rs` knows them.
    pub(crate) const fn syn_layout(self) -> &'static [u8] {
        match self {
            Self::Linux => &[2, 4, 8, 1, 3],
            Self::Windows => &[2, 1, 3, 1, 1, 4],
            Self::Apple => &[2, 1, 3, 1, 1, 8, 4, 0],
            Self::Bsd => &[2, 1, 3, 4, 8],
            Self::Bare => &[2],
        }
    }

    /// Windows of a SYN, a SYN/ACK and a later segment.
    const fn windows(self) -> [u16; 3] {
        match self {
            Self::Linux => [64_240, 65_160, 501],
            Self::Windows => [64_240, 65_392, 1_025],
            Self::Apple => [65_535, 65_535, 2_058],
            Self::Bsd => [65_535, 65_535, 1_027],
            Self::Bare => [1_024, 4_128, 4_128],
        }
    }

    pub(crate) const fn counts_ids(self) -> bool {
        matches!(self, Self::Linux | Self::Windows | Self::Bare)
    }
}

/// One end of a flow and what it has sent so far.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) stack: StackKind,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) mac: u8,
    pub(crate) label: u32,
    pub(crate) df: bool,
    pub(crate) has_timestamps: bool,
    pub(crate) is_signed: bool,
    /// TSval at time zero; the clock runs at 1 kHz.
    pub(crate) timestamp_base: u32,
    pub(crate) window: Option<u16>,
    /// Identification of the next packet.
    pub(crate) next_id: u16,
    pub(crate) last_id: u16,
    pub(crate) isn: u32,
    /// Sequence number of the next byte.
    pub(crate) next: u32,
    /// The last acknowledgment it sent.
    pub(crate) acked: Option<u32>,
    pub(crate) last_timestamp: u32,
    pub(crate) has_sent: bool,
    pub(crate) has_sent_syn: bool,
    /// Its round trip to the sensor.
    pub(crate) round_trip_ns: i64,
}

impl Host {
    /// The client or the server of flow `number`, before a script changes it.
    pub(crate) fn new(is_client: bool, number: u8) -> Self {
        let (address, port, hops) = if is_client {
            (IpAddr::from([10, 0, 0, number]), 40_000 + u16::from(number), 4)
        } else {
            (IpAddr::from([192, 0, 2, 10]), 443, 7)
        };
        let salt = u32::from(number);
        let isn = if is_client { 1_000_000 + salt * 7_777 } else { 3_000_000_000 + salt * 9_999 };
        Self {
            address,
            port,
            stack: StackKind::Linux,
            ttl: 64 - hops,
            tos: 0,
            mac: if is_client { 1 } else { 2 },
            label: if is_client { 0x1_c1e0 + salt } else { 0x2_5e40 + salt },
            df: true,
            has_timestamps: true,
            is_signed: false,
            timestamp_base: if is_client { 100_000 } else { 900_000_000 },
            window: None,
            next_id: if is_client { 1_000 } else { 30_000 } + u16::from(number) * 500,
            last_id: 0,
            isn,
            next: isn,
            acked: None,
            last_timestamp: 0,
            has_sent: false,
            has_sent_syn: false,
            round_trip_ns: if is_client { 2_000_000 } else { 20_000_000 },
        }
    }

    /// Gives it the habits of a stack, as many hops away as before.
    pub(crate) fn becomes(&mut self, stack: StackKind) {
        let hops = self.stack.initial_ttl() - self.ttl.min(self.stack.initial_ttl());
        self.stack = stack;
        self.ttl = stack.initial_ttl() - hops;
        self.has_timestamps = matches!(stack, StackKind::Linux | StackKind::Apple | StackKind::Bsd);
    }

    /// Puts it so many hops away from the sensor.
    pub(crate) const fn moves_to(&mut self, hops: u8) {
        self.ttl = self.stack.initial_ttl() - hops;
    }

    /// TSval at this time.
    pub(crate) const fn timestamp(&self, time_ns: u64) -> u32 {
        self.timestamp_base.wrapping_add((time_ns / 1_000_000) as u32)
    }

    /// The window of a segment that is no reset.
    pub(crate) fn usual_window(&self, is_syn: bool, is_ack: bool) -> u16 {
        let [syn, syn_ack, later] = self.stack.windows();
        match (is_syn, is_ack) {
            (true, false) => syn,
            (true, true) => syn_ack,
            // The server's is another one than the client's.
            _ => self.window.unwrap_or(later + u16::from(self.mac)),
        }
    }

    /// Opens another connection on the same port: new numbers.
    pub(crate) fn restarts(&mut self) {
        self.isn = self.isn.wrapping_add(0x1234_5678);
        self.next = self.isn;
        self.acked = None;
        self.has_sent = false;
        self.has_sent_syn = false;
    }
}
