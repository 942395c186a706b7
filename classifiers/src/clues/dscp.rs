//! E11: the DSCP of a reset: kernels reflect the provocation's, packet filters write their own.

use flowtable::Stack;

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let before = case.before();
    let dscp = |class: u8| class & 0xfc;
    let observed = dscp(case.reset().traffic_class);
    let own = dscp(before.traffic_class(case.sender));
    let theirs = dscp(before.traffic_class(case.receiver));
    let found = |expected: u8, decibans: f32, says: &'static str| {
        Some(Evidence {
            clue: Clue::Dscp,
            observed: Value::Number(i64::from(observed)),
            expected: Value::Number(i64::from(expected)),
            decibans,
            says,
        })
    };
    let speaks = case.from().packets > 0 || case.to().packets > 0;
    if observed == LOWDELAY && own != LOWDELAY && theirs != LOWDELAY && speaks {
        return found(own, -12.0, "low delay, as pf and ipfw write into resets");
    }
    let replies = case.is_bare() && case.to().packets > 0;
    if replies && theirs != 0 && observed != theirs {
        let is_linux = case.stack() == Stack::Linux;
        return is_linux
            .then(|| found(theirs, -4.0, "does not reflect the other side's, as Linux does"))?;
    }
    if replies && theirs != 0 && observed == theirs && own != theirs && case.from().packets > 0 {
        return found(theirs, 3.0, "reflects the other side's, as kernels do");
    }
    None
}

/// IPTOS_LOWDELAY.
const LOWDELAY: u8 = 0x10;
