//! Sink: one JSON object a line, in files that rotate by themselves, or on standard output.
//!
//! The file is its own receiver, so it stores each record exactly once: at the start the last whole line
//! says how far it came, and what is torn behind it is cut.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;
use crate::options::NdjsonOptions;
use crate::record::{Record, Uid};
use crate::sink::{Answer, Sink};
use crate::stdout::Stdout;

/// Writes lines.
#[derive(Debug)]
pub(crate) struct NdjsonSink {
    options: NdjsonOptions,
    open: Option<Open>,
    stdout: Stdout,
}

/// The file that is written to.
#[derive(Debug)]
struct Open {
    path: PathBuf,
    number: u64,
    file: File,
    len: u64,
    began: Instant,
}

impl NdjsonSink {
    pub(crate) fn new(options: &NdjsonOptions) -> Result<Self, Error> {
        let what = || format!("sink {}", options.name);
        if options.files_max == 0 || options.file_bytes_max == 0 || options.file_age_s_max == 0 {
            let why = "files_max, file_bytes_max and file_age_s_max must be at least 1";
            return Err(Error::option(what(), why));
        }
        Ok(Self { options: options.clone(), open: None, stdout: Stdout::default() })
    }

    fn write(&mut self, directory: &Path, lines: &[u8]) -> io::Result<PathBuf> {
        self.rotate(directory, lines.len() as u64)?;
        let open = self.open.as_mut().expect("rotate leaves an open file");
        let written = open.file.write_all_at(lines, open.len).and_then(|()| open.file.sync_data());
        if let Err(error) = written {
            // All lines or none: what is half written is cut, or written over by the next attempt.
            let _ = open.file.set_len(open.len);
            return Err(error);
        }
        open.len += lines.len() as u64;
        Ok(open.path.clone())
    }

    /// Begins the next file if there is none, or the last one is full or old.
    fn rotate(&mut self, directory: &Path, more: u64) -> io::Result<()> {
        let options = &self.options;
        let is_done = |open: &Open| {
            let is_old = open.began.elapsed() >= Duration::from_secs(options.file_age_s_max);
            let is_full = open.len > 0 && (open.len + more > options.file_bytes_max || is_old);
            // Somebody removed it: what is written to it would be gone.
            is_full || open.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
        };
        let last = match self.open.take() {
            Some(open) if !is_done(&open) => {
                self.open = Some(open);
                return Ok(());
            }
            Some(open) => open.number,
            None => numbers(directory)?.last().map_or(0, |(number, _)| *number),
        };
        let number = last + 1;
        let stamp = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let minute: String = stamp.chars().filter(|c| !matches!(c, '-' | ':')).take(13).collect();
        let path = directory.join(format!("{PREFIX}{minute}-{number}{SUFFIX}"));
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
        let files = numbers(directory)?;
        let surplus = files.len().saturating_sub(options.files_max);
        for (_, path) in files.iter().take(surplus) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!("remove the oldest file {}: {error}", path.display());
            }
        }
        self.open = Some(Open { path, number, file, len: 0, began: Instant::now() });
        Ok(())
    }

    /// Goes on with the newest file: cuts a torn line, says what the last whole one is.
    fn resume(&mut self, directory: &Path) -> io::Result<Option<Uid>> {
        let Some((number, path)) = numbers(directory)?.pop() else { return Ok(None) };
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let metadata = file.metadata()?;
        let mut from = metadata.len().saturating_sub(TAIL_LEN);
        let (mut tail, mut last) = (Vec::new(), None);
        loop {
            file.seek(SeekFrom::Start(from))?;
            tail.clear();
            file.read_to_end(&mut tail)?;
            let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let begin = tail[..whole.saturating_sub(1)].iter().rposition(|byte| *byte == b'\n');
            if begin.is_some() || from == 0 {
                tail.truncate(whole);
                if let Some(line) = tail.get(begin.map_or(0, |at| at + 1)..) {
                    last = uid_of(line);
                }
                break;
            }
            from = from.saturating_sub(TAIL_LEN * 16);
        }
        let len = from + tail.len() as u64;
        file.set_len(len)?;
        let age = metadata.created().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        let began = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        self.open = Some(Open { path, number, file, len, began });
        Ok(last)
    }
}

impl Sink for NdjsonSink {
    fn newest(&mut self) -> Option<Uid> {
        let directory = self.options.directory.clone()?;
        self.resume(&directory).unwrap_or_else(|error| {
            // The first attempt to write will say the same, and say it again.
            tracing::warn!("sink {}: read {}: {error}", self.options.name, directory.display());
            None
        })
    }

