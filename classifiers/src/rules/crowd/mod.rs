//! Causes that only other connections show (classification.md, section 5.5): asked before all
//! rules that know one connection only.

mod device;
mod flood;
mod source;

pub(crate) use flood::meets_wrong_ack;

use crate::case::Case;
use crate::rules::Finding;

/// The cause that the setting gives a reset of an endpoint.
pub(super) fn if_endpoint(case: &Case<'_>) -> Option<Finding> {
    flood::cause(case).or_else(|| source::cause(case))
}

/// The cause that the setting gives a reset of a device.
pub(super) fn if_device(case: &Case<'_>) -> Option<Finding> {
    device::cause(case)
}
