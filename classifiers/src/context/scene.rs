//! Resets for the tests of the tables.

use flowtable::{
    Direction, Endpoint, FlowKey, FlowRecord, Marks, PayloadClass, Segment, Timestamp, Watch,
};
use wire::{Address, SeqNumber, TcpFlags};

use crate::context::Setting;
use crate::judge::decide;
use crate::verdict::Ruling;

/// A reset in the server's name, after a request and before the answer. It comes sooner than the
/// server can answer if it does not come from where the server is.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) client: [u8; 4],
    pub(crate) server: [u8; 4],
    pub(crate) port: u16,
    pub(crate) time_ms: u64,
    /// Of the server's own packets.
    pub(crate) hop_limit: u8,
    pub(crate) reset_hop_limit: u8,
    pub(crate) reset_id: u16,
    pub(crate) reset_window: u16,
}

impl Scene {
    pub(crate) const NEW: Self = Self {
        client: [10, 0, 0, 1],
        server: [192, 0, 2, 1],
        port: 40_000,
        time_ms: 1_000,
        hop_limit: 50,
        reset_hop_limit: 61,
        reset_id: 100,
        reset_window: 0,
    };

    pub(crate) const fn ends(&self) -> [Endpoint; 2] {
        [
            Endpoint { address: Address::v4(self.client), port: self.port },
            Endpoint { address: Address::v4(self.server), port: 443 },
        ]
    }

    /// The reset, and the verdict that its own connection gives.
    pub(crate) fn reset(&self) -> (Watch, Ruling) {
        let [client, server] = self.ends();
        let low_is_client = client <= server;
        let [low, high] = if low_is_client { [client, server] } else { [server, client] };
        let (from_client, from_server) = if low_is_client {
            (Direction::FromLow, Direction::FromHigh)
        } else {
            (Direction::FromHigh, Direction::FromLow)
        };
        let mut record = FlowRecord::empty();
        let segment = |ms: u64, flags: u16, seq: u32, ack: u32, len: u32, hop_limit: u8| Segment {
            time: Timestamp((self.time_ms + ms) * 1_000_000),
            seq: SeqNumber(seq),
            ack: SeqNumber(ack),
            payload_len: len,
            payload: if len > 0 { PayloadClass::Other } else { PayloadClass::Empty },
            flags: TcpFlags(flags),
            window: 500,
            ip_id: 7_000 + ms as u16,
            hop_limit,
            marks: Marks::DF,
            ..Segment::blank()
        };
        let ports = [low.port, high.port];
        for (direction, segment) in [
            (from_client, segment(0, 0x02, 1_000, 0, 0, 60)),
            (from_server, segment(20, 0x12, 5_000, 1_001, 0, self.hop_limit)),
            (from_client, segment(21, 0x10, 1_001, 5_001, 0, 60)),
            (from_client, segment(22, 0x18, 1_001, 5_001, 100, 60)),
        ] {
            record.observe(direction, &segment, ports);
        }
        let after_ms = if self.hop_limit == self.reset_hop_limit { 44 } else { 24 };
        let mut reset = segment(after_ms, 0x14, 5_001, 1_101, 0, self.reset_hop_limit);
        (reset.ip_id, reset.window) = (self.reset_id, self.reset_window);
        let key = FlowKey { low, high, scope: 0 };
        let watch = Watch::new(key, from_server, reset, record);
        let ruling = decide(&watch, true, &Setting::NONE);
        (watch, ruling)
    }
}
