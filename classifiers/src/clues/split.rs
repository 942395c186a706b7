//! E12: one address, two stacks: a front end shook hands, something behind it answers.

use flowtable::Side;

use crate::case::{Case, hops};
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

/// Says that a front end sent the reset: for the proof sheet, since it speaks by silencing others.
pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let here = is_split_here(case) && is_from_front(case);
    (here || is_from_known_front(case)).then_some(Evidence {
        clue: Clue::SplitStack,
        row: None,
        observed: Value::Word("the front end's"),
        expected: Value::None,
        decibans: 0.0,
        says: "from where this server's SYN/ACKs come, not from where its data does",
    })
}

/// Whether handshake and data of the sender come from two stacks, here or on the server's other
/// connections.
pub(crate) fn is_split(case: &Case<'_>) -> bool {
    is_split_here(case) || (case.setting.front.is_some() && !case.sender_is_client())
}

/// Whether SYN or SYN/ACK of the sender came from elsewhere than its later packets.
pub(super) fn is_split_here(case: &Case<'_>) -> bool {
    let side = case.from();
    let syn = case.before().syn_hop_limit(case.sender);
    side.has(Side::SYN)
        && side.packets >= 2
        && syn != 0
        && side.hop_limit != 0
        && hops(syn).abs_diff(hops(side.hop_limit)) >= 2
}

/// Whether all that was seen of the server is a SYN/ACK as SYN proxies write it: window 0 until they
/// have reached the server (nf_synproxy_core.c). It tells nothing of the server's own headers.
pub(super) fn is_only_front_seen(case: &Case<'_>) -> bool {
    let side = case.from();
    !case.sender_is_client()
        && side.packets > 0
        && side.has(Side::SYN)
        && !side.has(Side::DATA)
        && case.before().syn_window(case.sender) == 0
        && (side.window == 0 || case.reset().seq == case.before().initial(case.sender) + 1)
}

/// Whether the reset came from where the SYN/ACK did, not from where the data does.
pub(super) fn is_from_front(case: &Case<'_>) -> bool {
    let syn = case.before().syn_hop_limit(case.sender);
    is_split_here(case) && hops(syn).abs_diff(hops(case.reset().hop_limit)) <= 1
}

/// Whether it came from where the SYN/ACKs of the server's other connections do.
pub(super) fn is_from_known_front(case: &Case<'_>) -> bool {
    let front = case.setting.front.filter(|_| !case.sender_is_client());
    front.is_some_and(|front| front.front_hops == hops(case.reset().hop_limit))
}
