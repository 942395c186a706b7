//! What a receiver refused for good, kept for people to look at.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use crate::record::Record;
use crate::sink::refused_path;

/// Two files that take turns, each half of the limit.
#[derive(Debug)]
pub(crate) struct Refused {
    directory: PathBuf,
    sink: String,
    bytes_max: u64,
}

impl Refused {
    pub(crate) fn new(directory: impl Into<PathBuf>, sink: &str, bytes_max: u64) -> Self {
        Self { directory: directory.into(), sink: sink.to_owned(), bytes_max }
    }

    /// Keeps a record and the reason. It is counted in any case; a full disk only loses this copy.
    pub(crate) fn keep(&self, record: &Record, why: &str) {
        let path = refused_path(&self.directory, &self.sink, false);
        let event = String::from_utf8_lossy(&record.line()).into_owned();
        let reason = serde_json::Value::from(why);
        let line = format!("{{\"refused\":{reason},{}", event.trim_start_matches('{'));
        let len = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if len + line.len() as u64 > self.bytes_max / 2 {
            let _ = std::fs::rename(&path, refused_path(&self.directory, &self.sink, true));
        }
        if line.len() as u64 > self.bytes_max / 2 {
            return;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!("keep a refused event in {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Refused;
    use crate::record::{Kind, Record, Uid};

    #[test]
    fn the_newest_are_kept_and_the_limit_holds() {
        let directory = tempfile::tempdir().unwrap();
        let refused = Refused::new(directory.path(), "a", 2000);
        for sequence in 1..=100 {
            let uid = Uid { session: 1, sequence };
            let json = b"{\"id\":\"x\"}".to_vec();
            let (kind, sensor) = (Kind::default(), "s".into());
            let record = Record { uid, kind, sensor, is_test: false, time_ms: 0, json };
            refused.keep(&record, "no \"room\"");
        }
        let read = |name| std::fs::read_to_string(directory.path().join(name)).unwrap();
        let (new, old) = (read("a.refused.ndjson"), read("a.refused.1.ndjson"));
        assert!(new.len() + old.len() <= 2000);
        let last: serde_json::Value = serde_json::from_str(new.lines().last().unwrap()).unwrap();
        assert_eq!((&last["sequence"], &last["refused"]), (&100.into(), &"no \"room\"".into()));
    }
}
