//! The packets of one receive queue, lent out batch by batch.

use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::error::Error;
use crate::interface::Interface;
use crate::metadata::Metadata;
use crate::options::{BusyPoll, ZeroCopy};
use crate::ring::{Consumer, Descriptor, Producer};
use crate::socket::{Mode, Socket};
use crate::system::{self, Readiness};
use crate::umem::{Backing, Umem};

/// Packets that [`Queue::receive`] lends at most, whatever [`crate::Options::batch`] says.
pub const BATCH_MAX: usize = 256;

/// What a queue is opened with, decided before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) interface_index: u32,
    pub(crate) queue: u32,
    pub(crate) frames: u32,
    pub(crate) receive_ring: u32,
    pub(crate) batch: u32,
    /// Whether packets may span several frames (`XDP_USE_SG`, Linux 6.6).
    pub(crate) scatter: bool,
    pub(crate) zero_copy: ZeroCopy,
    /// Whether the driver runs the XDP program, or the network stack.
    pub(crate) native: bool,
    pub(crate) busy_poll: Option<BusyPoll>,
    /// What tells metadata of the program before a frame from anything else; nothing if it writes none.
    pub(crate) metadata_mark: Option<NonZeroU32>,
}

/// One receive queue of one interface: an AF_XDP socket with its own memory.
///
/// Shape: about 2.5 KiB, plus its frames and rings in mappings. It can be moved to the thread that
/// works on it; one thread at a time.
///
/// Invariants:
/// 1. Every frame is in exactly one place: the fill ring or the driver (the kernel's), or the receive
///    ring, whose first `buffers` entries are the batch (ours). They are released, and their frames
///    given back, only in [`Queue::receive`].
/// 2. The fill ring has room for every frame.
pub struct Queue {
    // Dropped in this order: the socket lets go of the memory before it is unmapped.
    socket: Socket,
    fill: Producer<u64>,
    _completion: Consumer<u64>,
    received: Consumer<Descriptor>,
    umem: Umem,
    /// Entries of the receive ring that the batch consists of.
    buffers: u32,
    /// Packets of the batch.
    lent: u32,
    /// Where packets begin, if any of them spans several buffers; else packet *i* is entry *i*.
    starts: Option<Box<[Start; BATCH_MAX]>>,
    spans: bool,
    name: String,
    interface: String,
    plan: Plan,
    mode: Mode,
    zero_copy_refused: Option<io::Error>,
    counts: Counts,
}

