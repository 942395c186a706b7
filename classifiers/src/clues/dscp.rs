//! E11: the DSCP of a reset: kernels reflect the provocation's, packet filters write their own.

use flowtable::Stack;

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Shape;
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let before = case.before();
    let dscp = |class: u8| class & 0xfc;
    let observed = dscp(case.reset().traffic_class);
    let own = dscp(before.traffic_class(case.sender));
    let theirs = dscp(before.traffic_class(case.receiver));
    let number = |class: u8| Value::Number(i64::from(class));
    let found = |row: Row, expected: u8, says: &'static str| {
        Some(Evidence::of(row, number(observed), number(expected), says))
    };
    let speaks = case.from().packets > 0 || case.to().packets > 0;
    if observed == LOWDELAY && own != LOWDELAY && theirs != LOWDELAY && speaks {
        return found(Row::DscpLowDelay, own, "low delay, as pf and ipfw write into resets");
    }
    let replies = case.is_bare() && case.to().packets > 0;
    if replies && theirs != 0 && observed != theirs {
        let is_linux = case.stack() == Stack::Linux;
        return is_linux.then(|| {
            found(Row::DscpNotReflected, theirs, "does not reflect the other side's, as Linux does")
        })?;
    }
    if replies && theirs != 0 && observed == theirs && own != theirs && case.from().packets > 0 {
        return found(Row::DscpReflected, theirs, "reflects the other side's, as kernels do");
    }
    let is_refusal = case.shape == Shape::Refusal && case.from().packets == 0;
    if is_refusal && theirs != 0 && observed == theirs {
        return found(Row::DscpReflectedRefusal, theirs, "reflects the SYN's, as kernels do");
    }
    None
}

/// IPTOS_LOWDELAY.
const LOWDELAY: u8 = 0x10;
