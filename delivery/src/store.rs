//! The writing side of the spool: one process, one thread.

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::statvfs::statvfs;

use crate::block::Block;
use crate::error::Error;
use crate::index::{Segment, Shared};
use crate::options::{SpoolOptions, SyncPolicy};
use crate::record::{Kind, Uid};
use crate::recover::recover;

/// Writes records to segments, keeps the limits, and in memory what the disk does not take.
#[derive(Debug)]
pub(crate) struct Store {
    options: SpoolOptions,
    shared: Arc<Shared>,
    session: u64,
    active: Option<Active>,
    /// When something was first written that is not forced onto the disk yet.
    unsynced: Option<Instant>,
    /// When the disk refused last, until it takes something again.
    refused: Option<Instant>,
    /// Bytes of the block that it refused last.
    refused_len: usize,
    torn_bytes: u64,
    /// Locked for as long as the spool is open.
    _lock: File,
}

/// The segment that is written to.
#[derive(Debug)]
struct Active {
    file: File,
    segment: Segment,
}

impl Store {
    /// Opens the spool, for this process alone. `positions` is how far each sink is, nothing for a new one:
    /// such a one begins with the oldest record that is still there.
    ///
    /// # Errors
    /// The directory cannot be used, or another process has it.
    pub(crate) fn open(options: &SpoolOptions, positions: &[Option<u64>]) -> Result<Self, Error> {
        let directory = &options.directory;
        std::fs::create_dir_all(directory)
            .map_err(Error::file("make the spool's directory", directory))?;
        let lock = lock(directory)?;
        let position_max = positions.iter().flatten().copied().max().unwrap_or(0);
        let (mut index, torn_bytes) = recover(directory, position_max)?;
        let oldest = index.oldest();
        index.done = positions.iter().map(|position| position.unwrap_or(oldest)).collect();
        Ok(Self {
            options: options.clone(),
            shared: Shared::new(directory, index),
            // Its keys come from the system.
            session: RandomState::new().hash_one("session"),
            active: None,
            unsynced: None,
            refused: None,
            refused_len: 0,
            torn_bytes,
            _lock: lock,
        })
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Bytes that were cut from the end of the newest segment.
    pub(crate) const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Takes records in: onto the disk, or into memory if it does not take them. Sinks see them then.
    pub(crate) fn take(&mut self, records: &[(Kind, Vec<u8>)]) {
        let sequence = self.shared.lock().next;
        let block = Block::seal(Uid { session: self.session, sequence }, now_ms(), records);
        let is_first_in_line = self.shared.lock().tail.is_empty();
        let is_written = is_first_in_line && self.is_due() && self.write(&block);
        let mut index = self.shared.lock();
        index.next = block.header.end();
        index.spooled += records.len() as u64;
        if !is_written {
            index.keep(block, self.options.memory_bytes_max);
        }
        drop(index);
        self.shared.tell_changed();
        self.settle();
    }

    /// Does what is due: writes what waits in memory, forces onto the disk what was written.
    pub(crate) fn settle(&mut self) {
        while self.is_due() {
            let index = self.shared.lock();
            let Some(block) = index.tail.front().cloned() else {
                let is_refused = index.refusal.is_some();
                drop(index);
                // Sinks took what waited; whether the disk would have is not known.
                if is_refused {
                    self.probe();
                }
                break;
            };
            drop(index);
            if !self.write(&block) {
                break;
            }
            let mut index = self.shared.lock();
            // A sink may have been done with it meanwhile.
            if index.tail.front().is_some_and(|front| Arc::ptr_eq(front, &block)) {
                index.forget_oldest_in_memory();
            }
        }
        let is_due = self.unsynced.is_some_and(|since| since.elapsed() >= SYNC_INTERVAL);
        if is_due && self.options.sync == SyncPolicy::EachSecond {
            self.sync();
        }
    }

    /// How long nothing is due.
    pub(crate) fn idle_span(&self) -> Duration {
        let sync = self.unsynced.filter(|_| self.options.sync == SyncPolicy::EachSecond);
        let retry = self.refused.map(|at| RETRY_INTERVAL.saturating_sub(at.elapsed()));
        let sync = sync.map(|since| SYNC_INTERVAL.saturating_sub(since.elapsed()));
        retry.into_iter().chain(sync).min().unwrap_or(IDLE_SPAN)
    }

    /// Writes what it can at once, forces it onto the disk, and tells sinks that this was all.
    pub(crate) fn close(&mut self) {
        self.refused = None;
        self.settle();
        if self.options.sync != SyncPolicy::Never {
            self.sync();
        }
        self.shared.lock().closed = Some(Instant::now());
        self.shared.tell_changed();
    }

    /// Whether the disk is asked now: not again within a second after it refused.
    fn is_due(&self) -> bool {
        self.refused.is_none_or(|at| at.elapsed() >= RETRY_INTERVAL)
    }

    /// Whether the disk took the block; if so, sinks see it.
    fn write(&mut self, block: &Block) -> bool {
        let result = self.try_write(block);
        if result.is_err() {
            self.refused_len = block.bytes.len();
        }
        if let Ok(segment) = &result {
            let mut index = self.shared.lock();
            match index.segments.back_mut().filter(|last| last.first == segment.first) {
                Some(last) => *last = *segment,
                None => index.segments.push_back(*segment),
            }
        }
        self.note(result.map(|_| ()))
    }

    /// Asks the disk whether it would take now what it refused last.
    fn probe(&mut self) {
        let path = self.options.directory.join("probe");
        let tried = check_free(&self.options)
            .and_then(|()| std::fs::write(&path, vec![0; self.refused_len]));
        let _ = std::fs::remove_file(&path);
        self.note(tried);
    }

    /// Notes whether the disk takes events; gives that back.
    fn note(&mut self, result: io::Result<()>) -> bool {
        let mut index = self.shared.lock();
        match result {
            Ok(()) => {
                if index.refusal.take().is_some() {
                    tracing::warn!("the spool's disk takes events again");
                }
                self.refused = None;
                true
            }
            Err(error) => {
                let directory = self.options.directory.display();
                let text =
                    format!("write to the spool {directory}: {error}; events wait in memory");
                if index.refusal.is_none() {
                    tracing::warn!("{text}");
                }
                index.refusal = Some(text);
                self.refused = Some(Instant::now());
                false
            }
        }
    }

    fn try_write(&mut self, block: &Block) -> io::Result<Segment> {
        let block_len = block.bytes.len() as u64;
        check_free(&self.options)?;
        self.make_room(block_len);
        self.rotate(block)?;
        let active = self.active.as_mut().expect("rotate leaves an active segment");
        let at = active.segment.len;
        let written =
            active.file.write_all_at(&block.bytes, at).and_then(|()| match self.options.sync {
                SyncPolicy::EachWrite => active.file.sync_data(),
                SyncPolicy::EachSecond | SyncPolicy::Never => Ok(()),
            });
        if let Err(error) = written {
            // Half a block is of no use and holds room; if it cannot be cut, it is written over.
            let _ = active.file.set_len(at);
            return Err(error);
        }
        active.segment.len += block_len;
        active.segment.end = block.header.end();
        self.unsynced.get_or_insert_with(Instant::now);
        Ok(active.segment)
    }

    /// Drops the oldest segments until `more` bytes fit the limit. Sinks that still wanted them find the gap
    /// and count it.
    fn make_room(&mut self, more: u64) {
        loop {
            let mut index = self.shared.lock();
            if index.disk_bytes() + more <= self.options.bytes_max {
                return;
            }
            let Some(oldest) = index.segments.pop_front() else { return };
            drop(index);
            let path = self.shared.path(oldest.first);
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!("remove the oldest segment {}: {error}", path.display());
            }
            self.active = self.active.take().filter(|active| active.segment.first != oldest.first);
        }
    }

