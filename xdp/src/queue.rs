//! The packets of one receive queue, lent out batch by batch.

use std::io;
use std::time::Duration;

use crate::error::Error;
use crate::interface::Interface;
use crate::options::{BusyPoll, ZeroCopy};
use crate::ring::{Consumer, Descriptor, Producer};
use crate::socket::{Mode, Socket};
use crate::system::{self, Readiness};
use crate::umem::{Backing, Umem};

/// Packets that [`Queue::receive`] lends at most: enough to hide a cache miss behind the next
/// packets, few enough that their headers stay in the first-level cache.
pub const BATCH_MAX: usize = 64;

/// What a queue is opened with, decided before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) interface_index: u32,
    pub(crate) queue: u32,
    pub(crate) frames: u32,
    pub(crate) receive_ring: u32,
    /// Whether packets may span several frames (`XDP_USE_SG`, Linux 6.6).
    pub(crate) scatter: bool,
    pub(crate) zero_copy: ZeroCopy,
    /// Whether the driver runs the XDP program, or the network stack.
    pub(crate) native: bool,
    pub(crate) busy_poll: Option<BusyPoll>,
}

/// One receive queue of one interface: an AF_XDP socket with its own memory.
///
/// Shape: about 1.3 KiB, plus its frames and rings in mappings. It can be moved to the thread that
/// works on it; one thread at a time.
///
/// Invariants:
/// 1. Every frame is in exactly one place: the fill ring or the driver (the kernel's), the receive
///    ring, or `lent[..lent_len]` (ours). A frame leaves `lent` only in [`Queue::receive`].
/// 2. `lent[..lent_len]` lie inside the UMEM, each inside one frame.
/// 3. The fill ring has room for every frame.
pub struct Queue {
    // Dropped in this order: the socket lets go of the memory before it is unmapped.
    socket: Socket,
    fill: Producer<u64>,
    _completion: Consumer<u64>,
    received: Consumer<Descriptor>,
    umem: Umem,
    lent: [Lent; BATCH_MAX],
    lent_len: usize,
    name: String,
    interface: String,
    plan: Plan,
    mode: Mode,
    zero_copy_refused: Option<io::Error>,
    counts: Counts,
}

/// The first buffer of a packet, and how long the packet was.
#[derive(Clone, Copy, Default)]
struct Lent {
    address: u64,
    len: u32,
    total_len: u32,
}

/// What we count ourselves.
#[derive(Clone, Copy, Default)]
struct Counts {
    packets: u64,
    bytes: u64,
    multi_buffer_packets: u64,
    wakeups: u64,
}

impl Queue {
    /// Opens, fills and binds one queue. The caller puts [`Queue::socket`] into the program's map.
    pub(crate) fn open(interface: &str, umem: Umem, plan: Plan) -> Result<Self, Error> {
        let name = format!("queue {} of {interface}", plan.queue);
        let set_up = |source| Error::Socket { queue: name.clone(), source };
        // SAFETY: `umem` moves into `Self` behind the socket, and invariant 1 keeps frames apart.
        let socket = unsafe { Socket::new(&umem) }
            .map_err(|error| crate::privileges::explain_umem(&name, umem.len(), error))?;
        // Twice the frames: ice and i40e lose frames otherwise when their pool is torn down.
        let fill_size = (plan.frames * 2).next_power_of_two();
        let mut fill = socket.fill_ring(fill_size).map_err(set_up)?;
        let completion = socket.completion_ring(COMPLETION_RING).map_err(set_up)?;
        let received = socket.receive_ring(plan.receive_ring).map_err(set_up)?;
        if let Some(busy_poll) = plan.busy_poll {
            socket.set_busy_poll(busy_poll).map_err(set_up)?;
        }
        // Before binding: drivers take their first frames while the socket binds.
        umem.addresses().for_each(|address| fill.push(address));
        fill.publish();

        let (zero_copy, zero_copy_refused) = bind(&socket, &mut fill, &umem, plan)
            .map_err(|error| explain_bind(&name, interface, plan, error))?;
        let mode = match (zero_copy, plan.native) {
            (true, _) => Mode::ZeroCopy,
            (false, true) => Mode::Copy,
            (false, false) => Mode::GenericCopy,
        };
        let (lent, lent_len) = ([Lent::default(); BATCH_MAX], 0);
        let counts = Counts::default();
        Ok(Self {
            socket,
            fill,
            _completion: completion,
            received,
            umem,
            lent,
            lent_len,
            name,
            interface: interface.to_owned(),
            plan,
            mode,
            zero_copy_refused,
            counts,
        })
    }

