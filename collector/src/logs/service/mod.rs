//! Logs as they come, live: sockets and files into one join.
//!
//! ```text
//! UDP, TCP, TLS --\
//! files ------------> lines --> Reader --> Joiner --> revised events
//! events of sensors -----------------------^
//! ```
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Logs`]: one thread that does all of it |
//! | `network.rs`, `streams.rs`, `frames.rs` | sockets, messages in datagrams and in streams |
//! | `drops.rs` | datagrams that the kernel dropped |
//! | `places.rs` | how many may be connected |
//! | `tail.rs` | files that grow and are rotated |
//! | `positions.rs` | how far files were read, over restarts |
//! | `sources.rs` | who writes, and how well that can be read |
//! | `counts.rs` | [`LogCounts`]: what became of all, and what was lost |
//! | `error.rs` | [`LogError`] |
//!
//! **Invariant:** whoever hands over an event never waits: what finds no room is counted.

mod counts;
mod drops;
mod error;
mod frames;
mod network;
mod places;
mod positions;
mod sources;
mod streams;
mod tail;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use events::{Event, UtcTime};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

pub use counts::LogCounts;
pub use error::LogError;
pub use sources::Sources;

use super::join::{ClockRow, JoinCounts, Joiner, Revision};
use super::options::{LogFile, LogOptions, Transport, zone_or_utc};
use super::read::{Context, Reader, Zone};
use super::session::Reading;
use crate::history::LogList;
use counts::Losses;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use frames::Frames;
use network::Port;
use places::Places;
use positions::Positions;
use tail::Tail;

/// A line and what is known of it.
#[derive(Debug)]
struct Line {
    peer: String,
    via: &'static str,
    zone: Zone,
    bytes: Vec<u8>,
}

/// An event of a sensor.
struct Told {
    sensor: String,
    event: Box<Event>,
}

/// Listeners, files and the join at work; they end when dropped.
pub struct Logs {
    addresses: Vec<(&'static str, SocketAddr)>,
    events: mpsc::Sender<Told>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What is asked from other threads.
#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    losses: Arc<Losses>,
}

#[derive(Default)]
struct Known {
    sources: Sources,
    clocks: BTreeMap<String, ClockRow>,
    counts: JoinCounts,
    forgotten: u64,
}

impl Logs {
    /// Binds, opens and begins; `revised` is told each event that a log says more of, and says whether it could
    /// take it.
    ///
    /// # Errors
    /// A socket cannot be bound, a certificate not be used, a network not be meant.
    pub fn start(
        options: &LogOptions,
        revised: impl FnMut(Revision) -> bool + Send + 'static,
    ) -> Result<Self, LogError> {
        let ports: Vec<Port> = options.listen.iter().map(Port::bind).collect::<Result<_, _>>()?;
        let vias = options.listen.iter().map(|listen| listen.transport.name());
        let addresses = vias.zip(ports.iter().map(|port| port.address)).collect();
        let (events, told) = mpsc::channel(EVENTS_WAITING);
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::default());
        let work = Work {
            options: options.clone(),
            shared: Arc::clone(&shared),
            joiner: Joiner::new(options.join()),
            reader: Reader::new(),
            revised: Box::new(revised),
            lines_lost: 0,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| LogError::Thread { source })?;
        let thread = std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || runtime.block_on(work.run(ports, told, stopped)))
            .map_err(|source| LogError::Thread { source })?;
        Ok(Self { addresses, events, shared, stop, thread: Some(thread) })
    }

    /// Where it listens, each with its transport.
    #[must_use]
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// Hands over an event of a sensor; never waits.
    pub fn event(&self, sensor: &str, event: &Event) {
        let told = Told { sensor: sensor.to_owned(), event: Box::new(event.clone()) };
        if self.events.try_send(told).is_err() {
            self.shared.losses.events.add(1);
        }
    }

    /// Who writes logs, how well they can be read, and what was lost.
    #[must_use]
    pub fn list(&self) -> LogList {
        let sources = {
            let known = self.shared.known();
            known.sources.rows(&known.clocks)
        };
        LogList { sources, losses: self.counts().losses() }
    }

    /// What became of all.
    #[must_use]
    pub fn counts(&self) -> LogCounts {
        let known = self.shared.known();
        self.shared.losses.counts(known.counts, known.forgotten, known.sources.beyond())
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Nothing done under the lock can be left half done.
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own.
struct Work {
    options: LogOptions,
    shared: Arc<Shared>,
    joiner: Joiner,
    reader: Reader,
    revised: Box<dyn FnMut(Revision) -> bool + Send>,
    /// Lines that were lost by the last turn.
    lines_lost: u64,
}

impl Work {
    async fn run(
        mut self,
        ports: Vec<Port>,
        mut told: mpsc::Receiver<Told>,
        mut stop: watch::Receiver<bool>,
    ) {
        let (sender, mut lines) = mpsc::channel(LINES_WAITING);
        let places = Arc::new(Places::new(&self.options));
        for port in ports {
            let (losses, places) = (Arc::clone(&self.shared.losses), Arc::clone(&places));
            tokio::spawn(port.run(sender.clone(), losses, places, stop.clone()));
        }
        let mut files = Files::open(&self.options);
        let mut tick = every(TICK);
        let mut look = every(LOOK);
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => break,
                _ = tick.tick() => self.tick(&mut files),
                Some(Told { sensor, event }) = told.recv() => {
                    let revisions = self.joiner.event(now(), &sensor, &event);
                    self.tell(revisions);
                }
                // Before the sockets: a flood of lines must not keep files waiting.
                _ = look.tick() => {
                    self.files(&mut files);
                    // A backlog of files must not keep sockets waiting either.
                    look.reset();
                }
                Some(line) = lines.recv() => self.line(&line),
            }
        }
        self.tick(&mut files);
    }

    fn line(&mut self, line: &Line) {
        let received = now();
        let context = Context { received, zone: line.zone, source: &line.peer };
        let reading = self.reader.read(&line.bytes, &context);
        let mut known = self.shared.known();
        let name = known.sources.count(&line.peer, line.via, &line.bytes, &reading, received);
        drop(known);
        match reading {
            Ok(Reading::Session(session)) => {
                let revisions = self.joiner.session(received, *session);
                if line.via == Transport::Udp.name() {
                    self.joiner.lossy(&name);
                }
                self.tell(revisions);
            }
            Ok(Reading::Other(_)) => {}
            Err(_) => self.joiner.garbled(received, &name),
        }
    }

    /// Reads what is new in all files, a little of each.
    fn files(&mut self, files: &mut Files) {
        for at in 0..files.tails.len() {
            let (file, tail) = &mut files.tails[at];
            let peer = file.source.clone().unwrap_or_else(|| {
                file.path
                    .file_name()
                    .map_or(String::new(), |name| name.to_string_lossy().into_owned())
            });
            let zone = zone_or_utc(file.timezone.as_ref());
            for _ in 0..PIECES_A_LOOK {
                let mut lines = Vec::new();
                let read = tail.read(|bytes| {
                    let bytes = bytes.to_vec();
                    lines.push(Line { peer: peer.clone(), via: "file", zone, bytes });
                });
                self.shared.losses.too_long.add(std::mem::take(&mut tail.too_long));
                self.shared.losses.cut.add(std::mem::take(&mut tail.cut));
                lines.iter().for_each(|line| self.line(line));
                match read {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        files.complaints.say(&file.path, &error);
                        break;
                    }
                }
            }
        }
    }

    fn tick(&mut self, files: &mut Files) {
        let lines_lost = self.shared.losses.lines();
        if lines_lost != self.lines_lost {
            self.lines_lost = lines_lost;
            self.joiner.lost(now());
        }
        let revisions = self.joiner.tick(now());
        self.tell(revisions);
        let mut known = self.shared.known();
        known.clocks = self.joiner.clocks();
        known.counts = self.joiner.counts();
        known.forgotten = self.reader.forgotten();
        drop(known);
        files.keep();
    }

    fn tell(&mut self, revisions: Vec<Revision>) {
        for revision in revisions {
            let is_taken = (self.revised)(revision);
            self.shared.losses.revisions.add(u64::from(!is_taken));
        }
    }
}

/// The files that are followed.
struct Files {
    tails: Vec<(LogFile, Tail)>,
    positions: Positions,
    complaints: Complaints,
}

impl Files {
    fn open(options: &LogOptions) -> Self {
        let positions = Positions::load(&options.directory);
        let tail = |file: &LogFile| {
            let position = positions.of(&file.path);
            (file.clone(), Tail::new(&file.path, position, file.from_beginning))
        };
        let tails = options.file.iter().map(tail).collect();
        Self { tails, positions, complaints: Complaints::default() }
    }

    /// Keeps how far all are, if that has changed.
    fn keep(&mut self) {
        let now = self
            .tails
            .iter()
            .filter_map(|(file, tail)| Some((file.path.clone(), tail.position()?)));
        if let Err(error) = self.positions.keep(now.collect()) {
            self.complaints.say(self.positions.path(), &error);
        }
    }
}

/// Says what is wrong with a path once, until it is something else.
#[derive(Default)]
struct Complaints {
    said: HashMap<std::path::PathBuf, std::io::ErrorKind>,
}

impl Complaints {
    fn say(&mut self, path: &std::path::Path, error: &std::io::Error) {
        if self.said.insert(path.to_owned(), error.kind()) != Some(error.kind()) {
            tracing::warn!("logs: {}: {error}; it is tried again", path.display());
        }
    }
}

/// Where a turn took longer, the next ones are not made up for.
fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn now() -> UtcTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Events that may wait for the thread.
const EVENTS_WAITING: usize = 4096;

/// Lines that may wait, at most 16 KiB each.
const LINES_WAITING: usize = 1024;

const TICK: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(250);

/// Pieces of 64 KiB of a file before others have their turn: 4 MiB a second.
const PIECES_A_LOOK: usize = 16;
