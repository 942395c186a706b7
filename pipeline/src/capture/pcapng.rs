//! The pcapng format: blocks in sections (draft-ietf-opsawg-pcapng).

use flowtable::Timestamp;
use wire::LinkType;

use super::ProblemKind;
use super::buffer::{BUFFER_LEN_MAX, Buffer};
use super::resolution::TickClock;
use super::walk::{ByteOrder, FRAME_LEN_MAX, Located, Origin, Step};

/// Walks the blocks of a pcapng capture.
///
/// Our own walk, because `pcap-parser` 0.17 collects the options of every packet block in a `Vec`:
/// an allocation a packet. Tests hold it to what `pcap-parser` finds.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: ByteOrder,
    /// Interfaces of this section, by number.
    interfaces: Vec<Interface>,
    /// The block that is being stepped over.
    skipped: Option<Skipped>,
    /// Time of the last frame, for blocks that carry none.
    last: Timestamp,
    frames: u64,
    /// Index of the input.
    input: u16,
}

/// What an interface description block says.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Option<LinkType>,
    /// 0 for no limit.
    snap_len: u32,
    clock: TickClock,
}

/// A block of no interest: its body may be longer than any buffer.
#[derive(Clone, Copy, Debug)]
struct Skipped {
    length: u64,
    body_left: u64,
}

/// A block that is in the buffer as a whole.
#[derive(Clone, Copy)]
struct Block<'b> {
    block_type: u32,
    bytes: &'b [u8],
    offset: u64,
    order: ByteOrder,
}

/// The fields of a packet block, in whichever of the three shapes.
struct PacketFields {
    interface: u32,
    ticks: Option<u64>,
    captured: u32,
    header_len: usize,
}

type Damage = Box<ProblemKind>;

