//! Capture files as a [`Source`]: pcap and pcapng, plain, gzip or zstd, files or standard input,
//! several of them merged by time.
//!
//! Bytes are read in large blocks into one buffer an input and lent from there: no allocation and
//! no copy a packet. A file that is damaged gives what stands before the damage; the others go on.
//!
//! | file | idea |
//! |---|---|
//! | `stream` | an input's bytes: opened, counted, decompressed |
//! | `buffer` | the piece of them that is in memory |
//! | `classic`, `pcapng`, `walk` | where the next frame lies in it |
//! | `resolution` | clock ticks to nanoseconds |
//! | `input` | all of that for one input |
//! | `problem` | what was wrong with an input |

mod buffer;
mod classic;
mod input;
mod pcapng;
mod problem;
mod resolution;
mod stream;
#[cfg(test)]
mod tests;
mod walk;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use self::buffer::BUFFER_LEN_MAX;
use self::input::{Input, Next};
use self::stream::{Counted, Opened, is_standard_input};
use self::walk::Located;
use crate::{BATCH_MAX, Frame, Receipt, Received, Source, SourceError};

pub use self::problem::{Problem, ProblemKind};

/// Reads capture files, merged by time.
///
/// Among the next frames of all inputs the earliest comes first, and of equal times the one of the
/// earlier input; within a file the order is the file's, even where its clock goes backwards.
///
/// Memory: one buffer an input, [`CaptureSource::memory_bytes`] in all. Inputs that are read to
/// their end give theirs back.
///
/// # Example
/// ```
/// use pipeline::{CaptureSource, Received, Source};
///
/// let mut source = CaptureSource::open(&["missing.pcap".into()]);
/// assert_eq!(source.receive()?, Received::End);
/// assert!(source.problems()[0].to_string().starts_with("missing.pcap: cannot be opened"));
/// # Ok::<(), pipeline::SourceError>(())
/// ```
pub struct CaptureSource {
    names: Vec<String>,
    /// `None` for those that could not be opened.
    inputs: Vec<Option<Input>>,
    /// The next frame of every input that has one in its buffer.
    heads: BinaryHeap<Reverse<Head>>,
    /// Inputs whose buffer holds no whole frame.
    starved: Vec<u16>,
    /// Inputs that have ended, but may still be lending.
    ended: Vec<u16>,
    batch: Vec<Head>,
    problems: Vec<Problem>,
    bytes_read: Arc<AtomicU64>,
    bytes_total: Option<u64>,
}

/// The next frame of an input, ordered by time, then by input.
#[derive(Clone, Copy, Debug)]
struct Head {
    frame: Located,
    input: u16,
}

impl CaptureSource {
    /// Opens every input and recognises it by its first bytes; `-` is standard input.
    ///
    /// An input that cannot be read is a [`Problem`], and the others are read all the same: of a
    /// thousand files, one that has been rotated away must not cost the rest. Waits until a pipe
    /// has brought its first bytes.
    #[must_use]
    pub fn open(paths: &[PathBuf]) -> Self {
        let mut source = Self::with_capacity(paths.len());
        let mut standard_input_taken = false;
        for path in paths {
            let again = is_standard_input(path) && standard_input_taken;
            standard_input_taken |= is_standard_input(path);
            let opened = if again {
                Err(ProblemKind::StandardInputAgain)
            } else if source.names.len() >= INPUTS_MAX {
                Err(ProblemKind::TooManyInputs { max: INPUTS_MAX })
            } else {
                Opened::new(path).map_err(ProblemKind::Open)
            };
            source.add(name_of(path), opened, buffer_len(paths.len()));
        }
        source
    }

