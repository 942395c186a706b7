//! R03a, R10, R11 and the bursts: what other connections of the same service tell.

use flowtable::Ticks;

use crate::case::Case;
use crate::context::{
    BurstFacts, BurstKind, ServiceFacts, is_orphan, is_overflow, is_refusal, is_turned_away,
};
use crate::rules::{Finding, handshake};
use crate::vocabulary::Cause;

/// The cause that the service's state gives a reset in its name.
pub(super) fn cause(case: &Case<'_>) -> Option<Finding> {
    if case.sender_is_client() {
        return None;
    }
    if let Some(burst) = case.setting.burst.filter(|burst| burst.is_cut) {
        return Some(cut(&burst));
    }
    let service = &case.setting.service?;
    if is_refusal(case) {
        return refused(case, service);
    }
    if is_overflow(case) && case.idle() < PROMPT {
        return overflow(service);
    }
    if is_orphan(case) {
        return pressure(service);
    }
    if is_turned_away(case) {
        return turned_away(service);
    }
    None
}

/// One of many that ended together.
fn cut(burst: &BurstFacts) -> Finding {
    let rule = match burst.kind {
        BurstKind::Restart => "burst: restart",
        BurstKind::Down => "burst: down",
        BurstKind::Reboot => "burst: reboot",
        BurstKind::Failover => "burst: failover",
        BurstKind::StateLost => "burst: state lost",
        BurstKind::Part => "burst: part",
        BurstKind::Overload => {
            return Finding::new(
                "burst: overload",
                Cause::AcceptQueueOverflow,
                0.8,
                Cause::ServiceRestart,
            )
            .with_caveat("a limit of the host on new connections resets the same way");
        }
    };
    let was_seen_away = burst.refused > 0 || burst.moved.is_some() || burst.outage_ns.is_some();
    let all = burst.share.is_some_and(|share| share >= 0.8);
    let base = match (was_seen_away, all) {
        (true, _) => 0.92,
        (false, true) => 0.85,
        (false, false) => 0.7,
    };
    let confusion = match burst.kind {
        BurstKind::Reboot | BurstKind::Failover | BurstKind::StateLost => Cause::StaleConnection,
        _ => Cause::AppAbort,
    };
    let finding = Finding::new(rule, Cause::ServiceRestart, base, confusion);
    if was_seen_away {
        return finding;
    }
    finding.with_caveat(
        "a process that drops many connections by decision looks the same as one that ends",
    )
}

/// Refused where the service accepts at other times: before, afterwards, or in turn.
fn refused(case: &Case<'_>, service: &ServiceFacts) -> Option<Finding> {
    let is_recent = |ns: Option<u64>| ns.is_some_and(|ns| ns < RECENT_NS);
    let was_there = is_recent(service.accepted_before_ns);
    let came = is_recent(service.accepted_after_ns);
    if !was_there && !came {
        return None;
    }
    let rule = if service.is_mixed {
        "R03a: in turn"
    } else if was_there {
        "R03a"
    } else {
        "R03a: came later"
    };
    let finding = Finding::new(rule, Cause::ServiceUnavailable, 0.9, Cause::PolicyResetSyn);
    Some(handshake::as_far_as_proved(case, finding))
}

/// Signs of overload: many such resets, handshakes that needed two attempts, connections that pile up.
fn overflow(service: &ServiceFacts) -> Option<Finding> {
    if service.refused > 0 && service.accepted_after_ns.is_none() {
        // The listener is gone, not full.
        return None;
    }
    let stayed = service.opened.saturating_sub(service.ended + service.overflows);
    let signs = [
        service.overflows >= OVERFLOWS_MIN,
        service.strained >= STRAINED_MIN,
        stayed >= PILE_MIN && service.ended * 2 <= service.opened,
    ];
    let base = match signs.iter().filter(|sign| **sign).count() {
        0 => return None,
        1 => 0.65,
        _ => 0.8,
    };
    Some(
        Finding::new("R10", Cause::AcceptQueueOverflow, base, Cause::UnacceptableSegment)
            .with_caveat("a limit of the host on new connections resets the same way"),
    )
}

/// Closed and reset in one breath, again and again, while others live on.
fn pressure(service: &ServiceFacts) -> Option<Finding> {
    (service.orphans >= ORPHANS_MIN).then(|| {
        Finding::new("orphans", Cause::ResourceExhaustion, 0.65, Cause::AppAbort).with_caveat(
            "only the host's own counters prove it: TcpExtTCPAbortOnMemory, /proc/net/sockstat",
        )
    })
}

/// A front end that turns away one fresh connection after the other: its backends are down.
fn turned_away(service: &ServiceFacts) -> Option<Finding> {
    let most = service.turned_away * 2 >= service.opened;
    (service.turned_away >= TURNED_AWAY_MIN && most).then(|| {
        Finding::new("R11", Cause::ProxiedBackendRefused, 0.7, Cause::AppAbort).with_caveat(
            "an application that gives up each connection unanswered looks the same as a front end",
        )
    })
}

/// A service that accepted so recently is down, not absent.
const RECENT_NS: u64 = 600_000_000_000;
/// A reset so soon after the last segment answers it.
const PROMPT: Ticks = Ticks::from_ms(3_000);
/// One may be a failed SYN cookie.
const OVERFLOWS_MIN: u32 = 2;
const STRAINED_MIN: u8 = 2;
/// Connections that came and stayed.
const PILE_MIN: u32 = 3;
const ORPHANS_MIN: u32 = 5;
const TURNED_AWAY_MIN: u32 = 4;
