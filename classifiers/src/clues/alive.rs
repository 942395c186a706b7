//! E07: whoever goes on after its own reset has not sent it.

use flowtable::{Alive, AliveBy, Marks, Side};

use crate::case::{Case, hops};
use crate::clues::numbers;
use crate::role;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::{Role, Shape};
use crate::weights::Row;

/// `has_anomaly`: whether a header looks like another stack's.
pub(super) fn weigh(case: &Case<'_>, has_anomaly: bool) -> Option<Evidence> {
    let after = &case.watch.aftermath;
    let Some(alive) = after.alive else { return silence(case) };
    let reset = case.reset();
    // Two stacks on one machine (a user-space stack beside the kernel, an evasion tool): the same
    // network card sent both.
    let is_adjacent = hops(reset.hop_limit) == 0 && hops(alive.hop_limit) == 0;
    let same_card = alive.mac != 0 && alive.mac == reset.mac && is_adjacent;
    let same_line = (1..=8).contains(&alive.ip_id.wrapping_sub(reset.ip_id)) && reset.ip_id != 0;
    // A reset that its receiver must drop is bait for sensors, not an injector's work.
    // One direction only: a new SYN of the other side would not have been seen.
    let is_one_way = case.to().packets == 0;
    let is_bait = reset.marks.has(Marks::SIGNED) && !case.from().has(Side::SIGNED);
    let (row, says) = if same_line && reset.hop_limit == alive.hop_limit && !same_card {
        (Row::AliveSameLine, "goes on, on the same IP-ID counter: two stacks at one address")
    } else if is_answer_in_handshake(case) {
        (
            Row::AliveAfterAnswer,
            "goes on: it answered a stray ACK of the handshake, which ends nothing",
        )
    } else if is_from_elsewhere(case, &alive) {
        (Row::AliveFromElsewhere, "goes on from elsewhere than it has ever been: forged, perhaps")
    } else if is_one_way {
        (Row::AliveOneWay, "goes on, perhaps in a new connection: the other side is not seen")
    } else if is_bait {
        (Row::AliveAfterBait, "goes on, after a reset that nobody was to obey")
    } else if same_card {
        (
            Row::AliveSameCard,
            "goes on from the same network card: the machine itself played this trick",
        )
    } else if !has_anomaly && is_kernel_beside_program(case, &alive) {
        (
            Row::AliveTwoStacks,
            "goes on from where the reset came: perhaps two stacks at one address",
        )
    } else {
        (Row::AliveAfter, "goes on as if it had never sent the reset")
    };
    let what = match alive.what {
        AliveBy::Data => "new data",
        AliveBy::Fin => "a FIN",
        AliveBy::SynAck => "SYN/ACK",
        AliveBy::Ack => "the handshake's ACK",
    };
    Some(Evidence::of(row, Value::Word(what), Value::Word("silence"), says))
}

/// A host in SYN-RECEIVED answers an ACK it cannot accept with a reset at that number and stays
/// where it is (RFC 9293, section 3.10.7.4, fifth check; `tcp_check_req` in Linux).
fn is_answer_in_handshake(case: &Case<'_>) -> bool {
    let from = case.from();
    case.is_bare()
        && from.has(Side::SYN)
        && from.packets <= 2
        && !from.has(Side::DATA)
        && case.answers_receiver()
        && case.reset().seq != from.next
}

/// A program that speaks TCP by itself, on a port its kernel knows nothing of: the kernel refuses and
/// answers what the program accepts (classification.md, section 9). A perfect forgery from the same
/// distance looks the same, so neither is named. A kernel has no numbers of its own there: it never
/// aborts such a connection.
fn is_kernel_beside_program(case: &Case<'_>, alive: &Alive) -> bool {
    let is_answer = matches!(case.shape, Shape::Refusal | Shape::Reply)
        && numbers::weigh(case).is_some_and(|found| found.decibans > 0.0);
    // A second capture of one packet comes from the other side of a router.
    let first = case.watch.earlier.as_ref().map(|earlier| &earlier.reset);
    let first = first.filter(|_| role::of(case) == Role::Duplicate);
    // One packet against one: either may have come by another path.
    let is_known = case.from().packets > 0 || case.baseline().is_some_and(|host| host.is_stable());
    let hops_off_max = if is_known { 0 } else { FLAP_HOPS_MAX };
    let is_beside = [Some(case.reset()), first].into_iter().flatten().any(|reset| {
        let same_card = reset.mac == alive.mac || reset.mac == 0 || alive.mac == 0;
        let off = hops(reset.hop_limit).abs_diff(hops(alive.hop_limit));
        // Another initial hop limit as well as another distance is no flapping path.
        let is_flap = reset.hop_limit.abs_diff(alive.hop_limit) == off && off <= hops_off_max;
        same_card && (off == 0 || is_flap)
    });
    is_answer && is_beside
}

/// The reset came from where the sender's packets do, and what came after it did not: whoever forges
/// data behind a genuine reset must not make it look forged.
fn is_from_elsewhere(case: &Case<'_>, alive: &Alive) -> bool {
    let from = case.from();
    let away = |limit: u8| hops(limit).abs_diff(hops(from.hop_limit));
    from.packets > 0
        && from.hop_spread == 0
        && away(case.reset().hop_limit) == 0
        && away(alive.hop_limit) >= 2
}

/// The other side still talks and gets no answer: the sender is gone, as it said.
fn silence(case: &Case<'_>) -> Option<Evidence> {
    let after = &case.watch.aftermath;
    let speaks = after.receiver_packets >= 3 && after.sender_packets == 0;
    let silence = Value::Word("silence");
    let says = "silent while the other side still talks";
    (case.is_final && speaks).then(|| Evidence::of(Row::AliveSilence, silence, silence, says))
}

/// Paths of one host differ by so many hops at most, mostly.
const FLAP_HOPS_MAX: u8 = 3;