    /// Gives the last batch back to the kernel and takes the next one.
    ///
    /// Returns how many whole packets are now lent: [`Queue::frame`] 0 up to that number. Never
    /// waits; with nothing there the answer is 0. Panics only if the kernel breaks the rings.
    pub fn receive(&mut self) -> usize {
        for lent in &self.lent[..self.lent_len] {
            self.fill.push(self.umem.frame_of(lent.address));
        }
        self.lent_len = 0;
        let available = self.received.available();
        let mut taken = 0;
        while self.lent_len < BATCH_MAX
            && let Some(buffers) = self.take_packet(taken, available)
        {
            taken += buffers;
        }
        self.received.release(taken);
        self.fill.publish();
        if self.fill.needs_wakeup() || (taken == 0 && self.plan.busy_poll.is_some()) {
            self.wake();
        }
        self.lent_len
    }

    /// Lends the packet whose first buffer is `ahead` in the ring; returns how many buffers it had.
    ///
    /// `None` where the ring ends, also in the middle of a packet: the rest is not written yet.
    fn take_packet(&mut self, ahead: u32, available: u32) -> Option<u32> {
        if ahead >= available {
            return None;
        }
        let first = self.received.peek(ahead);
        let mut total_len = first.len;
        let mut buffers = 1;
        if first.options & libc::XDP_PKT_CONTD != 0 {
            loop {
                if ahead + buffers >= available {
                    return None;
                }
                let next = self.received.peek(ahead + buffers);
                total_len = total_len.saturating_add(next.len);
                buffers += 1;
                if next.options & libc::XDP_PKT_CONTD == 0 {
                    break;
                }
            }
            // All headers lie in the first buffer; the others go back at once.
            for index in 1..buffers {
                let descriptor = self.received.peek(ahead + index);
                self.umem.check(descriptor.address, descriptor.len);
                self.fill.push(self.umem.frame_of(descriptor.address));
            }
            self.counts.multi_buffer_packets += 1;
        }
        self.umem.check(first.address, first.len);
        self.umem.prefetch(first.address);
        self.lent[self.lent_len] = Lent { address: first.address, len: first.len, total_len };
        self.lent_len += 1;
        self.counts.packets += 1;
        self.counts.bytes += u64::from(total_len);
        Some(buffers)
    }

    /// The driver has run dry, or busy polling was asked for: run its receive loop.
    #[cold]
    fn wake(&mut self) {
        self.counts.wakeups += 1;
        // Errors show as no packets here, and by name in `check`.
        let _woken = system::wake_receive(self.socket.fd());
    }

    /// The bytes of packet `index` of the batch: all of it, or its first buffer where it spans
    /// several (at least 1,792 bytes: every header). Panics past the batch.
    #[must_use]
    pub fn frame(&self, index: usize) -> &[u8] {
        let lent = &self.lent[..self.lent_len][index];
        // SAFETY: a lent frame is ours until `receive`, which needs `&mut self` and so no slice
        // can be alive then (invariant 1).
        unsafe { self.umem.slice(lent.address, lent.len) }
    }

    /// Bytes of packet `index` of the batch on the wire, without the checksum of the frame.
    #[must_use]
    pub fn frame_len(&self, index: usize) -> u32 {
        self.lent[..self.lent_len][index].total_len
    }

    /// Waits until there is something to receive, at most `timeout` (poll(2), rounded up to whole
    /// milliseconds). False where the time ran out or a signal came.
    ///
    /// Fails as [`Queue::check`] does, when the time ran out: the kernel wakes nobody for that.
    pub fn wait(&self, timeout: Duration) -> Result<bool, Error> {
        match self.socket.wait(timeout) {
            Ok(Readiness::Readable) => Ok(true),
            Ok(Readiness::Nothing) => self.check().map(|()| false),
            Ok(Readiness::Broken) => Err(Error::InterfaceGone { queue: self.name.clone() }),
            Err(source) => Err(Error::Socket { queue: self.name.clone(), source }),
        }
    }

    /// Whether packets can still come: a worker that never waits should ask now and then, when
    /// nothing comes (one system call).
    ///
    /// Fails with [`Error::InterfaceGone`] when the interface was removed or taken away, and with
    /// [`Error::InterfaceDown`] when it was set down.
    pub fn check(&self) -> Result<(), Error> {
        // What xsk_check_common answers (Linux 6.18, net/xdp/xsk.c); the rest is about waking.
        match system::wake_receive(self.socket.fd()).map_err(|error| error.raw_os_error()) {
            Err(Some(libc::ENXIO)) => Err(Error::InterfaceGone { queue: self.name.clone() }),
            // A deleted interface goes down first.
            Err(Some(libc::ENETDOWN)) if Interface::query(&self.interface).is_err() => {
                Err(Error::InterfaceGone { queue: self.name.clone() })
            }
            Err(Some(libc::ENETDOWN)) => Err(Error::InterfaceDown { name: self.interface.clone() }),
            _ => Ok(()),
        }
    }

