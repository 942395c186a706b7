//! What the receiver's stack does with a reset, by what it is known to expect.
//!
//! Linux 6.18 as read (`tcp_validate_incoming`, `tcp_reset_check`, `tcp_rcv_synsent_state_process`,
//! `tcp_check_req`) and RFC 5961, section 3.2; stacks that know neither obey anything inside the
//! window, which is why [`Reception::Challenge`] is a prediction and not a finding.

use flowtable::{Marks, Side, Stack, Ticks};

use crate::case::Case;
use crate::clues;
use crate::vocabulary::{Reaction, Reception};

/// What it should do, and by what the model says so.
pub(crate) type Expected = (Reception, &'static str);

/// What the receiver should do with this reset.
pub(crate) fn expected(case: &Case<'_>) -> Expected {
    use Reception::{Drop, Unsure};
    let (reset, to) = (case.reset(), case.to());
    let before = case.before();
    if case.from().packets > 0 && case.from().has(Side::SIGNED) != reset.marks.has(Marks::SIGNED) {
        return if reset.marks.has(Marks::SIGNED) {
            (Drop, "it is signed on a connection that is not")
        } else {
            (Drop, "it lacks the MD5/AO signature of this connection")
        };
    }
    // Where SYNs were captured with wrong checksums as well, the capture is to blame.
    if clues::must_be_dropped(case) && !before.has_bad_checksums() {
        return match before.is_midstream() {
            true => {
                (Unsure, "its checksum is wrong, and whether those of the SYNs were was not seen")
            }
            false => (Drop, "its checksum is wrong, so that no stack looks at it"),
        };
    }
    if to.packets == 0 {
        return (Unsure, "nothing was seen of its receiver");
    }
    if before.reset_seen(case.receiver) {
        return (Unsure, "its receiver had been said to reset the connection before");
    }
    if before.is_over() && case.watch.earlier.is_some_and(|earlier| !earlier.had_no_effect) {
        return (Unsure, "an earlier reset had ended the connection: nothing may be left to reset");
    }
    if case.from().has(Side::FIN_ACKED) && to.has(Side::FIN_ACKED) {
        return (Unsure, "both ends were closed: nothing may be left to reset");
    }
    let receiver_opens = to.has(Side::SYN) && !to.has(Side::DATA) && !before.handshake_complete();
    match (receiver_opens, case.sender_is_client()) {
        (true, false) if case.from().packets == 0 => waiting_for_syn_ack(case),
        (true, true) => waiting_for_handshake(case),
        _ => synchronised(case),
    }
}

/// SYN-SENT (RFC 9293, section 3.10.7.3): only what acknowledges the SYN counts.
fn waiting_for_syn_ack(case: &Case<'_>) -> Expected {
    let (reset, to) = (case.reset(), case.to());
    let first = case.before().initial(case.receiver);
    if case.is_bare() {
        (Reception::Drop, "a host that waits for its SYN/ACK takes no reset without an ACK")
    } else if reset.ack.distance_from(first) > 0 && reset.ack.distance_from(to.next) <= 0 {
        (Reception::Obey, "it acknowledges the SYN that its receiver had sent")
    } else {
        (Reception::Drop, "it acknowledges something else than the SYN that its receiver had sent")
    }
}

/// SYN-RECEIVED: whatever lies in the window (`tcp_check_req`).
fn waiting_for_handshake(case: &Case<'_>) -> Expected {
    let ahead = case.reset().seq.distance_from(case.to().acked);
    if (0..=i32::from(case.to().window)).contains(&ahead) {
        (Reception::Obey, "it lies in the window of a connection that is still being opened")
    } else {
        (Reception::Drop, "it lies outside the window of its receiver")
    }
}

fn synchronised(case: &Case<'_>) -> Expected {
    use Reception::{Challenge, Drop, Obey, Unsure};
    let (seq, from, to, before) = (case.reset().seq, case.from(), case.to(), case.before());
    let above_acked = seq.distance_from(to.acked);
    let from_next = seq.distance_from(from.next);
    let own_fin = from.has(Side::FIN) && from_next == -1;
    if above_acked < 0 && !own_fin {
        return if before.handshake_complete() && seq == before.initial(case.sender) + 1 {
            (
                Drop,
                "it is at the first number again, as SYN proxies re-base it, and below what its \
              receiver has acknowledged",
            )
        } else {
            (Drop, "its number lies below what its receiver has acknowledged")
        };
    }
    if own_fin {
        return (Obey, "it is one before the expected number, which is right after a FIN");
    }
    if from.packets == 0 {
        return match above_acked {
            0 => (Obey, "it is at the number that its receiver had acknowledged"),
            _ => (Unsure, "nothing was seen of its named sender"),
        };
    }
    if above_acked == 0 && before.syn_was_answered_oddly() {
        return (
            Obey,
            "it is at the number that its receiver, from an earlier connection, expects",
        );
    }
    if above_acked == 0 && from_next > 0 {
        return (Obey, "it is at the number that its receiver had acknowledged");
    }
    // With a hole below it this is the right edge of the highest SACK block, which Linux obeys too.
    if from_next == 0 {
        return (Obey, "it is at the very number that its receiver expects");
    }
    if from_next < 0 {
        return if before.retransmissions(case.sender) > 0 && above_acked == 0 {
            (Obey, "it is at the number that its receiver, which misses what follows, waits for")
        } else {
            (
                Unsure,
                "what followed that number was under way: whether its receiver had it already \
              is not known",
            )
        };
    }
    if before.has_gap() || before.is_midstream() {
        let says = "part of the connection was not seen, so what its receiver expects is not known";
        return (Unsure, says);
    }
    match window(case) {
        Some(window) if i64::from(above_acked) > window => {
            (Drop, "it lies beyond the window of its receiver")
        }
        _ => (Challenge, "it is ahead of the number that its receiver expects (RFC 5961)"),
    }
}

/// How far beyond its acknowledgment the receiver takes bytes, if its SYN told the scale.
fn window(case: &Case<'_>) -> Option<i64> {
    let (to, before) = (case.to(), case.before());
    let scales = [case.receiver, case.sender].map(|side| before.window_scale(side));
    let shift = match scales {
        [Some(shift), Some(_)] => shift,
        _ if to.has(Side::SYN) && case.from().has(Side::SYN) => 0,
        _ => return None,
    };
    Some(i64::from(to.window) << shift)
}

/// What was seen of the receiver since.
pub(crate) fn reaction(case: &Case<'_>) -> Reaction {
    let after = &case.watch.aftermath;
    if after.receiver_went_on {
        return Reaction::WentOn;
    }
    if after.challenged {
        return Reaction::ChallengeAck;
    }
    if after.receiver_retransmits >= 2 || (after.repeated_syn && never_repeats(case)) {
        return Reaction::Retransmitted;
    }
    if after.opposite.is_some_and(|opposite| opposite.provoked) {
        return Reaction::ResetInReturn;
    }
    if after.retry.is_some() && !after.repeated_syn && !case.sender_is_client() {
        return Reaction::OpenedAnew;
    }
    match (case.is_final, after.receiver_packets) {
        (false, _) => Reaction::Pending,
        (true, 0) => Reaction::Silence,
        (true, _) => Reaction::UnderWay,
    }
}

/// Windows repeats a SYN that was refused (and scanners whatever they like); these do not.
fn never_repeats(case: &Case<'_>) -> bool {
    let stack = case.before().stack(case.receiver);
    let waited = case.watch.aftermath.retry.is_some_and(|retry| retry > Ticks::from_ms(100));
    !case.sender_is_client() && waited && matches!(stack, Stack::Linux | Stack::Apple | Stack::Bsd)
}
