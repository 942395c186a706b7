//! Who attaches to interfaces, and attaches again when they come back.
//!
//! One thread holds all attachments. It alone does what needs privileges once a run has begun: load
//! programs, open and bind sockets, read the programs' counters. Workers get ready sockets through a
//! channel and only receive from them; a socket that is of no use any more is closed by its worker,
//! which keeps its flows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use events::StartInput;
use xdp::{Attachment, Interface};

use crate::error::Error;
use crate::gauge::Gauge;
use crate::links::Links;
use crate::live::LiveQueue;

/// The keeper's thread; it ends, and every program is detached, with [`Keeper::end`] or when it is
/// dropped.
pub(crate) struct Keeper {
    /// Closed to end the thread; takes the ends of the workers once.
    workers: Option<Sender<Vec<Sender<LiveQueue>>>>,
    opened: Receiver<Result<Opened, Error>>,
    /// Nothing is waited for any more.
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What could be attached to at the start.
#[derive(Default)]
pub(crate) struct Opened {
    /// The queues of each worker.
    pub(crate) queues: Vec<Vec<LiveQueue>>,
    pub(crate) started: Vec<StartInput>,
    pub(crate) frame_bytes: usize,
}

impl Keeper {
    /// Begins to attach to `interfaces`, which are those of `links`. An interface that cannot be had
    /// is an error, unless `waits`: then it is waited for.
    ///
    /// # Errors
    /// No thread could be started.
    pub(crate) fn start(
        interfaces: Vec<xdp::Options>,
        links: Arc<Links>,
        waits: bool,
    ) -> Result<Self, Error> {
        let (opened_sender, opened) = bounded(1);
        let (workers, workers_receiver) = bounded(1);
        let ports = interfaces.into_iter().map(Kept::new).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let keeping = Keeping { ports, links, workers: Vec::new(), stop: Arc::clone(&stop) };
        let thread = std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || keeping.run(waits, &opened_sender, &workers_receiver))
            .map_err(Error::SpawnKeeper)?;
        Ok(Self { workers: Some(workers), opened, stop, thread: Some(thread) })
    }

    /// Waits for the first interface, and calls `waiting` about once a second meanwhile; nothing is
    /// opened if `stop` is set before.
    ///
    /// # Errors
    /// An interface could not be opened, or `waiting` failed.
    pub(crate) fn opened(
        &self,
        stop: &AtomicBool,
        mut waiting: impl FnMut() -> io::Result<()>,
    ) -> Result<Opened, Error> {
        let mut told = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            match self.opened.recv_timeout(STOP_SEEN_AFTER) {
                Err(RecvTimeoutError::Timeout) if told.elapsed() >= TELL_EVERY => {
                    told = Instant::now();
                    waiting().map_err(Error::Sink)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(opened) => return opened,
                Err(RecvTimeoutError::Disconnected) => return Err(Error::KeeperGone),
            }
        }
        Ok(Opened::default())
    }

    /// From now on queues that come back go to these workers.
    pub(crate) fn serve(&self, workers: Vec<Sender<LiveQueue>>) {
        // A keeper that has panicked keeps nothing.
        let _ = self.workers.as_ref().map(|keeper| keeper.send(workers));
    }

