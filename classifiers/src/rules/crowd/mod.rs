//! Causes that only other connections show (classification.md, section 5.5): asked before all
//! rules that know one connection only.

mod names;

use crate::case::Case;
use crate::rules::Finding;

/// The cause that the setting gives a reset of an endpoint.
pub(super) fn if_endpoint(_case: &Case<'_>) -> Option<Finding> {
    None
}

/// The cause that the setting gives a reset of a device.
pub(super) fn if_device(case: &Case<'_>) -> Option<Finding> {
    names::if_device(case)
}
