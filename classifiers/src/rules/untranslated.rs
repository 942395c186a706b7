//! R29 as one connection shows it: a segment outside the window met no socket.

use flowtable::Ticks;

use crate::case::Case;
use crate::rules::Finding;
use crate::vocabulary::Cause;

/// A living socket answers a segment far outside its window with an ACK (RFC 9293, section
/// 3.10.7.4). A reset says that the segment never reached it: a tracker that took it for invalid
/// did not translate it (the conntrack INVALID bug of kube-proxy), seen on the far side.
pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    let (from, before) = (case.from(), case.before());
    let window = u32::from(from.window) << before.window_scale(case.sender)?.min(14);
    // Beyond what any loss in the capture explains, and the socket was there a moment ago.
    let is_outside = before.unacknowledged(case.receiver) > window.saturating_add(SLACK);
    let was_alive = from.packets >= 3 && case.since(from).is_some_and(|span| span < ALIVE_WITHIN);
    let is_answer = case.is_bare() && case.answers_receiver() && case.receiver_spoke_last();
    // What acknowledged it may have been left out on purpose.
    let is_outside = is_outside && !case.is_thinned();
    (is_outside && was_alive && is_answer && before.handshake_complete()).then_some(
        Finding::new("R29", Cause::NatDesync, 0.7, Cause::StaleConnection)
            .with_caveat("a host that lost the connection that very moment would look the same"),
    )
}

const SLACK: u32 = 1 << 20;
const ALIVE_WITHIN: Ticks = Ticks::from_ms(1_000);