/// The first buffer of a packet among those of its batch, and how long the packet was.
#[derive(Clone, Copy, Default)]
struct Start {
    ahead: u32,
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
    /// Opens, fills and binds one queue, without patience once `stop` is set. The caller puts [`Queue::socket`] into the program's map.
    pub(crate) fn open(
        interface: &str,
        umem: Umem,
        plan: Plan,
        stop: &AtomicBool,
    ) -> Result<Self, Error> {
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

        let (zero_copy, zero_copy_refused) = bind(&socket, &mut fill, &umem, plan, stop)
            .map_err(|error| explain_bind(&name, interface, plan, error))?;
        let mode = match (zero_copy, plan.native) {
            (true, _) => Mode::ZeroCopy,
            (false, true) => Mode::Copy,
            (false, false) => Mode::GenericCopy,
        };
        let starts = plan.scatter.then(|| Box::new([Start::default(); BATCH_MAX]));
        let counts = Counts::default();
        Ok(Self {
            socket,
            fill,
            _completion: completion,
            received,
            umem,
            buffers: 0,
            lent: 0,
            starts,
            spans: false,
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
        self.receive_at_most(BATCH_MAX)
    }

    /// Packets that wait behind the batch; of those that span several buffers each buffer counts.
    pub fn waiting(&mut self) -> usize {
        (self.received.available() - self.buffers) as usize
    }

    /// As [`Queue::receive`], but takes no more than `most` packets.
    pub fn receive_at_most(&mut self, most: usize) -> usize {
        self.give_back();
        let batch = self.plan.batch.min(most as u32);
        // Descriptors stay where the kernel wrote them until the batch is given back.
        let taken = self.received.available().min(batch);
        let (mut options, mut bytes) = (0, 0);
        for descriptor in self.received.first(taken) {
            options |= descriptor.options;
            bytes += u64::from(descriptor.len);
            self.umem.prefetch(descriptor.address);
        }
        self.spans = options & libc::XDP_PKT_CONTD != 0;
        (self.buffers, self.lent) = (taken, taken);
        if self.spans {
            bytes = self.assemble(batch);
        }
        self.counts.packets += u64::from(self.lent);
        self.counts.bytes += bytes;
        if self.fill.needs_wakeup() || (self.lent == 0 && self.plan.busy_poll.is_some()) {
            self.wake();
        }
        self.lent as usize
    }

    /// Gives the frames of the last batch to the kernel, and their entries in the ring.
    fn give_back(&mut self) {
        let umem = &self.umem;
        let frames = self.received.first(self.buffers);
        self.fill
            .push_all(frames.map(|descriptor| umem.frame_of(descriptor.address)), self.buffers);
        self.received.release(self.buffers);
        self.fill.publish();
        (self.buffers, self.lent) = (0, 0);
    }

    /// Makes the batch of whole packets where some span several buffers; returns their bytes.
    ///
    /// What ends in the middle of a packet stays in the ring: the rest is not written yet.
    #[cold]
    fn assemble(&mut self, batch: u32) -> u64 {
        let starts =
            self.starts.as_mut().expect("only a socket bound for it gets parts of packets");
        let available = self.received.available();
        let (mut lent, mut buffers, mut bytes) = (0, 0, 0);
        let mut start = Start::default();
        for (descriptor, ahead) in self.received.first(available).zip(0..) {
            start.total_len = start.total_len.saturating_add(descriptor.len);
            if descriptor.options & libc::XDP_PKT_CONTD != 0 {
                continue;
            }
            starts[lent as usize] = start;
            self.counts.multi_buffer_packets += u64::from(ahead > start.ahead);
            bytes += u64::from(start.total_len);
            (lent, buffers) = (lent + 1, ahead + 1);
            start = Start { ahead: buffers, total_len: 0 };
            if lent == batch {
                break;
            }
        }
        (self.lent, self.buffers) = (lent, buffers);
        bytes
    }

    /// The descriptor of packet `index`: all of it, or its first buffer.
    #[inline]
    fn descriptor(&self, index: usize) -> Descriptor {
        assert!(index < self.lent as usize, "packet {index} of {}", self.lent);
        let ahead = match &self.starts {
            Some(starts) if self.spans => starts[index].ahead,
            _ => index as u32,
        };
        self.received.peek(ahead)
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
    #[inline]
    pub fn frame(&self, index: usize) -> &[u8] {
        let buffer = self.descriptor(index);
        // SAFETY: a frame of the batch is ours until `receive`, which needs `&mut self` and so no
        // slice can be alive then (invariant 1).
        unsafe { self.umem.slice(buffer.address, buffer.len) }
    }

    /// Bytes of packet `index` of the batch on the wire, without the checksum of the frame.
    #[must_use]
    pub fn frame_len(&self, index: usize) -> u32 {
        match &self.starts {
            Some(starts) if self.spans => starts[..self.lent as usize][index].total_len,
            _ => self.descriptor(index).len,
        }
    }

    /// What the card said of packet `index` of the batch; nothing unless it was asked
    /// ([`crate::Options::clock`], [`crate::Options::receive_hash`]). Panics past the batch.
    #[must_use]
    pub fn metadata(&self, index: usize) -> Metadata {
        let Some(mark) = self.plan.metadata_mark else { return Metadata::default() };
        let address = self.descriptor(index).address;
        if address - self.umem.frame_of(address) < u64::from(Metadata::LEN) {
            return Metadata::default();
        }
        let before = address - u64::from(Metadata::LEN);
        // SAFETY: the bytes before a packet lie in its frame, by the check above, and are ours as long
        // as the packet is (invariant 1).
        let bytes = unsafe { self.umem.slice(before, Metadata::LEN) };
        Metadata::read(bytes, mark.get())
    }

    /// Whether the card is asked about packets.
    #[must_use]
    pub fn has_metadata(&self) -> bool {
        self.plan.metadata_mark.is_some()
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

    /// Waits until one of several queues has something to receive, at most `timeout`, as
    /// [`Queue::wait`] does; looks at the first [`Queue::WAITING_MAX`] of them.
    ///
    /// False where the time ran out, a signal came, or a queue is broken: [`Queue::check`] says which.
    pub fn wait_any<'q>(
        queues: impl IntoIterator<Item = &'q Self>,
        timeout: Duration,
    ) -> io::Result<bool> {
        system::poll_any_readable(queues.into_iter().map(|queue| queue.socket.fd()), timeout)
    }

    /// Queues that one thread waits for at a time.
    pub const WAITING_MAX: usize = system::POLLED_MAX;

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

    /// Whether the queue is of no use any more, because its interface was removed or taken away (one
    /// system call). An interface that is down may come up again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let answer = system::wake_receive(self.socket.fd());
        answer.is_err_and(|error| error.raw_os_error() == Some(libc::ENXIO))
    }

    /// Packets that are lent at a time, at most.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.plan.batch as usize
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
    stop: &AtomicBool,
) -> io::Result<(bool, Option<io::Error>)> {
    let mut flags = libc::XDP_USE_NEED_WAKEUP;
    if plan.scatter {
        flags |= libc::XDP_USE_SG;
    }
    let attempt =
        |copy_flag| socket.bind(plan.interface_index, plan.queue, flags | copy_flag, stop);
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