    /// The inputs as they were named; a frame's [`Receipt::input`] is an index here.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What was wrong so far, in the order it was found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Bytes read from all inputs, compressed where they are; lives on for a progress display.
    #[must_use]
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_read)
    }

    /// Bytes of all inputs; `None` if one of them is a pipe.
    #[must_use]
    pub fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// Memory held now, decompressors included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let inputs: usize = self.inputs.iter().flatten().map(Input::memory_bytes).sum();
        inputs
            + self.inputs.capacity() * size_of::<Option<Input>>()
            + (self.heads.capacity() + self.batch.capacity()) * size_of::<Head>()
            + (self.starved.capacity() + self.ended.capacity()) * size_of::<u16>()
            + size_of::<Self>()
    }

    fn with_capacity(inputs: usize) -> Self {
        let inputs = inputs.min(INPUTS_MAX);
        Self {
            names: Vec::with_capacity(inputs),
            inputs: Vec::with_capacity(inputs),
            heads: BinaryHeap::with_capacity(inputs),
            starved: Vec::with_capacity(inputs),
            ended: Vec::with_capacity(inputs),
            batch: Vec::with_capacity(BATCH_MAX),
            problems: Vec::new(),
            bytes_read: Arc::default(),
            bytes_total: Some(0),
        }
    }

    fn add(&mut self, name: String, opened: Result<Opened, ProblemKind>, buffer_len: usize) {
        let index = self.names.len();
        self.names.push(name);
        let input = opened.and_then(|Opened { source, len }| {
            self.bytes_total = self.bytes_total.zip(len).map(|(total, len)| total + len);
            Input::new(Counted::new(source, Arc::clone(&self.bytes_read)), buffer_len)
        });
        match input {
            Ok(input) => {
                self.inputs.push(Some(input));
                self.starved.push(u16::try_from(index).expect("inputs are at most INPUTS_MAX"));
            }
            Err(kind) => {
                if index < INPUTS_MAX {
                    self.inputs.push(None);
                }
                self.report(index, 0, kind);
            }
        }
    }

    #[cold]
    fn report(&mut self, input: usize, frame: u64, kind: ProblemKind) {
        let name = self.names[input].clone();
        self.problems.push(Problem { input, name, frame, kind });
    }

    /// Gives back what the last batch kept alive.
    fn release(&mut self) {
        self.batch.clear();
        for input in self.ended.drain(..) {
            opened(&mut self.inputs, input).close();
        }
    }

    /// Finds a head for every starved input; `false` if a signal interrupted a read.
    fn feed(&mut self) -> bool {
        while let Some(&input) = self.starved.last() {
            let reading = opened(&mut self.inputs, input);
            match reading.refill() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => return false,
                Err(error) => {
                    let kind = reading.refused(error);
                    self.starved.pop();
                    self.end(input, Some(kind));
                    continue;
                }
            }
            match reading.next() {
                Next::Frame(frame) => {
                    self.starved.pop();
                    self.heads.push(Reverse(Head { frame, input }));
                }
                Next::Starved => {}
                Next::Ended(problem) => {
                    self.starved.pop();
                    self.end(input, problem.map(|kind| *kind));
                }
            }
        }
        true
    }

    /// Fills the batch in order of time, until an input must be read on.
    fn merge(&mut self) {
        while self.batch.len() < BATCH_MAX {
            let Some(Reverse(earliest)) = self.heads.pop() else {
                return;
            };
            match self.run(earliest) {
                Next::Frame(frame) => self.heads.push(Reverse(Head { frame, ..earliest })),
                Next::Starved => {
                    // Its next frame may be the earliest of all, and to read it on would overwrite
                    // what is lent: the batch ends here.
                    self.starved.push(earliest.input);
                    return;
                }
                Next::Ended(problem) => self.end(earliest.input, problem.map(|kind| *kind)),
            }
        }
    }

    /// Lends `head` and its successors as long as no other input's is earlier; returns what comes
    /// next in this input. The heap is touched only when inputs take turns: one file pays nothing
    /// for merging.
    #[inline]
    fn run(&mut self, mut head: Head) -> Next {
        let input = opened(&mut self.inputs, head.input);
        let rival = self.heads.peek().map(|Reverse(rival)| *rival);
        loop {
            self.batch.push(head);
            let next = input.next();
            let Next::Frame(frame) = next else {
                return next;
            };
            head.frame = frame;
            if self.batch.len() == BATCH_MAX || rival.is_some_and(|rival| rival < head) {
                return next;
            }
        }
    }

    #[cold]
    fn end(&mut self, input: u16, problem: Option<ProblemKind>) {
        self.ended.push(input);
        if let Some(kind) = problem {
            let frames = opened(&mut self.inputs, input).frames();
            self.report(usize::from(input), frames, kind);
        }
    }
}

impl Source for CaptureSource {
    /// Never fails: what is wrong with an input is remembered in [`CaptureSource::problems`].
    /// [`Received::Idle`] is the answer when a signal interrupts the wait for a pipe.
    fn receive(&mut self) -> Result<Received, SourceError> {
        self.release();
        if !self.feed() {
            return Ok(Received::Idle);
        }
        self.merge();
        if self.batch.is_empty() {
            self.release();
            return Ok(Received::End);
        }
        Ok(Received::Frames(self.batch.len()))
    }

    #[inline]
    fn frame(&self, index: usize) -> Frame<'_> {
        let Head { frame, input } = &self.batch[index];
        let lending = self.inputs[usize::from(*input)].as_ref().expect(OPENED);
        Frame {
            bytes: lending.bytes(frame),
            time: frame.time,
            link: frame.link,
            port: frame.port,
            receipt: Receipt { input: *input, queue: 0, frame: frame.frame },
        }
    }
}

impl Ord for Head {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.frame.time.0, self.input).cmp(&(other.frame.time.0, other.input))
    }
}

impl PartialOrd for Head {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

#[inline]
fn opened(inputs: &mut [Option<Input>], input: u16) -> &mut Input {
    inputs[usize::from(input)].as_mut().expect(OPENED)
}

fn name_of(path: &Path) -> String {
    if is_standard_input(path) { "standard input".into() } else { path.display().to_string() }
}

/// Large blocks for a few inputs, smaller ones for hundreds of rotated files.
fn buffer_len(inputs: usize) -> usize {
    (BUFFERS_LEN / inputs.max(1)).clamp(BUFFER_LEN_MIN, BUFFER_LEN_USUAL)
}

const OPENED: &str = "an input that is fed or lends is open";
/// Inputs that a [`Receipt`] can tell apart.
const INPUTS_MAX: usize = 1 << 16;
/// Memory of all buffers together, as long as each has its least.
const BUFFERS_LEN: usize = 32 << 20;
const BUFFER_LEN_MIN: usize = 64 << 10;
const BUFFER_LEN_USUAL: usize = 256 << 10;

const _: () = assert!(BUFFER_LEN_USUAL <= BUFFER_LEN_MAX);