    /// Detaches everything; what the programs counted has been noted then.
    pub(crate) fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.workers = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper of the interfaces stopped unexpectedly: a bug");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the keeper's thread holds.
struct Keeping {
    ports: Vec<Kept>,
    links: Arc<Links>,
    workers: Vec<Sender<LiveQueue>>,
    stop: Arc<AtomicBool>,
}

/// One interface.
struct Kept {
    options: xdp::Options,
    held: Option<Held>,
    /// Gauges of the sockets that were bound last.
    gauges: Vec<Arc<Gauge>>,
    /// What was complained of last, so that it is said once.
    complaint: String,
    /// Not before then is it tried again, and how long it was left alone before.
    next_try: Instant,
    pause: Duration,
}

/// What is held as long as an interface is watched.
struct Held {
    attachment: Attachment,
    /// The kernel's number of our program.
    program: Option<u32>,
    /// What earlier programs had counted.
    before: [u64; 2],
}

impl Keeping {
    fn run(
        mut self,
        waits: bool,
        opened: &Sender<Result<Opened, Error>>,
        workers: &Receiver<Vec<Sender<LiveQueue>>>,
    ) {
        let first = self.open_first(waits, workers);
        let is_open = first.is_ok();
        // Who waits for it may have given up.
        if opened.send(first).is_err() || !is_open {
            return;
        }
        loop {
            match workers.recv_timeout(LOOK_EVERY) {
                Ok(ends) => self.workers = ends,
                // The tables of the workers may take a while to be made.
                Err(RecvTimeoutError::Timeout) if self.workers.is_empty() => {}
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        (0..self.ports.len()).for_each(|input| self.count(input));
    }

    /// Opens what there is; nothing if the run ended before there was anything.
    fn open_first(
        &mut self,
        waits: bool,
        workers: &Receiver<Vec<Sender<LiveQueue>>>,
    ) -> Result<Opened, Error> {
        let mut opened = Opened::default();
        loop {
            for input in 0..self.ports.len() {
                if self.has_to_stop() || !self.ports[input].is_due() {
                    continue;
                }
                match self.open(input) {
                    Ok(queues) => opened.add(&self.ports[input].options.interface, queues),
                    Err(_) if self.has_to_stop() => {}
                    Err(error) if waits => self.ports[input].put_off(&error),
                    Err(error) => return Err(error.into()),
                }
            }
            let has_ended =
                || matches!(workers.recv_timeout(LOOK_EVERY), Err(RecvTimeoutError::Disconnected));
            if !opened.queues.is_empty() || has_ended() {
                return Ok(opened);
            }
        }
    }

    /// Whether the run is over.
    fn has_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Attaches to an interface.
    fn open(&mut self, input: usize) -> Result<Vec<LiveQueue>, xdp::Error> {
        let (kept, links) = (&mut self.ports[input], &self.links);
        let (attachment, queues) = Attachment::open_until(&kept.options, &self.stop)?;
        for warning in attachment.warnings() {
            tracing::warn!("{warning}");
        }
        let program = Interface::query(&kept.options.interface)?.program_id();
        kept.held = Some(Held { attachment, program, before: links.ports()[input].counts() });
        let live: Vec<LiveQueue> = queues
            .into_iter()
            .map(|queue| {
                let gauge = links.gauge(input, queue.id());
                LiveQueue::new(queue, gauge)
            })
            .collect();
        kept.gauges = live.iter().map(LiveQueue::gauge).collect();
        kept.complaint.clear();
        kept.pause = Duration::ZERO;
        Ok(live)
    }

    /// Looks at every interface: is it still there, and is it back?
    fn look(&mut self) {
        for input in 0..self.ports.len() {
            if self.has_to_stop() {
                return;
            }
            self.count(input);
            let kept = &mut self.ports[input];
            let now = Interface::query(&kept.options.interface);
            match (&kept.held, now) {
                (Some(held), Ok(now)) => match kept.trouble(held, &now) {
                    Some(trouble) => kept.lose(trouble),
                    None => kept.set_up(now.is_up() && now.has_carrier()),
                },
                (Some(_), Err(xdp::Error::NoInterface { .. })) => kept.lose("was removed"),
                // The kernel could not answer now; it is asked again.
                (Some(_), Err(_)) => {}
                (None, _) if kept.is_due() => self.open_again(input),
                (None, _) => {}
            }
        }
    }

    fn open_again(&mut self, input: usize) {
        match self.open(input) {
            Ok(queues) => {
                let kept = &self.ports[input];
                tracing::warn!("{} is watched again", kept.options.interface);
                for (index, queue) in queues.into_iter().enumerate() {
                    // A worker that has ended needs no more queues.
                    let _ = self.workers[index % self.workers.len()].send(queue);
                }
            }
            Err(_) if self.has_to_stop() => {}
            Err(error) => self.ports[input].put_off(&error),
        }
    }

    /// Notes what the XDP program of an interface has counted.
    fn count(&self, input: usize) {
        if let Some(held) = &self.ports[input].held
            && let Ok(counters) = held.attachment.counters()
        {
            let [no_socket, left_out] = held.before;
            let sums = [no_socket + counters.no_socket, left_out + counters.left_out];
            self.links.ports()[input].set(sums);
        }
    }
}

impl Held {
    /// Why nothing can come any more, though there is an interface of that name.
    fn trouble(&self, now: &Interface, options: &xdp::Options) -> Option<&'static str> {
        let then = self.attachment.interface();
        if then.index() != now.index() {
            return Some("was removed and made anew");
        }
        if self.program != now.program_id() {
            return Some("lost its XDP program: somebody took it off or put another one there");
        }
        // Where the driver told of them only once, the other number means something else.
        let are_told = then.has_channels() && now.has_channels();
        let has_other_queues = are_told && then.receive_queues() != now.receive_queues();
        (options.queues.is_none() && has_other_queues).then_some("has another number of queues")
    }
}

impl Kept {
    fn new(options: xdp::Options) -> Self {
        let (gauges, complaint) = (Vec::new(), String::new());
        let (next_try, pause) = (Instant::now(), Duration::ZERO);
        Self { options, held: None, gauges, complaint, next_try, pause }
    }

