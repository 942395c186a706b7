//! R14 with the contrast of names: what is reset is what was asked for.

use crate::case::Case;
use crate::rules::{Finding, device};
use crate::vocabulary::{Cause, Stage};

/// A device resets the first bytes of connections by the name in them, or whatever that is.
pub(super) fn if_device(case: &Case<'_>) -> Option<Finding> {
    let names = case.setting.names?;
    let is_early = device::within_first_bytes(case);
    if names.is_by_name() && is_early && case.stage != Stage::PostFin {
        return Some(Finding::new(
            "R14a",
            Cause::PolicyResetContent,
            0.95,
            Cause::SessionlessReset,
        ));
    }
    let is_content = is_early && matches!(case.stage, Stage::PostAck | Stage::PostPsh);
    (names.is_whatever_name() && is_content).then_some(
        Finding::new("R14", Cause::PolicyResetContent, 0.75, Cause::PolicyResetMidstream)
            .with_caveat("every name on this server is reset, so it is not by the name"),
    )
}
