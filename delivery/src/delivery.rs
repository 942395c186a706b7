//! All of it at work: the exporter's side, the spool's thread, a thread for each sink.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use events::Event;

use crate::block::{BLOCK_RAW_LEN, Block};
use crate::courier::{Board, Courier};
use crate::cursor::{Cursor, Progress};
use crate::error::Error;
use crate::index::Shared;
use crate::options::{Options, SinkOptions, SpoolOptions};
use crate::reader::Reader;
use crate::record::EventKind;
use crate::refused::Refused;
use crate::sink::{Identity, Sink, make};
use crate::status::{SinkStatus, SpoolStatus, Status, named_losses};
use crate::store::{Store, now_ms};

/// Takes events from the exporter and delivers them; share it behind an [`Arc`].
///
/// An event is safe from a killed process as soon as the spool's thread has written it, which it does as
/// soon as it sees it, many at once under load. What is handed over and not written yet dies with the
/// process, as does what the sensor has in its own tables.
#[derive(Debug)]
pub struct Delivery {
    /// Nothing where there are no sinks.
    running: Option<Running>,
    not_spooled: AtomicU64,
}

/// The threads, and what they share with us.
#[derive(Debug)]
struct Running {
    options: Options,
    sender: Sender<Message>,
    shared: Arc<Shared>,
    boards: Vec<Arc<Board>>,
    torn_bytes: u64,
    /// What sinks had lost before.
    losses_before: BTreeMap<String, u64>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What goes to the spool's thread.
#[derive(Debug)]
enum Message {
    Event(EventKind, Vec<u8>),
    Stop,
}

impl Delivery {
    /// Opens the spool and starts all threads. Without sinks it takes events and keeps none.
    ///
    /// # Errors
    /// An option cannot be as it is, the spool cannot be opened, a thread not started.
    pub fn start(options: &Options, identity: &Identity) -> Result<Self, Error> {
        let not_spooled = AtomicU64::new(0);
        if options.sinks.is_empty() {
            return Ok(Self { running: None, not_spooled });
        }
        let sinks = make_all(options, identity)?;
        let directory = &options.spool.directory;
        let mut cursors: Vec<Cursor> =
            options.sinks.iter().map(|sink| Cursor::new(directory, sink.name())).collect();
        let progress: Vec<_> = cursors.iter_mut().map(Cursor::read).collect();
        let positions: Vec<_> =
            progress.iter().map(|progress| progress.map(|progress| progress.position)).collect();
        let sum = |of: fn(&Progress) -> u64| progress.iter().flatten().map(of).sum();
        let losses_before =
            named_losses(0, sum(|p| p.dropped), sum(|p| p.damaged), sum(|p| p.refused));
        let store = Store::open(&options.spool, &positions)?;
        let shared = store.shared();
        let torn_bytes = store.torn_bytes();
        let (sender, receiver) = bounded(options.spool.queue_events_max);
        let mut boards = Vec::new();
        let mut threads = vec![spawn("spool".to_owned(), move || spool(store, &receiver))?];
        for (number, ((sink, cursor), progress)) in
            sinks.into_iter().zip(cursors).zip(progress).enumerate()
        {
            let mut progress = progress.unwrap_or_default();
            if progress.position == 0 {
                progress.position = shared.lock().oldest();
            }
            let board = Board::new(progress);
            boards.push(board.clone());
            let options = &options.sinks[number];
            let courier = courier(number, options, directory, sink, cursor, &shared, board);
            threads.push(spawn(format!("sink-{}", options.name()), move || courier.run())?);
        }
        let options = options.clone();
        let threads = Mutex::new(threads);
        let running =
            Running { options, sender, shared, boards, torn_bytes, losses_before, threads };
        Ok(Self { running: Some(running), not_spooled })
    }

    /// Hands an event over; never waits. If the spool's thread has fallen too far behind, the event is
    /// counted as not spooled.
    pub fn emit(&self, event: &Event) {
        let Some(running) = &self.running else { return };
        let kind = EventKind::of(event);
        if !running.is_wanted(kind) {
            return;
        }
        let json = serde_json::to_vec(event).expect("an event is JSON");
        self.hand_over(kind, json);
    }

