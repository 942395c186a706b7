//! DF, the other half of E02: kernels that discover path MTUs set it on every packet.

use flowtable::{Marks, Side, Stack};

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let side = case.from();
    if case.is_v6() || side.packets == 0 {
        return None;
    }
    let (observed, expected) = (case.reset().marks.has(Marks::DF), side.has(Side::DF));
    let word = |df: bool| Value::Word(if df { "DF" } else { "no DF" });
    let (decibans, says) = match (expected, observed, case.stack()) {
        (true, false, Stack::Linux) => (-8.0, "no DF, which Linux sets on every reset"),
        (true, false, _) if case.has_ack() => (-4.0, "no DF, unlike the sender's packets"),
        _ => return None,
    };
    Some(Evidence {
        clue: Clue::DontFragment,
        observed: word(observed),
        expected: word(expected),
        decibans,
        says,
    })
}
