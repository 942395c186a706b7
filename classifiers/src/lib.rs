//! What a reset means.
//!
//! One pure call, [`judge`], takes a reset with everything that was known of its connection, and what
//! followed it, and returns a [`Verdict`]: origin by adding up evidence in decibans, cause by the
//! first rule that fits, and the two best other readings.
//!
//! | file | idea |
//! |---|---|
//! | `vocabulary` | the closed lists a verdict is made of |
//! | `verdict` | the answer |
//! | `case` | one reset in the terms of clues and rules |
//! | `role` | primary, aftermath, captured twice |
//! | `clues/` | the evidence about the sender, one clue a file |
//! | `origin` | from the sum of the evidence to a name |
//! | `declared` | reasons that senders write into their resets |
//! | `rules/` | why: the first rule that fits |
//! | `outcome` | what it did and what it cost |
//! | `judge` | the order of all this |
//! | `context/` | what connections tell about each other |
//!
//! **Invariant:** no I/O, no clock, no panic on any input; no allocation but that of [`Context`], which
//! is bounded and off the packet path.
#![forbid(unsafe_code)]

mod case;
mod clues;
mod context;
mod declared;
mod judge;
mod origin;
mod outcome;
mod role;
mod rules;
mod verdict;
mod vocabulary;

pub use case::hops;
pub use context::{
    Axis, Checker, Context, Desync, Flood, FoundFlood, FoundLimit, Guesses, Limit, Manner, Rhythm,
    Scan, Setting, ShapedBy, Shaping, Sibling,
};
pub use judge::judge;
pub use verdict::{Alternative, Carrier, Declared, Evidence, EvidenceList, Value, Verdict};
pub use vocabulary::{Cause, Clue, Effect, Impact, Origin, Role, Shape, Stage, Terminator};
