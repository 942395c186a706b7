//! R06: a new connection met the remains of its predecessor on the same 4-tuple.

use crate::case::Case;
use crate::rules::Finding;
use crate::vocabulary::Cause;

/// The client came back with the ports of a connection that the server still holds: the server
/// answers the SYN with an ACK of the old one (RFC 9293, section 3.10.7.4), and the client, which
/// knows nothing of it, resets that.
pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    let is_answer = case.is_bare() && case.answers_receiver() && case.receiver_spoke_last();
    (case.before().has_pending_syn() && case.sender_is_client() && is_answer)
        .then_some(Finding::new("R06", Cause::TimewaitCollision, 0.85, Cause::StaleConnection))
}
