//! E13: the reset lies on one IP-ID counter with resets in the names of other hosts.

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

/// Found across connections, see [`crate::context::IdLineFacts`].
pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let line = case.setting.id_line?;
    let own = case.from();
    let expected = if own.packets > 0 && own.ip_id != 0 {
        Value::Id(own.ip_id.wrapping_add(1))
    } else {
        Value::None
    };
    let row = if line.senders >= 3 { Row::IdLineOfMany } else { Row::IdLineOfTwo };
    let says = "on one counter with resets in the names of other hosts: one device wrote them all";
    Some(Evidence::of(row, Value::Id(case.reset().ip_id), expected, says))
}
