//! Which records have come, as ranges of numbers for each run of a sensor's spool.
//!
//! What makes a repeated batch do nothing, also when it is cut differently, and what tells how many records
//! never came. Bounded: beyond so many ranges or runs what is old is settled: its gaps count as lost, and which
//! of its numbers came is forgotten. Should one come again it is taken: a record has a name of its own, and
//! changes nothing the second time.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};

/// The ledger's tables.
pub(super) const TABLES: &str = "
    CREATE TABLE seen(sensor INTEGER NOT NULL, session INTEGER NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, PRIMARY KEY(sensor, session, first)) WITHOUT ROWID;
    CREATE TABLE sensor(number INTEGER PRIMARY KEY, last INTEGER NOT NULL, status TEXT NOT NULL,
        records INTEGER NOT NULL, repeated INTEGER NOT NULL, floor INTEGER NOT NULL,
        lost INTEGER NOT NULL);";

/// What came of one sensor.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Account {
    /// Its newest minute, seconds since the Unix epoch.
    pub(super) last_s: u64,
    /// The JSON of its status then.
    pub(super) status: String,
    pub(super) records: u64,
    pub(super) repeated: u64,
    /// Numbers from here down are settled: what is missing there is in `lost`.
    floor: u64,
    lost: u64,
    sessions: BTreeMap<u64, Ranges>,
}

/// Numbers that have come: first and last of each run of them.
type Ranges = BTreeMap<u64, u64>;

/// All sensors, in memory; the tables follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    accounts: HashMap<u16, Account>,
    /// Runs that the batch touched, as they were before it.
    before: HashMap<u16, Account>,
}

impl Ledger {
    /// Reads the tables.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut accounts: HashMap<u16, Account> = HashMap::new();
        let mut read = db.prepare("SELECT * FROM sensor")?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let number = |index| row.get::<_, i64>(index).map(|value| value as u64);
            let account = Account {
                last_s: number(1)?,
                status: row.get(2)?,
                records: number(3)?,
                repeated: number(4)?,
                floor: number(5)?,
                lost: number(6)?,
                sessions: BTreeMap::new(),
            };
            accounts.insert(row.get(0)?, account);
        }
        let mut read = db.prepare("SELECT * FROM seen")?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let number = |index| row.get::<_, i64>(index).map(|value| value as u64);
            let account = accounts.entry(row.get(0)?).or_default();
            account.sessions.entry(number(1)?).or_default().insert(number(2)?, number(3)?);
        }
        Ok(Self { accounts, before: HashMap::new() })
    }

    /// Whether a record is known to have come before; if not, now it has.
    pub(super) fn is_repeated(&mut self, sensor: u16, session: u64, sequence: u64) -> bool {
        let account = self.change(sensor);
        account.records += 1;
        if account.is_settled(session, sequence) {
            return false;
        }
        let ranges = account.sessions.entry(session).or_default();
        let is_known = !insert(ranges, sequence);
        account.repeated += u64::from(is_known);
        is_known
    }

    /// Keeps the status of a sensor's newest minute.
    pub(super) fn tell(&mut self, sensor: u16, start_s: u64, status: &events::Status) {
        let account = self.change(sensor);
        if start_s >= account.last_s {
            account.last_s = start_s;
            account.status = serde_json::to_string(status)
                .ok()
                .filter(|status| status.len() <= STATUS_BYTES_MAX)
                .unwrap_or_default();
        }
    }

    fn change(&mut self, sensor: u16) -> &mut Account {
        let account = self.accounts.entry(sensor).or_default();
        self.before.entry(sensor).or_insert_with(|| account.clone());
        account
    }

    /// Writes what the batch changed.
    pub(super) fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut put =
            db.prepare_cached("INSERT OR REPLACE INTO sensor VALUES(?, ?, ?, ?, ?, ?, ?)")?;
        let mut clear = db.prepare_cached("DELETE FROM seen WHERE sensor = ? AND session = ?")?;
        let mut add = db.prepare_cached("INSERT INTO seen VALUES(?, ?, ?, ?)")?;
        for (sensor, before) in &self.before {
            let account = self.accounts.entry(*sensor).or_default();
            account.bound();
            put.execute(params![
                sensor,
                account.last_s as i64,
                account.status,
                account.records as i64,
                account.repeated as i64,
                account.floor as i64,
                account.lost as i64,
            ])?;
            let none = Ranges::new();
            let sessions = before.sessions.keys().chain(account.sessions.keys());
            let mut sessions: Vec<u64> = sessions.copied().collect();
            sessions.sort_unstable();
            sessions.dedup();
            for session in sessions {
                let ranges = account.sessions.get(&session).unwrap_or(&none);
                if before.sessions.get(&session).unwrap_or(&none) == ranges {
                    continue;
                }
                clear.execute(params![sensor, session as i64])?;
                for (first, last) in ranges {
                    add.execute(params![sensor, session as i64, *first as i64, *last as i64])?;
                }
            }
        }
        Ok(())
    }

    /// The batch is in the tables.
    pub(super) fn commit(&mut self) {
        self.before.clear();
    }

    /// The batch is not in the tables.
    pub(super) fn roll_back(&mut self) {
        self.accounts.extend(self.before.drain());
    }

    /// All sensors by number.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (u16, &Account)> {
        self.accounts.iter().map(|(sensor, account)| (*sensor, account))
    }
}