    fn send(&mut self, records: &[Record]) -> Answer {
        let lines: Vec<u8> = records.iter().flat_map(Record::line).collect();
        let (place, written) = match self.options.directory.clone() {
            None => {
                let first = records.first().map(|record| record.uid);
                let written = first.map_or(Ok(()), |first| self.stdout.write(first, &lines));
                ("standard output".to_owned(), written.map(|()| None))
            }
            Some(directory) => {
                let made = std::fs::create_dir_all(&directory);
                let written = made.and_then(|()| self.write(&directory, &lines));
                (directory.display().to_string(), written.map(Some))
            }
        };
        match written {
            Ok(path) => {
                let place = path.map_or(place, |path| path.display().to_string());
                Answer::Taken { refused: 0, said: format!("{} bytes in {place}", lines.len()) }
            }
            Err(error) => Answer::Later { why: format!("write to {place}: {error}"), after: None },
        }
    }

    fn test(&mut self, record: &Record) -> Answer {
        let Some(directory) = &self.options.directory else {
            return self.send(std::slice::from_ref(record));
        };
        let path = directory.join("sink-test.ndjson");
        let tried =
            std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, record.line()));
        match tried {
            Ok(()) => Answer::Taken { refused: 0, said: format!("written to {}", path.display()) },
            Err(error) => {
                let why = format!("write to {}: {error}", path.display());
                Answer::Later { why, after: None }
            }
        }
    }

    fn check(&mut self) -> Answer {
        let Some(directory) = &self.options.directory else {
            return Answer::Taken { refused: 0, said: "standard output".to_owned() };
        };
        let probe = directory.join(".rstscope-check");
        let tried = std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&probe, b"rstscope\n"))
            .and_then(|()| std::fs::remove_file(&probe));
        match tried {
            Ok(()) => Answer::Taken {
                refused: 0,
                said: format!("{} can be written", directory.display()),
            },
            Err(error) => {
                let why = format!("write to {}: {error}", directory.display());
                Answer::Later { why, after: None }
            }
        }
    }
}

/// The files of this sink by their numbers, ascending; nothing if there is no directory yet.
fn numbers(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let stem = name.and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        let number = stem.and_then(|stem| stem.rsplit_once('-')?.1.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// The name of the record that a line tells.
fn uid_of(line: &[u8]) -> Option<Uid> {
    #[derive(serde::Deserialize)]
    struct Head {
        uid: String,
    }
    let head: Head = serde_json::from_slice(line).ok()?;
    Uid::read(&head.uid)
}

const PREFIX: &str = "events-";
const SUFFIX: &str = ".ndjson";

/// Bytes that are read from the end of a file to find its last line.
const TAIL_LEN: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::NdjsonSink;
    use crate::options::NdjsonOptions;
    use crate::record::{Kind, Record, Uid};
    use crate::sink::{Answer, Sink as _};

    fn record(sequence: u64) -> Record {
        let uid = Uid { session: 0xabc, sequence };
        let json = br#"{"id":"x"}"#.to_vec();
        let (kind, sensor) = (Kind::default(), "s".into());
        Record { uid, kind, sensor, is_test: false, time_ms: 0, json }
    }

    fn sink(directory: &std::path::Path, options: NdjsonOptions) -> NdjsonSink {
        NdjsonSink::new(&NdjsonOptions { directory: Some(directory.into()), ..options }).unwrap()
    }

    #[test]
    fn a_torn_line_is_cut_and_the_last_whole_one_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = sink(directory.path(), NdjsonOptions::default());
        assert_eq!(first.newest(), None);
        assert!(matches!(first.send(&[record(1), record(2)]), Answer::Taken { .. }));
        let path = first.open.as_ref().unwrap().path.clone();
        let whole = std::fs::read(&path).unwrap();
        for torn in 0..whole.len() {
            std::fs::write(&path, &whole[..torn]).unwrap();
            let newest = sink(directory.path(), NdjsonOptions::default()).newest();
            let lines = whole[..torn].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(newest.map_or(0, |uid| uid.sequence), lines, "cut at {torn}");
            let left = std::fs::read(&path).unwrap();
            assert!(left.is_empty() || left.ends_with(b"\n"), "cut at {torn}");
        }
    }

    #[test]
    fn files_are_bounded_in_size_and_number() {
        let directory = tempfile::tempdir().unwrap();
        let options =
            NdjsonOptions { file_bytes_max: 200, files_max: 3, ..NdjsonOptions::default() };
        let mut sink = sink(directory.path(), options);
        for sequence in 1..=50 {
            assert!(matches!(sink.send(&[record(sequence)]), Answer::Taken { .. }));
        }
        let files = super::numbers(directory.path()).unwrap();
        assert_eq!(files.len(), 3);
        let text: String =
            files.iter().map(|(_, path)| std::fs::read_to_string(path).unwrap()).collect();
        assert!(text.lines().last().unwrap().contains("\"sequence\":50,"), "{text}");
        assert!(files.iter().all(|(_, path)| path.metadata().unwrap().len() <= 200));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_tried_again_later() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let mut sink = sink(&file, NdjsonOptions::default());
        assert!(matches!(sink.check(), Answer::Later { .. }));
        assert!(matches!(sink.send(&[record(1)]), Answer::Later { .. }));
    }
}
