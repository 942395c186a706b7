//! E19: what became of other connections that asked for this name, and for others.

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

/// Bears on the cause only, see [`crate::context::NameFacts`].
pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let names = case.setting.names?;
    let says = if names.is_by_name() {
        "connections that ask for this name are reset, others of this server are served"
    } else if names.is_refused_by_server() {
        "the server itself refuses this name and serves others"
    } else {
        "whatever name is asked for on this server, the connection is reset"
    };
    let (observed, expected) = (Value::None, Value::None);
    Some(Evidence { clue: Clue::Payload, row: None, observed, expected, decibans: 0.0, says })
}
