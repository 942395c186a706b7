//! A sink's thread: takes batches from the spool, sends them until they are taken, notes how far it is.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cursor::{Cursor, Progress};
use crate::index::Shared;
use crate::options::SendOptions;
use crate::plan::Choice;
use crate::reader::{Portion, Reader};
use crate::record::{Record, Uid};
use crate::refused::Refused;
use crate::sink::{Answer, RETRY_S_FIRST, Sink};

/// What a courier tells others of itself.
#[derive(Debug, Default)]
pub(crate) struct Bulletin {
    pub(crate) progress: Progress,
    /// All before this was read out of the spool: what is dropped there does not concern it any more.
    pub(crate) read: u64,
    /// More is being read: what the spool drops behind `read` may be in hand already.
    is_reading: bool,
    /// Dropped records in the gap in hand, that `progress` does not count yet.
    dropped_in_gap: u64,
    /// How many dropped records were told last.
    dropped_told: u64,
    /// When the oldest record in hand was spooled, milliseconds since the Unix epoch.
    pub(crate) waiting_since_ms: Option<u64>,
    pub(crate) last_error: Option<String>,
}

impl Bulletin {
    /// Records that were dropped before they were sent, where the spool's oldest is `oldest`. Never less than
    /// it said before.
    pub(crate) fn dropped(&mut self, oldest: u64) -> u64 {
        if !self.is_reading {
            let ahead = oldest.saturating_sub(self.read);
            let dropped = self.progress.dropped + self.dropped_in_gap + ahead;
            self.dropped_told = self.dropped_told.max(dropped);
        }
        self.dropped_told
    }
}

/// A bulletin behind its lock.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Bulletin>);

