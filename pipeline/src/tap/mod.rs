//! What the tap shows: both directions, each packet once, each direction on its queue and fibre?
//!
//! ```text
//! worker: Sampler (some connections, for 3 s each) -> TapSample in the window
//! exporter: Ledger (samples of one connection together, a minute long) -> TapHealth
//! ```
//!
//! A tap that shows half of a conversation, or all of it twice, makes verdicts wrong, and nothing in a
//! single verdict says so. Connections are picked by their secret hash, so nobody can stay out of the
//! sample, and fewer of them the more packets come: the packet path pays one test of a hash.

mod faults;
mod ledger;
mod sampler;

pub(crate) use faults::{Shape, Tap};
pub(crate) use sampler::{SAMPLES_MAX, Sampler, TapSample};
