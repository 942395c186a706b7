//! How sure each rule is at best, fitted: written by `rstscope fit`, not by hand.

use super::Base;

/// By rule and cause: hand-set, fitted, rows it was right about, rows it decided.
pub const BASES: &[Base] = &[];
