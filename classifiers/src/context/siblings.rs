//! Connections that one client opens side by side: the first to answer wins, the others are
//! cancelled (happy eyeballs, RFC 8305; browsers that open a spare).

use std::num::NonZeroUsize;

use flowtable::{Endpoint, Happening, Note, Ticks, Timestamp};
use wire::Address;

use super::bounded::Bounded;
use super::lesson::Lesson;

/// A connection of the same client to the same port, established about when this one was given up.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sibling {
    /// Whom it leads to.
    pub server: Endpoint,
    /// Time between the two.
    pub apart: Ticks,
}

/// The last connections of each client.
#[derive(Debug)]
pub(crate) struct Siblings {
    clients: Bounded<Address, Opened>,
}

#[derive(Clone, Copy, Debug)]
struct Opened {
    last: [(Timestamp, Endpoint); REMEMBERED],
    next: u8,
}

impl Default for Siblings {
    fn default() -> Self {
        Self { clients: Bounded::new(CLIENTS) }
    }
}

impl Siblings {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Address, Opened>::memory_bytes(CLIENTS)
    }

    pub(crate) fn note(&mut self, note: &Note) {
        if note.what == Happening::Established {
            let nobody = (Timestamp(0), Endpoint::default());
            let none = || Opened { last: [nobody; REMEMBERED], next: 0 };
            let client = note.client.address;
            let Some(opened) = self.clients.admit(client, note.time, none) else { return };
            opened.last[usize::from(opened.next) % REMEMBERED] = (note.time, note.server);
            opened.next = (opened.next + 1) % REMEMBERED as u8;
        }
    }

    /// The sibling for whose sake a handshake was given up.
    pub(crate) fn ask(&self, lesson: &Lesson<'_>) -> Option<Sibling> {
        let Lesson { case, watch, server, .. } = lesson;
        if !case.sender_is_client() || case.before().handshake_complete() {
            return None;
        }
        // When it was given up: before the answer, if that is what the reset replies to.
        let apart = |time: Timestamp| watch.reset.time.apart_ns(time);
        let opened = self.clients.peek(&lesson.client.address)?;
        let closest = opened
            .last
            .iter()
            .filter(|(_, other)| other.port == server.port)
            .min_by_key(|(time, _)| apart(*time))?;
        let apart_ns = apart(closest.0);
        (apart_ns <= APART_MAX_NS)
            .then_some(Sibling { server: closest.1, apart: Ticks::from_ns(apart_ns) })
    }
}

const CLIENTS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
const REMEMBERED: usize = 8;
/// classification.md, section 5.3, R09.
const APART_MAX_NS: u64 = 300_000_000;

#[cfg(test)]
mod tests {
    use flowtable::{Endpoint, Happening, Note, Timestamp};
    use wire::Address;

    use super::Siblings;

    #[test]
    fn a_flood_of_clients_does_not_grow_the_table() {
        let mut siblings = Siblings::default();
        let server = Endpoint { address: Address::v4([10, 0, 0, 1]), port: 443 };
        for number in 0..200_000u32 {
            let client = Endpoint { address: Address::v4(number.to_be_bytes()), port: 1 };
            let (time, what) = (Timestamp(u64::from(number)), Happening::Established);
            siblings.note(&Note { time, flow: 1, client, server, what });
        }
        assert_eq!(siblings.clients.iter().count(), super::CLIENTS.get());
    }
}
