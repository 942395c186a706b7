//! E08: several resets in a row, none of them provoked: hosts send one, injectors make sure.

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let train = &case.watch.aftermath.train;
    let (decibans, count, says) = if train.window_steps >= 2 && train.unprovoked >= 2 {
        // No stack does that.
        (-26.0, train.window_steps, "resets whose window steps by a constant")
    } else if train.hop_limit_steps >= 2 && train.unprovoked >= 2 && train.beyond < 2 {
        // gfw.report, 20 Aug 2025: hop limits of a triple rise by one as its windows do.
        (-20.0, train.hop_limit_steps, "resets whose hop limit rises by one each time")
    } else if train.beyond >= 1 {
        let decibans = if train.beyond >= 2 { -25.0 } else { -12.0 };
        (decibans, train.beyond, "further resets beyond everything the sender has sent")
    } else if train.repeats >= 2 {
        (-8.0, train.repeats, "repeats that nothing provoked")
    } else {
        return None;
    };
    Some(Evidence {
        clue: Clue::Train,
        observed: Value::Number(i64::from(count)),
        expected: Value::Number(0),
        decibans,
        says,
    })
}
