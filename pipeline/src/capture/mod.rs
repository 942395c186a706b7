//! Capture files as a [`Source`]: pcap and pcapng, plain, gzip or zstd, files or standard input,
//! several of them merged by time.
//!
//! Bytes are read in large blocks into one buffer an input and lent from there: no allocation and
//! no copy a packet. A file that is damaged gives what stands before the damage; the others go on.
//!
//! Not memory-mapped: blocks that stay in the processor's cache are as fast (benches/README.md), and
//! a mapped file that somebody truncates kills the process.
//!
//! | file | idea |
//! |---|---|
//! | `stream` | an input's bytes: opened, counted, decompressed |
//! | `buffer` | the piece of them that is in memory |
//! | `classic`, `pcapng`, `walk` | where the next frame lies in it |
//! | `resolution` | clock ticks to nanoseconds |
//! | `input` | all of that for one input |
//! | `batch` | the frames that are lent |
//! | `share` | which of them are a worker's when several read the same captures |
//! | `problem` | what was wrong with an input |

mod batch;
mod buffer;
mod classic;
mod input;
mod pcapng;
mod problem;
mod resolution;
mod share;
mod stream;
#[cfg(test)]
mod tests;
mod walk;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flowtable::Timestamp;

use self::batch::Batch;
use self::buffer::BUFFER_LEN_MAX;
use self::input::{Input, Next};
use self::stream::{Counted, Opened, is_standard_input};
use self::walk::{Located, Origin};
use crate::worker::now_after;
use crate::{Frame, Receipt, Received, Source, SourceError};

pub use self::problem::{Problem, ProblemKind};
pub(crate) use self::share::Share;

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
    inputs: Vec<Input>,
    /// Those of the inputs that can be read more than once.
    files: Vec<Option<Arc<File>>>,
    /// The next frame of every input that has one in its buffer.
    heads: BinaryHeap<Reverse<Head>>,
    /// Inputs whose buffer holds no whole frame.
    starved: Vec<u16>,
    /// Inputs that have ended, but may still be lending.
    ended: Vec<u16>,
    batch: Batch,
    problems: Vec<Problem>,
    bytes_read: Arc<AtomicU64>,
    bytes_total: Option<u64>,
    share: Option<Share>,
    /// Time of what was walked past, lent or not, and whether it is still to be told.
    now: Timestamp,
    tells_time: bool,
    /// Frames walked past, lent or not.
    walked: Arc<AtomicU64>,
}

/// The next frame of an input, ordered by time, then by input.
#[derive(Clone, Copy, Debug)]
struct Head(Located);

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

    /// Sources of the same frames in the same order, one for each of `workers`, this one the first:
    /// each lends its own share of the connections only. `None` if an input can be read only once
    /// (a pipe, standard input) or is compressed: it would have to be unpacked by each of them.
    pub(crate) fn shared(mut self, workers: usize, secret: u64) -> Result<Vec<Self>, Self> {
        let is_plain = self
            .inputs
            .iter()
            .zip(&self.files)
            .all(|(input, file)| input.is_absent() || (file.is_some() && input.is_plain()));
        if !is_plain {
            return Err(self);
        }
        let others = (1..workers).map(|worker| {
            let share = Some(Share::new(worker, workers, secret));
            Self { share, ..self.again() }
        });
        let others: Vec<Self> = others.collect();
        self.share = Some(Share::new(0, workers, secret));
        Ok(std::iter::once(self).chain(others).collect())
    }

    /// The same files from their beginnings.
    fn again(&self) -> Self {
        let mut again = Self::with_capacity(self.names.len());
        for (name, file) in self.names.iter().zip(&self.files) {
            match file {
                Some(file) => {
                    let opened = Opened::again(Arc::clone(file));
                    again.add(name.clone(), Ok(opened), buffer_len(self.names.len()));
                }
                // The first source has said why.
                None => again.skip(name.clone()),
            }
        }
        again
    }

    /// How many frames were walked past, lent or not; lives on.
    pub(crate) fn walked(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.walked)
    }

    /// Memory held now, decompressors included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let inputs: usize = self.inputs.iter().map(Input::memory_bytes).sum();
        inputs
            + self.inputs.capacity() * size_of::<Input>()
            + self.heads.capacity() * size_of::<Head>()
            + Batch::MEMORY_BYTES
            + (self.starved.capacity() + self.ended.capacity()) * size_of::<u16>()
            + size_of::<Self>()
    }

    fn with_capacity(inputs: usize) -> Self {
        let inputs = inputs.min(INPUTS_MAX);
        Self {
            names: Vec::with_capacity(inputs),
            inputs: Vec::with_capacity(inputs),
            files: Vec::with_capacity(inputs),
            heads: BinaryHeap::with_capacity(inputs),
            starved: Vec::with_capacity(inputs),
            ended: Vec::with_capacity(inputs),
            batch: Batch::new(),
            problems: Vec::new(),
            bytes_read: Arc::default(),
            bytes_total: Some(0),
            share: None,
            now: Timestamp(0),
            tells_time: false,
            walked: Arc::default(),
        }
    }

    fn add(&mut self, name: String, opened: Result<Opened, ProblemKind>, buffer_len: usize) {
        let index = self.names.len();
        let input = opened.and_then(|Opened { source, len, file }| {
            self.bytes_total = self.bytes_total.zip(len).map(|(total, len)| total + len);
            let source = Counted::new(source, Arc::clone(&self.bytes_read));
            let number = u16::try_from(index).expect(INPUTS_FIT);
            Ok((Input::new(source, buffer_len, number)?, file))
        });
        match input {
            Ok((input, file)) => {
                self.names.push(name);
                self.inputs.push(input);
                self.files.push(file);
                self.starved.push(u16::try_from(index).expect(INPUTS_FIT));
            }
            Err(kind) => {
                self.skip(name);
                self.report(index, 0, kind);
            }
        }
    }

    /// Leaves the place of an input empty.
    fn skip(&mut self, name: String) {
        if self.names.len() < INPUTS_MAX {
            self.inputs.push(Input::absent());
            self.files.push(None);
        }
        self.names.push(name);
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
            self.inputs[usize::from(input)].close();
        }
    }

    /// Finds a head for every starved input; `false` if a signal interrupted a read.
    fn feed(&mut self) -> bool {
        while let Some(&input) = self.starved.last() {
            let reading = &mut self.inputs[usize::from(input)];
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
                    self.heads.push(Reverse(Head(frame)));
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
        while !self.batch.is_full() {
            let Some(Reverse(Head(earliest))) = self.heads.pop() else {
                return;
            };
            let input = earliest.origin.input;
            match self.run(earliest) {
                Next::Frame(frame) => self.heads.push(Reverse(Head(frame))),
                Next::Starved => {
                    // Its next frame may be the earliest of all, and to read it on would overwrite
                    // what is lent: the batch ends here.
                    self.starved.push(input);
                    return;
                }
                Next::Ended(problem) => self.end(input, problem.map(|kind| *kind)),
            }
        }
    }

    /// Lends `head` and its successors as long as no other input's is earlier; returns what comes
    /// next in this input. The heap is touched only when inputs take turns: one file pays nothing
    /// for merging.
    fn run(&mut self, head: Located) -> Next {
        let rival = self.heads.peek().map(|Reverse(Head(rival))| rival.order());
        let until = rival.map_or(u64::MAX, |(time, input)| {
            // Of equal times the earlier input's comes first.
            if head.origin.input < input { time } else { time.saturating_sub(1) }
        });
        let input = &mut self.inputs[usize::from(head.origin.input)];
        self.batch.push(head);
        input.fill(&mut self.batch, Timestamp(until));
        loop {
            let next = input.next();
            match next {
                Next::Frame(frame) if !self.batch.is_full() && is_before(&frame, rival) => {
                    self.batch.push(frame);
                }
                next => return next,
            }
        }
    }

    #[cold]
    fn end(&mut self, input: u16, problem: Option<ProblemKind>) {
        self.ended.push(input);
        if let Some(kind) = problem {
            let frames = self.inputs[usize::from(input)].frames();
            self.report(usize::from(input), frames, kind);
        }
    }
}

