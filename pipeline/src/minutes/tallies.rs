//! Connections by server and minute, as a worker counts them.
//!
//! A table of fixed size in each window, four places a set, 64 bytes an entry. It is touched by what begins
//! or ends a connection, never by plain packets. What finds no place is counted in the rest of its minute,
//! so that totals are right whatever comes: a server where nothing was ever established gives way to
//! others, the least called first, so that neither a scan nor a flood of SYNs pushes a server out
//! that serves.
//!
//! Who expires in silence is not known here: records bear no address.

use flowtable::{Change, Endpoint};

/// What became of connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) opened: u32,
    pub(crate) midstream: u32,
    pub(crate) established: u32,
    pub(crate) closed_well: u32,
    pub(crate) reset: u32,
}

impl Tally {
    /// What a segment changed for its connection.
    pub(crate) fn of(change: Change, is_new_midstream: bool) -> Self {
        Self {
            opened: change.opened.into(),
            midstream: is_new_midstream.into(),
            established: change.established.into(),
            closed_well: change.closed_well.into(),
            reset: change.reset.into(),
        }
    }

    /// Whether anything was counted.
    pub(crate) const fn is_blank(&self) -> bool {
        self.opened + self.midstream + self.established + self.closed_well + self.reset == 0
    }

    /// Whether the server has served anybody: a handshake or a close needs both sides.
    pub(super) const fn is_served(&self) -> bool {
        self.established | self.closed_well != 0
    }

    fn add(&mut self, other: &Self) {
        self.opened = self.opened.saturating_add(other.opened);
        self.midstream = self.midstream.saturating_add(other.midstream);
        self.established = self.established.saturating_add(other.established);
        self.closed_well = self.closed_well.saturating_add(other.closed_well);
        self.reset = self.reset.saturating_add(other.reset);
    }
}

/// The counts of one server in one minute.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Entry {
    server: Endpoint,
    /// Since the Unix epoch; the numbers last for 8,000 years.
    minute: u32,
    tally: Tally,
    is_used: bool,
}

const _: () = assert!(size_of::<Entry>() == 64);

/// The table of one window.
#[derive(Debug)]
pub(crate) struct Tallies {
    /// Empty if nobody asks.
    entries: Box<[Entry]>,
    used: usize,
    /// What found no place, minute by minute.
    rest: [(u32, Tally); REST_MINUTES],
}

impl Tallies {
    /// A table, or none if nobody asks for minutes.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let entries = if is_wanted { vec![Entry::default(); SETS * WAYS] } else { Vec::new() };
        let rest = [(0, Tally::default()); REST_MINUTES];
        Self { entries: entries.into_boxed_slice(), used: 0, rest }
    }

    /// Whether anybody asks.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Bytes of a table.
    pub(crate) const fn memory_bytes() -> usize {
        SETS * WAYS * size_of::<Entry>()
    }

    /// Counts for a server, whose keyed hash is `hash`, in the minute of this number.
    pub(crate) fn count(&mut self, hash: u64, server: Endpoint, minute: u64, tally: Tally) {
        let minute = minute as u32;
        let start = (hash as usize & (SETS - 1)) * WAYS;
        let Some(set) = self.entries.get_mut(start..start + WAYS) else { return };
        let is_same = |entry: &Entry| entry.server == server && entry.minute == minute;
        if let Some(known) = set.iter_mut().find(|entry| entry.is_used && is_same(entry)) {
            known.tally.add(&tally);
            return;
        }
        let weight = |entry: &Entry| {
            let Tally { opened, midstream, reset, .. } = entry.tally;
            (entry.is_used, opened.saturating_add(midstream).saturating_add(reset))
        };
        let spare = set.iter_mut().filter(|entry| !entry.tally.is_served());
        let Some(place) = spare.min_by_key(|entry| weight(entry)) else {
            self.add_rest(minute, &tally);
            return;
        };
        let gone = *place;
        *place = Entry { server, minute, tally, is_used: true };
        if gone.is_used {
            self.add_rest(gone.minute, &gone.tally);
        } else {
            self.used += 1;
        }
    }

    fn add_rest(&mut self, minute: u32, tally: &Tally) {
        let is_his = |(known, rest): &&mut (u32, Tally)| *known == minute || rest.is_blank();
        // A window is a second long; one of a capture that jumps about has a table as good as empty.
        let last = REST_MINUTES - 1;
        let place = self.rest.iter_mut().position(|place| is_his(&place)).unwrap_or(last);
        if self.rest[place].1.is_blank() {
            self.rest[place].0 = minute;
        }
        self.rest[place].1.add(tally);
    }

    /// Minute, server (none of the rest) and counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Option<Endpoint>, Tally)> {
        let used = self.entries.iter().filter(|entry| entry.is_used).take(self.used);
        let servers = used.map(|entry| (entry.minute.into(), Some(entry.server), entry.tally));
        let rest = self.rest.iter().filter(|(_, tally)| !tally.is_blank());
        servers.chain(rest.map(|&(minute, tally)| (minute.into(), None, tally)))
    }

    /// Makes it as good as new.
    pub(crate) fn clear(&mut self) {
        if self.used > 0 {
            self.entries.fill(Entry::default());
        }
        self.used = 0;
        self.rest = [(0, Tally::default()); REST_MINUTES];
    }
}

/// 128 KiB: more servers than a worker hears of in a second, but under a scan.
const SETS: usize = 512;
const WAYS: usize = 4;
/// Minutes that a window of a second spans, and more.
const REST_MINUTES: usize = 4;

#[cfg(test)]
mod tests {
    use wire::Address;

    use super::*;

    fn server(number: u32) -> Endpoint {
        Endpoint { address: Address::v4(number.to_be_bytes()), port: 80 }
    }

    fn hash(number: u32) -> u64 {
        u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
    }

    fn sum(tallies: &Tallies) -> Tally {
        let mut sum = Tally::default();
        tallies.iter().for_each(|(_, _, tally)| sum.add(&tally));
        sum
    }

    #[test]
    fn a_scan_pushes_no_server_out_that_serves_and_totals_stay_right() {
        let opened = Tally { opened: 1, ..Tally::default() };
        let established = Tally { established: 1, ..Tally::default() };
        let mut tallies = Tallies::new(true);
        for real in 0..300 {
            tallies.count(hash(real), server(real), 7, opened);
            tallies.count(hash(real), server(real), 7, established);
        }
        for scanned in 1_000..1_000_000 {
            tallies.count(hash(scanned), server(scanned), 7, opened);
        }
        let served = |(_, _, tally): &(u64, Option<Endpoint>, Tally)| tally.is_served();
        assert_eq!(tallies.iter().filter(served).count(), 300, "none gave way");
        let all = Tally { opened: 300 + 999_000, established: 300, ..Tally::default() };
        assert_eq!(sum(&tallies), all);
        tallies.clear();
        assert_eq!(tallies.iter().count(), 0);
    }

    #[test]
    fn each_minute_has_its_own_counts() {
        let opened = Tally { opened: 1, ..Tally::default() };
        let mut tallies = Tallies::new(true);
        for minute in 0..100 {
            tallies.count(hash(1), server(1), minute, opened);
        }
        assert_eq!(sum(&tallies).opened, 100);
        assert!(tallies.iter().filter(|(_, server, _)| server.is_some()).count() >= 4);
    }

    #[test]
    fn nobody_asks_and_nothing_is_counted() {
        let mut tallies = Tallies::new(false);
        tallies.count(1, server(1), 1, Tally { opened: 1, ..Tally::default() });
        assert!(!tallies.is_wanted());
        assert_eq!(tallies.iter().count(), 0);
    }
}
