//! The four rings of an AF_XDP socket: one side produces, the kernel consumes, or the other way.
//!
//! ```text
//!             consumer            producer
//!                 v                   v
//!   entries  . . [#][#][#][#][#][#][#] . . . .      index = counter & mask
//! ```
//!
//! Both counters run freely through 2^32 and are compared by wrapping subtraction
//! (Linux 6.18, net/xdp/xsk_queue.h; Documentation/networking/af_xdp.rst).

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::mapping::Mapping;

/// What lies in a ring.
///
/// # Safety
///
/// Every bit pattern is a valid value.
pub(crate) unsafe trait Entry: Copy {}

// SAFETY: an integer.
unsafe impl Entry for u64 {}

/// One buffer of a packet: `struct xdp_desc` of `linux/if_xdp.h`, 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Descriptor {
    /// Bytes from the start of the UMEM.
    pub(crate) address: u64,
    /// Bytes of the packet in this buffer.
    pub(crate) len: u32,
    /// `XDP_PKT_CONTD`: the next descriptor is of the same packet.
    pub(crate) options: u32,
}

const _: () = assert!(size_of::<Descriptor>() == size_of::<libc::xdp_desc>());

// SAFETY: integers only.
unsafe impl Entry for Descriptor {}

/// Where the parts of a ring lie in its mapping, in bytes (`struct xdp_ring_offset`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offsets {
    pub(crate) producer: usize,
    pub(crate) consumer: usize,
    pub(crate) flags: usize,
    pub(crate) entries: usize,
}

impl From<libc::xdp_ring_offset> for Offsets {
    fn from(offsets: libc::xdp_ring_offset) -> Self {
        Self {
            producer: offsets.producer as usize,
            consumer: offsets.consumer as usize,
            flags: offsets.flags as usize,
            entries: offsets.desc as usize,
        }
    }
}

/// The memory of a ring.
///
/// Invariants:
/// 1. `producer`, `consumer` and `flags` point at aligned words inside `_mapping`, and are only ever
///    accessed atomically.
/// 2. `entries` points at `mask + 1` aligned entries inside `_mapping`; `mask + 1` is a power of two.
/// 3. An entry is written only by the producing side, before the store of `producer` that covers it,
///    and read only by the consuming side, before the store of `consumer` that passes it.
struct Memory<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    mask: u32,
    _mapping: Mapping,
    _entries: PhantomData<T>,
}

// SAFETY: the pointers lead into `_mapping`, which moves along and is itself `Send`.
unsafe impl<T: Entry> Send for Memory<T> {}

impl<T: Entry> Memory<T> {
    fn new(mapping: Mapping, offsets: Offsets, size: u32) -> Self {
        assert!(size.is_power_of_two(), "a ring of {size} entries");
        Self {
            producer: mapping.at(offsets.producer, 1),
            consumer: mapping.at(offsets.consumer, 1),
            flags: mapping.at(offsets.flags, 1),
            entries: mapping.at(offsets.entries, size as usize),
            mask: size - 1,
            _mapping: mapping,
            _entries: PhantomData,
        }
    }

    fn size(&self) -> u32 {
        self.mask + 1
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: points at a live, aligned word that everybody accesses atomically (invariant 1).
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: points at a live, aligned word that everybody accesses atomically (invariant 1).
        unsafe { self.consumer.as_ref() }
    }

    fn flags(&self) -> &AtomicU32 {
        // SAFETY: points at a live, aligned word that everybody accesses atomically (invariant 1).
        unsafe { self.flags.as_ref() }
    }

    /// Where entry number `counter` lies.
    fn entry(&self, counter: u32) -> NonNull<T> {
        let index = (counter & self.mask) as usize;
        // SAFETY: `index <= mask`, so the entry lies inside the ring (invariant 2).
        unsafe { self.entries.add(index) }
    }

    /// Entries between two counters; more than the ring holds means that its memory is corrupt.
    fn distance(&self, from: u32, to: u32) -> u32 {
        let entries = to.wrapping_sub(from);
        assert!(entries <= self.size(), "ring counters {from} and {to} exceed {}", self.size());
        entries
    }
}

/// The producing end of a ring: fill and transmit.
///
/// Invariant: the ring's consumer never passes `published`, so `next - free consumer <= size`.
pub(crate) struct Producer<T> {
    memory: Memory<T>,
    /// The next entry to write.
    next: u32,
    /// Up to here the other side may read.
    published: u32,
    /// The consumer as it was when last looked at.
    consumer_seen: u32,
}

impl<T: Entry> Producer<T> {
    /// The producing end of a ring of `size` entries, starting where its memory says it stands.
    pub(crate) fn new(mapping: Mapping, offsets: Offsets, size: u32) -> Self {
        let memory = Memory::new(mapping, offsets, size);
        let next = memory.producer().load(Ordering::Relaxed);
        let consumer_seen = memory.consumer().load(Ordering::Acquire);
        Self { memory, next, published: next, consumer_seen }
    }

