//! E08: several resets in a row, none of them provoked: hosts send one, injectors make sure.

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let train = &case.watch.aftermath.train;
    let (row, count, says) = if train.window_steps >= 2 && train.unprovoked >= 2 {
        // No stack does that.
        (Row::TrainWindowSteps, train.window_steps, "resets whose window steps by a constant")
    } else if train.hop_limit_steps >= 2 && train.unprovoked >= 2 && train.beyond < 2 {
        let says = "resets whose hop limit rises by one each time";
        (Row::TrainHopLimitSteps, train.hop_limit_steps, says)
    } else if train.beyond >= 1 {
        let several = train.beyond >= 2;
        let row = if several { Row::TrainBeyondSeveral } else { Row::TrainBeyondOne };
        (row, train.beyond, "further resets beyond everything the sender has sent")
    } else if train.repeats >= 2 {
        (Row::TrainRepeats, train.repeats, "repeats that nothing provoked")
    } else {
        return None;
    };
    Some(Evidence::of(row, Value::Number(i64::from(count)), Value::Number(0), says))
}
