//! Where frames come from: live queues and capture files behind one trait.

use flowtable::{TapPort, Timestamp};
use wire::LinkType;

/// Lends frames in batches.
///
/// [`Source::receive`] needs `&mut self`, so no frame of the old batch can be alive when its memory
/// is given back: the borrow checker is the only bookkeeping.
pub trait Source {
    /// Takes back the last batch and lends the next; never more than [`BATCH_MAX`] frames.
    ///
    /// # Errors
    /// The source cannot go on. Damage that ends one input only is remembered by the source and is
    /// not an error here: what was read before it must not be lost.
    fn receive(&mut self) -> Result<Received, SourceError>;

    /// Frame `index` of the batch; panics if `index` is not below the number received.
    fn frame(&self, index: usize) -> Frame<'_>;

    /// Whether the batch holds frames of both ports of a tap, whose order among each other is not known.
    fn is_of_two_ports(&self) -> bool {
        false
    }

    /// The time now, if the source lives by a clock; replayed time stands still between frames.
    fn clock(&self) -> Option<Timestamp> {
        None
    }
}

/// What a call to [`Source::receive`] brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// So many frames are lent, at least one.
    Frames(usize),
    /// Nothing now; more may come.
    Idle,
    /// Nothing any more.
    End,
}

/// One frame, lent until the next [`Source::receive`].
#[derive(Clone, Copy, Debug)]
pub struct Frame<'b> {
    /// The captured bytes.
    pub bytes: &'b [u8],
    /// When it was received.
    pub time: Timestamp,
    /// What the first byte is the start of; `None` for link types that are not read.
    pub link: Option<LinkType>,
    /// Which fibre of the tap.
    pub port: TapPort,
    /// Where it was received.
    pub receipt: Receipt,
}

/// Where a packet was received: file and frame, or interface and queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    /// Index of the file among the inputs, or of the interface among those watched.
    pub input: u16,
    /// Receive queue; 0 for files.
    pub queue: u16,
    /// 1-based number of the frame in its file, or of the packet on its queue.
    pub frame: u64,
}

/// Most frames lent at once.
pub const BATCH_MAX: usize = 64;

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The operating system refused.
    #[error("receive on {name}: {source}")]
    Receive {
        /// Interface or file.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
}