    /// Entries that can be pushed now.
    pub(crate) fn free(&mut self) -> u32 {
        // Acquire: the other side has read what it passed before we write there again.
        self.consumer_seen = self.memory.consumer().load(Ordering::Acquire);
        self.memory.size() - self.memory.distance(self.consumer_seen, self.next)
    }

    /// Writes an entry, not yet visible to the other side. Panics when the ring is full.
    pub(crate) fn push(&mut self, value: T) {
        // The other side's line is only fetched when the last look at it says "full".
        if self.next.wrapping_sub(self.consumer_seen) >= self.memory.size() {
            assert!(self.free() > 0, "push into a full ring of {}", self.memory.size());
        }
        // SAFETY: the consumer is past this entry and `published` is not, so it is ours to write
        // (invariant 3 of `Memory`, checked by the assertion above).
        unsafe { self.memory.entry(self.next).write(value) };
        self.next = self.next.wrapping_add(1);
    }

    /// Writes `count` entries at most, as [`Self::push`] does; looks once whether there is room.
    pub(crate) fn push_all(&mut self, values: impl Iterator<Item = T>, count: u32) {
        let used = self.next.wrapping_sub(self.consumer_seen);
        if self.memory.size() - used < count {
            assert!(self.free() >= count, "push of {count} into a ring of {}", self.memory.size());
        }
        for value in values.take(count as usize) {
            // SAFETY: the consumer is past the next `count` entries and `published` is not, so they
            // are ours to write (invariant 3 of `Memory`, checked by the assertion above).
            unsafe { self.memory.entry(self.next).write(value) };
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Makes everything pushed visible to the other side.
    pub(crate) fn publish(&mut self) {
        if self.published != self.next {
            // Release: the entries are written before the counter that covers them.
            self.memory.producer().store(self.next, Ordering::Release);
            self.published = self.next;
        }
    }

    /// Entries that the other side has taken since the ring was made.
    pub(crate) fn consumed(&self) -> u32 {
        self.memory.consumer().load(Ordering::Acquire)
    }

    /// Whether the kernel asks for a system call (`XDP_RING_NEED_WAKEUP`).
    pub(crate) fn needs_wakeup(&self) -> bool {
        self.memory.flags().load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

/// The consuming end of a ring: receive and completion.
pub(crate) struct Consumer<T> {
    memory: Memory<T>,
    /// The next entry to read.
    next: u32,
    /// Up to here the other side has written, when last looked at.
    producer_seen: u32,
}

impl<T: Entry> Consumer<T> {
    /// The consuming end of a ring of `size` entries, starting where its memory says it stands.
    pub(crate) fn new(mapping: Mapping, offsets: Offsets, size: u32) -> Self {
        let memory = Memory::new(mapping, offsets, size);
        let next = memory.consumer().load(Ordering::Relaxed);
        Self { memory, next, producer_seen: next }
    }

    /// Entries that can be read now.
    pub(crate) fn available(&mut self) -> u32 {
        // Acquire: the entries are read after the counter that covers them.
        self.producer_seen = self.memory.producer().load(Ordering::Acquire);
        self.memory.distance(self.next, self.producer_seen)
    }

    /// The entry `ahead` of the next one. Panics past what [`Self::available`] last said.
    pub(crate) fn peek(&self, ahead: u32) -> T {
        assert!(ahead < self.producer_seen.wrapping_sub(self.next), "peek at unwritten entry");
        let entry = self.memory.entry(self.next.wrapping_add(ahead));
        // SAFETY: the producer has published this entry and we have not released it, so it is ours
        // to read (invariant 3 of `Memory`, checked by the assertion above); any bits are valid.
        unsafe { entry.read() }
    }

    /// The first `count` entries. Panics past what [`Self::available`] last said.
    pub(crate) fn first(&self, count: u32) -> impl Iterator<Item = T> + '_ {
        assert!(count <= self.producer_seen.wrapping_sub(self.next), "peek at unwritten entries");
        (0..count).map(|ahead| {
            let entry = self.memory.entry(self.next.wrapping_add(ahead));
            // SAFETY: the producer has published this entry and we have not released it, so it is
            // ours to read (invariant 3 of `Memory`, checked by the assertion above).
            unsafe { entry.read() }
        })
    }

    /// Hands the first `count` entries back. Panics past what [`Self::available`] last said.
    pub(crate) fn release(&mut self, count: u32) {
        if count == 0 {
            return;
        }
        assert!(count <= self.producer_seen.wrapping_sub(self.next), "release of unwritten entry");
        self.next = self.next.wrapping_add(count);
        // Release: the entries are read before the other side may write there again.
        self.memory.consumer().store(self.next, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
