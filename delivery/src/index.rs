//! What the spool holds now, shared by its writer and all readers.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::block::Block;

/// A segment file. Records of it are in `first..end`; its first `len` bytes are whole blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) len: u64,
    /// When its first record was spooled, milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
}

/// Segments on disk, oldest first, and behind them what the disk did not take.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) tail: VecDeque<Arc<Block>>,
    pub(crate) tail_bytes: usize,
    /// The sequence that the next record gets.
    pub(crate) next: u64,
    /// What each sink has done, by its number: all before this sequence.
    pub(crate) done: Vec<u64>,
    /// Since when nothing is added any more.
    pub(crate) closed: Option<Instant>,
    /// Records that were taken in since the start.
    pub(crate) spooled: u64,
    /// Why the disk takes nothing, if so.
    pub(crate) refusal: Option<String>,
}

/// Where a record is to be had.
#[derive(Debug)]
pub(crate) enum Place {
    /// In a segment file.
    Disk(Segment),
    /// In memory, since the disk did not take it.
    Memory(Arc<Block>),
}

impl Place {
    /// The first sequence that it has.
    pub(crate) fn first(&self) -> u64 {
        match self {
            Self::Disk(segment) => segment.first,
            Self::Memory(block) => block.header.first,
        }
    }
}

impl Index {
    /// Bytes on disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// The oldest sequence that is still there; `next` if nothing is.
    pub(crate) fn oldest(&self) -> u64 {
        let disk = self.segments.front().map(|segment| segment.first);
        disk.or_else(|| self.tail.front().map(|block| block.header.first)).unwrap_or(self.next)
    }

    /// When the oldest record that is still there was spooled.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        let disk = self.segments.front().map(|segment| segment.time_ms);
        disk.or_else(|| self.tail.front().map(|block| block.header.time_ms))
    }

    /// Where the first record at or after `position` is.
    pub(crate) fn place(&self, position: u64) -> Option<Place> {
        let at = self.segments.partition_point(|segment| segment.end <= position);
        if let Some(segment) = self.segments.get(at) {
            return Some(Place::Disk(*segment));
        }
        let at = self.tail.partition_point(|block| block.header.end() <= position);
        self.tail.get(at).map(|block| Place::Memory(block.clone()))
    }

    /// Keeps a block in memory; beyond `bytes_max` the oldest gives way.
    pub(crate) fn keep(&mut self, block: Block, bytes_max: usize) {
        self.tail_bytes += block.bytes.len();
        self.tail.push_back(Arc::new(block));
        while self.tail_bytes > bytes_max && self.tail.len() > 1 {
            self.forget_oldest_in_memory();
        }
    }

    /// Takes the oldest block out of memory.
    pub(crate) fn forget_oldest_in_memory(&mut self) {
        if let Some(block) = self.tail.pop_front() {
            self.tail_bytes -= block.bytes.len();
        }
    }

    /// Takes out what all sinks have done; the newest segment stays, since it may be written to.
    fn take_done(&mut self) -> Vec<Segment> {
        let done = self.done.iter().copied().min().unwrap_or(0);
        let mut freed = Vec::new();
        while self.segments.len() > 1 && self.segments[0].end <= done {
            freed.extend(self.segments.pop_front());
        }
        while self.tail.front().is_some_and(|block| block.header.end() <= done) {
            self.forget_oldest_in_memory();
        }
        freed
    }
}

/// The index behind its lock. The exporter never takes it; whoever does never waits for a disk meanwhile.
#[derive(Debug)]
pub(crate) struct Shared {
    directory: PathBuf,
    index: Mutex<Index>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(directory: &Path, index: Index) -> Arc<Self> {
        let shared =
            Self { directory: directory.into(), index: Mutex::new(index), changed: Condvar::new() };
        Arc::new(shared)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Index> {
        // Every change is made whole before anything can panic.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for records, or for the end.
    pub(crate) fn tell_changed(&self) {
        self.changed.notify_all();
    }

    /// Where a segment lies.
    pub(crate) fn path(&self, segment: u64) -> PathBuf {
        segment_path(&self.directory, segment)
    }

    /// Waits until there is a record at or after `position`, or there will be none, at most `span`.
    pub(crate) fn wait_for(&self, position: u64, span: Duration) {
        let index = self.lock();
        let is_idle = |index: &mut Index| index.next <= position && index.closed.is_none();
        drop(self.changed.wait_timeout_while(index, span, is_idle));
    }

    /// Waits until there will be no more records, at most `span`.
    pub(crate) fn wait_for_close(&self, span: Duration) {
        let index = self.lock();
        drop(self.changed.wait_timeout_while(index, span, |index| index.closed.is_none()));
    }

    /// Notes that sink number `sink` is done with all before `position`, and frees what all are done with.
    pub(crate) fn set_done(&self, sink: usize, position: u64) {
        let mut index = self.lock();
        index.done[sink] = position;
        let freed = index.take_done();
        drop(index);
        for segment in freed {
            // If it cannot be removed now, it is found at the next start, and freed then.
            let _ = std::fs::remove_file(self.path(segment.first));
        }
    }
}

/// Where the segment that begins with sequence `first` lies.
pub(crate) fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}{SEGMENT_SUFFIX}"))
}

/// The segments in `directory` by the first sequence of each, ascending.
pub(crate) fn segments_in(directory: &Path) -> std::io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(SEGMENT_SUFFIX));
        found.extend(first.and_then(|first| first.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

const SEGMENT_SUFFIX: &str = ".seg";
