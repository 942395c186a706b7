//! How fast: traffic to measure with, benches of every stage, budgets.
//!
//! [`Traffic`] plays seeded connections, packet by packet, in the mix that [`Options`] asks for, and
//! writes each frame into a buffer of the caller; [`CaptureWriter`] puts frames into a pcap file.
//! The same options give the same bytes on every machine.
//!
//! | file | idea |
//! |---|---|
//! | `random` | repeatable numbers |
//! | `frame` | one segment as Ethernet bytes |
//! | `traffic` | connections and mixes; `traffic/steady`: all of them open from the start |
//! | `capture` | the pcap file |
//! | `bin/make_capture` | a capture of so many packets and flows |
//! | `benches/context` | what judging by other connections costs, thread by thread |
//! | `benches/stages`, `benches/whole` | time of each stage, and of reading a whole capture |
//!
//! **Invariant:** nothing here knows the sensor; its parser must not be fed by its own writer.
#![forbid(unsafe_code)]

mod capture;
mod frame;
mod random;
mod traffic;

pub use capture::CaptureWriter;
pub use frame::Frame;
pub use traffic::{Mix, Options, Traffic};