impl Pcapng {
    /// A walker for a file that begins with [`MAGIC`]; `input` is its index.
    pub(super) fn new(input: u16) -> Self {
        Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            skipped: None,
            last: Timestamp::default(),
            frames: 0,
            input,
        }
    }

    /// The next frame; blocks that are none are taken in or stepped over.
    #[inline]
    pub(super) fn next(&mut self, buffer: &mut Buffer) -> Step {
        loop {
            if let Some(skipped) = self.skipped
                && let Some(step) = self.step_over(skipped, buffer)
            {
                return step;
            }
            let unread = buffer.unread();
            let Some(header) = unread.first_chunk::<BLOCK_LEN_MIN>() else {
                return if unread.is_empty() { Step::Boundary } else { Step::Wants(BLOCK_LEN_MIN) };
            };
            let (block_type, length) = match self.block_header(header, buffer.offset()) {
                Ok(found) => found,
                Err(damage) => return Step::Damaged(damage),
            };
            if !is_read_whole(block_type) {
                if block_type == JOURNAL_EXPORT {
                    // Wireshark lists it and numbers it among the packets.
                    self.frames += 1;
                }
                self.skipped = Some(Skipped { length, body_left: length - 12 });
                buffer.consume(8);
                continue;
            }
            let Some(bytes) = unread.get(..length as usize) else {
                return Step::Wants(length as usize);
            };
            let block = Block { block_type, bytes, offset: buffer.offset(), order: self.order };
            let taken = self.take_in(block, buffer.position());
            buffer.consume(length as usize);
            match taken {
                Ok(Some(frame)) => return Step::Frame(frame),
                Ok(None) => {}
                Err(damage) => return Step::Damaged(damage),
            }
        }
    }

    /// Numbered rows read.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.interfaces.capacity() * size_of::<Interface>()
    }

    /// Type and padded length of the block; a section header sets the byte order first.
    #[inline]
    fn block_header(
        &mut self,
        header: &[u8; BLOCK_LEN_MIN],
        offset: u64,
    ) -> Result<(u32, u64), Damage> {
        let block_type = self.order.u32_at(header, 0);
        if block_type == SECTION_HEADER {
            let magic = [header[8], header[9], header[10], header[11]];
            self.order = match u32::from_be_bytes(magic) {
                BYTE_ORDER_MAGIC => ByteOrder::Big,
                value if value.swap_bytes() == BYTE_ORDER_MAGIC => ByteOrder::Little,
                _ => return Err(Box::new(ProblemKind::ByteOrder { offset, magic })),
            };
        }
        let length = self.order.u32_at(header, 4);
        let padded = padded(length);
        let too_long = is_read_whole(block_type) && padded > BUFFER_LEN_MAX as u64;
        if (length as usize) < BLOCK_LEN_MIN || too_long {
            return Err(Box::new(ProblemKind::BlockLength { offset, block_type, length }));
        }
        Ok((block_type, padded))
    }

    /// Consumes what is there of a block of no interest; `None` when it has been left.
    #[cold]
    fn step_over(&mut self, skipped: Skipped, buffer: &mut Buffer) -> Option<Step> {
        let here = buffer.unread().len() as u64;
        let stepped = skipped.body_left.min(here);
        buffer.consume(stepped as usize);
        let body_left = skipped.body_left - stepped;
        self.skipped = Some(Skipped { body_left, ..skipped });
        if body_left > 0 {
            return Some(Step::Wants(BLOCK_LEN_MIN));
        }
        let Some(trailer) = buffer.unread().first_chunk::<4>() else {
            return Some(Step::Wants(4));
        };
        if let Err(damage) =
            check_trailer(self.order.u32_at(trailer, 0), skipped.length, buffer.offset())
        {
            return Some(Step::Damaged(damage));
        }
        buffer.consume(4);
        self.skipped = None;
        None
    }

    /// Takes a whole block in, which lies at `position` of the buffer.
    #[inline]
    fn take_in(&mut self, block: Block<'_>, position: usize) -> Result<Option<Located>, Damage> {
        block.check_trailer()?;
        match block.block_type {
            SECTION_HEADER => self.begin_section(block).map(|()| None),
            INTERFACE_DESCRIPTION => self.describe_interface(block).map(|()| None),
            _ => self.locate(block, position).map(Some),
        }
    }

    #[cold]
    fn begin_section(&mut self, block: Block<'_>) -> Result<(), Damage> {
        let fixed = block.fixed::<SECTION_HEADER_LEN>()?;
        let (major, minor) = (self.order.u16_at(fixed, 12), self.order.u16_at(fixed, 14));
        if major != VERSION_MAJOR {
            let offset = block.offset;
            return Err(Box::new(ProblemKind::Version { format: "pcapng", major, minor, offset }));
        }
        self.interfaces.clear();
        Ok(())
    }

    #[cold]
    fn describe_interface(&mut self, block: Block<'_>) -> Result<(), Damage> {
        let fixed = block.fixed::<INTERFACE_DESCRIPTION_LEN>()?;
        if self.interfaces.len() == INTERFACES_MAX {
            let (offset, max) = (block.offset, INTERFACES_MAX);
            return Err(Box::new(ProblemKind::TooManyInterfaces { offset, max }));
        }
        let mut tsresol = None;
        let mut offset_s = 0;
        for (code, value) in block.options(INTERFACE_DESCRIPTION_LEN) {
            match (code, value) {
                (OPTION_TSRESOL, [exponent, ..]) => tsresol = Some(*exponent),
                (OPTION_TSOFFSET, value) => {
                    if let Some(seconds) = value.first_chunk::<8>() {
                        offset_s = match self.order {
                            ByteOrder::Little => i64::from_le_bytes(*seconds),
                            ByteOrder::Big => i64::from_be_bytes(*seconds),
                        };
                    }
                }
                _ => {}
            }
        }
        self.interfaces.push(Interface {
            link: LinkType::from_dlt(u32::from(self.order.u16_at(fixed, 8))),
            snap_len: self.order.u32_at(fixed, 12),
            clock: TickClock::new(tsresol, offset_s),
        });
        Ok(())
    }

    /// The frame of a packet block.
    #[inline]
    fn locate(&mut self, block: Block<'_>, position: usize) -> Result<Located, Damage> {
        let mut fields = block.packet_fields()?;
        let Some(&interface) = self.interfaces.get(fields.interface as usize) else {
            return Err(Box::new(ProblemKind::Interface {
                offset: block.offset,
                interface: fields.interface,
                known: self.interfaces.len(),
            }));
        };
        if block.block_type == SIMPLE_PACKET && interface.snap_len != 0 {
            fields.captured = fields.captured.min(interface.snap_len);
        }
        let captured = fields.captured;
        if captured > FRAME_LEN_MAX {
            let (offset, max) = (block.offset, FRAME_LEN_MAX);
            return Err(Box::new(ProblemKind::FrameLength { offset, captured, max }));
        }
        if fields.header_len + captured as usize + 4 > block.bytes.len() {
            return Err(block.damaged_length());
        }
        if let Some(ticks) = fields.ticks {
            self.last = interface.clock.time(ticks);
        }
        self.frames += 1;
        Ok(Located {
            time: self.last,
            frame: self.frames,
            start: (position + fields.header_len) as u32,
            len: captured,
            origin: Origin { input: self.input, link: interface.link, ..Located::BLANK.origin },
        })
    }
}

