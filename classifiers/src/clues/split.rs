//! E12: one address, two stacks: a front end shook hands, something behind it answers.

use flowtable::Side;

use crate::case::{Case, hops};

/// Whether SYN or SYN/ACK of the sender came from elsewhere than its later packets.
pub(crate) fn is_split(case: &Case<'_>) -> bool {
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
        && side.window == 0
}

/// Whether the reset came from where the SYN/ACK did, not from where the data does.
pub(super) fn is_from_front(case: &Case<'_>) -> bool {
    let syn = case.before().syn_hop_limit(case.sender);
    is_split(case) && hops(syn).abs_diff(hops(case.reset().hop_limit)) <= 1
}