impl Account {
    /// Numbers that never came, between the first and the last that did.
    pub(super) fn missing(&self) -> u64 {
        self.lost + self.gaps(self.floor, u64::MAX)
    }

    /// Whether nobody knows any more if a number has come.
    fn is_settled(&self, session: u64, number: u64) -> bool {
        let ranges = self.sessions.get(&session);
        let below = ranges.and_then(|ranges| ranges.range(..=number).next_back());
        let is_old = self.floor > 0 && number <= self.floor;
        is_old && below.is_none_or(|(_, last)| *last < number)
    }

    /// Numbers above `floor` and up to `end` that are in no range, the last range being the end.
    fn gaps(&self, floor: u64, end: u64) -> u64 {
        let mut all: Vec<(u64, u64)> =
            self.sessions.values().flatten().map(|(first, last)| (*first, *last)).collect();
        all.sort_unstable();
        // The first number that ever came begins the count.
        let begin = all.first().map_or(0, |first| first.0.saturating_sub(1));
        let mut reached = if floor > 0 { floor } else { begin };
        let mut gaps = 0;
        for (first, last) in all {
            if first > end {
                break;
            }
            gaps += first.saturating_sub(reached.saturating_add(1));
            reached = reached.max(last);
        }
        gaps
    }

    /// Lets go of the oldest gaps and runs where there are too many.
    fn bound(&mut self) {
        for session in self.sessions.values().map(|ranges| ranges.len()).collect::<Vec<_>>() {
            if session > RANGES_MAX {
                self.settle();
                break;
            }
        }
        while self.sessions.len() > SESSIONS_MAX {
            let newest = |ranges: &Ranges| ranges.last_key_value().map_or(0, |(_, last)| *last);
            let oldest = self.sessions.iter().min_by_key(|(_, ranges)| newest(ranges));
            let Some((session, end)) = oldest.map(|(id, ranges)| (*id, newest(ranges))) else {
                break;
            };
            self.lost += self.gaps(self.floor, end);
            self.floor = self.floor.max(end);
            self.sessions.remove(&session);
        }
    }

    /// Forgets the older half of the ranges of each run, and counts the gaps between them as lost.
    fn settle(&mut self) {
        let bound = self
            .sessions
            .values()
            .filter(|ranges| ranges.len() > RANGES_MAX)
            .filter_map(|ranges| ranges.values().nth(ranges.len() / 2))
            .max()
            .copied()
            .unwrap_or(0);
        self.lost += self.gaps(self.floor, bound);
        self.floor = self.floor.max(bound);
        for ranges in self.sessions.values_mut() {
            ranges.retain(|_, last| *last > bound);
        }
    }
}

