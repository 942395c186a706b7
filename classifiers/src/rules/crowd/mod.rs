//! Causes that only other connections show (classification.md, section 5.5): asked before all
//! rules that know one connection only.

mod timer;

use crate::case::Case;
use crate::rules::Finding;

pub(crate) use timer::evidence as timer_evidence;
pub(super) use timer::tempered;

/// The cause that the setting gives a reset of an endpoint.
pub(super) fn if_endpoint(case: &Case<'_>) -> Option<Finding> {
    timer::if_endpoint(case)
}

/// The cause that the setting gives a reset of a device.
pub(super) fn if_device(case: &Case<'_>) -> Option<Finding> {
    timer::if_device(case)
}
