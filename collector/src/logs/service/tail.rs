//! A file that grows, is rotated, cut and written anew.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::frames::Frames;

/// How far a file was read; what is kept over restarts.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Its inode: another file with the same name has another.
    inode: u64,
    /// Bytes read, whole lines only.
    read: u64,
    /// How it begins: a file that was cut and has grown again begins otherwise.
    head: Vec<u8>,
}

/// Follows one file.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    open: Option<Open>,
    /// Where to go on when it is found.
    position: Option<Position>,
    from_beginning: bool,
    /// Since when another file bears the name and this one has not grown.
    replaced: Option<Instant>,
    /// How long that must be: whoever writes goes on in the old file until it is told of the new one (logrotate
    /// does so after it made that).
    quiet: Duration,
    /// Lines that were too long to be read.
    pub(crate) too_long: u64,
    /// Lines without their end, of files that are over.
    pub(crate) cut: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    /// Bytes read.
    read: u64,
    /// Bytes of those that are lines.
    told: u64,
    head: Vec<u8>,
    frames: Vec<u8>,
    is_skipping: bool,
    /// Lines that were too long to be read, since it was last asked.
    too_long: u64,
}

impl Tail {
    pub(crate) fn new(path: &Path, position: Option<Position>, from_beginning: bool) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            position,
            from_beginning,
            replaced: None,
            quiet: QUIET,
            too_long: 0,
            cut: 0,
        }
    }

    /// How far it is; nothing if the file was never there.
    pub(crate) fn position(&self) -> Option<Position> {
        let now =
            |open: &Open| Position { inode: open.inode, read: open.told, head: open.head.clone() };
        self.open.as_ref().map(now).or_else(|| self.position.clone())
    }

    /// Reads what is new, at most [`READ_MAX`]; whether there may be more at once.
    ///
    /// # Errors
    /// The file cannot be read; a file that is not there (yet) is no error.
    pub(crate) fn read(&mut self, mut told: impl FnMut(&[u8])) -> io::Result<bool> {
        if self.open.is_none() {
            self.open = self.find()?;
        }
        let Some(open) = &mut self.open else { return Ok(false) };
        open.notice_cut()?;
        let before = open.read;
        let more = open.read_on(&mut told)?;
        self.too_long += std::mem::take(&mut open.too_long);
        if more || !is_replaced(&self.path, open.inode) {
            self.replaced = None;
            return Ok(more);
        }
        if open.read > before {
            self.replaced = None;
        }
        let is_over = self.replaced.get_or_insert_with(Instant::now).elapsed() >= self.quiet;
        if is_over {
            // The old file was read to its end: on with the new one. Half a line may lack half of a port: it is not read.
            self.cut += u64::from(!open.frames.is_empty());
            self.replaced = None;
            self.open = None;
            self.position = None;
            self.from_beginning = true;
            self.open = self.find()?;
            return Ok(self.open.is_some());
        }
        Ok(more)
    }

    /// Opens the file where it was left.
    fn find(&mut self) -> io::Result<Option<Open>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Whatever comes under this name is new.
                self.from_beginning = true;
                return Ok(None);
            }
            file => file?,
        };
        let facts = file.metadata()?;
        let head = head(&mut file)?;
        let read = match &self.position {
            Some(known) if known.inode == facts.ino() && known.fits(&head, facts.len()) => {
                known.read
            }
            // It was rotated or cut while nobody looked.
            Some(_) => 0,
            None if self.from_beginning => 0,
            None => facts.len(),
        };
        file.seek(SeekFrom::Start(read))?;
        let inode = facts.ino();
        let frames = Vec::new();
        Ok(Some(Open {
            file,
            inode,
            read,
            told: read,
            head,
            frames,
            is_skipping: false,
            too_long: 0,
        }))
    }
}

impl Position {
    fn fits(&self, head: &[u8], len: u64) -> bool {
        self.read <= len && head.starts_with(&self.head)
    }
}

impl Open {
    /// Begins anew if the file is shorter than what was read, or begins otherwise (copytruncate).
    fn notice_cut(&mut self) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let head = head(&mut self.file)?;
        let is_cut = len < self.read || !head.starts_with(&self.head);
        if is_cut {
            self.read = 0;
            self.told = 0;
            self.frames.clear();
            self.is_skipping = false;
        }
        self.head = head;
        self.file.seek(SeekFrom::Start(self.read))?;
        Ok(())
    }

    fn read_on(&mut self, told: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        let mut piece = vec![0; READ_MAX];
        let len = self.file.read(&mut piece)?;
        self.read += len as u64;
        for line in piece[..len].split_inclusive(|byte| *byte == b'\n') {
            let is_whole = line.ends_with(b"\n");
            if !self.is_skipping {
                self.frames.extend_from_slice(line);
            }
            if is_whole {
                if !self.is_skipping {
                    self.too_long += tell(&self.frames, told);
                }
                self.frames.clear();
                self.is_skipping = false;
            } else if self.frames.len() > crate::logs::read::LINE_MAX {
                self.frames.clear();
                self.too_long += u64::from(!self.is_skipping);
                self.is_skipping = true;
            }
        }
        self.told = self.read - self.frames.len() as u64;
        Ok(len == READ_MAX)
    }
}