impl Board {
    pub(crate) fn new(progress: Progress) -> Arc<Self> {
        let bulletin = Bulletin {
            progress,
            read: progress.position,
            // The first thing that it does.
            is_reading: true,
            dropped_told: progress.dropped,
            ..Bulletin::default()
        };
        Arc::new(Self(Mutex::new(bulletin)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Bulletin> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One sink at work.
pub(crate) struct Courier {
    pub(crate) name: String,
    pub(crate) number: usize,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) choice: Choice,
    pub(crate) options: SendOptions,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reader: Reader,
    pub(crate) cursor: Cursor,
    pub(crate) refused: Refused,
    pub(crate) board: Arc<Board>,
    /// Read, wanted, and in no batch yet.
    pub(crate) backlog: VecDeque<Record>,
    /// What is missing behind the batch in hand.
    pub(crate) gap: Option<Portion>,
}

impl Courier {
    /// Delivers until the spool is closed and empty, or what is left does not go at once.
    pub(crate) fn run(mut self) {
        let newest = self.sink.newest();
        // The cursor's file is there before the disk can be full.
        self.set_done(self.reader.position());
        loop {
            let batch = self.collect(newest);
            if batch.is_empty() || !self.deliver(&batch) {
                return;
            }
        }
    }

    /// The next batch; empty if there will be none.
    fn collect(&mut self, newest: Option<Uid>) -> Vec<Record> {
        let mut batch = Batch::new(&self.options);
        loop {
            if self.is_late() {
                return batch.records;
            }
            while self.backlog.front().is_some_and(|record| batch.has_room(record)) {
                batch.records.extend(self.backlog.pop_front());
            }
            if !self.backlog.is_empty() || (self.gap.is_some() && !batch.records.is_empty()) {
                return batch.records;
            }
            if let Some(gap) = self.gap.take() {
                self.count_gap(gap);
                continue;
            }
            match self.read_on() {
                Ok(Some(portion)) => self.sort(portion, newest, batch.records.is_empty()),
                Ok(None) if self.is_over() => return batch.records,
                Ok(None) => match batch.wait_left() {
                    Some(Duration::ZERO) => return batch.records,
                    left => self.shared.wait_for(self.reader.position(), left.unwrap_or(IDLE_SPAN)),
                },
                Err(error) => {
                    self.fail(format!("read the spool: {error}"));
                    self.shared.wait_for_close(READ_RETRY_SPAN);
                    if self.is_over() {
                        return batch.records;
                    }
                }
            }
            self.announce(batch.records.first());
        }
    }

    /// The reader's next records, which are to be announced.
    fn read_on(&mut self) -> io::Result<Option<Portion>> {
        self.board.lock().is_reading = true;
        let read = self.reader.next();
        self.board.lock().is_reading = matches!(read, Ok(Some(_)));
        read
    }

    /// Keeps what this sink wants; notes what is missing.
    fn sort(&mut self, mut portion: Portion, newest: Option<Uid>, is_batch_empty: bool) {
        let is_known = |uid: Uid| {
            newest.is_some_and(|n| n.session == uid.session && n.sequence >= uid.sequence)
        };
        let choice = self.choice;
        portion.records.retain(|record| choice.takes(record.kind));
        let wanted = portion.records.len();
        portion.records.retain(|record| !is_known(record.uid));
        // The receiver has them, though that could not be noted any more.
        self.board.lock().progress.sent += (wanted - portion.records.len()) as u64;
        if portion.dropped + portion.damaged > 0 {
            self.gap = Some(portion);
            return;
        }
        self.backlog.extend(portion.records);
        if self.backlog.is_empty() && is_batch_empty {
            self.set_done(self.reader.position());
        }
    }

    /// Counts what is missing, once, together with the step over it.
    fn count_gap(&mut self, gap: Portion) {
        let mut bulletin = self.board.lock();
        bulletin.progress.dropped += gap.dropped;
        bulletin.dropped_in_gap = 0;
        bulletin.progress.damaged += gap.damaged;
        drop(bulletin);
        let first = gap.records.first().map(|record| record.uid.sequence);
        self.backlog.extend(gap.records);
        self.set_done(first.unwrap_or(self.reader.position()));
    }

    /// Sends a batch; halves it where the receiver refuses it for good, until what is refused is alone.
    /// False if it has to be left, since the sensor stops.
    fn deliver(&mut self, batch: &[Record]) -> bool {
        let mut parts = vec![(0, batch.len())];
        while let Some((start, end)) = parts.pop() {
            if self.is_late() {
                return false;
            }
            let records = &batch[start..end];
            let Some(refused) = self.send(records) else { return false };
            match refused {
                Ok(refused) => self.count_sent(records.len() as u64, refused),
                Err(why) if records.len() == 1 => self.count_refused(&records[0], &why),
                Err(_) => {
                    let middle = start + records.len() / 2;
                    parts.extend([(middle, end), (start, middle)]);
                    continue;
                }
            }
            self.set_done(self.next_after(batch, end));
            self.announce(batch.get(end));
        }
        true
    }

    /// Sends records until they are taken or refused for good: how many were refused, or why all were.
    /// Nothing if they have to be left.
    fn send(&mut self, records: &[Record]) -> Option<Result<u64, String>> {
        let mut pause_s = self.options.retry_s_max.min(RETRY_S_FIRST);
        loop {
            match self.sink.send(records) {
                Answer::Taken { refused, said } => {
                    self.board.lock().last_error = (refused > 0).then_some(said);
                    return Some(Ok(refused));
                }
                Answer::Never { why } => {
                    self.fail(why.clone());
                    return Some(Err(why));
                }
                Answer::Later { why, after } => {
                    self.fail(why);
                    if self.is_closing() {
                        return None;
                    }
                    let jittered = Duration::from_secs_f64(pause_s * (1.0 - fastrand::f64() / 2.0));
                    let asked = after.unwrap_or_default().min(RETRY_AFTER_MAX);
                    self.shared.wait_for_close(jittered.max(asked));
                    self.board.lock().progress.retried += 1;
                    pause_s = (pause_s * 2.0).min(self.options.retry_s_max);
                }
            }
        }
    }

    fn count_sent(&self, records: u64, refused: u64) {
        let mut bulletin = self.board.lock();
        bulletin.progress.sent += records.saturating_sub(refused);
        bulletin.progress.refused += refused.min(records);
    }

    fn count_refused(&mut self, record: &Record, why: &str) {
        tracing::warn!("sink {}: record {} is refused for good: {why}", self.name, record.uid);
        self.refused.keep(record, why);
        self.board.lock().progress.refused += 1;
    }

    /// The sequence that is next once a batch is done up to its record number `end`.
    fn next_after(&self, batch: &[Record], end: usize) -> u64 {
        if let Some(record) = batch.get(end).or_else(|| self.backlog.front()) {
            return record.uid.sequence;
        }
        match &self.gap {
            // What is missing is not counted yet.
            Some(_) => batch[end - 1].uid.sequence + 1,
            None => self.reader.position(),
        }
    }

    /// All before `position` is done: notes it on disk, and frees it.
    fn set_done(&mut self, position: u64) {
        let mut bulletin = self.board.lock();
        bulletin.progress.position = position;
        let progress = bulletin.progress;
        drop(bulletin);
        if let Err(error) = self.cursor.write(&progress) {
            tracing::warn!("sink {}: note how far it is: {error}", self.name);
        }
        self.shared.set_done(self.number, position);
    }

    /// Tells what is in hand; `oldest` is the oldest record of the batch.
    fn announce(&self, oldest: Option<&Record>) {
        let oldest = oldest.or_else(|| self.backlog.front());
        let mut bulletin = self.board.lock();
        bulletin.read = self.reader.position();
        bulletin.is_reading = false;
        bulletin.dropped_in_gap = self.gap.as_ref().map_or(0, |gap| gap.dropped);
        bulletin.waiting_since_ms = oldest.map(|record| record.time_ms);
    }

    fn fail(&self, why: String) {
        let mut bulletin = self.board.lock();
        if bulletin.last_error.as_ref() != Some(&why) {
            tracing::warn!("sink {}: {why}", self.name);
        }
        bulletin.last_error = Some(why);
    }

    /// Whether no more comes, or the time to empty the spool is over.
    fn is_over(&self) -> bool {
        let is_empty = self.shared.lock().next <= self.reader.position();
        self.is_closing() && (is_empty || self.is_late())
    }

    fn is_closing(&self) -> bool {
        self.shared.lock().closed.is_some()
    }

    /// Whether the time to empty the spool is over.
    fn is_late(&self) -> bool {
        self.shared.lock().closed.is_some_and(|at| at.elapsed() >= CLOSE_SPAN_MAX)
    }
}

/// Records that are to be sent together.
struct Batch {
    records: Vec<Record>,
    bytes: usize,
    bytes_max: usize,
    wait_max: Duration,
    began: Option<Instant>,
}

impl Batch {
    fn new(options: &SendOptions) -> Self {
        Self {
            records: Vec::new(),
            bytes: 0,
            bytes_max: options.batch_bytes_max,
            wait_max: Duration::from_secs_f64(options.batch_wait_s),
            began: None,
        }
    }

    /// Whether the record still fits; if so, it is reckoned with.
    fn has_room(&mut self, record: &Record) -> bool {
        let bytes = self.bytes + record.json.len();
        let fits = self.records.is_empty() || bytes <= self.bytes_max;
        if fits {
            self.bytes = bytes;
            self.began.get_or_insert_with(Instant::now);
        }
        fits
    }

    /// How long it may still wait for more; for ever while it is empty.
    fn wait_left(&self) -> Option<Duration> {
        self.began.map(|began| self.wait_max.saturating_sub(began.elapsed()))
    }
}

/// How long a courier sleeps when nothing comes.
const IDLE_SPAN: Duration = Duration::from_secs(3600);

/// How often a spool that cannot be read is tried again.
const READ_RETRY_SPAN: Duration = Duration::from_secs(1);

/// No receiver can ask us to wait longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// How long a sensor that stops goes on emptying its spool, as long as every attempt succeeds.
const CLOSE_SPAN_MAX: Duration = Duration::from_secs(2);
