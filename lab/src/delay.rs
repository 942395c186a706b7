//! A long wire: a thread that carries frames between two interfaces and lets each wait.
//!
//! This kernel has no `netem`, so the path delay is made here. Frames leave in the order in which they came;
//! each direction holds at most [`FRAMES_HELD_MAX`], more are lost and counted.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::packet_socket::{FRAME_LEN_MAX, PacketSocket};
use crate::{Error, Namespace};

/// Most frames one direction holds: 40 ms of about 100,000 frames a second.
const FRAMES_HELD_MAX: usize = 4096;

/// A running wire. Dropping it stops the thread and loses the frames in flight.
#[derive(Debug)]
pub(crate) struct DelayLine {
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    lost: Arc<AtomicU64>,
}

impl DelayLine {
    /// Carries frames between the interfaces `left` and `right` of `wire`, each `delay` late.
    pub(crate) fn start(
        wire: &Namespace,
        left: &str,
        right: &str,
        delay: Duration,
    ) -> Result<Self, Error> {
        let sockets = [PacketSocket::open(wire, left)?, PacketSocket::open(wire, right)?];
        let (stop, stopped) =
            UnixStream::pair().map_err(|source| Error::socket("make a stop signal", source))?;
        let lost = Arc::new(AtomicU64::new(0));
        let losses = Arc::clone(&lost);
        let thread = std::thread::Builder::new()
            .name(wire.name().to_owned())
            .spawn(move || carry(&sockets, delay, &stopped, &losses))
            .map_err(|source| Error::socket("start the thread of a wire", source))?;
        Ok(Self { stop: Some(stop), thread: Some(thread), lost })
    }

    /// Frames lost because a queue was full or an interface would not take them.
    pub(crate) fn frames_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for DelayLine {
    fn drop(&mut self) {
        // Closing our end wakes the thread with a hang-up.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A frame and the moment at which it leaves.
struct Held {
    due: Instant,
    frame: Vec<u8>,
}

fn carry(sockets: &[PacketSocket; 2], delay: Duration, stopped: &UnixStream, lost: &AtomicU64) {
    let mut queues: [VecDeque<Held>; 2] = [VecDeque::new(), VecDeque::new()];
    let mut buffer = vec![0; FRAME_LEN_MAX];
    loop {
        let mut waiting = [
            PollFd::new(sockets[0].as_fd(), PollFlags::POLLIN),
            PollFd::new(sockets[1].as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        let due = queues.iter().filter_map(|queue| queue.front()).map(|held| held.due).min();
        let timeout = due.map(|due| TimeSpec::from(due.saturating_duration_since(Instant::now())));
        // An interrupted wait is only an early look.
        let _ = ppoll(&mut waiting, timeout, None);
        if waiting[2].revents().is_some_and(|events| !events.is_empty()) {
            return;
        }
        for (from, queue) in queues.iter_mut().enumerate() {
            if take_in(&sockets[from], delay, queue, &mut buffer, lost).is_err() {
                return;
            }
            if let_out(&sockets[1 - from], queue, lost).is_err() {
                return;
            }
        }
    }
}

fn take_in(
    socket: &PacketSocket,
    delay: Duration,
    queue: &mut VecDeque<Held>,
    buffer: &mut [u8],
    lost: &AtomicU64,
) -> Result<(), Error> {
    while let Some(reception) = socket.receive(buffer)? {
        if reception.outgoing {
            continue;
        }
        if queue.len() == FRAMES_HELD_MAX {
            lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let frame = buffer[..reception.len].to_vec();
        queue.push_back(Held { due: Instant::now() + delay, frame });
    }
    Ok(())
}

fn let_out(
    socket: &PacketSocket,
    queue: &mut VecDeque<Held>,
    lost: &AtomicU64,
) -> Result<(), Error> {
    while queue.front().is_some_and(|held| held.due <= Instant::now()) {
        let held = queue.pop_front().expect("the front was just looked at");
        if !socket.send(&held.frame)? {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
