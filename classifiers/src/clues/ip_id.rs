//! E02: does the IP identification continue the sender's counter? For IPv6, the flow label.

use flowtable::{Side, Stack};

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    if case.is_v6() { flow_label(case) } else { identification(case) }
}

fn identification(case: &Case<'_>) -> Option<Evidence> {
    let (id, side) = (case.reset().ip_id, case.from());
    let found = |expected: Value, decibans: f32, says: &'static str| {
        Some(Evidence { clue: Clue::IpId, observed: Value::Id(id), expected, decibans, says })
    };
    if id != 0 && is_copy(case) {
        // Old BSD stacks build a reply in the buffer of the packet it answers.
        let decibans = if case.is_bare() { -6.0 } else { -15.0 };
        return found(Value::Id(case.to().ip_id), decibans, "copied from the other side's packet");
    }
    if side.packets == 0 {
        return None;
    }
    let expected = Value::Id(side.ip_id.wrapping_add(1));
    let step = id.wrapping_sub(side.ip_id);
    let swapped_step = id.swap_bytes().wrapping_sub(side.ip_id.swap_bytes());
    if side.ip_id != 0 && (1..=8).contains(&step) {
        return found(expected, 12.0, "continues the sender's counter");
    }
    if side.ip_id != 0 && (1..=8).contains(&swapped_step) {
        return found(expected, 10.0, "continues the sender's counter in little-endian order");
    }
    if case.is_bare() {
        return match id {
            0 => found(Value::Id(0), 2.0, "0, as kernels reply"),
            _ => found(Value::Id(0), -2.0, "not 0, as newer kernels would reply"),
        };
    }
    // A SYN/ACK has ID 0 before the socket's counter starts; 0 throughout is a stack's choice.
    let counts = side.ip_id != 0 && (side.packets >= 2 || case.sender_is_client());
    let is_linux = case.stack() == Stack::Linux;
    let is_regular = !case.before().has_irregular_ids(case.sender);
    if is_linux && counts && is_regular && !case.before().has_gap() && step > LOSS_STEP_MAX {
        return found(expected, -15.0, "does not continue the counter, as Linux always does");
    }
    if id == 0 && side.ip_id == 0 {
        return found(Value::Id(0), 2.0, "0, like the sender's packets");
    }
    None
}

/// Whether the ID is that of the other side's last packet or SYN.
fn is_copy(case: &Case<'_>) -> bool {
    let id = case.reset().ip_id;
    let receiver = case.to();
    let syn_id = case.before().syn_ip_id(case.receiver);
    let is_own = case.from().packets > 0 && id.wrapping_sub(case.from().ip_id) <= 8;
    !is_own
        && receiver.packets > 0
        && (id == receiver.ip_id || (receiver.has(Side::SYN) && id == syn_id))
}

/// The low 16 bits of the label stand for the whole of it.
fn flow_label(case: &Case<'_>) -> Option<Evidence> {
    let (label, side) = (case.reset().flow_label, case.from());
    let found = |decibans: f32, says: &'static str| {
        Some(Evidence {
            clue: Clue::IpId,
            observed: Value::Number(i64::from(label)),
            expected: Value::Word("a flow label"),
            decibans,
            says,
        })
    };
    if side.packets == 0 {
        let labels = case.baseline().is_some_and(|host| host.labels_flows);
        return match (labels, label) {
            (true, 0) => found(-26.0, "no flow label, which this server always sets"),
            (true, _) => found(6.0, "a flow label, as this server sets"),
            (false, _) => None,
        };
    }
    match (side.ip_id, label) {
        (0, _) => None,
        (_, 0) if case.stack() == Stack::Linux => {
            found(-20.0, "no flow label, which Linux always writes and packet filters never do")
        }
        (_, 0) => found(-4.0, "no flow label"),
        (last, now) if last == now as u16 => found(8.0, "the connection's flow label"),
        _ if case.has_ack() => found(-10.0, "another flow label than the connection's"),
        _ => None,
    }
}

/// More than this many identifications apart is no packet loss.
const LOSS_STEP_MAX: u16 = 64;
