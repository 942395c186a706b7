//! R04a, R15, R28: what a device does to one source's connections as a whole.

use crate::case::Case;
use crate::context::guesses;
use crate::rules::Finding;
use crate::vocabulary::{Cause, Stage};

pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    let setting = case.setting;
    if let Some(limit) = setting.limit
        && case.stage == Stage::PostSyn
    {
        let base = if limit.is_alive { 0.8 } else { 0.75 };
        return Some(Finding::new("R04a", Cause::ConnectionLimit, base, Cause::PolicyResetSyn));
    }
    if setting.guesses.is_some() && guesses::is_guess(case) {
        return Some(Finding::new("R28", Cause::BlindRstAttack, 0.9, Cause::PolicyResetMidstream));
    }
    let is_busy = matches!(case.stage, Stage::PostAck | Stage::PostPsh | Stage::Later);
    (setting.shaping.is_some() && is_busy && case.idle_s() < BUSY_S).then_some(
        Finding::new("R15", Cause::TrafficShapingReset, 0.6, Cause::PolicyResetMidstream)
            .with_caveat("a rule that looks at something else may coincide with volume"),
    )
}

/// Longer silences are no matter of volume.
const BUSY_S: f64 = 5.0;
