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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use crate::index::{segment_path, segments_in};
    use crate::options::SpoolOptions;
    use crate::reader::Reader;
    use crate::record::Kind;
    use crate::store::Store;

    fn open(directory: &Path) -> Store {
        open_at(directory, None)
    }

    fn open_at(directory: &Path, position: Option<u64>) -> Store {
        let options = SpoolOptions {
            directory: directory.into(),
            segment_bytes: 250,
            free_percent_min: 0.0,
            ..SpoolOptions::default()
        };
        Store::open(&options, &[position]).unwrap()
    }

    /// Takes in records 1 to 24, three a block, their number in each.
    fn written(directory: &Path) {
        let mut store = open(directory);
        for first in (1..=24).step_by(3) {
            let record = |n: u64| (Kind::default(), format!("{{\"n\":{n}}}").into_bytes());
            store.take(&[record(first), record(first + 1), record(first + 2)]);
        }
        store.close();
        assert!(segments_in(directory).unwrap().len() > 2);
    }

    /// What a new reader gets: the numbers of the records, how many are missing, and what was cut.
    fn read(directory: &Path) -> (Vec<u64>, u64, Store) {
        let store = open(directory);
        let mut reader = Reader::new(store.shared(), "s".into(), 1);
        let (mut numbers, mut missing) = (Vec::new(), 0);
        while let Some(portion) = reader.next().unwrap() {
            missing += portion.dropped + portion.damaged;
            for record in portion.records {
                let json = format!("{{\"n\":{}}}", record.uid.sequence);
                assert_eq!(record.json, json.as_bytes(), "nothing wrong is ever given");
                numbers.push(record.uid.sequence);
            }
        }
        assert_eq!(numbers.len() as u64 + missing, store.shared().lock().next - 1);
        (numbers, missing, store)
    }

    #[test]
    fn a_segment_cut_at_any_byte_gives_all_whole_blocks_and_goes_on_behind_them() {
        let whole = tempfile::tempdir().unwrap();
        written(whole.path());
        let newest = *segments_in(whole.path()).unwrap().last().unwrap();
        let bytes = std::fs::read(segment_path(whole.path(), newest)).unwrap();
        for cut in 0..=bytes.len() {
            let directory = copy(whole.path());
            std::fs::write(segment_path(directory.path(), newest), &bytes[..cut]).unwrap();
            let (numbers, missing, mut store) = read(directory.path());
            let end = numbers.last().copied().unwrap();
            assert!(numbers.into_iter().eq(1..=end), "cut at {cut}");
            assert_eq!((missing, end % 3), (0, 0), "cut at {cut}");
            let left = std::fs::read(segment_path(directory.path(), newest)).unwrap_or_default();
            assert_eq!((left.len() as u64) + store.torn_bytes(), cut as u64);
            assert!(bytes.starts_with(&left));
            store.take(&[(Kind::default(), format!("{{\"n\":{}}}", end + 1).into_bytes())]);
            drop(store);
            assert_eq!(read(directory.path()).0.last(), Some(&(end + 1)), "cut at {cut}");
        }
    }

    /// Class of bug: a sink waited for records that a power failure had taken, without a pause.
    #[test]
    fn numbers_that_a_sink_has_seen_are_never_given_again_even_if_their_records_are_lost() {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path());
        let mut store = open_at(directory.path(), Some(100));
        let mut reader = Reader::new(store.shared(), "s".into(), 25);
        assert_eq!(reader.next().unwrap().unwrap().damaged, 75);
        assert!(reader.next().unwrap().is_none());
        store.take(&[(Kind::default(), b"{}".to_vec())]);
        assert_eq!(reader.next().unwrap().unwrap().records[0].uid.sequence, 100);
    }

    fn copy(from: &Path) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
        }
        directory
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn damaged_bytes_cost_their_blocks_only_and_are_counted(
            flips in proptest::collection::vec((any::<u16>(), any::<u16>(), 1u8..), 1..4)
        ) {
            let directory = tempfile::tempdir().unwrap();
            written(directory.path());
            let segments = segments_in(directory.path()).unwrap();
            for (segment, at, flip) in &flips {
                let first = segments[usize::from(*segment) % segments.len()];
                let path = segment_path(directory.path(), first);
                let mut bytes = std::fs::read(&path).unwrap();
                let at = usize::from(*at) % bytes.len();
                bytes[at] ^= flip;
                std::fs::write(&path, &bytes).unwrap();
            }
            let (numbers, _, _) = read(directory.path());
            prop_assert!(numbers.is_sorted_by(|a, b| a < b));
            // Each flip hits one block of three; what is hit at the end is torn.
            prop_assert!(numbers.len() + flips.len() * 3 >= 24, "{numbers:?}");
        }
    }
}
