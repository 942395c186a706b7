//! What one receive queue has brought and lost: its worker writes once a second, whoever reports reads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use events::QueueStatus;
use flowtable::Timestamp;
use xdp::Statistics;

use crate::exporter::named;
use crate::link::Port;

/// One receive queue of one interface; lives as long as the run. All counts are since its start.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// Index of the interface among those watched.
    pub(crate) input: u16,
    /// Which port of which link that is.
    pub(crate) port: Port,
    /// Its number on the interface.
    pub(crate) queue: u16,
    /// The mode in force, read back from the kernel.
    mode: Mutex<String>,
    received: AtomicU64,
    judged: AtomicU64,
    losses: [AtomicU64; LOSSES.len()],
    /// Time of the last batch.
    latest: AtomicU64,
    /// Whether the card stamped what came last.
    is_stamped: AtomicBool,
    is_up: AtomicBool,
    /// A worker has its socket, or is about to.
    is_open: AtomicBool,
    /// The worker shall close its socket.
    is_revoked: AtomicBool,
}

/// Counts of a queue at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    /// Packets that the kernel has lent.
    pub(crate) received: u64,
    /// In the order of [`LOSSES`].
    losses: [u64; LOSSES.len()],
}

impl Totals {
    /// What a socket has counted since it was opened, on top of `self`.
    pub(crate) fn and(self, since: &Statistics) -> Self {
        let of_socket = [
            since.rx_ring_full,
            since.rx_dropped,
            since.rx_fill_ring_empty_descs,
            since.rx_invalid_descs,
        ];
        let mut losses = self.losses;
        for (sum, more) in losses.iter_mut().zip(of_socket) {
            *sum += more;
        }
        Self { received: self.received + since.packets, losses }
    }
}

impl Gauge {
    pub(crate) fn new(input: u16, port: Port, queue: u16) -> Self {
        Self {
            input,
            port,
            queue,
            mode: Mutex::default(),
            received: AtomicU64::new(0),
            judged: AtomicU64::new(0),
            losses: Default::default(),
            latest: AtomicU64::new(0),
            is_stamped: AtomicBool::new(false),
            is_up: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
            is_revoked: AtomicBool::new(false),
        }
    }

    /// Whether `other` is the same queue of the other port of the link.
    pub(crate) fn is_twin(&self, other: &Self) -> bool {
        let is_other_port = self.port.port != other.port.port;
        self.port.link == other.port.link && is_other_port && self.queue == other.queue
    }

    /// A socket of this mode is bound to the queue.
    pub(crate) fn open(&self, mode: &str) {
        mode.clone_into(&mut self.mode.lock().unwrap_or_else(PoisonError::into_inner));
        self.is_revoked.store(false, Ordering::Relaxed);
        self.is_open.store(true, Ordering::Release);
        self.set_up(true);
    }

    /// The socket is closed.
    pub(crate) fn close(&self) {
        self.set_up(false);
        self.is_open.store(false, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// The worker shall close the socket: nothing comes through it any more.
    pub(crate) fn revoke(&self) {
        self.is_revoked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::Relaxed)
    }

    pub(crate) fn mode(&self) -> String {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether frames can come now.
    pub(crate) fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Relaxed);
    }

    /// Written by the worker alone.
    pub(crate) fn set(&self, totals: &Totals, judged: u64, latest: Timestamp) {
        self.received.store(totals.received, Ordering::Relaxed);
        self.judged.store(judged, Ordering::Relaxed);
        for (cell, count) in self.losses.iter().zip(totals.losses) {
            cell.store(count, Ordering::Relaxed);
        }
        self.latest.store(latest.0, Ordering::Relaxed);
    }

    /// The card stamped what came last, or did not.
    pub(crate) fn set_stamped(&self, is_stamped: bool) {
        self.is_stamped.store(is_stamped, Ordering::Relaxed);
    }

    /// What was known last.
    pub(crate) fn totals(&self) -> Totals {
        let losses = std::array::from_fn(|index| self.losses[index].load(Ordering::Relaxed));
        Totals { received: self.received(), losses }
    }

    /// Packets lent so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Time of the last batch; 0 before the first.
    pub(crate) fn latest(&self) -> Timestamp {
        Timestamp(self.latest.load(Ordering::Relaxed))
    }

    /// The kernel's counters of what went wrong, by name.
    ///
    /// In copy mode `kernel_fill_ring_empty` counts packets that are also in
    /// `kernel_receive_dropped`: they must not be added.
    pub(crate) fn losses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LOSSES.into_iter().zip(self.totals().losses)
    }

    /// All of it, for a queue of the interface of this name.
    pub(crate) fn status(&self, interface: &str) -> QueueStatus {
        QueueStatus {
            interface: interface.to_owned(),
            queue: self.queue,
            fibre: self.port.fibre,
            mode: self.mode(),
            clock: CLOCKS[usize::from(self.is_stamped.load(Ordering::Relaxed))].to_owned(),
            is_up: self.is_up.load(Ordering::Relaxed),
            packets: self.received(),
            judged: self.judged.load(Ordering::Relaxed),
            losses: named(self.losses()),
        }
    }
}

/// What the kernel counts of a socket.
const LOSSES: [&str; 4] = [
    "kernel_receive_ring_full",
    "kernel_receive_dropped",
    "kernel_fill_ring_empty",
    "kernel_invalid_descriptors",
];
/// Whose clock stamps packets: ours, when a batch is taken; or the card's.
const CLOCKS: [&str; 2] = ["system, once a batch", "network card"];

#[cfg(test)]
mod tests {
    use flowtable::TapPort;

    use super::*;

    #[test]
    fn counts_go_on_where_the_socket_before_ended() {
        let port = Port { link: 0, port: TapPort(0), fibre: None };
        let gauge = Gauge::new(0, port, 3);
        let socket = Statistics { packets: 10, rx_ring_full: 2, ..Statistics::default() };
        gauge.set(&gauge.totals().and(&socket), 9, Timestamp(5));
        let next = Statistics { packets: 1, rx_dropped: 4, ..Statistics::default() };
        gauge.set(&gauge.totals().and(&next), 11, Timestamp(6));
        let status = gauge.status("eth1");
        assert_eq!((status.queue, status.packets, status.judged), (3, 11, 11));
        assert_eq!(status.losses["kernel_receive_ring_full"], 2);
        assert_eq!(status.losses["kernel_receive_dropped"], 4);
        assert_eq!(status.losses.len(), 2, "what is zero is not said");
    }
}
