//! How sure each rule is at best, fitted: written by `rstscope fit`, not by hand.

use super::Base;

/// Where the fitted bases come from: date, command, captures; "" if nothing was fitted.
pub const BASES_FIT: &str = "";

/// By rule and cause: hand-set, fitted, rows it was right about, rows it decided.
pub const BASES: &[Base] = &[];
