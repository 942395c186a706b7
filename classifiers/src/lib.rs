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
//! | `outcome` | what it did and what it cost |
//! | `judge` | the order of all this |
//!
//! **Invariant:** no I/O, no clock, no allocation, no panic on any input.
#![forbid(unsafe_code)]

mod caps;
mod case;
mod clues;
mod declared;
mod judge;
mod origin;
mod outcome;
mod role;
mod rules;
mod verdict;
mod vocabulary;
mod weights;

pub use caps::{CAPS, Cap, Lift, UNDECIDED_MAX, cause_confidence_max};
pub use case::hops;
pub use judge::judge;
pub use verdict::{Alternative, Carrier, Declared, Evidence, EvidenceList, Value, Verdict};
pub use vocabulary::{Cause, Clue, Effect, Impact, Origin, Role, Shape, Stage, Terminator};
pub use weights::{
    BASES, Base, FIT, HEADERS_MAX, HEADERS_MIN, Row, Source, WEIGHTS, Weight, fitted_base,
};
