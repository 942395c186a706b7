//! R04, R14 to R18, R28: resets by a device in the path, or by somebody off it.

use flowtable::{Side, Ticks};

use crate::case::Case;
use crate::rules::Finding;
use crate::vocabulary::{Cause, Stage};

pub(super) fn cause(case: &Case<'_>) -> Finding {
    let policy = |rule, cause, base| {
        let confusion = match cause {
            Cause::SessionlessReset => Cause::PolicyResetMidstream,
            _ => Cause::SessionlessReset,
        };
        Finding::new(rule, cause, base, confusion)
    };
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
        Stage::PostAck | Stage::PostPsh | Stage::Later if provoked && !met_data(case) => {
            policy("R16", Cause::SessionlessReset, 0.7)
        }
        Stage::Later if provoked && ended_longest_silence(case) => {
            policy("R16", Cause::SessionlessReset, 0.6)
                .with_caveat("a filter that disliked this very segment would look the same")
        }
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

/// The segment that drew the reset carried something that a filter can dislike.
fn met_data(case: &Case<'_>) -> bool {
    let to = case.to();
    // A mirror port may show it once more.
    let is_new = to.has(Side::DATA) && to.last.since(to.advanced) < Ticks::from_ms(100);
    is_new || case.before().retransmissions(case.receiver) > 0
}

/// The segment that drew the reset ended the longest silence of the connection. A session that is
/// lost is lost at any time, mostly in a silence, and missed at its end; a filter meets what it
/// dislikes in the midst of the talk.
fn ended_longest_silence(case: &Case<'_>) -> bool {
    let (from, to, before) = (case.from(), case.to(), case.before());
    let silence = to.last.since(from.last);
    let round_trips = [case.sender, case.receiver]
        .map(|direction| before.round_trip(direction).map_or(0, |span| span.0));
    let is_pause = silence >= PAUSE_MIN.max(Ticks(4 * (round_trips[0] + round_trips[1])));
    let longest = before.longest_gap();
    is_pause && longest <= silence && longest.0 >= silence.0 / 2
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
/// Shorter silences belong to the talk.
const PAUSE_MIN: Ticks = Ticks::from_ms(300);
/// Silence after which the first packet counts as late.
const LATE_S: f64 = 30.0;