impl<'b> Block<'b> {
    /// The first bytes of the block, with room for the length behind it.
    #[inline]
    fn fixed<const LEN: usize>(self) -> Result<&'b [u8; LEN], Damage> {
        match self.bytes.first_chunk::<LEN>() {
            Some(fixed) if self.bytes.len() >= LEN + 4 => Ok(fixed),
            _ => Err(self.damaged_length()),
        }
    }

    #[inline]
    fn packet_fields(self) -> Result<PacketFields, Damage> {
        Ok(match self.block_type {
            ENHANCED_PACKET => {
                let fixed = self.fixed::<PACKET_LEN>()?;
                self.stamped_fields(fixed, self.order.u32_at(fixed, 8))
            }
            OBSOLETE_PACKET => {
                let fixed = self.fixed::<PACKET_LEN>()?;
                self.stamped_fields(fixed, u32::from(self.order.u16_at(fixed, 8)))
            }
            _ => {
                let captured = self.order.u32_at(self.fixed::<SIMPLE_PACKET_LEN>()?, 8);
                PacketFields { interface: 0, ticks: None, captured, header_len: SIMPLE_PACKET_LEN }
            }
        })
    }

    #[inline]
    fn stamped_fields(self, fixed: &[u8; PACKET_LEN], interface: u32) -> PacketFields {
        let (high, low) = (self.order.u32_at(fixed, 12), self.order.u32_at(fixed, 16));
        PacketFields {
            interface,
            ticks: Some(u64::from(high) << 32 | u64::from(low)),
            captured: self.order.u32_at(fixed, 20),
            header_len: PACKET_LEN,
        }
    }

    /// Options from `start` on, as far as they make sense.
    fn options(self, start: usize) -> impl Iterator<Item = (u16, &'b [u8])> {
        let mut rest = &self.bytes[start..self.bytes.len() - 4];
        std::iter::from_fn(move || {
            let header = rest.first_chunk::<4>()?;
            let code = self.order.u16_at(header, 0);
            let len = usize::from(self.order.u16_at(header, 2));
            let value = rest.get(4..4 + len)?;
            rest = rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
            (code != OPTION_END).then_some((code, value))
        })
    }

    #[inline]
    fn check_trailer(self) -> Result<(), Damage> {
        let at = self.bytes.len() - 4;
        let last = self.order.u32_at(self.bytes, at);
        check_trailer(last, self.bytes.len() as u64, self.offset + at as u64)
    }

    #[cold]
    fn damaged_length(self) -> Damage {
        let length = self.order.u32_at(self.bytes, 4);
        let (offset, block_type) = (self.offset, self.block_type);
        Box::new(ProblemKind::BlockLength { offset, block_type, length })
    }
}

#[inline]
fn check_trailer(last: u32, first: u64, offset: u64) -> Result<(), Damage> {
    if padded(last) == first {
        Ok(())
    } else {
        Err(Box::new(ProblemKind::BlockTrailer { offset, first, last }))
    }
}

/// Some writers leave the padding out of a block's length; Wireshark adds it, and so do we.
#[inline]
fn padded(length: u32) -> u64 {
    u64::from(length).next_multiple_of(4)
}

#[inline]
fn is_read_whole(block_type: u32) -> bool {
    matches!(
        block_type,
        ENHANCED_PACKET | SIMPLE_PACKET | OBSOLETE_PACKET | INTERFACE_DESCRIPTION | SECTION_HEADER
    )
}

/// The first bytes of a pcapng file: a section header's type, the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = SECTION_HEADER.to_be_bytes();

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const JOURNAL_EXPORT: u32 = 9;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const VERSION_MAJOR: u16 = 1;
/// Type, length, and the length again.
const BLOCK_LEN_MIN: usize = 12;
/// Fixed part of each block, with its type and length.
const SECTION_HEADER_LEN: usize = 24;
const INTERFACE_DESCRIPTION_LEN: usize = 16;
const PACKET_LEN: usize = 28;
const SIMPLE_PACKET_LEN: usize = 12;
const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;
/// Most interfaces remembered of a section: far above any real capture's, so that an endless run of
/// descriptions cannot eat the memory.
const INTERFACES_MAX: usize = 1 << 16;

// A whole frame with its headers always fits a buffer.
const _: () = assert!(FRAME_LEN_MAX as usize + PACKET_LEN + 4 < BUFFER_LEN_MAX);
