//! Causes that only other connections show (classification.md, section 5.5): asked before all
//! rules that know one connection only.

mod device;
mod flood;
mod names;
mod service;
mod source;
mod timer;

pub(crate) use flood::meets_wrong_ack;
pub(crate) use timer::evidence as timer_evidence;
pub(super) use timer::tempered;

use crate::case::Case;
use crate::rules::Finding;

/// The cause that the setting gives a reset of an endpoint.
pub(super) fn if_endpoint(case: &Case<'_>) -> Option<Finding> {
    flood::cause(case)
        .or_else(|| source::cause(case))
        .or_else(|| service::cause(case))
        .or_else(|| timer::if_endpoint(case))
}

/// The cause that the setting gives a reset of a device.
pub(super) fn if_device(case: &Case<'_>) -> Option<Finding> {
    device::cause(case).or_else(|| timer::if_device(case)).or_else(|| names::if_device(case))
}
