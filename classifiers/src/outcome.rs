//! What the reset did, and what it cost.

use flowtable::PayloadClass;

use crate::case::Case;
use crate::receiver;
use crate::verdict::{Cost, EffectBasis};
use crate::vocabulary::{Cause, Effect, Impact, Reaction, Reception, Role, Shape, Stage};

/// What became of the receiver: what was seen of it, or else what its stack should have done.
///
/// Nothing is guessed: where neither tells, it is unobservable.
pub(crate) fn effect(case: &Case<'_>) -> (Effect, EffectBasis) {
    use Reaction::{ChallengeAck, OpenedAnew, Pending, ResetInReturn, Retransmitted, WentOn};
    let (expected, because) = receiver::expected(case);
    let seen = receiver::reaction(case);
    let is_ineffective = matches!(expected, Reception::Drop | Reception::Challenge);
    // What stopped it may have been another one.
    let is_alone = case.watch.earlier.is_none() && case.watch.aftermath.train.count == 0;
    let stopped = matches!(seen, ResetInReturn | OpenedAnew) && (is_alone || !is_ineffective);
    let effect = match (seen, expected) {
        (WentOn | Retransmitted, _) => Effect::Ignored,
        (ChallengeAck, _) => Effect::Challenged,
        _ if stopped => Effect::Accepted,
        _ if is_ineffective => Effect::PredictedIneffective,
        (Pending, _) | (_, Reception::Unsure) => Effect::Unobservable,
        _ => Effect::Accepted,
    };
    let contradiction = match effect {
        Effect::Ignored | Effect::Challenged => expected == Reception::Obey,
        Effect::Accepted => is_ineffective,
        _ => false,
    };
    (effect, EffectBasis { expected, because, seen, contradiction })
}

/// What a connection lost that ended here; of one that went on, what it would have lost.
pub(crate) fn cost(case: &Case<'_>, effect: Effect) -> Cost {
    let before = case.before();
    if case.is_thinned() {
        return Cost { in_flight: [None; 2], record_missing: [None; 2], unread_possible: None };
    }
    let sides = [before.client(), before.client().opposite()];
    // What the receiver had sent before it heard of the reset met nobody.
    let may_have_ended = matches!(effect, Effect::Accepted | Effect::Unobservable);
    let later = case.watch.aftermath.receiver_next.filter(|_| may_have_ended);
    let is_abort = matches!(case.shape, Shape::Active) && !case.is_without_context();
    Cost {
        in_flight: sides
            .map(|side| before.in_flight(side, later.filter(|_| side == case.receiver))),
        record_missing: sides.map(|side| before.open_record(side).missing()),
        unread_possible: if is_abort { before.may_be_unread(case.receiver) } else { None },
    }
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
