//! E13: the reset lies on one IP-ID counter with resets in the names of other hosts.

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

/// Found across connections, see [`crate::context::IdLineFacts`].
pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let line = case.setting.id_line?;
    let own = case.from();
    Some(Evidence {
        clue: Clue::IdLine,
        observed: Value::Id(case.reset().ip_id),
        expected: if own.packets > 0 && own.ip_id != 0 {
            Value::Id(own.ip_id.wrapping_add(1))
        } else {
            Value::None
        },
        decibans: if line.senders >= 3 { -20.0 } else { -15.0 },
        says: "on one counter with resets in the names of other hosts: one device wrote them all",
    })
}
