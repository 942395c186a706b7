//! E15: which card sent it, and on which fibre it came.

use flowtable::{MIXED_MACS, Side, TapPort};

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let (from, to, reset) = (case.from(), case.to(), case.reset());
    let port = reset.port != TapPort(0);
    let has_own_fibre = |side| !case.before().may_have_mixed_ports(side);
    if from.packets >= 3
        && to.packets >= 3
        && from.has(Side::PORT) != to.has(Side::PORT)
        && has_own_fibre(case.sender)
        && has_own_fibre(case.sender.opposite())
    {
        // Each direction has always been on a fibre of its own, so this is an optical tap.
        return (port != from.has(Side::PORT)).then(|| {
            let observed = Value::Number(i64::from(reset.port.0));
            let expected = Value::Number(i64::from(from.has(Side::PORT)));
            let says = "came in on the other side's fibre";
            Evidence::of(Row::PortOtherFibre, observed, expected, says)
        });
    }
    let mac = case.before().mac(case.sender);
    // Cards of two fibres are not compared: their hashes hold the port.
    let is_same_fibre = port == from.has(Side::PORT);
    let foreign = is_same_fibre
        && from.packets >= 3
        && !matches!(mac, 0 | MIXED_MACS)
        && reset.mac != 0
        && mac != reset.mac;
    foreign.then(|| {
        let (observed, expected) = ("another MAC address", "the sender's");
        let says = "another network card sent it";
        Evidence::of(Row::MacOther, Value::Word(observed), Value::Word(expected), says)
    })
}
