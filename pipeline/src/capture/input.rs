//! One capture file on its way through its buffer.

use std::io::{self, ErrorKind};

use flowtable::Timestamp;

use super::ProblemKind;
use super::batch::Batch;
use super::buffer::Buffer;
use super::classic::{Classic, FILE_HEADER_LEN};
use super::pcapng::{self, Pcapng};
use super::stream::{Counted, MAGIC_LEN, Stream};
use super::walk::{Located, Step};

/// An input that is being read.
pub(super) struct Input {
    stream: Stream,
    buffer: Buffer,
    format: Format,
    /// Bytes that must be there before the walk can go on.
    wanted: usize,
    at_end: bool,
}

/// What [`Input::next`] found without reading.
pub(super) enum Next {
    Frame(Located),
    /// Nothing more before [`Input::refill`].
    Starved,
    /// It is over, for a reason or because it is complete.
    Ended(Option<Box<ProblemKind>>),
}

enum Format {
    Classic(Classic),
    Pcapng(Pcapng),
    /// It could not be opened.
    Absent,
}

impl Input {
    /// Recognises compression and format, and reads a classic capture's header; `index` is its
    /// place among the inputs.
    pub(super) fn new(source: Counted, buffer_len: usize, index: u16) -> Result<Self, ProblemKind> {
        let mut stream =
            Stream::new(source).map_err(|source| ProblemKind::Read { offset: 0, source })?;
        let mut buffer = Buffer::new(buffer_len);
        let magic = front(&mut buffer, &mut stream, MAGIC_LEN)?;
        if magic.is_empty() {
            return Err(ProblemKind::Empty);
        }
        let format = Format::of(magic, index)?;
        let mut input = Self { stream, buffer, format, wanted: 0, at_end: false };
        input.read_file_header()?;
        Ok(input)
    }

    /// In the place of one that could not be opened; nothing is ever asked of it.
    pub(super) fn absent() -> Self {
        let (stream, buffer) = (Stream::Closed, Buffer::new(0));
        Self { stream, buffer, format: Format::Absent, wanted: 0, at_end: true }
    }

    fn read_file_header(&mut self) -> Result<(), ProblemKind> {
        let Format::Classic(classic) = &mut self.format else {
            return Ok(());
        };
        let header = front(&mut self.buffer, &mut self.stream, FILE_HEADER_LEN)?;
        let Some(header) = header.first_chunk::<FILE_HEADER_LEN>() else {
            let (wanted, left) = (FILE_HEADER_LEN, header.len());
            return Err(ProblemKind::Truncated { offset: 0, wanted, left });
        };
        classic.read_header(*header)?;
        self.buffer.consume(FILE_HEADER_LEN);
        Ok(())
    }

