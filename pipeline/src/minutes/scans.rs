//! Sources whose attempts are too scattered for rows of their own.

use std::net::IpAddr;

use events::ScanRow;
use hashbrown::DefaultHashBuilder;
use std::hash::BuildHasher as _;

/// Counts of clients, eight places a set: who finds none takes the place of the one with the fewest and its
/// count with it (SpaceSaving), so that a count may be too high, and who is frequent is always there.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// Empty while nobody was counted.
    places: Box<[Option<(IpAddr, u64)>]>,
    hasher: DefaultHashBuilder,
}

impl Scans {
    /// Bytes held at most.
    pub(super) const fn memory_bytes() -> usize {
        SETS * WAYS * size_of::<Option<(IpAddr, u64)>>()
    }

    /// Counts a reset.
    pub(super) fn add(&mut self, client: IpAddr) {
        if self.places.is_empty() {
            self.places = vec![None; SETS * WAYS].into_boxed_slice();
        }
        let set = self.hasher.hash_one(client) as usize % SETS * WAYS;
        let set = &mut self.places[set..set + WAYS];
        let known = set.iter().position(|place| place.is_some_and(|(ip, _)| ip == client));
        let least = || set.iter().enumerate().min_by_key(|(_, place)| place.map(|(_, n)| n));
        let way = known.or_else(|| least().map(|(way, _)| way)).unwrap_or(0);
        let count = set[way].map_or(0, |(_, count)| count);
        set[way] = Some((client, count + 1));
    }

    /// Those that were counted often, most resets first.
    pub(super) fn told(&self) -> Vec<ScanRow> {
        let often = self.places.iter().flatten().filter(|(_, count)| *count >= SCAN_LEAST);
        let mut rows: Vec<ScanRow> =
            often.map(|&(client, resets)| ScanRow { client, resets }).collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.resets), row.client));
        rows.truncate(TOLD_MAX);
        rows
    }
}

const SETS: usize = 128;
const WAYS: usize = 8;
/// Fewer are no scan.
const SCAN_LEAST: u64 = 16;
/// Sources told of a minute.
const TOLD_MAX: usize = 256;
