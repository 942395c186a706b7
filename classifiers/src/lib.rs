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
//! | `weights` | what each outcome of a clue is worth: the table that is fitted |
//! | `caps` | what cannot be told apart, and the evidence that tells it apart |
//! | `origin` | from the sum of the evidence to a name |
//! | `declared` | reasons that senders write into their resets |
//! | `rules/` | why: the first rule that fits |
//! | `receiver` | what the receiver should do with it, and what it was seen to do |
//! | `outcome` | what it did and what it cost |
//! | `judge` | the order of all this |
//! | `context/` | what connections tell about each other |
//!
//! **Invariant:** no I/O, no clock, no panic on any input; no allocation but that of [`Context`], which
//! is bounded and off the packet path.
#![forbid(unsafe_code)]

mod caps;
mod case;
mod clues;
mod context;
mod declared;
mod judge;
mod origin;
mod outcome;
mod receiver;
mod role;
mod rules;
mod verdict;
mod vocabulary;
mod weights;

pub use caps::{CAPS, Cap, Lift, UNDECIDED_MAX, cause_confidence_max};
pub use case::hops;
pub use context::{
    Axis, BlockedName, Burst, BurstFacts, BurstKind, Checker, Context, Desync, DeviceFacts, Flood,
    FoundFlood, FoundLimit, FrontFacts, Guesses, IdLineFacts, Limit, Manner, NameFacts, Outage,
    Relation, Rhythm, Scan, ServiceFacts, Setting, ShapedBy, Shaping, Sibling, StyleFacts,
    TimerFacts, TimerFound, TimerKind, TimerOwner, TimerScope,
};
pub use judge::{decide, judge};
pub use verdict::{
    Alternative, Carrier, Cost, Declared, EffectBasis, Evidence, EvidenceList, Ruling, Value,
    Verdict,
};
pub use vocabulary::{
    Cause, Clue, Effect, Impact, Origin, Reaction, Reception, Role, Shape, Stage, Terminator,
};
pub use weights::{
    BASES, BASES_FIT, Base, FIT, HEADERS_MAX, HEADERS_MIN, Row, Source, WEIGHTS, Weight,
    fitted_base,
};
