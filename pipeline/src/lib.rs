//! The running sensor.
//!
//! ```text
//! Source -> Worker (reads headers) -> Shard (finds flows, judges) -> Outbox ~> Exporter -> Sink
//!                  \-- Handover ring --> the Shard of another worker
//! ```
//!
//! Live, a thread of its own (`keeper.rs`) holds the attachments and hands queues of interfaces that
//! are back to their workers; `tap/` says what is wrong with what they bring.
//!
//! The road of a packet is `Worker::turn` and `Shard::take`, live or replayed. Nothing on it
//! allocates, locks, logs or makes a system call per packet; windows circulate between each worker
//! and the one exporter.
#![forbid(unsafe_code)]

mod arrivals;
mod batch;
mod budget;
mod capture;
mod card_clock;
mod clock;
mod crew;
mod deed;
mod error;
mod exporter;
mod gauge;
mod groups;
mod handover;
mod held;
mod keeper;
mod link;
mod links;
mod live;
mod minutes;
mod names;
mod options;
mod outbox;
mod prefiltered;
mod queues;
mod read;
mod run;
mod shard;
mod sink;
mod source;
mod tap;
mod telling;
mod trail;
mod untangle;
mod window;
mod worker;

pub use capture::{CaptureSource, Problem, ProblemKind};
pub use error::Error;
pub use flowtable::{KeyScope, TapPort, Timeouts, Timestamp};
pub use handover::Sharding;
pub use link::Link;
pub use live::Wait;
pub use minutes::MinuteOptions;
pub use names::NamesKept;
pub use options::Options;
pub use prefiltered::Prefiltered;
pub use queues::replay_queues;
pub use read::{read, replay};
pub use run::{RunOptions, run};
pub use sink::Sink;
pub use source::{BATCH_MAX, Frame, Receipt, Received, Source, SourceError};
pub use trail::EvidenceOptions;
pub use wire::LinkType;
pub use xdp::{AttachMode, Capture, Clock, HugePages, Interface, Others, Ration, ZeroCopy};
