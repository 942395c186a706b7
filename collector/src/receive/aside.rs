//! Records that nobody can read are kept aside: whoever mends the reader may still want them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::ReceiveError;
use super::line::Reason;

/// Two files, of which the older gives way: `refused.ndjson` and `refused.1.ndjson`. A line each: why, and
/// the record as text.
#[derive(Debug)]
pub(crate) struct Aside(Option<Mutex<Files>>);

#[derive(Debug)]
struct Files {
    directory: PathBuf,
    file: File,
    len: u64,
    /// Of one file.
    len_max: u64,
}

impl Aside {
    /// Opens the files; nothing is kept without a directory.
    pub(crate) fn open(directory: Option<&Path>, bytes_max: u64) -> Result<Self, ReceiveError> {
        let Some(directory) = directory else { return Ok(Self(None)) };
        let failed = |source| ReceiveError::File {
            what: "records that were refused",
            path: directory.to_owned(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let (file, len) = open(directory).map_err(failed)?;
        let len_max = (bytes_max / 2).max(1);
        Ok(Self(Some(Mutex::new(Files { directory: directory.to_owned(), file, len, len_max }))))
    }

    /// Keeps one, if there is room at all; what cannot be written is only counted.
    pub(crate) fn keep(&self, reason: Reason, record: &[u8]) {
        let Some(files) = &self.0 else { return };
        let text = String::from_utf8_lossy(record);
        let line = serde_json::json!({ "reason": reason.name(), "record": text });
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = files.append(format!("{line}\n").as_bytes()) {
            tracing::warn!("keep a refused record in {}: {error}", files.directory.display());
        }
    }
}

impl Files {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let len = line.len() as u64;
        if len > self.len_max {
            return Ok(());
        }
        if self.len + len > self.len_max {
            std::fs::rename(path(&self.directory), self.directory.join("refused.1.ndjson"))?;
            (self.file, self.len) = open(&self.directory)?;
        }
        self.file.write_all(line)?;
        self.len += len;
        Ok(())
    }
}

fn open(directory: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path(directory))?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

fn path(directory: &Path) -> PathBuf {
    directory.join("refused.ndjson")
}

#[cfg(test)]
mod tests {
    use super::{Aside, Reason};

    #[test]
    fn the_newest_are_kept_within_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let aside = Aside::open(Some(directory.path()), 2000).unwrap();
        for number in 0..100 {
            aside.keep(Reason::Name, format!("{{\"n\":{number}}}\u{7f}").as_bytes());
        }
        aside.keep(Reason::Name, &[b'x'; 3000]);
        let read = |name| std::fs::read_to_string(directory.path().join(name)).unwrap();
        let (new, old) = (read("refused.ndjson"), read("refused.1.ndjson"));
        assert!(new.len() <= 1000 && old.len() <= 1000);
        let last: serde_json::Value = serde_json::from_str(new.lines().last().unwrap()).unwrap();
        assert_eq!(last["reason"], "name");
        assert_eq!(last["record"], "{\"n\":99}\u{7f}");
    }
}
