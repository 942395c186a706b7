//! E02: does the IP identification continue the sender's counter? For IPv6, the flow label.

use flowtable::{Side, Stack};

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Shape;
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    if case.is_v6() { flow_label(case) } else { identification(case) }
}

fn identification(case: &Case<'_>) -> Option<Evidence> {
    let (id, side) = (case.reset().ip_id, case.from());
    let found = |row: Row, expected: Value, says: &'static str| {
        Some(Evidence::of(row, Value::Id(id), expected, says))
    };
    if id != 0 && is_copy(case) {
        // Old BSD stacks build a reply in the buffer of the packet it answers.
        let row = if case.is_bare() { Row::IpIdCopiedReply } else { Row::IpIdCopied };
        return found(row, Value::Id(case.to().ip_id), "copied from the other side's packet");
    }
    if side.packets == 0 {
        return None;
    }
    let expected = Value::Id(side.ip_id.wrapping_add(1));
    let step = id.wrapping_sub(side.ip_id);
    let swapped_step = id.swap_bytes().wrapping_sub(side.ip_id.swap_bytes());
    if side.ip_id != 0 && (1..=8).contains(&step) {
        return found(Row::IpIdContinues, expected, "continues the sender's counter");
    }
    if side.ip_id != 0 && (1..=8).contains(&swapped_step) {
        let says = "continues the sender's counter in little-endian order";
        return found(Row::IpIdContinuesSwapped, expected, says);
    }
    if case.is_bare() {
        return match id {
            0 => found(Row::IpIdReplyZero, Value::Id(0), "0, as kernels reply"),
            _ => found(Row::IpIdReplyNotZero, Value::Id(0), "not 0, as newer kernels would reply"),
        };
    }
    // A SYN/ACK has ID 0 before the socket's counter starts; 0 throughout is a stack's choice.
    let counts = side.ip_id != 0 && (side.packets >= 2 || case.sender_is_client());
    let is_linux = case.stack() == Stack::Linux;
    let is_regular = !case.before().has_irregular_ids(case.sender);
    if is_linux && counts && is_regular && !case.before().has_gap() && step > LOSS_STEP_MAX {
        let says = "does not continue the counter, as Linux always does";
        return found(Row::IpIdBreaks, expected, says);
    }
    if id == 0 && side.ip_id == 0 {
        return found(Row::IpIdZeroThroughout, Value::Id(0), "0, like the sender's packets");
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
    let found = |row: Row, says: &'static str| {
        let observed = Value::Number(i64::from(label));
        Some(Evidence::of(row, observed, Value::Word("a flow label"), says))
    };
    if side.packets == 0 {
        let labels = case.baseline().is_some_and(|host| host.labels_flows);
        return match (labels, label) {
            (true, 0) => {
                found(Row::FlowLabelNoneByServer, "no flow label, which this server always sets")
            }
            (true, _) => found(Row::FlowLabelByServer, "a flow label, as this server sets"),
            (false, 1..) if case.shape == Shape::Refusal && case.to().packets > 0 => {
                found(Row::FlowLabelOfStranger, "a flow label, which packet filters never write")
            }
            (false, _) => None,
        };
    }
    match (side.ip_id, label) {
        (0, _) => None,
        (_, 0) if case.stack() == Stack::Linux => {
            let says = "no flow label, which Linux always writes and packet filters never do";
            found(Row::FlowLabelNoneLinux, says)
        }
        (_, 0) => found(Row::FlowLabelNone, "no flow label"),
        (last, now) if last == now as u16 => {
            found(Row::FlowLabelSame, "the connection's flow label")
        }
        _ if case.has_ack() => {
            found(Row::FlowLabelOther, "another flow label than the connection's")
        }
        _ => None,
    }
}

/// More than this many identifications apart is no packet loss.
const LOSS_STEP_MAX: u16 = 64;
