//! The piece of a capture that is in memory.

use std::io::{self, Read};
use std::ops::Range;

/// A sliding window over a byte stream.
///
/// Shape: one allocation; bytes `start..end` of it are unread. Frames are lent straight from here,
/// so bytes before `start` stay where they are until [`Buffer::refill`] moves the unread tail down.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the capture of the first byte of the allocation.
    base: u64,
}

impl Buffer {
    pub(super) fn new(len: usize) -> Self {
        Self { bytes: vec![0; len.min(BUFFER_LEN_MAX)], start: 0, end: 0, base: 0 }
    }

    /// What has been read and not consumed.
    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Index of the first unread byte, for [`Buffer::slice`].
    #[inline]
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// Offset in the capture of the first unread byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Bytes at a place of this buffer, valid until the next [`Buffer::refill`].
    #[inline]
    pub(super) fn slice(&self, place: Range<usize>) -> &[u8] {
        &self.bytes[place]
    }

    /// Steps over `len` unread bytes.
    #[inline]
    pub(super) fn consume(&mut self, len: usize) {
        debug_assert!(len <= self.end - self.start, "only unread bytes are consumed");
        self.start += len;
    }

    /// Reads once, growing first if `wanted` unread bytes would not fit; returns the bytes read,
    /// 0 at the end of the stream. Everything lent from here becomes invalid.
    pub(super) fn refill(&mut self, source: &mut impl Read, wanted: usize) -> io::Result<usize> {
        assert!(wanted <= BUFFER_LEN_MAX, "walkers refuse what is longer than a buffer");
        self.bytes.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        if wanted > self.bytes.len() {
            self.bytes.resize(wanted.next_power_of_two().min(BUFFER_LEN_MAX), 0);
        }
        if self.end == self.bytes.len() {
            self.bytes.resize((self.end * 2).clamp(1, BUFFER_LEN_MAX), 0);
        }
        let len = source.read(&mut self.bytes[self.end..])?;
        self.end += len;
        Ok(len)
    }

    /// Gives the memory back.
    pub(super) fn close(&mut self) {
        self.base = self.offset();
        (self.bytes, self.start, self.end) = (Vec::new(), 0, 0);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The largest buffer, and so the longest pcapng block that is read as a whole: 1 MiB.
pub(super) const BUFFER_LEN_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_survives_a_refill_and_offsets_go_on() {
        let mut source: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8, 9];
        let mut buffer = Buffer::new(4);
        assert_eq!(buffer.refill(&mut source, 1).unwrap(), 4);
        buffer.consume(3);
        assert_eq!((buffer.unread(), buffer.offset()), (&[4][..], 3));
        assert_eq!(buffer.refill(&mut source, 6).unwrap(), 5);
        assert_eq!((buffer.unread(), buffer.offset()), (&[4, 5, 6, 7, 8, 9][..], 3));
        buffer.consume(6);
        assert_eq!(buffer.refill(&mut source, 1).unwrap(), 0);
        assert_eq!(buffer.offset(), 9);
    }

    #[test]
    fn a_buffer_grows_only_as_far_as_is_wanted() {
        let mut source = io::repeat(7);
        let mut buffer = Buffer::new(64);
        buffer.refill(&mut source, 100).unwrap();
        assert_eq!(buffer.memory_bytes(), 128);
        assert_eq!(buffer.unread().len(), 128);
    }
}
