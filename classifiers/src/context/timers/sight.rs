//! Which silences a FIN or a reset shows.

use flowtable::{Side, Silence, Ticks};

use super::facts::TimerOwner;
use crate::case::Case;
use crate::context::lesson::Lesson;
use crate::vocabulary::{Cause, Origin, Role};

/// What a reset shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// Who sent it.
    pub(super) owner: TimerOwner,
    /// The silence in which it ended the connection of its own accord.
    pub(super) ended: Option<Ticks>,
    /// The silence that a packet ended which drew it.
    pub(super) late: Option<Ticks>,
    /// The silence that the sender's FIN had ended before.
    pub(super) closed: Option<Ticks>,
    /// The longest silence before.
    pub(super) survived: Option<Ticks>,
    /// Hops behind it.
    pub(super) hops: u8,
}

impl Sight {
    /// Whether there is anything to learn from it.
    pub(super) const fn teaches(&self) -> bool {
        self.ended.is_some() || self.late.is_some() || self.survived.is_some()
    }

    /// Whether any timer can answer for it.
    pub(super) const fn asks(&self) -> bool {
        self.ended.is_some() || self.late.is_some() || self.closed.is_some()
    }

    /// Nothing if it is not the connection's first reset or has another reason than silence.
    pub(super) fn of(lesson: &Lesson<'_>) -> Option<Self> {
        let Lesson { watch, case, ruling, .. } = lesson;
        let silence = watch.before.silence(watch.reset.time)?;
        let by_timer_of_tcp =
            matches!(ruling.cause, Cause::KeepaliveTimeout | Cause::RetransmissionTimeout);
        if ruling.role != Role::Primary || !silence.is_established || by_timer_of_tcp {
            return None;
        }
        let owner = match ruling.origin {
            Origin::Client => TimerOwner::Client,
            Origin::Server => TimerOwner::Server,
            Origin::MiddleboxToClient | Origin::MiddleboxToServer | Origin::MiddleboxBoth => {
                TimerOwner::Device
            }
            Origin::BlindAttacker => return None,
            Origin::Unknown => owner(case.sender_is_client()),
        };
        let hops = crate::case::hops(watch.reset.hop_limit);
        let nothing = Self { owner, ended: None, late: None, closed: None, survived: None, hops };
        if case.from().has(Side::FIN) || case.to().has(Side::FIN) {
            // The FIN has told its silence already.
            return Some(Self { closed: closed_silence(case), ..nothing });
        }
        if let Some(late) = late(case) {
            let survived = Some(silence.survived).filter(|&gap| gap.0 > late.0 + late.0 / 500);
            return Some(Self { late: Some(late), survived, ..nothing });
        }
        let ended = match owner {
            TimerOwner::Device => Some(silence.idle),
            _ => of_application(owner == TimerOwner::Client, &silence),
        };
        let ended = ended.filter(|&gap| gap >= GAP_MIN && !silence.is_disturbed);
        Some(Self { ended, survived: survived(&silence), ..nothing })
    }
}

/// The silence that a FIN ends.
pub(super) fn of_fin(by_client: bool, silence: &Silence) -> Option<Ticks> {
    let gap = of_application(by_client, silence)?;
    (gap >= GAP_MIN && !silence.is_disturbed).then_some(gap)
}

/// The longest silence that a connection has survived: after one that a device met with dropped
/// packets, its segments wait for their acknowledgment.
pub(super) fn survived(silence: &Silence) -> Option<Ticks> {
    (silence.survived >= GAP_MIN && !silence.is_disturbed).then_some(silence.survived)
}

pub(super) const fn owner(is_client: bool) -> TimerOwner {
    if is_client { TimerOwner::Client } else { TimerOwner::Server }
}

/// The silence that an application measures: that of new bytes.
fn of_application(is_client: bool, silence: &Silence) -> Option<Ticks> {
    // A client that waits for an answer has a timer for that, not for idle connections.
    if is_client && silence.client_spoke_last {
        return None;
    }
    let probed = silence.unused.0 - silence.unused.0.min(silence.idle.0) > PROBED.0;
    // Between probes, silences of the application leave no trace: only if there was no time for
    // another as long it is known that none was survived.
    let could_be_second = silence.unused.seconds() * 2.0 <= f64::from(silence.age_s);
    (!(probed && could_be_second)).then_some(silence.unused)
}

