//! Which TCP stack wrote a SYN or SYN/ACK, by the layout of its options and its hop limit.

use crate::segment::Segment;

/// Family of a TCP stack; what it tells is the grammar of its resets (classification.md, section 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Stack {
    /// No SYN was seen, or its layout is nobody's.
    #[default]
    Unknown,
    /// Linux: MSS, SACK, TS, NOP, WS and their echoes in SYN/ACKs.
    Linux,
    /// Windows: MSS, NOP, WS, NOP, NOP, SACK or with timestamps, initial TTL 128.
    Windows,
    /// macOS, iOS: MSS, NOP, WS, NOP, NOP, TS, SACK, EOL.
    Apple,
    /// FreeBSD and kin: MSS, NOP, WS, SACK, TS, initial TTL 64.
    Bsd,
    /// A SYN without options, or with MSS alone: scanners, small devices.
    Bare,
}

impl Stack {
    /// The family that writes SYNs and SYN/ACKs like this one.
    #[must_use]
    pub fn of(segment: &Segment) -> Self {
        let windows_ttl = segment.hop_limit > 64 && segment.hop_limit <= 128;
        if segment.hop_limit == 0 {
            // Anonymised: nothing to go by.
            return Self::Unknown;
        }
        match segment.layout {
            0 => Self::Bare,
            layout if layout == layout_of(&[2]) => Self::Bare,
            layout if LINUX.contains(&layout) && segment.hop_limit <= 64 => Self::Linux,
            layout if WINDOWS.contains(&layout) && windows_ttl => Self::Windows,
            layout if APPLE.contains(&layout) && segment.hop_limit <= 64 => Self::Apple,
            layout if BSD.contains(&layout) && segment.hop_limit <= 64 => Self::Bsd,
            _ => Self::Unknown,
        }
    }

    /// The name used in evidence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown stack",
            Self::Linux => "Linux",
            Self::Windows => "Windows",
            Self::Apple => "Apple",
            Self::Bsd => "BSD",
            Self::Bare => "bare stack",
        }
    }
}

/// FNV-1a over option kinds, as [`wire::TcpOptions::layout`] computes it.
pub(crate) const fn layout_of(kinds: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5u32;
    let mut index = 0;
    while index < kinds.len() {
        hash = (hash ^ kinds[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    hash
}

const LINUX: [u32; 6] = [
    layout_of(&[2, 4, 8, 1, 3]),
    layout_of(&[2, 1, 1, 4, 1, 3]),
    layout_of(&[2, 4, 8]),
    layout_of(&[2, 1, 1, 8, 1, 3]),
    layout_of(&[2, 1, 1, 4]),
    layout_of(&[2, 4, 8, 1, 3, 30]),
];
const WINDOWS: [u32; 5] = [
    layout_of(&[2, 1, 3, 1, 1, 4]),
    layout_of(&[2, 1, 3, 4, 8]),
    layout_of(&[2, 1, 1, 4]),
    layout_of(&[2, 1, 3, 1, 1, 8, 1, 1, 4]),
    layout_of(&[2, 1, 3]),
];
const APPLE: [u32; 4] = [
    layout_of(&[2, 1, 3, 1, 1, 8, 4, 0]),
    layout_of(&[2, 1, 3, 1, 1, 8, 4]),
    layout_of(&[2, 1, 3, 4, 0]),
    layout_of(&[2, 1, 3, 1, 1, 4, 0]),
];
const BSD: [u32; 3] = [
    layout_of(&[2, 1, 3, 4, 8]),
    layout_of(&[2, 1, 1, 4, 1, 3, 1, 1, 8]),
    layout_of(&[2, 1, 3, 1, 1, 8]),
];
