//! How sure each rule is at best, fitted: written by `rstscope fit`, not by hand.

use super::Base;

/// What was fitted, by rule, cause and the hand-set base.
pub const BASES: &[Base] = &[];