    /// Hands over what is JSON already.
    pub(crate) fn hand_over(&self, kind: EventKind, json: Vec<u8>) {
        let Some(running) = &self.running else { return };
        let is_taken =
            Block::fits(json.len()) && running.sender.try_send(Message::Event(kind, json)).is_ok();
        if !is_taken {
            self.not_spooled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> Status {
        let Some(running) = &self.running else { return Status::default() };
        running.status(self.not_spooled.load(Ordering::Relaxed))
    }

    /// The number that the next event gets: all events before it are in the spool, or were.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.shared.lock().next)
    }

    /// Ends it: everything handed over is written, sinks get a moment to send what goes at once, the rest
    /// stays in the spool. Waits for that: two seconds, or until the attempts that are under way end.
    pub fn stop(&self) {
        let Some(running) = &self.running else { return };
        let mut threads = running.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.is_empty() {
            return;
        }
        // The spool's thread empties the channel until it sees this.
        let _ = running.sender.send(Message::Stop);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of delivery has failed; this is a bug, please report it");
            }
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn is_wanted(&self, kind: EventKind) -> bool {
        self.options.sinks.iter().any(|sink| {
            let send = sink.send();
            (send.provisional || !kind.provisional) && (send.secondary || !kind.secondary)
        })
    }

    fn status(&self, not_spooled: u64) -> Status {
        let now_ms = now_ms();
        let index = self.shared.lock();
        let (next, oldest) = (index.next, index.oldest());
        let oldest_ms = index.oldest_ms();
        let spool = SpoolStatus {
            bytes: index.disk_bytes(),
            bytes_max: self.options.spool.bytes_max,
            events: next - oldest,
            oldest_s: oldest_ms.map_or(0.0, |time_ms| seconds_since(time_ms, now_ms)),
            memory_bytes: index.tail_bytes as u64,
            spooled: index.spooled,
            not_spooled,
            torn_bytes: self.torn_bytes,
            error: index.refusal.clone(),
        };
        drop(index);
        let sinks = self.options.sinks.iter().zip(&self.boards).map(|(options, board)| {
            let mut bulletin = board.lock();
            let progress = bulletin.progress;
            // What was dropped while a batch waits is counted when the sink comes to the gap.
            let dropped = bulletin.dropped(oldest);
            let dropped_ahead = dropped.saturating_sub(progress.dropped);
            let waiting_since_ms = bulletin.waiting_since_ms;
            SinkStatus {
                name: options.name().to_owned(),
                kind: options.kind().to_owned(),
                target: options.target(),
                sent: progress.sent,
                retried: progress.retried,
                refused: progress.refused,
                dropped,
                damaged: progress.damaged,
                lag_events: next.saturating_sub(progress.position + dropped_ahead),
                lag_s: waiting_since_ms.map_or(0.0, |time_ms| seconds_since(time_ms, now_ms)),
                last_error: bulletin.last_error.clone(),
            }
        });
        Status { spool, sinks: sinks.collect(), losses_before: self.losses_before.clone() }
    }
}

/// Takes events in until it is told to stop, many at once where many wait.
fn spool(mut store: Store, receiver: &Receiver<Message>) {
    let mut is_stopped = false;
    while !is_stopped {
        let mut records = Vec::new();
        let mut raw_len = 0;
        let mut next = receiver.recv_timeout(store.idle_span());
        loop {
            match next {
                Ok(Message::Event(kind, json)) => {
                    raw_len += json.len();
                    records.push((kind, json));
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => is_stopped = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if is_stopped || raw_len >= BLOCK_RAW_LEN || receiver.is_empty() {
                break;
            }
            next = receiver.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        if records.is_empty() {
            store.settle();
        } else {
            store.take(&records);
        }
    }
    store.close();
}

fn courier(
    number: usize,
    options: &SinkOptions,
    directory: &Path,
    sink: Box<dyn Sink>,
    cursor: Cursor,
    shared: &Arc<Shared>,
    board: Arc<Board>,
) -> Courier {
    let position = board.lock().progress.position;
    Courier {
        name: options.name().to_owned(),
        number,
        sink,
        options: options.send().clone(),
        shared: shared.clone(),
        reader: Reader::new(shared.clone(), position),
        cursor,
        refused: Refused::new(directory, options.name(), options.send().refused_bytes_max),
        board,
        backlog: VecDeque::new(),
        gap: None,
    }
}

/// Makes all sinks and checks what concerns all of them.
fn make_all(options: &Options, identity: &Identity) -> Result<Vec<Box<dyn Sink>>, Error> {
    check_spool(&options.spool)?;
    for (number, sink) in options.sinks.iter().enumerate() {
        if options.sinks[..number].iter().any(|other| other.name() == sink.name()) {
            let why = "two sinks have this name; each needs one of its own";
            return Err(Error::option(format!("sink name {:?}", sink.name()), why));
        }
        let Some(directory) = files_of(sink) else { continue };
        let same = |other: &&SinkOptions| files_of(other).is_some_and(|files| files == directory);
        if let Some(other) = options.sinks[..number].iter().find(same) {
            let what = format!("sink {}: directory {}", sink.name(), directory.display());
            let why = format!("sink {} writes there; each needs one of its own", other.name());
            return Err(Error::option(what, why));
        }
    }
    options.sinks.iter().map(|sink| make(sink, identity)).collect()
}

/// The directory that a sink has its files in, if it has.
fn files_of(sink: &SinkOptions) -> Option<PathBuf> {
    match sink {
        SinkOptions::Ndjson(options) => {
            let directory = options.directory.as_ref()?;
            Some(std::path::absolute(directory).unwrap_or_else(|_| directory.clone()))
        }
        SinkOptions::Otlp(_) => None,
    }
}

fn check_spool(options: &SpoolOptions) -> Result<(), Error> {
    let segment_bytes = options.segment_bytes;
    if segment_bytes < SEGMENT_BYTES_MIN {
        return Err(Error::option(
            format!("spool.segment_bytes = {segment_bytes}"),
            format!("must be at least {SEGMENT_BYTES_MIN}"),
        ));
    }
    if options.bytes_max < segment_bytes * 2 {
        return Err(Error::option(
            format!("spool.bytes_max = {}", options.bytes_max),
            format!("must be at least two segments, {}", segment_bytes * 2),
        ));
    }
    if !(0.0..=90.0).contains(&options.free_percent_min) {
        return Err(Error::option("spool.free_percent_min", "must be from 0 to 90"));
    }
    if options.queue_events_max == 0 {
        return Err(Error::option("spool.queue_events_max", "must be at least 1"));
    }
    Ok(())
}

impl Options {
    /// Checks everything that can be checked without touching a file or the network.
    ///
    /// # Errors
    /// The first option that cannot be as it is.
    pub fn check(&self) -> Result<(), Error> {
        make_all(self, &Identity::of_this_machine("")).map(|_| ())
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let builder = std::thread::Builder::new().name(name.clone());
    builder.spawn(work).map_err(|source| Error::Spawn { name, source })
}

fn seconds_since(time_ms: u64, now_ms: u64) -> f64 {
    now_ms.saturating_sub(time_ms) as f64 / 1e3
}

const SEGMENT_BYTES_MIN: u64 = 4096;

#[cfg(test)]
mod tests {
    use crate::options::{NdjsonOptions, Options, SinkOptions, SpoolOptions};

    #[test]
    fn two_sinks_do_not_write_the_same_files() {
        let sink = |name: &str, directory: &str| {
            SinkOptions::Ndjson(NdjsonOptions {
                name: name.to_owned(),
                directory: Some(directory.into()),
                ..NdjsonOptions::default()
            })
        };
        let check = |directory| {
            let sinks = vec![sink("a", "/data/events"), sink("b", directory)];
            Options { spool: SpoolOptions::default(), sinks }.check()
        };
        check("/data/events/b").unwrap();
        let why = check("/data/./events/").unwrap_err().to_string();
        assert!(why.contains("sink b: directory") && why.contains("sink a writes there"), "{why}");
    }
}
