//! What the reset did, and what it cost.

use flowtable::{PayloadClass, Side};

use crate::case::Case;
use crate::clues;
use crate::vocabulary::{Cause, Effect, Impact, Role, Stage};

/// What became of the receiver (RFC 5961, section 3.2; tcp_validate_incoming in Linux).
pub(crate) fn effect(case: &Case<'_>) -> Effect {
    let after = &case.watch.aftermath;
    if after.receiver_went_on {
        return Effect::Ignored;
    }
    if after.challenged {
        return Effect::Challenged;
    }
    if clues::must_be_dropped(case) || is_off_sequence(case) {
        return Effect::PredictedIneffective;
    }
    if after.receiver_retransmits >= 2 {
        return Effect::Ignored;
    }
    let is_one_way = case.to().packets == 0;
    if !case.is_final || is_one_way { Effect::Unobservable } else { Effect::Accepted }
}

/// Not what the receiver expects next: below what it has acknowledged, or beyond all data.
fn is_off_sequence(case: &Case<'_>) -> bool {
    let (reset, from, to) = (case.reset(), case.from(), case.to());
    if to.packets == 0 || from.packets == 0 {
        return false;
    }
    // Linux also takes RCV.NXT - 1 after a FIN, which Apple's stack sends.
    let slack = i32::from(from.has(Side::FIN));
    let below = reset.seq.distance_from(to.acked) < -slack;
    let beyond = reset.seq.distance_from(from.next) > 0 && reset.seq != to.acked;
    (below || beyond) && !case.before().is_midstream()
}

/// What it cost, by cause and by what was in flight.
pub(crate) fn impact(case: &Case<'_>, role: Role, cause: Cause, effect: Effect) -> Impact {
    use Cause::{
        CloseRace, ConnectCancelled, DataAfterClose, FastClose, HealthCheck, SecondaryRst,
        StrayProbeResponse, SynAuthReset, SynFloodBackscatter, SynScan, TimewaitCollision,
        UnacceptableSegment,
    };
    if role != Role::Primary {
        return Impact::Benign;
    }
    if matches!(effect, Effect::Ignored | Effect::Challenged) {
        return Impact::Benign;
    }
    if case.stage == Stage::None {
        return Impact::Unknown;
    }
    match cause {
        CloseRace | FastClose | HealthCheck | SecondaryRst | SynScan | StrayProbeResponse
        | SynFloodBackscatter | ConnectCancelled => Impact::Benign,
        // Whoever comes again is let in.
        SynAuthReset if case.watch.aftermath.retry_accepted => Impact::Benign,
        DataAfterClose => {
            // A request that met a closing server is lost; a goodbye is not.
            let lost = case.before().unacknowledged(case.receiver);
            let class = case.before().last_payload(case.receiver);
            let request = matches!(class, PayloadClass::HttpRequest | PayloadClass::TlsClientHello);
            if lost > 0 && request { Impact::Aborted } else { Impact::Benign }
        }
        TimewaitCollision | UnacceptableSegment if case.stage == Stage::PostSyn => Impact::Refused,
        _ => match case.stage {
            Stage::PostSyn => Impact::Refused,
            Stage::PostAck if !case.carried_data() => Impact::Refused,
            Stage::PostFin if is_all_delivered(case) => Impact::Benign,
            _ => Impact::Aborted,
        },
    }
}

fn is_all_delivered(case: &Case<'_>) -> bool {
    let before = case.before();
    before.unacknowledged(case.sender) <= 1 && before.unacknowledged(case.receiver) <= 1
}
