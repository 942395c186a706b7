//! Causes that only other connections show (classification.md, section 5.5): asked before all
//! rules that know one connection only.

mod service;

use crate::case::Case;
use crate::rules::Finding;

/// The cause that the setting gives a reset of an endpoint.
pub(super) fn if_endpoint(case: &Case<'_>) -> Option<Finding> {
    service::cause(case)
}

/// The cause that the setting gives a reset of a device.
pub(super) fn if_device(_case: &Case<'_>) -> Option<Finding> {
    None
}
