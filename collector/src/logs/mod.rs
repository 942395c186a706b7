//! Logs of firewalls and servers, joined with resets that were seen on the wire.
//!
//! | file | what |
//! |---|---|
//! | `session.rs` | [`LogSession`]: a connection as a log tells it |
//! | `read/` | lines into sessions, one file a product |
//! | `join/` | [`Joiner`]: sessions and resets of one connection brought together |
//! | `service/` | [`Logs`]: listeners and files, live |
//! | `options.rs` | [`LogOptions`]: what can be set |
//! | `conclude.rs`, `firewall.rs`, `proxy.rs` | what a line does to a verdict |

mod conclude;
mod firewall;
mod join;
mod options;
mod proxy;
mod read;
mod service;
mod session;

pub use join::{ClockRow, JoinCounts, JoinOptions, Joiner, Revision};
pub use options::{LogFile, LogListen, LogOptions, Transport, ZoneText};
pub use read::{Context, Reader, Zone};
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use service::Frames;
pub use service::{LogCounts, LogError, Logs, Sources};
pub use session::{End, Garbage, Kind, LogSession, LogTuple, Matched, Product, Reading, ResetTo};