/// The silence that ended with the packet that drew the reset.
fn late(case: &Case<'_>) -> Option<Ticks> {
    let (from, to, before) = (case.from(), case.to(), case.before());
    let provoked = case.is_bare() && case.receiver_spoke_last() && case.answers_receiver();
    let since = case.reset().time.tick().since(to.last);
    if !provoked || from.packets == 0 || since > ANSWERED_WITHIN {
        return None;
    }
    let gap = to.last.since(from.last);
    // The longest silence of both is this one, unless the receiver had gone on by itself.
    let both = before.longest_gap();
    let alone = before.retransmissions(case.receiver) > 1 || both.0 < gap.0 - gap.0 / 8;
    (!alone && gap >= GAP_MIN).then(|| gap.min(Ticks(both.0 + both.0 / 1_024 + 1)))
}

/// The silence that the sender's FIN ended before it reset: the longest one, if a timer did it.
pub(crate) fn closed_silence(case: &Case<'_>) -> Option<Ticks> {
    let closed = case.from().has(Side::FIN) && !case.to().has(Side::FIN);
    let gap = case.before().longest_gap();
    // The timer began with the last byte of the sender, a round trip before its acknowledgment.
    let round_trip = case.before().round_trip(case.receiver).unwrap_or(Ticks(0));
    (closed && gap >= GAP_MIN).then(|| Ticks(gap.0.saturating_add(round_trip.0)))
}

/// Shorter silences are the pauses of ordinary exchanges. Timers from 2 s on need what is half as
/// long to stand out from.
const GAP_MIN: Ticks = Ticks::from_ms(400);
/// A silence of bytes that is so much longer than that of segments was probed.
const PROBED: Ticks = Ticks::from_ms(1_000);
/// Round trips longer than this are none.
const ANSWERED_WITHIN: Ticks = Ticks::from_ms(1_500);

#[cfg(test)]
mod tests {
    use flowtable::{Silence, Ticks};

    use super::{of_fin, survived};

    const SECOND: u64 = 1_000;

    fn silence(idle_s: u64, unused_s: u64, age_s: u32) -> Silence {
        Silence {
            idle: Ticks::from_ms(idle_s * SECOND),
            unused: Ticks::from_ms(unused_s * SECOND),
            survived: Ticks::from_ms(3 * SECOND),
            age_s,
            client_spoke_last: false,
            is_disturbed: false,
            is_established: true,
        }
    }

    #[test]
    fn keepalive_probes_do_not_hide_an_application_s_timer() {
        // Probed every 15 s, closed 75 s after the only response.
        let gap = of_fin(false, &silence(14, 75, 76));
        assert_eq!(gap, Some(Ticks::from_ms(75 * SECOND)));
        // Between the probes of an hour may have been as long a silence: it tells nothing.
        assert_eq!(of_fin(false, &silence(14, 75, 3_600)), None);
        // Without probes nothing is hidden.
        assert_eq!(of_fin(false, &silence(75, 75, 3_600)), Some(Ticks::from_ms(75 * SECOND)));
    }

    #[test]
    fn who_waits_for_an_answer_is_not_idle() {
        let waiting = Silence { client_spoke_last: true, ..silence(30, 30, 31) };
        assert_eq!(of_fin(true, &waiting), None);
        // A server owes the answer: its time-out is its own.
        assert!(of_fin(false, &waiting).is_some());
    }

    #[test]
    fn segments_that_nobody_acknowledged_are_no_silence() {
        let lost = Silence { is_disturbed: true, ..silence(30, 30, 31) };
        assert_eq!((of_fin(false, &lost), survived(&lost)), (None, None));
        assert_eq!(survived(&silence(0, 0, 5)), Some(Ticks::from_ms(3 * SECOND)));
    }

    #[test]
    fn the_pauses_of_ordinary_exchanges_are_left_out() {
        assert_eq!(of_fin(false, &silence(0, 0, 1)), None);
    }
}
