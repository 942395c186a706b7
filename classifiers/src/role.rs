//! Primary, aftermath, or the same packet twice (classification.md, section 5.1).

use flowtable::{EarlierReset, Marks, Segment, Side};

use crate::case::Case;
use crate::vocabulary::{Role, Stage};

/// How a reset relates to the others of its flow.
pub(crate) fn of(case: &Case<'_>) -> Role {
    let before = case.before();
    match &case.watch.earlier {
        Some(earlier) if is_duplicate(case, earlier) => Role::Duplicate,
        Some(earlier) if is_echo_of_refused(case, earlier) => Role::Secondary,
        Some(earlier) if earlier.had_no_effect => Role::Primary,
        Some(_) => Role::Secondary,
        // Its watch is over: only echoes of late segments still belong to it.
        None if before.reset_seen(case.sender) || before.reset_seen(case.receiver) => {
            if case.is_bare() && case.answers_receiver() { Role::Secondary } else { Role::Primary }
        }
        None => Role::Primary,
    }
}

/// The client had been told that it was refused, and its kernel knows nothing of the SYN/ACK that
/// came all the same: whoever still has the socket acknowledges it first.
fn is_echo_of_refused(case: &Case<'_>, earlier: &EarlierReset) -> bool {
    let is_answer = case.is_bare() && case.answers_receiver() && case.to().has(Side::SYN);
    case.sender_is_client()
        && case.stage == Stage::PostSyn
        && earlier.direction == case.receiver
        && is_answer
}

/// The same header again, nothing in between, and the clock or the IP ID says it is one packet.
fn is_duplicate(case: &Case<'_>, earlier: &EarlierReset) -> bool {
    let (reset, first) = (case.reset(), &earlier.reset);
    let span = reset.time.since_ns(first.time);
    let same_id = reset.ip_id == first.ip_id && (reset.ip_id != 0 || span < COPY_WITHIN_NS);
    earlier.direction == case.sender
        && earlier.answered_between == 0
        && same_header(reset, first)
        && same_id
        && span < DUPLICATE_WITHIN_NS
}

fn same_header(reset: &Segment, first: &Segment) -> bool {
    let hop_step = i16::from(reset.hop_limit) - i16::from(first.hop_limit);
    let numbers = (reset.seq, reset.ack, reset.flags, reset.window, reset.payload_len);
    numbers == (first.seq, first.ack, first.flags, first.window, first.payload_len)
        && reset.timestamps == first.timestamps
        && reset.marks.has(Marks::DF) == first.marks.has(Marks::DF)
        && hop_step.abs() <= 1
}

/// Copies of one packet on a mirror port or on both sides of a router.
const DUPLICATE_WITHIN_NS: u64 = 100_000_000;
/// Without an IP ID to go by, two resets so close together are one.
const COPY_WITHIN_NS: u64 = 1_000_000;
