//! What a connection would lose if it ended now.

use wire::SeqNumber;

use super::{FlowRecord, Side};
use crate::key::Direction;
use crate::time::{Tick, Ticks};
use crate::tls_record::OpenRecord;

impl FlowRecord {
    /// Payload bytes of `direction` that the other side has not acknowledged; SYN and FIN do not
    /// count, what came `later`, to that number, does. `None` where it cannot be known: one
    /// direction, or part of it, was not seen.
    #[must_use]
    pub fn in_flight(&self, direction: Direction, later: Option<SeqNumber>) -> Option<u32> {
        let (side, peer) = (self.side(direction), self.side(direction.opposite()));
        if side.packets == 0 {
            // To a SYN alone nobody has sent anything yet.
            let only_syn = peer.has(Side::SYN) && peer.packets > 0 && !peer.has(Side::DATA);
            return (only_syn && !self.handshake_complete() && !self.has_acknowledged(direction))
                .then_some(0);
        }
        if !side.has(Side::DATA) && side.has(Side::SYN) && !self.has_gap() && later.is_none() {
            return Some(0);
        }
        if peer.packets == 0 || !self.has_acknowledged(direction) {
            return None;
        }
        let next = later.filter(|later| later.distance_from(side.next) > 0).unwrap_or(side.next);
        let numbers = u32::try_from(next.distance_from(peer.acked)).ok()?;
        let fin = side.has(Side::FIN) && !side.has(Side::FIN_ACKED);
        Some(numbers.saturating_sub(u32::from(fin)))
    }

    /// Whether anything of `direction` was ever acknowledged.
    fn has_acknowledged(&self, direction: Direction) -> bool {
        self.ack_advanced[direction.opposite().index()] != Tick(0)
    }

    /// The last TLS record of `direction`; [`OpenRecord::UNKNOWN`] if the connection carries none.
    #[must_use]
    pub fn open_record(&self, direction: Direction) -> OpenRecord {
        let is_tls = |classes: &[crate::PayloadClass; 2]| classes.iter().any(|c| c.is_tls());
        if is_tls(&self.first_payload) || is_tls(&self.last_payload) {
            self.open_record[direction.index()]
        } else {
            OpenRecord::UNKNOWN
        }
    }

    /// Whether the other side may not have read all that `direction` has sent: true if some of it
    /// came after the last byte of the other side, or so shortly before that this cannot have known
    /// of it; false if nothing was ever sent. `None` in between, where a host that answers before
    /// it has read everything looks like any other, and where it was not to be seen.
    #[must_use]
    pub fn may_be_unread(&self, direction: Direction) -> Option<bool> {
        let (side, peer) = (self.side(direction), self.side(direction.opposite()));
        if !side.has(Side::DATA) {
            return (side.has(Side::SYN) && !self.has_gap()).then_some(false);
        }
        if !peer.has(Side::DATA) {
            return Some(true);
        }
        let earlier = peer.advanced.since(side.advanced);
        if earlier == Ticks(0) {
            return (side.advanced != peer.advanced).then_some(true);
        }
        let round_trip = self.round_trip(direction.opposite())?;
        (earlier < round_trip).then_some(true)
    }
}