/// How many were too long.
fn tell(line: &[u8], told: &mut impl FnMut(&[u8])) -> u64 {
    let mut frames = Frames::default();
    frames.push(line, &mut *told);
    frames.finish(told);
    frames.too_long
}

/// The first bytes, by which a file is known again.
fn head(file: &mut File) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

fn is_replaced(path: &Path, inode: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.ino() != inode)
}

const HEAD: u64 = 64;

/// How long a file that was replaced must not have grown to be over.
const QUIET: Duration = Duration::from_secs(5);

/// Bytes read at a time.
const READ_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;
    use std::time::Duration;

    use super::{Position, Tail};

    /// One that leaves a replaced file at once.
    fn hasty(path: &std::path::Path, position: Option<Position>, from_beginning: bool) -> Tail {
        Tail { quiet: Duration::ZERO, ..Tail::new(path, position, from_beginning) }
    }

    fn lines(tail: &mut Tail) -> Vec<String> {
        let mut lines = Vec::new();
        while tail.read(|line| lines.push(String::from_utf8_lossy(line).into_owned())).unwrap() {}
        lines
    }

    fn append(path: &std::path::Path, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_file_is_followed_over_rotation_and_cuts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "old\n");
        let mut tail = hasty(&path, None, false);
        assert!(lines(&mut tail).is_empty(), "what was there before is not wanted");
        append(&path, "one\ntw");
        assert_eq!(lines(&mut tail), ["one"]);
        append(&path, "o\n");
        assert_eq!(lines(&mut tail), ["two"]);
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        append(&folder.path().join("log.1"), "late\nhal");
        assert_eq!(lines(&mut tail), ["late"]);
        append(&path, "new\n");
        assert_eq!(lines(&mut tail), ["new"]);
        fs::write(&path, "cut\n").unwrap();
        assert_eq!(lines(&mut tail), ["cut"]);
        // It is cut and has grown beyond what was read before anybody looks.
        fs::write(&path, "other beginning\nand more\n").unwrap();
        assert_eq!(lines(&mut tail), ["other beginning", "and more"]);
        assert_eq!(tail.cut, 1, "half a line is none");
    }

    #[test]
    fn who_writes_on_in_a_replaced_file_is_heard_until_it_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        append(&path, "one\n");
        let mut tail = Tail::new(&path, None, true);
        assert_eq!(lines(&mut tail), ["one"]);
        fs::rename(&path, &old).unwrap();
        append(&path, "new\n");
        for line in ["two", "three"] {
            assert!(lines(&mut tail).is_empty(), "the old one may not be over");
            append(&old, &format!("{line}\n"));
            assert_eq!(lines(&mut tail), [line]);
        }
        tail.quiet = Duration::ZERO;
        assert_eq!(lines(&mut tail), ["new"]);
    }

    #[test]
    fn a_restart_goes_on_where_it_was_and_repeats_no_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "one\nhalf");
        let mut tail = hasty(&path, None, true);
        assert_eq!(lines(&mut tail), ["one"]);
        let kept = serde_json::to_string(&tail.position().unwrap()).unwrap();
        append(&path, " and half\nthree\n");
        let position: Position = serde_json::from_str(&kept).unwrap();
        let mut tail = hasty(&path, Some(position.clone()), false);
        assert_eq!(lines(&mut tail), ["half and half", "three"]);
        // Rotated meanwhile: the new file is read whole.
        fs::remove_file(&path).unwrap();
        append(&folder.path().join("other"), "x");
        append(&path, "fresh\n");
        assert_eq!(lines(&mut hasty(&path, Some(position), false)), ["fresh"]);
    }

    #[test]
    fn lines_that_are_too_long_are_left_out_and_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = hasty(&path, None, true);
        // In one piece, over several, at the end of a file that is rotated away.
        append(
            &path,
            &format!(
                "{}
short
{}",
                "x".repeat(20_000),
                "y".repeat(50_000)
            ),
        );
        assert_eq!(lines(&mut tail), ["short"]);
        append(
            &path,
            &format!(
                "{}
next
{}",
                "y".repeat(100_000),
                "z".repeat(17_000)
            ),
        );
        assert_eq!(lines(&mut tail), ["next"]);
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        append(&path, "new\n");
        assert_eq!(lines(&mut tail), ["new"]);
        assert_eq!(tail.too_long, 3);
    }

    #[test]
    fn a_file_that_comes_later_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = hasty(&path, None, false);
        assert!(lines(&mut tail).is_empty());
        append(&path, "first\n");
        assert_eq!(lines(&mut tail), ["first"]);
    }
}
