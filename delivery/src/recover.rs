//! What a spool's directory holds when it is opened.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::block::{Block, HEADER_LEN, Header};
use crate::error::Error;
use crate::index::{Index, Segment, segment_path, segments_in};

/// Reads which segments there are, and cuts what is torn from the end of the newest one. `position_max` is
/// how far the furthest sink is: no sequence below it is given again, even if its record was lost.
///
/// # Errors
/// The directory or a segment cannot be used.
pub(crate) fn recover(directory: &Path, position_max: u64) -> Result<(Index, u64), Error> {
    let mut firsts =
        segments_in(directory).map_err(Error::file("read the spool's directory", directory))?;
    let mut index = Index::default();
    let mut torn_bytes = 0;
    // Only the newest can be torn; if nothing of it is whole, the one before it is the newest.
    let newest = loop {
        let Some(first) = firsts.pop() else { break None };
        let path = segment_path(directory, first);
        let (segment, cut) = cut_torn(&path, first).map_err(Error::file("repair", &path))?;
        torn_bytes += cut;
        if segment.is_some() {
            break segment;
        }
        std::fs::remove_file(&path).map_err(Error::file("remove the empty", &path))?;
    };
    let mut end = newest.map_or(0, |segment| segment.first);
    for first in firsts.into_iter().rev() {
        let path = segment_path(directory, first);
        let segment = sealed(&path, first, end).map_err(Error::file("read", &path))?;
        index.segments.push_front(segment);
        end = first;
    }
    index.segments.extend(newest);
    index.next = newest.map_or(1, |segment| segment.end).max(position_max);
    Ok((index, torn_bytes))
}

/// A segment that another one follows: it was closed, so it is taken as it is. Its readers find damage.
pub(crate) fn sealed(path: &Path, first: u64, end: u64) -> io::Result<Segment> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut head = [0; HEADER_LEN];
    let header = file.read_exact_at(&mut head, 0).ok().and_then(|()| Header::read(&head));
    Ok(Segment { first, end, len, time_ms: header.map_or(0, |header| header.time_ms) })
}

/// Cuts everything behind the last whole block; says how many bytes that were.
fn cut_torn(path: &Path, first: u64) -> io::Result<(Option<Segment>, u64)> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let segment = walk(&bytes, first);
    let len = segment.map_or(0, |segment| segment.len);
    let torn = bytes.len() as u64 - len;
    if torn > 0 {
        file.set_len(len)?;
    }
    Ok((segment, torn))
}

/// The segment up to its last whole block; nothing if none is whole.
pub(crate) fn walk(bytes: &[u8], first: u64) -> Option<Segment> {
    let mut segment = None;
    let mut from = 0;
    while let Some((at, block)) = bytes.get(from..).and_then(Block::find) {
        from += at + block.bytes.len();
        let time_ms = segment.map_or(block.header.time_ms, |known: Segment| known.time_ms);
        segment = Some(Segment { first, end: block.header.end(), len: from as u64, time_ms });
    }
    segment
}
