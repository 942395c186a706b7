//! Frames out of a queue, by AF_XDP.
//!
//! [`Attachment::open`] loads a small XDP program, hangs it on an interface by a BPF link, and binds
//! one AF_XDP socket to each receive queue. The program redirects what is or may carry TCP; each
//! [`Queue`] belongs to one thread and lends out the packets of its queue, batch by batch, in the
//! very memory that the driver (zero copy) or the kernel (copy) wrote them to.
//!
//! ```no_run
//! # fn main() -> Result<(), xdp::Error> {
//! let (attachment, mut queues) = xdp::Attachment::open(&xdp::Options::new("eth1"))?;
//! let queue = &mut queues[0];
//! loop {
//!     for index in 0..queue.receive() {
//!         let headers = queue.frame(index);
//!         // Parse `headers`; the packet was `queue.frame_len(index)` bytes on the wire.
//!     }
//! }
//! # }
//! ```
//!
//! | file | what |
//! |---|---|
//! | `attachment.rs` | the order in which everything is opened; what the sensor holds |
//! | `queue.rs` | the receive loop's half: batches of packets |
//! | `socket.rs`, `ring.rs`, `umem.rs`, `mapping.rs` | one AF_XDP socket and its shared memory |
//! | `program.rs`, `bpf/` | the XDP program, its link and its counters |
//! | `metadata.rs` | what the card knows of a packet: its stamp and its hash |
//! | `hints.rs`, `shell.rs` | what a card could be told, as commands |
//! | `receive_hash.rs` | how a card spreads packets over its queues, read and set |
//! | `synchronization.rs` | whether the system's clock is held to the true time |
//! | `prefilter.rs` | the decisions of control mode in user space, for captures |
//! | `interface.rs`, `ethtool.rs`, `netlink.rs`, `holder.rs` | what the kernel says of an interface |
//! | `privileges.rs` | capabilities and the locked-memory limit, checked before anything is tried |
//! | `huge.rs` | huge pages under the tables of others |
//! | `prefetch.rs` | loads of memory that will be needed soon |
//! | `transmit.rs`, `flood.rs` | a minimal sender and a fast one, for tests and benches |
//! | `system.rs` | every system call that the standard library does not wrap |
//!
//! **Invariant:** all `unsafe` of the workspace is in this crate, one operation per block.
//! **Invariant:** [`Queue::receive`] neither allocates, locks nor logs, and makes a system call only
//! where the driver asks to be woken or busy polling was configured.
//! **Invariant:** when the process dies, however it dies, the kernel removes program, sockets and
//! promiscuous mode: nothing is pinned, nothing is attached by netlink.

mod attachment;
mod error;
mod ethtool;
mod flood;
mod hints;
mod holder;
mod huge;
mod interface;
mod mapping;
mod metadata;
mod netlink;
mod options;
mod prefetch;
mod prefilter;
mod privileges;
mod program;
mod queue;
mod receive_hash;
mod ring;
mod shell;
mod socket;
mod synchronization;
mod system;
mod transmit;
mod umem;
mod warning;

pub use attachment::Attachment;
pub use error::Error;
pub use ethtool::{Offloads, Ring, Spreading};
pub use flood::Flood;
pub use hints::{Hint, HintKind};
pub use holder::Holder;
pub use huge::{bytes_on_huge_pages, prefer_huge_pages};
pub use interface::{Interface, InterfaceStatistics};
pub use metadata::Metadata;
pub use options::{
    AttachMode, BusyPoll, Capture, Clock, HugePages, Options, Others, Ration, ZeroCopy,
};
pub use prefetch::prefetch;
pub use prefilter::Prefilter;
pub use privileges::Privileges;
pub use program::Counters;
pub use queue::{BATCH_MAX, Queue, Statistics};
pub use receive_hash::{ReceiveHash, Symmetry};
pub use shell::quoted;
pub use socket::Mode;
pub use synchronization::Synchronization;
pub use transmit::Sender;
pub use umem::Backing;
pub use warning::Warning;
