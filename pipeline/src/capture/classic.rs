//! The classic pcap format: one file header, then records (draft-ietf-opsawg-pcap; libpcap's
//! `sf-pcap.c` for the older variants).

use flowtable::Timestamp;
use wire::LinkType;

use super::ProblemKind;
use super::buffer::Buffer;
use super::walk::{ByteOrder, FRAME_LEN_MAX, Located, Origin, Step};

/// Walks the records of a classic capture.
///
/// Our own walk, not for speed: `pcap-parser` 0.17 in this place executed as many instructions (146
/// a frame, the road from file to lent frame and the caller's loop included). But the captured
/// length must be read here anyway, to refuse an absurd one and to know how much to wait for, and
/// then nothing is left for a parser to do. Tests hold it to what `pcap-parser` finds.
#[derive(Debug)]
pub(super) struct Classic {
    order: ByteOrder,
    /// Nanoseconds a unit of the record's fraction field.
    fraction_ns: u32,
    /// 16, or 24 in Kuznetzov's modified format.
    header_len: usize,
    /// Before version 2.4 the two lengths may stand in either order.
    lengths_swapped: bool,
    origin: Origin,
    frames: u64,
}

impl Classic {
    /// The variant a file's first four bytes name, before its header is read; `input` is the
    /// file's index.
    pub(super) fn from_magic(magic: [u8; 4], input: u16) -> Option<Self> {
        let (order, value) = match magic {
            [0xa1, ..] => (ByteOrder::Big, u32::from_be_bytes(magic)),
            _ => (ByteOrder::Little, u32::from_le_bytes(magic)),
        };
        let (fraction_ns, header_len) = match value {
            MAGIC_MICROSECONDS => (1_000, RECORD_HEADER_LEN),
            MAGIC_NANOSECONDS => (1, RECORD_HEADER_LEN),
            MAGIC_MODIFIED => (1_000, MODIFIED_RECORD_HEADER_LEN),
            _ => return None,
        };
        let lengths_swapped = false;
        let origin = Origin { input, ..Located::BLANK.origin };
        Some(Self { order, fraction_ns, header_len, lengths_swapped, origin, frames: 0 })
    }

    /// Takes the file header in.
    pub(super) fn read_header(&mut self, header: [u8; FILE_HEADER_LEN]) -> Result<(), ProblemKind> {
        let (major, minor) = (self.order.u16_at(&header, 4), self.order.u16_at(&header, 6));
        if major != VERSION_MAJOR {
            return Err(ProblemKind::Version { format: "pcap", major, minor, offset: 0 });
        }
        self.lengths_swapped = minor < VERSION_MINOR_ORDERED;
        // The upper bits tell the length of a frame check sequence.
        self.origin.link = LinkType::from_dlt(self.order.u32_at(&header, 20) & LINK_TYPE_MASK);
        Ok(())
    }

    /// The next record.
    #[inline]
    pub(super) fn next(&mut self, buffer: &mut Buffer) -> Step {
        let unread = buffer.unread();
        let Some(header) = unread.first_chunk::<RECORD_HEADER_LEN>() else {
            return if unread.is_empty() { Step::Boundary } else { Step::Wants(self.header_len) };
        };
        let mut captured = self.order.u32_at(header, 8);
        if self.lengths_swapped {
            // A capture never holds more of a frame than there was.
            captured = captured.min(self.order.u32_at(header, 12));
        }
        if captured > FRAME_LEN_MAX {
            let (offset, max) = (buffer.offset(), FRAME_LEN_MAX);
            return Step::Damaged(Box::new(ProblemKind::FrameLength { offset, captured, max }));
        }
        let record_len = self.header_len + captured as usize;
        if unread.len() < record_len {
            return Step::Wants(record_len);
        }
        let (seconds, fraction) = (self.order.u32_at(header, 0), self.order.u32_at(header, 4));
        let time = time_of(seconds, fraction, self.fraction_ns);
        let start = (buffer.position() + self.header_len) as u32;
        buffer.consume(record_len);
        self.frames += 1;
        Step::Frame(Located { time, frame: self.frames, start, len: captured, origin: self.origin })
    }

    /// Fills `places` with the next records up to the time `until`; returns how many it could.
    ///
    /// Only for the usual shape, little-endian with 16 bytes in front of each frame, and only as far
    /// as records are whole: for everything else, damage too, [`Classic::next`] is asked.
    pub(super) fn fill(
        &mut self,
        buffer: &mut Buffer,
        places: &mut [Located],
        until: Timestamp,
    ) -> usize {
        let is_usual = self.order == ByteOrder::Little
            && self.header_len == RECORD_HEADER_LEN
            && !self.lengths_swapped;
        match until {
            _ if !is_usual => 0,
            // An input alone has no other to wait for: one comparison less.
            Timestamp(u64::MAX) => self.fill_usual::<false>(buffer, places, until),
            _ => self.fill_usual::<true>(buffer, places, until),
        }
    }

    /// Two checks a record: that its header is there, and the rest of it. The third, of an absurd
    /// length, is theirs as well, because no more is looked at than the longest frame has.
    ///
    /// Not inlined: among its caller's variables the loop's own would not stay in registers.
    #[inline(never)]
    fn fill_usual<const HAS_END: bool>(
        &mut self,
        buffer: &mut Buffer,
        places: &mut [Located],
        until: Timestamp,
    ) -> usize {
        let (origin, fraction_ns, before) = (self.origin, self.fraction_ns, self.frames);
        let unread = buffer.unread();
        let mut rest = &unread[..unread.len().min(FRAME_LEN_MAX as usize)];
        let all = rest.len();
        // Of a frame whose header `rest` begins with.
        let start_at_the_end = buffer.position() + all + RECORD_HEADER_LEN;
        let mut frame = before;
        for place in places {
            let Some((header, behind)) = rest.split_first_chunk::<RECORD_HEADER_LEN>() else {
                break;
            };
            let [seconds, fraction, len] = [0, 4, 8].map(|at| ByteOrder::Little.u32_at(header, at));
            let Some(next) = behind.get(len as usize..) else { break };
            let time = time_of(seconds, fraction, fraction_ns);
            if HAS_END && time > until {
                break;
            }
            frame += 1;
            let start = (start_at_the_end - rest.len()) as u32;
            *place = Located { time, frame, start, len, origin };
            rest = next;
        }
        buffer.consume(all - rest.len());
        self.frames = frame;
        (frame - before) as usize
    }

    /// Records read.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }
}

/// At most 2^32 * 10^9 + 2^32 * 10^3: no overflow.
#[inline(always)]
fn time_of(seconds: u32, fraction: u32, fraction_ns: u32) -> Timestamp {
    Timestamp(u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * u64::from(fraction_ns))
}

/// Length of the file header.
pub(super) const FILE_HEADER_LEN: usize = 24;
const RECORD_HEADER_LEN: usize = 16;
/// Alexey Kuznetzov's patched libpcap adds interface, protocol and packet type.
const MODIFIED_RECORD_HEADER_LEN: usize = 24;
const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;
const VERSION_MAJOR: u16 = 2;
/// From this minor version on, the captured length stands first.
const VERSION_MINOR_ORDERED: u16 = 4;
const LINK_TYPE_MASK: u32 = 0x03ff_ffff;
