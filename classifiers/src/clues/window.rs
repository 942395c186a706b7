//! E04: the window field against the law of the sender's stack.

use flowtable::{Side, Stack};

use crate::case::Case;
use crate::declared;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let window = case.reset().window;
    if declared::netscaler(case).is_some() {
        return None;
    }
    let (row, expected, says) = if is_copy(case) {
        let own = Value::Number(i64::from(case.from().window));
        (Row::WindowCopied, own, "copied from the other side's packet")
    } else if case.is_bare() {
        match window {
            0 => return None,
            _ => (Row::WindowInReply, Value::Number(0), "not 0 in a bare reset"),
        }
    } else if case.from().packets < 2 {
        return None;
    } else {
        match (case.stack(), window) {
            (Stack::Linux, 0) if case.from().window != 0 => {
                let says = "0, which Linux does not write into its own resets";
                (Row::WindowZeroLinux, Value::Word("not 0"), says)
            }
            (Stack::Windows, 1..) => {
                (Row::WindowNotZeroWindows, Value::Number(0), "not 0, as Windows always writes")
            }
            (Stack::Apple, 0) => {
                (Row::WindowZeroApple, Value::Word("not 0"), "0, unlike Apple's own resets")
            }
            _ => return None,
        }
    };
    Some(Evidence::of(row, Value::Number(i64::from(window)), expected, says))
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
