//! All of it at work: the exporter's side, the spool's thread, a thread for each sink.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use events::{Event, Evidence, Minute};
use serde::Serialize;

use crate::block::{BLOCK_RAW_LEN, Block};
use crate::courier::{Board, Courier};
use crate::cursor::{Cursor, Progress};
use crate::error::Error;
use crate::index::Shared;
use crate::options::Options;
use crate::own::OwnSink;
use crate::plan::{Place, Planned, plan};
use crate::reader::Reader;
use crate::record::{Kind, RecordKind};
use crate::refused::Refused;
use crate::sink::Identity;
use crate::status::{SinkStatus, SpoolStatus, Status, named_losses};
use crate::store::{Store, now_ms};

/// Takes records from the exporter and delivers them; share it behind an [`Arc`].
///
/// A record is safe from a killed process as soon as the spool's thread has written it, which it does as
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
    bytes_max: u64,
    places: Vec<Place>,
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
    Record(Kind, Vec<u8>),
    Stop,
}

impl Delivery {
    /// Opens the spool and starts all threads: those of the sinks that the options name, and of `own`.
    /// Without sinks it takes records and keeps none.
    ///
    /// # Errors
    /// An option cannot be as it is, the spool cannot be opened, a thread not started.
    pub fn start(options: &Options, identity: &Identity, own: &[OwnSink]) -> Result<Self, Error> {
        let not_spooled = AtomicU64::new(0);
        let planned = plan(options, identity, own)?;
        if planned.is_empty() {
            return Ok(Self { running: None, not_spooled });
        }
        let directory = &options.spool.directory;
        let mut cursors: Vec<Cursor> =
            planned.iter().map(|sink| Cursor::new(directory, &sink.place.name)).collect();
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
        let sensor: Arc<str> = identity.sensor.as_str().into();
        let (mut boards, mut places) = (Vec::new(), Vec::new());
        let mut threads = vec![spawn("spool".to_owned(), move || spool(store, &receiver))?];
        for ((Planned { sink, place }, cursor), progress) in
            planned.into_iter().zip(cursors).zip(progress)
        {
            let mut progress = progress.unwrap_or_default();
            if progress.position == 0 {
                progress.position = shared.lock().oldest();
            }
            let board = Board::new(progress);
            let name = format!("sink-{}", place.name);
            let reader = Reader::new(shared.clone(), sensor.clone(), progress.position);
            let courier = Courier {
                name: place.name.clone(),
                number: places.len(),
                sink,
                choice: place.choice,
                options: place.send.clone(),
                shared: shared.clone(),
                reader,
                cursor,
                refused: Refused::new(directory, &place.name, place.send.refused_bytes_max),
                board: board.clone(),
                backlog: VecDeque::new(),
                gap: None,
            };
            boards.push(board);
            places.push(place);
            threads.push(spawn(name, move || courier.run())?);
        }
        let bytes_max = options.spool.bytes_max;
        let threads = Mutex::new(threads);
        let running = Running {
            bytes_max,
            places,
            sender,
            shared,
            boards,
            torn_bytes,
            losses_before,
            threads,
        };
        Ok(Self { running: Some(running), not_spooled })
    }

    /// Hands an event over; never waits. If the spool's thread has fallen too far behind, the event is
    /// counted as not spooled.
    pub fn emit(&self, event: &Event) {
        self.spool(Kind::of_event(event), event);
    }

    /// Hands a minute over, as [`emit`](Self::emit) an event.
    pub fn minute(&self, minute: &Minute) {
        self.spool(Kind::of(RecordKind::Minute), minute);
    }

    /// Hands the packets of an event over, as [`emit`](Self::emit) the event.
    pub fn evidence(&self, evidence: &Evidence) {
        self.spool(Kind::of(RecordKind::Evidence), evidence);
    }

    fn spool(&self, kind: Kind, body: &impl Serialize) {
        let is_wanted = |running: &Running| running.is_wanted(kind);
        if self.running.as_ref().is_some_and(is_wanted) {
            let json = serde_json::to_vec(body).expect("a record is JSON");
            self.hand_over(kind, json);
        }
    }

    /// Hands over what is JSON already.
    pub(crate) fn hand_over(&self, kind: Kind, json: Vec<u8>) {
        let Some(running) = &self.running else { return };
        let is_taken =
            Block::fits(json.len()) && running.sender.try_send(Message::Record(kind, json)).is_ok();
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
    fn is_wanted(&self, kind: Kind) -> bool {
        self.places.iter().any(|place| place.choice.takes(kind))
    }

    fn status(&self, not_spooled: u64) -> Status {
        let now_ms = now_ms();
        let index = self.shared.lock();
        let (next, oldest) = (index.next, index.oldest());
        let oldest_ms = index.oldest_ms();
        let spool = SpoolStatus {
            bytes: index.disk_bytes(),
            bytes_max: self.bytes_max,
            events: next - oldest,
            oldest_s: oldest_ms.map_or(0.0, |time_ms| seconds_since(time_ms, now_ms)),
            memory_bytes: index.tail_bytes as u64,
            spooled: index.spooled,
            not_spooled,
            torn_bytes: self.torn_bytes,
            error: index.refusal.clone(),
        };
        drop(index);
        let sinks = self.places.iter().zip(&self.boards).map(|(place, board)| {
            let mut bulletin = board.lock();
            let progress = bulletin.progress;
            // What was dropped while a batch waits is counted when the sink comes to the gap.
            let dropped = bulletin.dropped(oldest);
            let dropped_ahead = dropped.saturating_sub(progress.dropped);
            let lag_events = next.saturating_sub(progress.position + dropped_ahead);
            // What was in hand a moment ago waits no more.
            let waiting_since_ms = bulletin.waiting_since_ms.filter(|_| lag_events > 0);
            SinkStatus {
                name: place.name.clone(),
                kind: place.kind.to_owned(),
                target: place.target.clone(),
                sent: progress.sent,
                retried: progress.retried,
                refused: progress.refused,
                dropped,
                damaged: progress.damaged,
                lag_events,
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
                Ok(Message::Record(kind, json)) => {
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

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let builder = std::thread::Builder::new().name(name.clone());
    builder.spawn(work).map_err(|source| Error::Spawn { name, source })
}

fn seconds_since(time_ms: u64, now_ms: u64) -> f64 {
    now_ms.saturating_sub(time_ms) as f64 / 1e3
}
