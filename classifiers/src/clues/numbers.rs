//! E05: are sequence and acknowledgment numbers those its sender would have written?

use flowtable::Side;
use wire::SeqNumber;

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Shape;
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    if case.is_without_context() {
        return None;
    }
    let (row, observed, expected, says) = match case.shape {
        Shape::Refusal => refusal(case)?,
        Shape::Reply => reply(case)?,
        Shape::Active | Shape::Odd => active(case)?,
    };
    let relative = |seq: SeqNumber| Value::Relative(case.relative(seq));
    let (observed, expected) = match case.shape {
        // The sender has no numbers of its own yet: these are the other side's.
        Shape::Refusal => {
            let base = case.before().initial(case.receiver);
            let relative = |seq: SeqNumber| Value::Relative(i64::from(seq.distance_from(base)));
            (relative(observed), relative(expected))
        }
        _ => (relative(observed), relative(expected)),
    };
    Some(Evidence::of(row, observed, expected, says))
}

type Found = Option<(Row, SeqNumber, SeqNumber, &'static str)>;

/// Sequence number 0, acknowledging exactly what it answers (RFC 9293, 3.10.7.1).
fn refusal(case: &Case<'_>) -> Found {
    let (reset, to) = (case.reset(), case.to());
    if to.packets == 0 {
        return None;
    }
    let (seen, expected) = (reset.ack, to.next);
    let row = match seen.distance_from(expected) {
        0 => {
            return Some((
                Row::NumbersRefusalExact,
                seen,
                expected,
                "acknowledges exactly the SYN",
            ));
        }
        -1 if to.has(Side::SYN) => Row::NumbersRefusalLess,
        1.. => Row::NumbersRefusalMore,
        _ => return None,
    };
    Some((row, seen, expected, "acknowledges something else than the SYN"))
}

/// The sequence number is the acknowledgment of the segment it answers.
fn reply(case: &Case<'_>) -> Found {
    let (seq, from, to) = (case.reset().seq, case.from(), case.to());
    if case.answers_receiver() {
        let says = "answers the other side's acknowledgment";
        return Some((Row::NumbersReplyAnswers, seq, to.acked, says));
    }
    if from.packets == 0 {
        return None;
    }
    let ahead = seq.distance_from(from.next);
    // A close that crossed data: the FIN is taken back by one.
    let own_fin = from.has(Side::FIN) && (-1..=1).contains(&ahead);
    if ahead == 0 || own_fin {
        return Some((Row::NumbersReplyNext, seq, from.next, "the sender's next number"));
    }
    // The sender's own reset has told how far it had got.
    let is_told = case.watch.earlier.as_ref().is_some_and(|earlier| {
        earlier.direction == case.sender && seq.distance_from(earlier.highest) <= 0
    });
    if case.watch.earlier.is_some() && (is_told || ahead < 0) && ahead > -WINDOW_LEN {
        let says = "answers an older acknowledgment";
        return Some((Row::NumbersReplyOlder, seq, from.next, says));
    }
    let is_acked = to.packets > 0 && to.acked.distance_from(from.next) > 0;
    let unknown = case.before().has_gap() || case.before().is_midstream() || is_acked;
    if ahead > 0 && !unknown {
        return Some((beyond(ahead), seq, from.next, "beyond everything the sender has sent"));
    }
    None
}

/// snd_nxt and rcv_nxt of a living socket.
fn active(case: &Case<'_>) -> Found {
    let (reset, from, to, before) = (case.reset(), case.from(), case.to(), case.before());
    let unknown = before.has_gap() || before.is_midstream();
    if to.packets > 0 && case.has_ack() {
        let ahead = reset.ack.distance_from(to.next);
        if ahead == -1 && to.has(Side::SYN) && to.packets == 1 {
            let says = "acknowledges one less than the SYN";
            return Some((Row::NumbersAckLess, reset.seq, from.next, says));
        }
        if ahead > 0 && !unknown {
            // Up to a window's worth may have passed without being captured.
            let is_near = ahead <= WINDOW_LEN;
            let row = if is_near { Row::NumbersAckUnseen } else { Row::NumbersAckFar };
            return Some((row, reset.ack, to.next, "acknowledges what was not seen"));
        }
    }
    if from.packets == 0 {
        return None;
    }
    let ahead = reset.seq.distance_from(from.next);
    let exact_ack = to.packets == 0 || reset.ack == to.next || reset.ack == from.acked;
    let own_fin = from.has(Side::FIN) && ahead == -1;
    if (ahead == 0 || own_fin) && exact_ack {
        return Some((Row::NumbersExact, reset.seq, from.next, "both numbers exact"));
    }
    if ahead > 0 && !unknown {
        let says = "beyond everything the sender has sent";
        return Some((beyond(ahead), reset.seq, from.next, says));
    }
    // BSD-like stacks fall back to the first unacknowledged byte after a retransmission.
    let fell_back = before.retransmissions(case.sender) > 0 || own_fin;
    // SYN proxies that re-base numbers let the server's resets through at ISN + 1 (measured: 44 of 44).
    let is_rebased = before.syn_window(case.sender) == 0
        && from.has(Side::SYN)
        && reset.seq == before.initial(case.sender) + 1;
    if ahead < 0 && !fell_back && !unknown && !is_rebased {
        let says = "behind what the sender has already sent";
        return Some((Row::NumbersBehind, reset.seq, from.next, says));
    }
    None
}

/// Bytes that are in flight without anybody waiting.
const WINDOW_LEN: i32 = 65_535;

/// Less than a segment beyond may be a last record that the capture lost.
const fn beyond(bytes: i32) -> Row {
    if bytes < 1_460 { Row::NumbersBeyondLittle } else { Row::NumbersBeyond }
}
