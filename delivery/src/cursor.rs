//! How far a sink is, on disk.
//!
//! The file has two slots of 512 bytes that are written in turn, in place: a torn write leaves the other
//! one, and a full disk takes an update all the same.
//!
//! ```text
//! each slot: CRC-32 of the JSON in hexadecimal, a space, the JSON, spaces, a line feed
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a sink has done, and how far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// Which of two slots is newer.
    generation: u64,
    /// All records before this sequence are done: sent, refused, lost or not wanted.
    pub(crate) position: u64,
    /// Events that the receiver acknowledged.
    pub(crate) sent: u64,
    /// Attempts that failed and were made again.
    pub(crate) retried: u64,
    /// Events that the receiver refused for good.
    pub(crate) refused: u64,
    /// Events that the spool dropped before they were sent.
    pub(crate) dropped: u64,
    /// Events that were unreadable in the spool.
    pub(crate) damaged: u64,
}

/// The cursor file of one sink.
#[derive(Debug)]
pub(crate) struct Cursor {
    path: PathBuf,
    file: Option<File>,
    generation: u64,
}

impl Cursor {
    /// The cursor of `sink` in the spool's directory; nothing is touched yet.
    pub(crate) fn new(directory: &Path, sink: &str) -> Self {
        Self { path: path_of(directory, sink), file: None, generation: 0 }
    }

    /// What was written last; nothing if nothing was, or it cannot be read.
    pub(crate) fn read(&mut self) -> Option<Progress> {
        let progress = read(&self.path)?;
        self.generation = progress.generation;
        Some(progress)
    }

    /// Writes how far the sink is.
    ///
    /// # Errors
    /// What the system said. The sink then sends again after a restart what it had sent since the last
    /// write that went well.
    pub(crate) fn write(&mut self, progress: &Progress) -> io::Result<()> {
        let generation = self.generation + 1;
        let slot = slot_text(&Progress { generation, ..*progress });
        // Somebody removed it: what is written to it would be gone.
        let is_gone = |file: &File| file.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
        self.file = self.file.take().filter(|file| !is_gone(file));
        if self.file.is_none() {
            let file =
                OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
            // Both slots now: later writes then never ask the disk for room.
            if file.metadata()?.len() != SLOT_LEN * 2 {
                file.set_len(0)?;
                file.write_all_at(&[b' '; SLOT_LEN as usize * 2], 0)?;
            }
            self.file = Some(file);
        }
        let at = generation % 2 * SLOT_LEN;
        let file = self.file.as_ref().expect("opened above");
        match file.write_all_at(&slot, at) {
            Ok(()) => self.generation = generation,
            Err(error) => {
                self.file = None;
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Where the cursor of `sink` lies.
fn path_of(directory: &Path, sink: &str) -> PathBuf {
    directory.join(format!("{sink}{SUFFIX}"))
}

/// The sinks that have a cursor in `directory`, by name.
pub(crate) fn all(directory: &Path) -> io::Result<Vec<(String, Progress)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(sink) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
        if let Some(progress) = read(&path_of(directory, sink)) {
            found.push((sink.to_owned(), progress));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// The newer one of the slots that are whole.
fn read(path: &Path) -> Option<Progress> {
    let bytes = std::fs::read(path).ok()?;
    let slots = bytes.chunks(SLOT_LEN as usize);
    slots.filter_map(slot_read).max_by_key(|progress| progress.generation)
}

fn slot_text(progress: &Progress) -> Vec<u8> {
    let json = serde_json::to_string(progress).expect("plain numbers are JSON");
    let mut slot = format!("{:08x} {json}", crc32fast::hash(json.as_bytes())).into_bytes();
    assert!(slot.len() < SLOT_LEN as usize, "eight numbers fit a slot");
    slot.resize(SLOT_LEN as usize - 1, b' ');
    slot.push(b'\n');
    slot
}

fn slot_read(slot: &[u8]) -> Option<Progress> {
    let (checksum, json) = std::str::from_utf8(slot).ok()?.split_once(' ')?;
    let json = json.trim_end();
    let checksum = u32::from_str_radix(checksum, 16).ok()?;
    (crc32fast::hash(json.as_bytes()) == checksum).then(|| serde_json::from_str(json).ok())?
}

/// Bytes of a slot: seven numbers of twenty digits and their names fit.
const SLOT_LEN: u64 = 512;

const SUFFIX: &str = ".cursor";

#[cfg(test)]
mod tests {
    use super::{Cursor, Progress, SLOT_LEN};

    #[test]
    fn the_newest_whole_slot_counts() {
        let directory = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::new(directory.path(), "a");
        assert_eq!(cursor.read(), None);
        for position in 1..=5 {
            cursor.write(&Progress { position, sent: position, ..Progress::default() }).unwrap();
        }
        let path = directory.path().join("a.cursor");
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len() as u64, SLOT_LEN * 2);
        let read = || Cursor::new(directory.path(), "a").read().map(|progress| progress.position);
        assert_eq!(read(), Some(5));
        // The fifth is in the second slot: torn, the fourth holds.
        let mut torn = whole.clone();
        torn[SLOT_LEN as usize + 40..].fill(0);
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(read(), Some(4));
        std::fs::write(&path, b"rubbish").unwrap();
        assert_eq!(read(), None);
        cursor.write(&Progress { position: 6, ..Progress::default() }).unwrap();
        assert_eq!(super::all(directory.path()).unwrap().len(), 1);
    }

    #[test]
    fn the_largest_numbers_fit_a_slot() {
        let n = u64::MAX - 1;
        let most = Progress {
            generation: n,
            position: n,
            sent: n,
            retried: n,
            refused: n,
            dropped: n,
            damaged: n,
        };
        assert_eq!(super::slot_read(&super::slot_text(&most)), Some(most));
    }
}
