//! All parts with events: which there are, which are open, which go.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::error::StoreError;
use super::facts::EventFacts;
use super::files;
use super::options::StoreOptions;
use super::part::{Kept, Part};
use super::row::DAY_NS;
use super::sealed::Sealed;
use super::sieve::Sieve;

/// Day since the Unix epoch and number of the part in it.
pub(super) type PartKey = (u64, u32);

/// The writer's view of the parts.
pub(super) struct Shelf {
    directory: PathBuf,
    options: StoreOptions,
    parts: BTreeMap<PartKey, OnShelf>,
    /// Those that are open; the last one was used last.
    open: Vec<Part>,
    /// How many of `open`, from the end, have begun a batch.
    begun: usize,
    /// Those that are only asked.
    sealed: Sealed,
    /// Parts that went because there was no room, and the events in them.
    pub(super) dropped: Dropped,
    /// Files that were damaged and set aside.
    pub(super) set_aside: Vec<PathBuf>,
}

/// What went because there was no room.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Dropped {
    pub(super) parts: u64,
    pub(super) bytes: u64,
}

#[derive(Default)]
struct OnShelf {
    bytes: u64,
    /// Absent while it is not sealed, or not asked for yet.
    sieve: Option<Sieve>,
    is_sealed: bool,
}

impl Shelf {
    /// Looks at what there is; nothing is opened yet.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn new(directory: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let mut parts = BTreeMap::new();
        for (key, path) in list(directory)? {
            parts.insert(key, OnShelf { bytes: files::bytes(&path), ..OnShelf::default() });
        }
        Ok(Self {
            directory: directory.to_owned(),
            options: options.clone(),
            parts,
            open: Vec::new(),
            begun: 0,
            sealed: Sealed::default(),
            dropped: Dropped::default(),
            set_aside: Vec::new(),
        })
    }

    /// Takes an event into the part where it is, or into the newest of its day.
    ///
    /// # Errors
    /// A file cannot be opened or written.
    pub(super) fn take(
        &mut self,
        facts: &EventFacts,
        sensor: &str,
        json: &[u8],
        now_s: u64,
    ) -> Result<Kept, StoreError> {
        let day = facts.ts.0 / DAY_NS;
        // The last one that was used is most often the one.
        let mut found = None;
        let of_day: Vec<u32> =
            self.parts.range((day, 0)..=(day, u32::MAX)).rev().map(|(key, _)| key.1).collect();
        for number in &of_day {
            if self.holds((day, *number), facts.id, now_s)? {
                found = Some(*number);
                break;
            }
        }
        let number = match (found, of_day.first()) {
            (Some(number), _) => number,
            (None, None) => 0,
            (None, Some(newest)) => {
                let bytes_max = self.part_bytes_max();
                let newest_part = self.part((day, *newest), now_s)?;
                newest + u32::from(newest_part.is_sealed && newest_part.is_full(bytes_max))
            }
        };
        let part = self.part((day, number), now_s)?;
        let kept = part.take(facts, sensor, json);
        let kept = kept.map_err(StoreError::file("write to", &part.path))?;
        if let Some(OnShelf { sieve: Some(sieve), .. }) = self.parts.get_mut(&(day, number)) {
            sieve.add(facts.id);
        }
        Ok(kept)
    }

    fn part_bytes_max(&self) -> u64 {
        (self.options.events_bytes_max / PARTS_LEAST).clamp(PART_BYTES.0, PART_BYTES.1)
    }

    fn holds(&mut self, key: PartKey, id: u64, now_s: u64) -> Result<bool, StoreError> {
        let known = self.parts.get(&key).and_then(|part| part.sieve.as_ref());
        if let Some(sieve) = known {
            if !sieve.may_hold(id) {
                return Ok(false);
            }
            // Only asked: nothing is begun in it, and it takes the place of no part that is written.
            let is_open = self.open.iter().any(|part| (part.day, part.number) == key);
            if !is_open && self.parts.get(&key).is_some_and(|part| part.is_sealed) {
                return self.sealed.holds(&self.directory.join(name_of(key)), id);
            }
        }
        let part = self.part(key, now_s)?;
        let failed = StoreError::file("read", &part.path);
        let (is_sealed, ids) = (part.is_sealed, part.holds(id).map_err(failed)?);
        if is_sealed && self.parts.get(&key).is_some_and(|part| part.sieve.is_none()) {
            let sieve = self.part(key, now_s)?.sieve()?;
            self.parts.entry(key).or_default().sieve = Some(sieve);
        }
        Ok(ids)
    }

    /// A part that is open and has begun a batch.
    fn part(&mut self, key: PartKey, now_s: u64) -> Result<&mut Part, StoreError> {
        let (day, number) = key;
        let place = self.open.iter().position(|part| (part.day, part.number) == key);
        let part = match place {
            Some(place) if place >= self.open.len() - self.begun => {
                return Ok(&mut self.open[place]);
            }
            Some(place) => self.open.remove(place),
            None => {
                if self.begun >= BEGUN_MAX {
                    // Batches over many days are taken in more than one go: what is repeated does no harm.
                    self.commit()?;
                    self.open.clear();
                }
                self.open_or_set_aside(day, number, now_s)?
            }
        };
        let on_shelf = self.parts.entry(key).or_default();
        on_shelf.is_sealed = part.is_sealed;
        self.open.push(part);
        let last = self.open.last_mut().expect("one was pushed");
        last.begin()?;
        self.begun += 1;
        Ok(last)
    }

    fn open_or_set_aside(&mut self, day: u64, number: u32, now_s: u64) -> Result<Part, StoreError> {
        let path = self.directory.join(name_of((day, number)));
        match Part::open(&path, day, number, self.options.sync) {
            Err(error) if error.is_damage() => {
                self.set_aside.push(files::set_aside(&path, now_s)?);
                Part::open(&path, day, number, self.options.sync)
            }
            opened => opened,
        }
    }

    /// Ends the batch in all parts.
    ///
    /// # Errors
    /// A part could not be written; those before it were. Taking the batch again does no harm.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        while self.begun > 0 {
            let place = self.open.len() - self.begun;
            self.open[place].commit()?;
            let part = &self.open[place];
            let on_shelf = self.parts.entry((part.day, part.number)).or_default();
            on_shelf.bytes = part.bytes;
            self.begun -= 1;
        }
        Ok(())
    }

    /// Forgets the batch: open parts are closed, which takes back what they had begun.
    pub(super) fn roll_back(&mut self) {
        self.open.clear();
        self.begun = 0;
    }

    /// Moves a part that was found damaged out of the way; whether `path` is one. After [`Self::roll_back`]:
    /// nothing is open.
    ///
    /// # Errors
    /// The file could not be moved.
    pub(super) fn set_aside(&mut self, path: &Path, now_s: u64) -> Result<bool, StoreError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(key) = name.and_then(key_of) else { return Ok(false) };
        self.sealed.close(path);
        self.set_aside.push(files::set_aside(path, now_s)?);
        self.parts.remove(&key);
        Ok(true)
    }

    /// Seals parts that are full or of a day that is over, closes those not used of late, and deletes what is
    /// too old or too much.
    ///
    /// # Errors
    /// A file could not be sealed or deleted.
    pub(super) fn tidy(&mut self, now_s: u64) -> Result<(), StoreError> {
        let part_bytes_max = self.part_bytes_max();
        let today = now_s / 86_400;
        // First what makes room: on a full disk nothing can be sealed.
        self.forget(today)?;
        // An hour into the next day nothing of the last one is waited for any more.
        let over = (now_s.saturating_sub(3600)) / 86_400;
        for part in &mut self.open {
            let is_over = part.day < over && part.day < today;
            if !part.is_sealed && (part.is_full(part_bytes_max) || is_over) {
                let on_shelf = self.parts.entry((part.day, part.number)).or_default();
                on_shelf.sieve = Some(part.sieve()?);
                part.seal()?;
                on_shelf.is_sealed = true;
                on_shelf.bytes = part.bytes;
            }
        }
        while self.open.len() > OPEN_MAX {
            // To open one that is written means to read all its identifiers.
            let place = self.open.iter().position(|part| part.is_sealed).unwrap_or(0);
            self.open.remove(place);
        }
        Ok(())
    }

    fn forget(&mut self, today: u64) -> Result<(), StoreError> {
        let oldest = today.saturating_sub(u64::from(self.options.events_d));
        while let Some((key, _)) = self.parts.first_key_value()
            && key.0 < oldest
        {
            let key = *key;
            self.delete(key)?;
        }
        while self.bytes() > self.options.events_bytes_max && self.parts.len() > 1 {
            let key = *self.parts.first_key_value().expect("there are two").0;
            let bytes = self.delete(key)?;
            self.dropped.parts += 1;
            self.dropped.bytes += bytes;
            tracing::info!(
                "events of {} were deleted: more than events_bytes_max in section [store] of the configuration",
                name_of(key)
            );
        }
        Ok(())
    }

    fn delete(&mut self, key: PartKey) -> Result<u64, StoreError> {
        self.open.retain(|part| (part.day, part.number) != key);
        self.sealed.close(&self.directory.join(name_of(key)));
        files::delete(&self.directory.join(name_of(key)))?;
        Ok(self.parts.remove(&key).map_or(0, |part| part.bytes))
    }

    /// Seals what can be told not to grow any more: parts of days that are over, at the start.
    ///
    /// # Errors
    /// A file could not be opened or sealed.
    pub(super) fn seal_old(&mut self, now_s: u64) -> Result<(), StoreError> {
        let today = now_s / 86_400;
        let keys: Vec<PartKey> = self.parts.keys().copied().collect();
        for key in keys.into_iter().filter(|key| key.0 < today).rev().take(SEALED_AT_START) {
            self.part(key, now_s)?;
            self.commit()?;
            self.tidy(now_s)?;
        }
        Ok(())
    }

    /// Bytes of all parts.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.values().map(|part| part.bytes).sum()
    }

    /// How many parts there are.
    pub(super) fn count(&self) -> usize {
        self.parts.len()
    }
}

