//! E12 across connections: servers behind a front end that shakes hands for them.
//!
//! A load balancer, a SYN proxy or a NetScaler answers the SYN from its own distance and lets another
//! machine's packets through from there on. One connection may look so by chance; most connections of
//! a server do not. Then what comes from where the SYN/ACKs come from is the server, in TCP's terms.

use std::num::NonZeroUsize;

use flowtable::{Endpoint, Happening, Note};

use crate::case::hops;
use crate::context::bounded::Bounded;

/// A proven front end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FrontFacts {
    /// Hops to whoever shakes hands.
    pub front_hops: u8,
    /// Hops to whoever sends the data.
    pub back_hops: u8,
    /// Connections that showed both.
    pub connections: u32,
}

/// Front ends by server.
#[derive(Debug)]
pub(crate) struct Fronts {
    servers: Bounded<Endpoint, Front>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Front {
    front_hops: u8,
    back_hops: u8,
    split: u32,
    /// Connections that showed something else.
    other: u32,
}

impl Fronts {
    pub(crate) fn new() -> Self {
        Self { servers: Bounded::new(SERVERS_MAX) }
    }

    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Endpoint, Front>::memory_bytes(SERVERS_MAX)
    }

    /// Compares where the SYN/ACK and the first data came from.
    pub(crate) fn note(&mut self, note: &Note) {
        let Happening::Answered { syn_ack_hop_limit, data_hop_limit } = note.what else { return };
        if syn_ack_hop_limit == 0 || data_hop_limit == 0 {
            return;
        }
        let (front_hops, back_hops) = (hops(syn_ack_hop_limit), hops(data_hop_limit));
        let is_split = front_hops.abs_diff(back_hops) >= 2;
        if !is_split && self.servers.peek(&note.server).is_none() {
            // Nearly all servers: they need no place.
            return;
        }
        let front = self.servers.entry(note.server, Front::default);
        if front.split == 0 && is_split {
            (front.front_hops, front.back_hops) = (front_hops, back_hops);
        }
        // Who shakes hands must be the same each time; the machines behind may be several.
        if is_split && front.front_hops == front_hops {
            front.split = front.split.saturating_add(1);
        } else {
            front.other = front.other.saturating_add(1);
        }
        if front.other > front.split {
            *front = Front::default();
        }
    }

    /// The front end of the server of this connection.
    pub(crate) fn ask(&self, server: Endpoint) -> Option<FrontFacts> {
        let front = self.servers.peek(&server)?;
        let is_proven = front.split >= SPLIT_MIN && front.split >= 4 * front.other;
        is_proven.then_some(FrontFacts {
            front_hops: front.front_hops,
            back_hops: front.back_hops,
            connections: front.split,
        })
    }
}

/// Connections that must agree.
const SPLIT_MIN: u32 = 4;
const SERVERS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

#[cfg(test)]
mod tests {
    use flowtable::{Happening, Note, Timestamp};

    use super::Fronts;
    use crate::context::scene::Scene;

    fn answer(fronts: &mut Fronts, syn_ack_hop_limit: u8, data_hop_limit: u8) {
        let [client, server] = Scene::NEW.ends();
        let what = Happening::Answered { syn_ack_hop_limit, data_hop_limit };
        fronts.note(&Note { time: Timestamp(1), flow: 0, client, server, what });
    }

    #[test]
    fn several_split_connections_prove_a_front_end() {
        let (mut fronts, [_, server]) = (Fronts::new(), Scene::NEW.ends());
        for (connections, back) in [57, 58, 57].into_iter().enumerate() {
            assert_eq!(fronts.ask(server), None, "after {connections}");
            answer(&mut fronts, 61, back);
        }
        answer(&mut fronts, 61, 57);
        let front = fronts.ask(server).expect("four agree");
        assert_eq!((front.front_hops, front.connections), (3, 4));
    }

    #[test]
    fn paths_that_change_now_and_then_prove_none() {
        let (mut fronts, [_, server]) = (Fronts::new(), Scene::NEW.ends());
        for round in 0..100 {
            answer(&mut fronts, if round % 3 == 0 { 61 } else { 57 }, 57);
            assert_eq!(fronts.ask(server), None);
        }
    }

    #[test]
    fn injected_answers_from_several_places_prove_none() {
        let (mut fronts, [_, server]) = (Fronts::new(), Scene::NEW.ends());
        for round in 0..100u8 {
            answer(&mut fronts, 30 + round % 30, 120);
        }
        assert_eq!(fronts.ask(server), None);
    }
}
