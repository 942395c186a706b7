//! What was wrong with an input, where, and after how many frames.

use std::io;

/// Why one input of a [`CaptureSource`](crate::CaptureSource) ended early or was never read.
///
/// What was read before it has been lent; the other inputs go on.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {kind} ({frame} frames read before)")]
pub struct Problem {
    /// Index of the input.
    pub input: usize,
    /// The input as the user named it.
    pub name: String,
    /// Frames read before it, counted as Wireshark counts.
    pub frame: u64,
    /// What happened.
    #[source]
    pub kind: ProblemKind,
}

/// What was wrong. Offsets count bytes of the capture, after decompression.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The file could not be opened.
    #[error("cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// The operating system refused a read.
    #[error("cannot be read at byte {offset}: {source}")]
    Read {
        /// How far it was read.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Standard input can be read once only.
    #[error("standard input is named more than once; name \"-\" once")]
    StandardInputAgain,
    /// More inputs than a frame's receipt can number.
    #[error("not read: more than {max} inputs; merge some of them first")]
    TooManyInputs {
        /// Most inputs read together.
        max: usize,
    },
    /// No bytes at all.
    #[error("is empty")]
    Empty,
    /// The first bytes are no capture file's.
    #[error("is not a capture: begins with {magic:02x?}{hint}")]
    NotCapture {
        /// Up to four bytes.
        magic: Vec<u8>,
        /// What it seems to be and what to do, or nothing.
        hint: &'static str,
    },
    /// A format version that is not defined.
    #[error("{format} version {major}.{minor} at byte {offset} is not known")]
    Version {
        /// The format's name.
        format: &'static str,
        /// As written in the file.
        major: u16,
        /// As written in the file.
        minor: u16,
        /// Where the header begins.
        offset: u64,
    },
    /// The compressed stream is damaged or cut off.
    #[error("damaged {compression} data, readable up to byte {offset} of the capture: {source}")]
    Compression {
        /// The compression's name.
        compression: &'static str,
        /// Bytes of the capture that came out of it.
        offset: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// The file ends inside a header, frame or block.
    #[error("cut off at byte {offset}: {left} bytes left where {wanted} are needed")]
    Truncated {
        /// Where the unfinished part begins.
        offset: u64,
        /// Bytes it needs, as far as is known.
        wanted: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// A captured length that no capture writes.
    #[error("damaged at byte {offset}: frame claims {captured} captured bytes, over {max}")]
    FrameLength {
        /// Where the frame's header begins.
        offset: u64,
        /// The length it claims.
        captured: u32,
        /// The longest frame read.
        max: u32,
    },
    /// A pcapng block length that cannot be.
    #[error("damaged at byte {offset}: block {block_type:#010x} claims a length of {length} bytes")]
    BlockLength {
        /// Where the block begins.
        offset: u64,
        /// The block's type.
        block_type: u32,
        /// The length it claims.
        length: u32,
    },
    /// A pcapng block whose two lengths differ.
    #[error("damaged at byte {offset}: block lengths differ, {first} in front and {last} behind")]
    BlockTrailer {
        /// Where the length behind the block stands.
        offset: u64,
        /// The length in front, rounded up to four bytes.
        first: u64,
        /// The length behind.
        last: u32,
    },
    /// A pcapng frame of an interface that was not described.
    #[error("damaged at byte {offset}: frame of interface {interface}, but only {known} described")]
    Interface {
        /// Where the block begins.
        offset: u64,
        /// The interface it names.
        interface: u32,
        /// Interfaces described in this section.
        known: usize,
    },
    /// More pcapng interfaces in one section than are remembered.
    #[error("more than {max} interfaces in one section at byte {offset}")]
    TooManyInterfaces {
        /// Where the block begins.
        offset: u64,
        /// Most interfaces remembered.
        max: usize,
    },
    /// A pcapng section header without a byte-order mark.
    #[error("damaged at byte {offset}: section header without byte-order magic, but {magic:02x?}")]
    ByteOrder {
        /// Where the block begins.
        offset: u64,
        /// What stands in its place.
        magic: [u8; 4],
    },
}
