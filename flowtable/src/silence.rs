//! How long nothing was said: what idle timers are known by.

use crate::key::Direction;
use crate::record::FlowRecord;
use crate::time::{Ticks, Timestamp};

/// The silence in which a connection is at some moment, and the ones it has survived; 20 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Silence {
    /// Since the last segment of either side: what a device in the path measures.
    pub idle: Ticks,
    /// Since the last new byte of either side, SYN and FIN included: what an application measures.
    /// Keepalive probes do not end it.
    pub unused: Ticks,
    /// Longest silence between two segments so far, at most 1/2048 too short.
    pub survived: Ticks,
    /// Since the first segment, seconds.
    pub age_s: u32,
    /// The last new byte was the client's: it may be waiting for an answer.
    pub client_spoke_last: bool,
    /// Segments or probes of either side wait for their acknowledgment in vain: not mere silence.
    pub is_disturbed: bool,
    /// Both sides took part, more than a forged segment or two would show.
    pub is_established: bool,
}

impl FlowRecord {
    /// The silence at `now`; `None` if nothing was seen of the connection.
    #[must_use]
    pub fn silence(&self, now: Timestamp) -> Option<Silence> {
        let idle = now.tick().since(self.last_activity()?);
        let client = self.client();
        let unused = |direction: Direction| {
            let side = self.side(direction);
            if side.packets == 0 { Ticks(u32::MAX) } else { now.tick().since(side.advanced) }
        };
        let (of_client, of_server) = (unused(client), unused(client.opposite()));
        let is_disturbed = [client, client.opposite()].into_iter().any(|direction| {
            self.retransmissions(direction) > 0 || self.unanswered_probes(direction) > 0
        });
        Some(Silence {
            idle,
            unused: of_client.min(of_server),
            survived: self.longest_gap(),
            age_s: now.seconds().saturating_sub(self.opened_s()),
            client_spoke_last: of_client < of_server,
            is_disturbed,
            is_established: self.is_established(),
        })
    }
}
