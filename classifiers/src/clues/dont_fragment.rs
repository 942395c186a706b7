//! DF, the other half of E02: kernels that discover path MTUs set it on every packet.

use flowtable::{Marks, Side, Stack};

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let side = case.from();
    if case.is_v6() || side.packets == 0 {
        return None;
    }
    let (observed, expected) = (case.reset().marks.has(Marks::DF), side.has(Side::DF));
    let word = |df: bool| Value::Word(if df { "DF" } else { "no DF" });
    let (row, says) = match (expected, observed, case.stack()) {
        (true, false, Stack::Linux) => {
            (Row::DfClearedLinux, "no DF, which Linux sets on every reset")
        }
        (true, false, _) if case.has_ack() => {
            (Row::DfCleared, "no DF, unlike the sender's packets")
        }
        _ => return None,
    };
    Some(Evidence::of(row, word(observed), word(expected), says))
}