    /// Begins the next segment if the block does not belong into the active one.
    fn rotate(&mut self, block: &Block) -> io::Result<()> {
        let first = block.header.first;
        if let Some(Active { file, segment }) = &self.active {
            let is_full = segment.len + block.bytes.len() as u64 > self.options.segment_bytes;
            // Somebody removed it: what is written to it would be gone.
            let is_gone = file.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
            // Within a segment every gap is damage.
            if segment.end == first && (segment.len == 0 || !is_full) && !is_gone {
                return Ok(());
            }
            if segment.len == 0 {
                let _ = std::fs::remove_file(self.shared.path(segment.first));
            }
            self.sync();
        }
        self.active = None;
        let path = self.shared.path(first);
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
        if self.options.sync == SyncPolicy::EachWrite {
            // A file that its directory does not name is lost with all that is in it.
            File::open(&self.options.directory)?.sync_all()?;
        }
        let segment = Segment { first, end: first, len: 0, time_ms: block.header.time_ms };
        self.active = Some(Active { file, segment });
        Ok(())
    }

    /// Forces onto the disk what was written.
    fn sync(&mut self) {
        if self.options.sync == SyncPolicy::Never || self.unsynced.take().is_none() {
            return;
        }
        let file = self.active.as_ref().map(|active| active.file.sync_data());
        let directory = File::open(&self.options.directory).and_then(|file| file.sync_all());
        if let Err(error) = file.unwrap_or(Ok(())).and(directory) {
            tracing::warn!("force the spool onto its disk: {error}");
        }
    }
}

/// Locks the directory for this process; the lock ends with it, however it ends.
fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(Error::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(Error::Held { path: directory.into(), holder: holder.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => {
            return Err(Error::File { attempt: "lock", path, source });
        }
    }
    // Only for the message above: a full disk may refuse it.
    let _ = file.set_len(0);
    let _ = file.rewind();
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

/// Refuses while less is free than shall be left to others.
fn check_free(options: &SpoolOptions) -> io::Result<()> {
    let disk = statvfs(&options.directory)?;
    let free_percent = 100.0 * disk.blocks_available() as f64 / disk.blocks().max(1) as f64;
    if free_percent >= options.free_percent_min {
        return Ok(());
    }
    let text = format!(
        "{free_percent:.1} % of its file system is free, and {} % shall be left to others \
         (free_percent_min)",
        options.free_percent_min
    );
    Err(io::Error::new(io::ErrorKind::StorageFull, text))
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How often a disk that refused is asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How often [`SyncPolicy::EachSecond`] forces what is new onto the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How long the spool's thread sleeps when nothing is due.
const IDLE_SPAN: Duration = Duration::from_secs(3600);
