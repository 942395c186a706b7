//! One sink's way through the spool.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::block::{Block, HEADER_LEN, Header};
use crate::index::{Place, Segment, Shared};
use crate::record::Record;

/// Reads all records from a position on, in order, as they come.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    sensor: Arc<str>,
    position: u64,
    open: Option<Open>,
}

/// The segment file that is being read.
#[derive(Debug)]
struct Open {
    first: u64,
    file: File,
    offset: u64,
}

/// The next records, and what is missing before them.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    pub(crate) records: Vec<Record>,
    /// Records that are not there any more: the spool had to make room.
    pub(crate) dropped: u64,
    /// Records that cannot be read any more.
    pub(crate) damaged: u64,
}

impl Reader {
    /// From `position` on; all records are of `sensor`.
    pub(crate) const fn new(shared: Arc<Shared>, sensor: Arc<str>, position: u64) -> Self {
        Self { shared, sensor, position, open: None }
    }

    /// All records before this sequence were given.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// The next records; nothing if there are none yet.
    ///
    /// # Errors
    /// A segment cannot be opened, though it is there; to be tried again.
    pub(crate) fn next(&mut self) -> io::Result<Option<Portion>> {
        loop {
            let index = self.shared.lock();
            let next = index.next;
            let Some(place) = index.place(self.position) else {
                drop(index);
                return Ok(self.pass_to(next));
            };
            drop(index);
            let before = self.position;
            self.position = before.max(place.first());
            let dropped = self.position - before;
            let portion = match place {
                Place::Memory(block) => Ok(Some(self.take(&block))),
                Place::Disk(segment) => self.read(segment),
            };
            if let Ok(Some(portion)) = portion {
                return Ok(Some(Portion { dropped, ..portion }));
            }
            // What is missing before it is found again, and counted then.
            self.position = before;
            portion?;
        }
    }

    /// Passes over records that were numbered and are nowhere: a power failure took them.
    fn pass_to(&mut self, next: u64) -> Option<Portion> {
        let damaged = next.saturating_sub(self.position);
        self.position += damaged;
        (damaged > 0).then(|| Portion { damaged, ..Portion::default() })
    }

    /// The next records of a segment; nothing if it was dropped just now.
    fn read(&mut self, segment: Segment) -> io::Result<Option<Portion>> {
        let mut open = match self.open.take().filter(|open| open.first == segment.first) {
            Some(open) => open,
            None => match File::open(self.shared.path(segment.first)) {
                Ok(file) => Open { first: segment.first, file, offset: 0 },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let place = self.shared.lock().place(self.position);
                    let is_there = place.is_some_and(|place| place.first() == segment.first);
                    return Ok(is_there.then(|| self.give_up(&segment)));
                }
                Err(error) => return Err(error),
            },
        };
        // What the disk cannot read is as lost as what it reads wrongly.
        let block = open.next_block(&segment, self.position).unwrap_or_default();
        self.open = Some(open);
        Ok(Some(match block {
            Some(block) => self.take(&block),
            None => self.give_up(&segment),
        }))
    }

    /// The records of a block from the position on.
    fn take(&mut self, block: &Block) -> Portion {
        let damaged = block.header.first.saturating_sub(self.position);
        let end = block.header.end();
        let from = self.position;
        self.position = end;
        match block.records(&self.sensor) {
            Some(mut records) => {
                records.retain(|record| record.uid.sequence >= from);
                Portion { records, dropped: 0, damaged }
            }
            None => Portion { damaged: end - from, ..Portion::default() },
        }
    }

    /// Passes over the rest of a segment.
    fn give_up(&mut self, segment: &Segment) -> Portion {
        let damaged = segment.end - self.position;
        self.position = segment.end;
        Portion { damaged, ..Portion::default() }
    }
}

impl Open {
    /// The first whole block with a record at or after `position`; nothing if the segment has none.
    fn next_block(&mut self, segment: &Segment, position: u64) -> io::Result<Option<Block>> {
        while self.offset < segment.len {
            let mut head = [0; HEADER_LEN];
            let header = (segment.len - self.offset >= HEADER_LEN as u64)
                .then(|| self.file.read_exact_at(&mut head, self.offset))
                .transpose()?
                .and_then(|()| Header::read(&head))
                .filter(|header| header.block_len() <= segment.len - self.offset);
            let Some(header) = header else {
                self.offset = self.next_whole(segment, self.offset + 1)?;
                continue;
            };
            let at = self.offset;
            if header.end() <= position {
                self.offset += header.block_len();
                continue;
            }
            match Block::read(&self.bytes(at, header.block_len())?) {
                Some(block) if block.header.end() <= segment.end => {
                    self.offset += header.block_len();
                    return Ok(Some(block));
                }
                _ => self.offset = self.next_whole(segment, at + 1)?,
            }
        }
        Ok(None)
    }

    /// Where the next whole block begins after damage; the segment's end if there is none.
    fn next_whole(&self, segment: &Segment, from: u64) -> io::Result<u64> {
        let rest = self.bytes(from, segment.len.saturating_sub(from))?;
        Ok(Block::find(&rest).map_or(segment.len, |(at, _)| from + at as u64))
    }

    fn bytes(&self, at: u64, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).expect("a segment fits memory")];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::Reader;
    use crate::index::{Index, Segment, Shared};

    #[test]
    fn what_is_missing_before_a_segment_that_cannot_be_opened_is_counted_later() {
        let directory = tempfile::tempdir().unwrap();
        let segment = Segment { first: 5, end: 7, len: 100, time_ms: 0 };
        let index = Index { segments: VecDeque::from([segment]), next: 7, ..Index::default() };
        let shared = Shared::new(directory.path(), index);
        let path = shared.path(5);
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let mut reader = Reader::new(shared, "s".into(), 1);
        assert!(reader.next().is_err(), "a link to itself cannot be opened");
        assert_eq!(reader.position(), 1);
        std::fs::remove_file(&path).unwrap();
        let portion = reader.next().unwrap().unwrap();
        assert_eq!((portion.dropped, portion.damaged, reader.position()), (4, 2, 7));
    }
}