    /// What came and what was lost since the queue was opened.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let kernel = self
            .socket
            .statistics()
            .map_err(|source| Error::Socket { queue: self.name.clone(), source })?;
        Ok(Statistics {
            packets: self.counts.packets,
            bytes: self.counts.bytes,
            multi_buffer_packets: self.counts.multi_buffer_packets,
            wakeups: self.counts.wakeups,
            rx_dropped: kernel.rx_dropped,
            rx_ring_full: kernel.rx_ring_full,
            rx_fill_ring_empty_descs: kernel.rx_fill_ring_empty_descs,
            rx_invalid_descs: kernel.rx_invalid_descs,
            tx_invalid_descs: kernel.tx_invalid_descs,
            tx_ring_empty_descs: kernel.tx_ring_empty_descs,
        })
    }

    /// How packets reach this queue.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The number of the receive queue.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.plan.queue
    }

    /// What pages the frames are made of.
    #[must_use]
    pub fn backing(&self) -> Backing {
        self.umem.backing()
    }

    /// Bytes of one frame.
    #[must_use]
    pub fn frame_size(&self) -> u32 {
        self.umem.frame_size()
    }

    /// Bytes of all frames together.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.umem.len()
    }

    /// Why zero copy was refused, where it was tried.
    pub(crate) fn zero_copy_refused(&self) -> Option<&io::Error> {
        self.zero_copy_refused.as_ref()
    }

    /// The socket, for the program's map.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }
}

/// What came through a queue and what was lost on the way; all counts since it was opened.
///
/// Units: packets, unless the name says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Lent by [`Queue::receive`].
    pub packets: u64,
    /// Bytes of these on the wire.
    pub bytes: u64,
    /// Those of `packets` that spanned several frames.
    pub multi_buffer_packets: u64,
    /// System calls to wake the driver.
    pub wakeups: u64,
    /// Lost: no frame in the fill ring (copy mode), or longer than a frame without multi-buffer.
    pub rx_dropped: u64,
    /// Lost: the receive ring was full, we were too slow.
    pub rx_ring_full: u64,
    /// Times the kernel found the fill ring empty. In copy mode the same packet is also in
    /// `rx_dropped`: do not add them.
    pub rx_fill_ring_empty_descs: u64,
    /// Fill ring entries that the kernel refused; always 0 unless we have a bug.
    pub rx_invalid_descs: u64,
    /// Transmit descriptors that the kernel refused.
    pub tx_invalid_descs: u64,
    /// Times the kernel found the transmit ring empty.
    pub tx_ring_empty_descs: u64,
}

impl Statistics {
    /// Packets that reached this socket and were lost there. What the network card had no frame
    /// for in zero copy never gets so far: [`crate::InterfaceStatistics`] knows.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.rx_dropped + self.rx_ring_full
    }
}

/// Binds; returns whether it is zero copy, and why not where that was tried.
fn bind(
    socket: &Socket,
    fill: &mut Producer<u64>,
    umem: &Umem,
    plan: Plan,
) -> io::Result<(bool, Option<io::Error>)> {
    let mut flags = libc::XDP_USE_NEED_WAKEUP;
    if plan.scatter {
        flags |= libc::XDP_USE_SG;
    }
    let attempt = |copy_flag| socket.bind(plan.interface_index, plan.queue, flags | copy_flag);
    let mut refused = None;
    // Generic XDP has no zero copy; asking would only make a warning of something known.
    if plan.zero_copy != ZeroCopy::Never && plan.native {
        match attempt(libc::XDP_ZEROCOPY) {
            Ok(()) => return Ok((socket.is_zero_copy()?, None)),
            Err(error) if plan.zero_copy == ZeroCopy::Require => return Err(error),
            Err(error) => refused = Some(error),
        }
        // A driver may have taken frames before it failed, and they do not come back by themselves.
        let missing = fill.consumed() as usize;
        umem.addresses().take(missing).for_each(|address| fill.push(address));
        fill.publish();
    } else if plan.zero_copy == ZeroCopy::Require {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    attempt(libc::XDP_COPY)?;
    Ok((socket.is_zero_copy()?, refused))
}

fn explain_bind(name: &str, interface: &str, plan: Plan, source: io::Error) -> Error {
    let queue = name.to_owned();
    match source.raw_os_error() {
        Some(libc::EBUSY) => Error::QueueBusy { queue, interface: interface.to_owned() },
        Some(libc::EOPNOTSUPP) if plan.zero_copy == ZeroCopy::Require => {
            Error::NoZeroCopy { queue, source }
        }
        Some(libc::EINVAL) if plan.scatter => Error::NoScatter { queue, source },
        _ => Error::Bind { queue, source },
    }
}

/// Never used, but wanted by the kernel.
const COMPLETION_RING: u32 = 2;
