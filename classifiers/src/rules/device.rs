//! R04, R14 to R18, R28: resets by a device in the path, or by somebody off it.

use flowtable::{Side, Ticks};

use crate::case::Case;
use crate::rules::Finding;
use crate::vocabulary::{Cause, Stage};

pub(super) fn cause(case: &Case<'_>) -> Finding {
    let policy = |rule, cause, base| Finding::new(rule, cause, base, Cause::SessionlessReset);
    if is_guess(case) {
        return policy("R28", Cause::BlindRstAttack, 0.9);
    }
    let silence_s = case.idle_before_provocation().seconds();
    let provoked = case.is_bare() && case.answers_receiver() && case.receiver_spoke_last();
    match case.stage {
        Stage::PostSyn | Stage::None if case.idle_s() < UNPROVOKED_S => {
            Finding::new("R04", Cause::PolicyResetSyn, 0.9, Cause::PortClosed)
        }
        _ if provoked && silence_s >= LATE_S => {
            Finding::new("R16", Cause::IdleExpiredLatePacket, 0.85, Cause::SessionlessReset)
        }
        _ if case.idle_s() >= UNPROVOKED_S => {
            Finding::new("R18", Cause::IdleTimeoutMiddlebox, 0.75, Cause::PolicyResetMidstream)
        }
        Stage::PostAck | Stage::PostPsh if within_first_bytes(case) => {
            policy("R14", Cause::PolicyResetContent, 0.85)
        }
        Stage::PostFin => Finding::new("R16", Cause::SessionlessReset, 0.75, Cause::CloseRace),
        _ if provoked && silence_s >= SESSION_S => policy("R16", Cause::SessionlessReset, 0.75),
        _ => policy("R15", Cause::PolicyResetMidstream, 0.8),
    }
}

/// Several bare resets at numbers that nobody's state explains.
fn is_guess(case: &Case<'_>) -> bool {
    let off = case.reset().seq.distance_from(case.from().next).unsigned_abs();
    let several = case.watch.aftermath.train.count >= 3
        || case.watch.earlier.is_some_and(|earlier| {
            earlier.direction == case.sender && earlier.reset.seq != case.reset().seq
        });
    let lives = case.carried_data() || case.before().handshake_complete();
    case.is_bare() && lives && off > 1 && !case.answers_receiver() && several
}

/// The first data of the client has just passed.
pub(super) fn within_first_bytes(case: &Case<'_>) -> bool {
    let before = case.before();
    let client = before.side(before.client());
    let round_trip = case.round_trip().map_or(Ticks(0), |round_trip| round_trip.span);
    let since = case.reset().time.tick().since(client.advanced);
    client.has(Side::DATA) && since <= round_trip.max(Ticks::from_ms(300))
}

/// No packet for so long: not provoked by one.
const UNPROVOKED_S: f64 = 5.0;
/// A session that has been silent for so long may have been forgotten.
const SESSION_S: f64 = 10.0;
/// Silence after which the first packet counts as late.
const LATE_S: f64 = 30.0;
