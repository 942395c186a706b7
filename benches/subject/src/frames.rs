//! A capture in memory, lent in batches.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use flowtable::{TapPort, Timestamp};
use pipeline::{BATCH_MAX, Frame, Receipt, Received, Source, SourceError};
use wire::LinkType;

use crate::{measured_part_begins, measured_part_ends};

/// Lends the frames of a capture; marks where the measured part begins and ends.
pub(crate) struct Frames {
    bytes: Vec<u8>,
    frames: Vec<Place>,
    from: usize,
    next: usize,
    lent: usize,
}

#[derive(Clone, Copy)]
struct Place {
    time: Timestamp,
    start: usize,
    len: usize,
}

impl Frames {
    /// Takes in a capture as `make_capture` writes it: classic pcap, nanoseconds, little-endian.
    ///
    /// The worker is measured from the first batch on that begins at frame `from` or later.
    pub(crate) fn load(path: &Path, from: u64) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let mut frames = Vec::new();
        let mut at = FILE_HEADER_LEN;
        while let Some(header) = bytes.get(at..at + RECORD_HEADER_LEN) {
            let word = |index: usize| {
                let four = header[4 * index..].first_chunk().expect("a record has four words");
                u64::from(u32::from_le_bytes(*four))
            };
            let (start, len) = (at + RECORD_HEADER_LEN, word(2) as usize);
            frames.push(Place { time: Timestamp(word(0) * 1_000_000_000 + word(1)), start, len });
            at = start + len;
        }
        Ok(Self { bytes, frames, from: from as usize, next: 0, lent: 0 })
    }

    /// Frames of the measured part.
    pub(crate) fn measured(&self) -> usize {
        self.frames.len() - self.from.next_multiple_of(BATCH_MAX).min(self.frames.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.frames)
    }
}

impl Source for Frames {
    fn receive(&mut self) -> Result<Received, SourceError> {
        let begins = self.from.next_multiple_of(BATCH_MAX);
        self.next += self.lent;
        self.lent = (self.frames.len() - self.next).min(BATCH_MAX);
        if self.next == begins && self.lent > 0 {
            measured_part_begins();
        }
        if self.lent == 0 {
            measured_part_ends();
            return Ok(Received::End);
        }
        Ok(Received::Frames(self.lent))
    }

    fn frame(&self, index: usize) -> Frame<'_> {
        let number = self.next + index;
        let Place { time, start, len } = self.frames[number];
        Frame {
            bytes: &self.bytes[start..start + len],
            time,
            link: Some(LinkType::Ethernet),
            port: TapPort(0),
            receipt: Receipt { input: 0, queue: 0, frame: number as u64 + 1 },
        }
    }
}

const FILE_HEADER_LEN: usize = 24;
const RECORD_HEADER_LEN: usize = 16;
