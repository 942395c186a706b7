//! The table of servers against a map.

use std::collections::HashMap;

use flowtable::{HostTable, Segment, Ticks, Timestamp};
use proptest::prelude::*;

#[derive(Clone, Copy, Default, Debug)]
struct Known {
    smallest: Option<u32>,
    hop_limit: u8,
    agreeing: u8,
    seen: u8,
    last_s: u32,
}

fn step() -> impl Strategy<Value = (u64, u8, Option<u32>, u32)> {
    (0..40u64, 55..58u8, prop::option::of(0..70_000u32), 0..5u32)
}

/// The upper half of the hash is the entry's name, the lower its set.
fn hash_of(server: u64) -> u64 {
    (server * 2 + 1) << 33 | server
}

proptest! {
    #[test]
    fn what_is_remembered_of_a_server_is_what_it_sent(steps in prop::collection::vec(step(), 1..500)) {
        let mut table = HostTable::new(256);
        let mut twin: HashMap<u64, Known> = HashMap::new();
        let mut second = 1_700_000_000;
        for (server, hop_limit, span, pause) in steps {
            second += pause;
            let time = Timestamp(u64::from(second) * 1_000_000_000);
            let segment = Segment { time, hop_limit, ..Segment::blank() };
            table.confirm(hash_of(server), &segment, span.map(Ticks));
            let known = twin.entry(server).or_default();
            known.agreeing = if known.hop_limit == hop_limit { known.agreeing.saturating_add(1) } else { 1 };
            known.seen = known.seen.saturating_add(1);
            (known.hop_limit, known.last_s) = (hop_limit, second);
            // Longer spans than an entry can hold are all "a second or more".
            let span = span.map(|span| span.min(u32::from(u16::MAX) - 1));
            known.smallest = known.smallest.into_iter().chain(span).min();
        }
        for server in 0..40 {
            let (found, known) = (table.find(hash_of(server)), twin.get(&server));
            prop_assert_eq!(found.is_some(), known.is_some());
            let (Some(found), Some(known)) = (found, known) else { continue };
            prop_assert_eq!(found.round_trip(), known.smallest.map(Ticks));
            prop_assert_eq!(found.hop_limit, known.hop_limit);
            prop_assert_eq!((found.agreeing, found.seen), (known.agreeing, known.seen));
            prop_assert_eq!(found.last_accept_s(), known.last_s);
        }
    }

    /// In a set of four the least recently confirmed gives way, and nobody else.
    #[test]
    fn the_least_recently_confirmed_gives_way(order in prop::collection::vec(0..9u64, 1..200)) {
        let mut table = HostTable::new(4);
        let mut recent: Vec<u64> = Vec::new();
        for (second, server) in (1u64..).zip(order) {
            let time = Timestamp(second * 1_000_000_000);
            table.confirm(hash_of(server), &Segment { time, ..Segment::blank() }, None);
            recent.retain(|known| *known != server);
            recent.push(server);
            if recent.len() > 4 {
                recent.remove(0);
            }
            for server in 0..9 {
                prop_assert_eq!(table.find(hash_of(server)).is_some(), recent.contains(&server));
            }
        }
    }
}
