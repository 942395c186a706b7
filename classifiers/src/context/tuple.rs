//! Connections by their client's end: a reset between this end and a stranger is half of a
//! translation that failed (classification.md, R29; the conntrack INVALID bug of kube-proxy).

use std::num::NonZeroUsize;

use flowtable::{Direction, Endpoint, Happening, Note, Side, Timestamp, Watch};

use super::bounded::Bounded;
use super::lesson::Lesson;

/// A lone segment fits a known connection but for one of its ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Desync {
    /// The end that both have in common.
    pub client: Endpoint,
    /// Whom the client is connected to.
    pub known: Endpoint,
    /// Whom the lone segment came from or went to.
    pub stranger: Endpoint,
}

/// Living connections by their client's end.
#[derive(Debug)]
pub(crate) struct Tuples {
    servers: Bounded<Endpoint, (Endpoint, Timestamp)>,
}

impl Default for Tuples {
    fn default() -> Self {
        Self { servers: Bounded::new(TUPLES) }
    }
}

impl Tuples {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Endpoint, (Endpoint, Timestamp)>::memory_bytes(TUPLES)
    }

    pub(crate) fn note(&mut self, note: &Note) {
        match note.what {
            Happening::Established => {
                let known = (note.server, note.time);
                if let Some(server) = self.servers.admit(note.client, note.time, || known) {
                    *server = known;
                }
            }
            Happening::Closed => self.forget(note.client, note.server),
            Happening::FirstFin { .. } | Happening::NewLook { .. } | Happening::Answered { .. } => {
            }
        }
    }

    /// A connection that was reset is none any more; its late packets are something else.
    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        if lesson.is_primary() && lesson.watch.before.handshake_complete() {
            self.forget(lesson.client, lesson.server);
        }
    }

    /// The known connection that a lone segment and its reset belong to.
    pub(crate) fn ask(&self, watch: &Watch) -> Option<Desync> {
        let (from, to) =
            (watch.before.side(watch.direction), watch.before.side(watch.direction.opposite()));
        let is_lone = from.packets == 0
            && (1..=LATE_MAX).contains(&to.packets)
            && !to.has(Side::SYN)
            && !watch.before.is_over();
        // Who answers a packet of its own number line resets at what the packet acknowledges.
        if !is_lone || watch.reset.flags.ack() || watch.reset.seq != to.acked {
            return None;
        }
        [Direction::FromLow, Direction::FromHigh].into_iter().find_map(|end| {
            let (client, stranger) = (watch.key.sender(end), watch.key.sender(end.opposite()));
            let &(known, since) = self.servers.peek(&client)?;
            let is_recent = watch.reset.time.since_ns(since) < FORGOTTEN_NS;
            (known != stranger && is_recent).then_some(Desync { client, known, stranger })
        })
    }

    fn forget(&mut self, client: Endpoint, server: Endpoint) {
        if self.servers.peek(&client).is_some_and(|(known, _)| *known == server) {
            self.servers.remove(&client);
        }
    }
}

const TUPLES: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// A retransmission or two before the answer.
const LATE_MAX: u8 = 4;
/// A connection of which nothing was noted for so long is not counted on.
const FORGOTTEN_NS: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use flowtable::{Endpoint, Happening, Note, Timestamp};
    use wire::Address;

    use super::Tuples;

    #[test]
    fn a_connection_is_known_until_it_closes_and_a_flood_does_not_grow_the_table() {
        let mut tuples = Tuples::default();
        let server = Endpoint { address: Address::v4([10, 0, 0, 1]), port: 443 };
        let mut note = |number: u32, what| {
            let client = Endpoint { address: Address::v4(number.to_be_bytes()), port: 1 };
            let time = Timestamp(u64::from(number));
            tuples.note(&Note { time, flow: 1, client, server, what });
            tuples.servers.peek(&client).is_some()
        };
        assert!(note(1, Happening::Established));
        assert!(!note(1, Happening::Closed));
        for number in 0..200_000u32 {
            assert!(note(number, Happening::Established));
        }
        assert_eq!(tuples.servers.iter().count(), super::TUPLES.get());
    }
}