/// Adds a number to ranges; whether it was not in one.
fn insert(ranges: &mut Ranges, number: u64) -> bool {
    let below = ranges.range(..=number).next_back().map(|(first, last)| (*first, *last));
    if below.is_some_and(|(_, last)| last >= number) {
        return false;
    }
    let first = below.filter(|(_, last)| last + 1 == number).map_or(number, |(first, _)| first);
    let next = number.checked_add(1).and_then(|next| ranges.remove(&next));
    let last = next.unwrap_or(number);
    ranges.insert(first, last);
    true
}

/// Ranges of one run of a spool: in order and without losses it is one.
const RANGES_MAX: usize = 512;
/// Runs of one sensor's spool: it begins one at every start.
const SESSIONS_MAX: usize = 64;
const STATUS_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Account, Ledger, RANGES_MAX, SESSIONS_MAX};

    #[test]
    fn gaps_between_runs_of_a_spool_are_missing_and_renumbered_records_are_not() {
        let mut ledger = Ledger::default();
        for (session, sequence) in [(1, 5), (1, 6), (1, 9), (2, 9), (2, 12)] {
            assert!(!ledger.is_repeated(0, session, sequence));
        }
        assert!(ledger.is_repeated(0, 1, 6));
        let account = &ledger.accounts[&0];
        assert_eq!((account.records, account.repeated, account.missing()), (6, 1, 4));
        ledger.roll_back();
        assert_eq!(ledger.accounts[&0], Account::default());
    }

    #[test]
    fn a_ledger_is_bounded_and_counts_on() {
        let mut account = Account::default();
        for number in 0..10_000_u64 {
            super::insert(account.sessions.entry(1).or_default(), 3 * number + 1);
            account.bound();
        }
        assert!(account.sessions[&1].len() <= RANGES_MAX + 1);
        assert_eq!(account.missing(), 9_999 * 2);
        for session in 2..1000 {
            let number = 30_000 + 2 * session;
            super::insert(account.sessions.entry(session).or_default(), number);
            account.bound();
        }
        assert_eq!(account.sessions.len(), SESSIONS_MAX);
        let truth = (30_000 + 2 * 999) - 10_000 - 998;
        assert_eq!(account.missing(), truth);
    }

    #[test]
    fn a_number_of_an_old_gap_is_taken_when_it_comes_after_all() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch(super::TABLES).unwrap();
        let mut ledger = Ledger::default();
        for number in 0..600 {
            assert!(!ledger.is_repeated(0, 1, 3 * number + 1));
        }
        ledger.write(&db).unwrap();
        ledger.commit();
        for mut ledger in [ledger, Ledger::load(&db).unwrap()] {
            let missing = ledger.accounts[&0].missing();
            assert_eq!(missing, 599 * 2);
            for old in [2, 3, 1, 2] {
                assert!(!ledger.is_repeated(0, 1, old), "{old} is refused");
            }
            assert!(ledger.is_repeated(0, 1, 3 * 599 + 1) && !ledger.is_repeated(0, 1, 3 * 599));
            assert_eq!(ledger.accounts[&0].missing(), missing - 1);
        }
    }

    #[test]
    fn the_first_and_the_last_number_there_can_be_are_numbers() {
        let mut ledger = Ledger::default();
        for number in [u64::MAX, 0, u64::MAX - 1, 1] {
            assert!(!ledger.is_repeated(0, 1, number));
            assert!(ledger.is_repeated(0, 1, number));
        }
        assert_eq!(ledger.accounts[&0].missing(), u64::MAX - 3);
    }

    proptest! {
        #[test]
        fn what_came_is_known_and_nothing_else(numbers in prop::collection::vec(1_u64..200, 0..300)) {
            let (mut ledger, mut twin) = (Ledger::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(ledger.is_repeated(3, 1, number), !twin.insert(number));
            }
            let span = twin.last().zip(twin.first()).map_or(0, |(last, first)| last - first + 1);
            let missing = ledger.accounts.get(&3).map_or(0, Account::missing);
            prop_assert_eq!(missing, span - twin.len() as u64);
        }
    }
}
