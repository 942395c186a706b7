//! Outcomes as a set: what a reset showed, in 16 bytes.

use super::Row;

/// Rows of the table of weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rows(u128);

const _: () = assert!(Row::COUNT <= u128::BITS as usize);

impl Rows {
    /// No row.
    pub(crate) const NONE: Self = Self(0);

    /// With one more row.
    #[must_use]
    pub(crate) const fn with(self, row: Row) -> Self {
        Self(self.0 | 1 << row as u32)
    }

    /// Whether the two have a row in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The rows whose [`super::Weight`] fulfils a condition; made when the program is compiled.
macro_rules! rows_where {
    (|$weight:ident| $condition:expr) => {{
        let (mut rows, mut index) = ($crate::weights::Rows::NONE, 0);
        while index < $crate::weights::WEIGHTS.len() {
            let $weight = &$crate::weights::WEIGHTS[index];
            if $condition {
                rows = rows.with($weight.row);
            }
            index += 1;
        }
        rows
    }};
}

pub(crate) use rows_where;

#[cfg(test)]
mod tests {
    use super::Rows;
    use crate::weights::{Row, WEIGHTS};

    #[test]
    fn a_condition_picks_the_rows_that_fulfil_it() {
        const PROOFS: Rows = rows_where!(|weight| weight.row.is_proof());
        for weight in &WEIGHTS {
            let is_in = PROOFS.meets(Rows::NONE.with(weight.row));
            assert_eq!(is_in, weight.row.is_proof(), "{}", weight.name);
        }
        assert!(PROOFS.meets(Rows::NONE.with(Row::Prior).with(Row::CausalityProved)));
    }
}