    /// The next frame of what is in the buffer.
    #[inline]
    pub(super) fn next(&mut self) -> Next {
        let step = match &mut self.format {
            Format::Classic(classic) => classic.next(&mut self.buffer),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.buffer),
            Format::Absent => Step::Boundary,
        };
        match step {
            Step::Frame(frame) => Next::Frame(frame),
            Step::Boundary if self.at_end => Next::Ended(None),
            Step::Wants(wanted) if self.at_end => Next::Ended(Some(self.truncated(wanted))),
            Step::Boundary => self.starve(1),
            Step::Wants(wanted) => self.starve(wanted),
            Step::Damaged(kind) => Next::Ended(Some(kind)),
        }
    }

    /// Adds frames of what is in the buffer to `batch`, none later than `until`. It may stop at any
    /// time: what comes next is then found by [`Input::next`].
    #[inline]
    pub(super) fn fill(&mut self, batch: &mut Batch, until: Timestamp) {
        if let Format::Classic(classic) = &mut self.format {
            let filled = classic.fill(&mut self.buffer, batch.free(), until);
            batch.grow(filled);
        }
    }

    /// Reads once; every frame lent from here becomes invalid.
    ///
    /// An interrupted read is an error that leaves everything as it was.
    pub(super) fn refill(&mut self) -> io::Result<()> {
        self.at_end = self.buffer.refill(&mut self.stream, self.wanted)? == 0;
        Ok(())
    }

    /// The problem that a failed [`Input::refill`] is.
    pub(super) fn refused(&self, error: io::Error) -> ProblemKind {
        refused(&self.buffer, &self.stream, error)
    }

    /// The bytes of a frame found since the last [`Input::refill`].
    #[inline]
    pub(super) fn bytes(&self, frame: &Located) -> &[u8] {
        let start = frame.start as usize;
        self.buffer.slice(start..start + frame.len as usize)
    }

    /// Gives memory and file back; no frame of it may be lent any more.
    pub(super) fn close(&mut self) {
        self.buffer.close();
        self.stream = Stream::Closed;
    }

    /// Frames read, as Wireshark counts.
    pub(super) fn frames(&self) -> u64 {
        match &self.format {
            Format::Classic(classic) => classic.frames(),
            Format::Pcapng(pcapng) => pcapng.frames(),
            Format::Absent => 0,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self.format, Format::Absent)
    }

    /// Whether its bytes are stored as they are, without compression.
    pub(super) fn is_plain(&self) -> bool {
        self.stream.compression().is_none()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let format = match &self.format {
            Format::Classic(_) | Format::Absent => 0,
            Format::Pcapng(pcapng) => pcapng.memory_bytes(),
        };
        self.buffer.memory_bytes() + self.stream.memory_bytes() + format
    }

    #[cold]
    fn starve(&mut self, wanted: usize) -> Next {
        self.wanted = wanted;
        Next::Starved
    }

    #[cold]
    fn truncated(&self, wanted: usize) -> Box<ProblemKind> {
        let (offset, left) = (self.buffer.offset(), self.buffer.unread().len());
        Box::new(ProblemKind::Truncated { offset, wanted, left })
    }
}

impl Format {
    fn of(magic: &[u8], input: u16) -> Result<Self, ProblemKind> {
        if magic == pcapng::MAGIC {
            return Ok(Self::Pcapng(Pcapng::new(input)));
        }
        let classic = <[u8; MAGIC_LEN]>::try_from(magic).ok();
        classic
            .and_then(|magic| Classic::from_magic(magic, input))
            .map(Self::Classic)
            .ok_or_else(|| ProblemKind::NotCapture { magic: magic.to_vec(), hint: hint(magic) })
    }
}

/// The first `len` bytes, or fewer if the stream has no more.
fn front<'b>(
    buffer: &'b mut Buffer,
    stream: &mut Stream,
    len: usize,
) -> Result<&'b [u8], ProblemKind> {
    while buffer.unread().len() < len {
        match buffer.refill(stream, len) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(refused(buffer, stream, error)),
        }
    }
    let unread = buffer.unread();
    Ok(&unread[..len.min(unread.len())])
}

fn refused(buffer: &Buffer, stream: &Stream, source: io::Error) -> ProblemKind {
    let offset = buffer.offset() + buffer.unread().len() as u64;
    match stream.compression() {
        // What the system refused has its error number; the rest is the decompressor's finding.
        Some(compression) if source.raw_os_error().is_none() => {
            ProblemKind::Compression { compression, offset, source }
        }
        _ => ProblemKind::Read { offset, source },
    }
}

/// What a file that is no capture seems to be.
fn hint(magic: &[u8]) -> &'static str {
    match magic {
        b"BZh1" | b"BZh9" => " (bzip2; decompress it first)",
        [0xfd, b'7', b'z', b'X'] => " (xz; decompress it first)",
        [0x04, 0x22, 0x4d, 0x18] => " (lz4; decompress it first)",
        b"PK\x03\x04" => " (zip; unpack it first)",
        b"snoo" => " (snoop; convert it with \"editcap -F pcapng\")",
        b"GMBU" | b"RTSS" => " (Network Monitor; convert it with \"editcap -F pcapng\")",
        [0x1c, 0, 1, 0xab | 0xac] | [0xab | 0xac, 1, 0, 0x1c] => {
            " (Ixia; convert it with \"editcap -F pcapng\")"
        }
        _ => ", where pcap, pcapng, gzip or zstd is wanted",
    }
}
