//! What the walkers of both formats share: where a frame lies, and fields in either byte order.

use flowtable::{TapPort, Timestamp};
use wire::LinkType;

use super::ProblemKind;

/// A frame found in the buffer of an input. 32 bytes: one is written for each packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub(super) time: Timestamp,
    /// 1-based, as Wireshark counts.
    pub(super) frame: u64,
    /// Index in the buffer.
    pub(super) start: u32,
    /// Captured bytes.
    pub(super) len: u32,
    pub(super) origin: Origin,
}

/// What a run of frames has in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Index of the input.
    pub(super) input: u16,
    pub(super) link: Option<LinkType>,
    pub(super) port: TapPort,
}

impl Located {
    /// What stands in a place before it is filled.
    pub(super) const BLANK: Self = Self {
        time: Timestamp(0),
        frame: 0,
        start: 0,
        len: 0,
        // Interfaces of a capture are not the fibres of a tap: both may show both directions.
        origin: Origin { input: 0, link: None, port: TapPort(0) },
    };

    /// By time, then by input: the order in which frames are lent.
    #[inline]
    pub(super) fn order(&self) -> (u64, u16) {
        (self.time.0, self.origin.input)
    }
}

const _: () = assert!(size_of::<Located>() == 32);

/// What a walker found at the front of the buffer.
#[derive(Debug)]
pub(super) enum Step {
    /// A frame, which has been consumed.
    Frame(Located),
    /// Less than so many bytes are there.
    Wants(usize),
    /// Nothing is there, and nothing needs to be.
    Boundary,
    /// It cannot be read on. Boxed, so that the usual step stays small.
    Damaged(Box<ProblemKind>),
}

/// The order of a file's multi-byte fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// The four bytes at `at`; callers hold them in an array or have checked the length.
    #[inline(always)]
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> u32 {
        let field = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        match self {
            Self::Little => u32::from_le_bytes(field),
            Self::Big => u32::from_be_bytes(field),
        }
    }

    /// The two bytes at `at`.
    #[inline(always)]
    pub(super) fn u16_at(self, bytes: &[u8], at: usize) -> u16 {
        let field = [bytes[at], bytes[at + 1]];
        match self {
            Self::Little => u16::from_le_bytes(field),
            Self::Big => u16::from_be_bytes(field),
        }
    }
}

/// The longest frame read, in captured bytes: 256 KiB, the largest snapshot length that libpcap and
/// Wireshark allow for network link types (`MAXIMUM_SNAPLEN`, `WTAP_MAX_PACKET_SIZE_STANDARD`).
/// A longer one is damage: without a bound, one flipped bit makes a reader swallow the whole file.
pub(super) const FRAME_LEN_MAX: u32 = 1 << 18;
