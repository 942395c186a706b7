//! Logs of firewalls and servers, joined with resets that were seen on the wire.
//!
//! | file | what |
//! |---|---|
//! | `session.rs` | [`LogSession`]: a connection as a log tells it |
//! | `read/` | lines into sessions, one file a product |

mod read;
mod session;

pub use read::{Context, Reader, Zone};
pub use session::{End, Garbage, Kind, LogSession, LogTuple, Matched, Product, Reading, ResetTo};
