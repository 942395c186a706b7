//! R02, R07 to R09, R04a, R29: what else its source does makes of an attempt a scan, a health
//! check, or one connection too many.

use crate::case::Case;
use crate::context::attempt::is_answer_to_a_stray;
use crate::rules::{Finding, meets_wrong_ack};
use crate::vocabulary::{Cause, Stage};

pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    health_check(case)
        .or_else(|| limit(case))
        .or_else(|| scan(case))
        .or_else(|| desync(case))
        .or_else(|| sibling(case))
}

fn health_check(case: &Case<'_>) -> Option<Finding> {
    let rhythm = case.setting.rhythm?;
    let base = if rhythm.probes >= 6 && !case.carried_data() { 0.95 } else { 0.85 };
    let confusion = if case.carried_data() { Cause::FastClose } else { Cause::ConnectCancelled };
    Some(Finding::new("R08", Cause::HealthCheck, base, confusion))
}

/// Overload and a deliberate limit look alike on the wire (5.4): what tells them apart is that
/// others, or the same source with fewer, are served at the same time.
fn limit(case: &Case<'_>) -> Option<Finding> {
    let limit = case.setting.limit.filter(|limit| limit.is_alive)?;
    (limit.open >= limit.at).then_some(
        Finding::new("R04a", Cause::ConnectionLimit, 0.75, Cause::ServiceUnavailable)
            .with_caveat("a limit by source in the server, or in a packet filter at its distance"),
    )
}

fn scan(case: &Case<'_>) -> Option<Finding> {
    case.setting.scan?;
    if is_answer_to_a_stray(case) {
        return Some(Finding::new("R02", Cause::StrayProbeResponse, 0.9, Cause::StaleConnection));
    }
    // What a scan finds closed is closed: only the scanner's own resets are the scan.
    let is_its_own = case.sender_is_client() && !case.carried_data();
    is_its_own.then_some(Finding::new("R07", Cause::SynScan, 0.9, Cause::ConnectCancelled))
}

fn desync(case: &Case<'_>) -> Option<Finding> {
    let desync = case.setting.desync?;
    let base = if desync.known.port == desync.stranger.port { 0.8 } else { 0.7 };
    Some(Finding::new("R29", Cause::NatDesync, base, Cause::StrayProbeResponse))
}

fn sibling(case: &Case<'_>) -> Option<Finding> {
    case.setting.sibling?;
    let is_handshake = case.stage == Stage::PostSyn && case.sender_is_client();
    let is_scan = case.stack() == flowtable::Stack::Bare;
    (is_handshake && !is_scan && !meets_wrong_ack(case)).then_some(Finding::new(
        "R09",
        Cause::ConnectCancelled,
        0.95,
        Cause::SynScan,
    ))
}
