//! What is remembered of a connection.
//!
//! A [`Segment`] is what is left of a packet when its bytes are gone. [`FlowKey`] says whose it is,
//! [`FlowTable`] finds the [`FlowRecord`] of the connection, which takes the segment in. Resets
//! leave only a mark there, since they may be forged; each is kept as a [`Watch`] with the record
//! as it was before it and an [`Aftermath`] that sees what follows for a few seconds.
//!
//! | file | idea |
//! |---|---|
//! | `time` | instants and spans |
//! | `key` | endpoints, directions, keys |
//! | `payload`, `tls_record`, `segment` | the facts of one segment |
//! | `stack` | which stack wrote a SYN |
//! | `record` | the 128 bytes of a connection, and what its end would cost |
//! | `hosts` | what a server's answers look like |
//! | `set`, `table` | sixteen flows in a line, and the bounded table made of such sets |
//! | `aftermath`, `watch` | what follows a reset |
//! | `clock_step` | how coarse the clock is |
//! | `silence` | how long nothing was said |
//! | `note` | what else other connections are judged by |
//!
//! **Invariant:** nothing grows after construction; time is an argument; nothing is judged.
#![forbid(unsafe_code)]

mod aftermath;
mod clock_step;
mod hosts;
mod key;
mod note;
mod payload;
mod plain;
mod record;
mod segment;
mod set;
mod silence;
mod stack;
mod table;
mod time;
mod tls_record;
mod watch;

pub use aftermath::{Aftermath, Alive, AliveBy, Opposite, Train};
pub use clock_step::ClockStep;
pub use hosts::{HostBaseline, HostTable, Look};
pub use key::{Direction, EndV4, EndV6, Endpoint, Ends, FlowKey, KeyScope};
pub use note::{Happening, NameNote, Note, PlainName};
pub use payload::PayloadClass;
pub use plain::Plain;
pub use record::{Change, FlowRecord, RoleSource, Side};
pub use segment::{MIXED_MACS, Marks, Segment, TapPort};
pub use set::Set;
pub use silence::Silence;
pub use stack::Stack;
pub use table::{FlowHash, FlowTable, Pages, Slot, TableCounts, TableOptions, Timeouts, WAYS};
pub use time::{Tick, Ticks, Timestamp};
pub use tls_record::OpenRecord;
pub use watch::{EarlierReset, ResetNote, WATCHES_PER_FLOW, Watch, WatchPool};
