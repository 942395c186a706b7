//! R01, R02: resets of which the sender, or the whole connection, was not seen before.

use flowtable::{Side, Stack};

use crate::case::Case;
use crate::context::attempt::answers_no_ack;
use crate::rules::Finding;
use crate::vocabulary::{Cause, Shape};

pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    if case.is_without_context() {
        return Some(unseen(case));
    }
    if case.from().packets > 0 {
        return spoofed_syn(case);
    }
    let to = case.to();
    let syn_ack_only = to.has(Side::SYN) && case.sender_is_client();
    if syn_ack_only && is_by_hand(case) {
        return Some(Finding::new(
            "R02",
            Cause::StrayProbeResponse,
            0.8,
            Cause::SynFloodBackscatter,
        ));
    }
    if syn_ack_only {
        let finding =
            Finding::new("R01", Cause::SynFloodBackscatter, 0.7, Cause::StrayProbeResponse);
        return Some(finding.with_caveat(
            "the SYN/ACK answers a SYN that was not seen: spoofed elsewhere, or captured one way",
        ));
    }
    if to.has(Side::SYN) {
        return None;
    }
    let is_probe = to.packets == 1 && !to.has(Side::DATA) && !case.before().is_over();
    if is_probe && answers_no_ack(case) {
        return Some(Finding::new("R02", Cause::StrayProbeResponse, 0.9, Cause::SynScan));
    }
    Some(if is_probe && case.is_bare() && case.answers_receiver() {
        Finding::new("R02", Cause::StrayProbeResponse, 0.6, Cause::StaleConnection)
            .with_caveat("a lone segment of an unseen connection looks the same as a probe")
    } else if case.is_bare() {
        Finding::new("R17", Cause::StaleConnection, 0.6, Cause::SessionlessReset)
            .with_caveat("the connection began before the capture")
    } else {
        Finding::new("R27", Cause::AppAbort, 0.6, Cause::StaleConnection)
            .with_caveat("the connection began before the capture")
    })
}

fn unseen(case: &Case<'_>) -> Finding {
    let caveat = "nothing of the connection was seen before the reset";
    if case.shape == Shape::Refusal || case.has_ack() {
        Finding::new("R01", Cause::SynFloodBackscatter, 0.5, Cause::PortClosed).with_caveat(caveat)
    } else {
        Finding::new("R99", Cause::Unknown, 0.4, Cause::StaleConnection).with_caveat(caveat)
    }
}

/// A SYN/ACK whose window does not hold one segment: no listening stack offers that (SYN proxies
/// offer none at all), scanners' tools do (nmap 1024, hping 512).
fn is_by_hand(case: &Case<'_>) -> bool {
    let before = case.before();
    let window = before.syn_window(case.receiver);
    before.stack(case.receiver) == Stack::Bare && (1..=SCANNER_WINDOW_MAX).contains(&window)
}

/// The SYN came from elsewhere than the reset that answers its SYN/ACK: its source was spoofed,
/// and the true owner of the address protests.
fn spoofed_syn(case: &Case<'_>) -> Option<Finding> {
    let (from, to) = (case.from(), case.to());
    let answers_syn_ack = case.sender_is_client()
        && case.is_bare()
        && (to.packets == 0 || to.has(Side::SYN))
        && case.reset().seq == from.next
        && !case.before().handshake_complete()
        && !from.has(Side::DATA);
    let reset = case.reset().hop_limit;
    let apart = crate::case::hops(reset).abs_diff(crate::case::hops(from.hop_limit)) >= 2;
    // Scanners vary the hop limit of their own SYNs.
    let is_scan = case.stack() == Stack::Bare && to.packets > 0;
    (answers_syn_ack && !is_scan && apart && reset != 0 && from.hop_limit != 0)
        .then_some(Finding::new("R01", Cause::SynFloodBackscatter, 0.75, Cause::SynScan))
}

const SCANNER_WINDOW_MAX: u16 = 1_024;
