//! E04: the window field against the law of the sender's stack.

use flowtable::{Side, Stack};

use crate::case::Case;
use crate::declared;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let window = case.reset().window;
    if declared::netscaler(case).is_some() {
        return None;
    }
    let (decibans, expected, says) = if is_copy(case) {
        (-12.0, Value::Number(i64::from(case.from().window)), "copied from the other side's packet")
    } else if case.is_bare() {
        match window {
            0 => return None,
            _ => (-10.0, Value::Number(0), "not 0 in a bare reset"),
        }
    } else if case.from().packets < 2 {
        return None;
    } else {
        match (case.stack(), window) {
            (Stack::Linux, 0) if case.from().window != 0 => {
                (-12.0, Value::Word("not 0"), "0, which Linux does not write into its own resets")
            }
            (Stack::Windows, 1..) => (-10.0, Value::Number(0), "not 0, as Windows always writes"),
            (Stack::Apple, 0) => (-6.0, Value::Word("not 0"), "0, unlike Apple's own resets"),
            _ => return None,
        }
    };
    let observed = Value::Number(i64::from(window));
    Some(Evidence { clue: Clue::Window, observed, expected, decibans, says })
}

/// The other side's window, which is not also the sender's own.
fn is_copy(case: &Case<'_>) -> bool {
    let (window, from, to) = (case.reset().window, case.from(), case.to());
    let theirs = to.packets > 0
        && (window == to.window
            || (to.has(Side::SYN) && window == case.before().syn_window(case.receiver)));
    let own = from.packets > 0
        && (window == from.window
            || (from.has(Side::SYN) && window == case.before().syn_window(case.sender)));
    // Two hosts may simply have the same window: then the other fields are the sender's own.
    let step = case.reset().ip_id.wrapping_sub(from.ip_id);
    let continues = from.packets > 0 && from.ip_id != 0 && (1..=8).contains(&step);
    window != 0 && theirs && !own && !continues && case.reset().timestamps.is_none()
}