    /// Why nothing can come any more through what is held.
    fn trouble(&self, held: &Held, now: &Interface) -> Option<&'static str> {
        let is_closed = || self.gauges.iter().any(|gauge| !gauge.is_open());
        let closed =
            || is_closed().then_some("was gone for a moment, and a socket of it is closed");
        held.trouble(now, &self.options).or_else(closed)
    }

    fn set_up(&self, is_up: bool) {
        self.gauges.iter().for_each(|gauge| gauge.set_up(is_up));
    }

    /// Lets go of an interface; its workers close its sockets.
    fn lose(&mut self, trouble: &str) {
        let name = &self.options.interface;
        tracing::warn!(
            "{name} {trouble}; what is known of its connections stays, and it is watched again as soon \
             as that can be"
        );
        self.held = None;
        for gauge in &self.gauges {
            gauge.set_up(false);
            gauge.revoke();
        }
    }

    /// Whether it may be attached to again: its old sockets are closed.
    fn is_due(&self) -> bool {
        Instant::now() >= self.next_try && !self.gauges.iter().any(|gauge| gauge.is_open())
    }

    /// Says why it cannot be attached to, and tries it later.
    fn put_off(&mut self, error: &xdp::Error) {
        self.pause = pause_after(error, self.pause);
        self.next_try = Instant::now() + self.pause;
        self.complain(error);
    }

    /// Says once why it cannot be attached to.
    fn complain(&mut self, error: &xdp::Error) {
        let source = std::error::Error::source(error);
        let source = source.map_or_else(String::new, |source| format!(": {source}"));
        let complaint = format!("{error}{source}");
        if self.complaint != complaint {
            tracing::warn!("waiting for {}: {complaint}", self.options.interface);
            self.complaint = complaint;
        }
    }
}

impl Opened {
    /// Deals the queues of an interface to the workers, of which there are as many as the interface
    /// with the most queues has.
    fn add(&mut self, interface: &str, queues: Vec<LiveQueue>) {
        for (worker, queue) in queues.into_iter().enumerate() {
            self.started.push(StartInput {
                name: interface.to_owned(),
                queue: Some(queue.gauge().queue),
                mode: queue.gauge().mode(),
            });
            self.frame_bytes += queue.memory_bytes();
            if self.queues.len() <= worker {
                self.queues.push(Vec::new());
            }
            self.queues[worker].push(queue);
        }
    }
}

/// How long an interface is left alone that was left alone for `before` and has refused again.
fn pause_after(error: &xdp::Error, before: Duration) -> Duration {
    match error {
        // Asking costs nothing, and nothing is touched.
        xdp::Error::NoInterface { .. } | xdp::Error::InterfaceDown { .. } => Duration::ZERO,
        // A program is loaded each time, and the link may be reset.
        _ => (before * 2).clamp(TRY_EVERY, TRY_EVERY_MOST),
    }
}

/// How often interfaces are looked at: a link that is back is watched again within this time.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How soon an interface that refuses is tried again; each time twice as late, up to the most.
const TRY_EVERY: Duration = Duration::from_secs(1);
const TRY_EVERY_MOST: Duration = Duration::from_secs(60);
/// How often somebody is told that nothing is there yet.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How soon a run that waits for interfaces ends when it is told to.
const STOP_SEEN_AFTER: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_again_and_again_is_tried_ever_more_rarely() {
        let refused = xdp::Error::NoSuchQueue { name: "east0".to_owned(), queue: 1, queues: 1 };
        let mut pause = Duration::ZERO;
        let pauses_s = [(); 8].map(|()| {
            pause = pause_after(&refused, pause);
            pause.as_secs()
        });
        assert_eq!(pauses_s, [1, 2, 4, 8, 16, 32, 60, 60]);
        let missing = xdp::Error::NoInterface { name: "east0".to_owned() };
        assert_eq!(pause_after(&missing, pause), Duration::ZERO);
    }

    #[test]
    fn whoever_waits_for_an_interface_is_told_so() {
        let links = [crate::Link::tap("rs-nobody")];
        let wanted = links[0].ports().cloned().collect();
        let keeper = Keeper::start(wanted, Arc::new(Links::new(&links)), true).unwrap();
        let (stop, mut told) = (AtomicBool::new(false), 0);
        let opened = keeper.opened(&stop, || {
            told += 1;
            stop.store(true, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!((told, opened.unwrap().queues.len()), (1, 0));
    }
}