impl Source for CaptureSource {
    /// Never fails: what is wrong with an input is remembered in [`CaptureSource::problems`].
    /// [`Received::Idle`] is the answer when a signal interrupts the wait for a pipe, and behind
    /// each batch of which only a share was lent: then [`Source::clock`] tells the time of the rest.
    fn receive(&mut self) -> Result<Received, SourceError> {
        self.release();
        if std::mem::take(&mut self.tells_time) || !self.feed() {
            return Ok(Received::Idle);
        }
        self.merge();
        let found = self.batch.lent().len();
        if found == 0 {
            self.release();
            return Ok(Received::End);
        }
        self.walked.fetch_add(found as u64, Ordering::Relaxed);
        let kept = self.keep_share();
        self.tells_time = self.share.is_some() && kept > 0;
        Ok(if kept > 0 { Received::Frames(kept) } else { Received::Idle })
    }

    /// The time of a batch of which only a share was lent.
    fn clock(&self) -> Option<Timestamp> {
        self.share.map(|_| self.now)
    }

    #[inline]
    fn frame(&self, index: usize) -> Frame<'_> {
        let frame = &self.batch.lent()[index];
        let Origin { input, link, port } = frame.origin;
        Frame {
            bytes: self.inputs[usize::from(input)].bytes(frame),
            time: frame.time,
            link,
            port,
            receipt: Receipt { input, queue: 0, frame: frame.frame },
        }
    }
}

impl CaptureSource {
    /// Takes out of the batch what is another worker's; returns how many frames are left.
    fn keep_share(&mut self) -> usize {
        let (Some(share), inputs) = (&self.share, &self.inputs) else {
            return self.batch.lent().len();
        };
        for frame in self.batch.lent() {
            self.now = now_after(self.now, frame.time);
        }
        self.batch.retain(|frame| {
            let Origin { input, link, .. } = frame.origin;
            share.takes(link, inputs[usize::from(input)].bytes(frame))
        });
        self.batch.lent().len()
    }
}

fn is_before(frame: &Located, rival: Option<(u64, u16)>) -> bool {
    rival.is_none_or(|rival| frame.order() <= rival)
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.order().cmp(&other.0.order())
    }
}

impl PartialOrd for Head {
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

fn name_of(path: &Path) -> String {
    if is_standard_input(path) { "standard input".into() } else { path.display().to_string() }
}

/// Large blocks for a few inputs, smaller ones for hundreds of rotated files.
fn buffer_len(inputs: usize) -> usize {
    (BUFFERS_LEN / inputs.max(1)).clamp(BUFFER_LEN_MIN, BUFFER_LEN_USUAL)
}

const INPUTS_FIT: &str = "no more than INPUTS_MAX inputs are opened";
/// Inputs that a [`Receipt`] can tell apart.
const INPUTS_MAX: usize = 1 << 16;
/// Memory of all buffers together, as long as each has its least.
const BUFFERS_LEN: usize = 32 << 20;
const BUFFER_LEN_MIN: usize = 64 << 10;
const BUFFER_LEN_USUAL: usize = 256 << 10;

const _: () = assert!(BUFFER_LEN_USUAL <= BUFFER_LEN_MAX);