/// The parts of a directory, oldest first.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn list(directory: &Path) -> Result<BTreeMap<PartKey, PathBuf>, StoreError> {
    let failed = || StoreError::io("list", directory);
    let mut parts = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        if let Some(key) = entry.file_name().to_str().and_then(key_of) {
            parts.insert(key, entry.path());
        }
    }
    Ok(parts)
}

/// `events-2026-11-23.0.sqlite`.
pub(super) fn name_of((day, number): PartKey) -> String {
    let date = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(day * 86_400));
    format!("events-{}.{number}.sqlite", &date.to_string()[..10])
}

fn key_of(name: &str) -> Option<PartKey> {
    let (date, number) = name.strip_prefix("events-")?.strip_suffix(".sqlite")?.split_once('.')?;
    let start = humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok()?;
    let day = start.duration_since(UNIX_EPOCH).ok()?.as_secs() / 86_400;
    let key = (day, number.parse().ok()?);
    (name_of(key) == name).then_some(key)
}

/// A file is at most such a part of all, so that what goes at once is little.
const PARTS_LEAST: u64 = 16;
const PART_BYTES: (u64, u64) = (1 << 20, 128 << 20);
/// Parts that stay open between batches.
const OPEN_MAX: usize = 3;
/// Parts that one batch writes to.
const BEGUN_MAX: usize = 8;
/// Older ones were sealed when they were the newest of these.
const SEALED_AT_START: usize = 8;

#[cfg(test)]
mod tests {
    use super::{key_of, name_of};

    #[test]
    fn a_part_is_named_by_its_day() {
        assert_eq!(name_of((20_780, 3)), "events-2026-11-23.3.sqlite");
        assert_eq!(key_of("events-2026-11-23.3.sqlite"), Some((20_780, 3)));
        for name in [
            "events-2026-11-23.3.sqlite-wal",
            "events-2026-11-23.3.sqlite.damaged-1",
            "events-2026-11-23.03.sqlite",
            "events-1969-01-01.0.sqlite",
            "main.sqlite",
        ] {
            assert_eq!(key_of(name), None, "{name}");
        }
    }
}
