//! What a reset means for the service it names: a connection cut, refused, or turned away.

use flowtable::{Side, Ticks, Timestamp};
use wire::Address;

use super::lesson::Lesson;
use crate::case::Case;
use crate::vocabulary::{Cause, Origin, Role, Shape, Stage};

/// One reset as its service's table takes it in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Blow {
    /// A SYN was refused.
    Refused(Timestamp),
    /// A connection was cut by its server.
    Cut(Cut),
    /// It ended in another way: one connection less, if it had been opened.
    Ended(Timestamp),
}

/// A connection that its server cut.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cut {
    pub(crate) time: Timestamp,
    pub(crate) client: Address,
    /// Neither side had closed.
    pub(crate) is_open: bool,
    /// It had been silent for so long that it may have expired by itself.
    pub(crate) is_doubtful: bool,
    /// A bare reset that answered a segment.
    pub(crate) is_reply: bool,
    /// A bare reset right at the end of the handshake.
    pub(crate) is_overflow: bool,
    /// The server had not said a byte, and took longer than an answer does.
    pub(crate) is_turned_away: bool,
    /// FIN and reset of the server at once (see [`is_orphan`]).
    pub(crate) is_orphan: bool,
    pub(crate) is_midstream: bool,
    pub(crate) idle_ns: u64,
    /// When the server last sent anything but a reset.
    pub(crate) server_spoke: Timestamp,
    /// Second in which the connection was first seen.
    pub(crate) opened_s: u32,
}

impl Blow {
    /// What a reset means for its server; `None` if nothing, or if a device sent it.
    pub(crate) fn of(lesson: &Lesson<'_>) -> Option<Self> {
        let Lesson { case, ruling, .. } = lesson;
        if ruling.role != Role::Primary {
            return None;
        }
        let time = case.reset().time;
        let is_its_own = matches!(ruling.origin, Origin::Server | Origin::Unknown);
        if case.sender_is_client() || !is_its_own {
            return case.before().handshake_complete().then_some(Self::Ended(time));
        }
        if is_refusal(case) {
            return Some(Self::Refused(time));
        }
        match Cut::of(case, ruling.cause) {
            Some(cut) => Some(Self::Cut(cut)),
            None => case.before().handshake_complete().then_some(Self::Ended(time)),
        }
    }
}

impl Cut {
    /// The cut, if the single connection's cause allows that something happened to the service.
    pub(crate) fn of(case: &Case<'_>, cause: Cause) -> Option<Self> {
        let (from, to, before) = (case.from(), case.to(), case.before());
        let is_orphan = is_orphan(case);
        let is_turned_away = is_turned_away(case);
        let is_open = !from.has(Side::FIN) && !to.has(Side::FIN);
        let fits = match cause {
            Cause::AppAbort | Cause::FastClose | Cause::TlsFailureAbort => {
                is_open || is_orphan || is_turned_away
            }
            Cause::StaleConnection | Cause::IdleTimeoutEndpoint | Cause::AcceptQueueOverflow => {
                is_open
            }
            Cause::UnacceptableSegment | Cause::ProxiedBackendRefused => is_open,
            Cause::IdleExpiredLatePacket => is_open,
            _ => false,
        };
        if !fits || from.packets == 0 {
            return None;
        }
        let reset = case.reset();
        let silence = reset.time.tick().since(from.last);
        Some(Self {
            time: reset.time,
            client: case.watch.key.sender(case.receiver).address,
            is_open,
            // A late packet that was repeated met a host that was away, not a timer.
            is_doubtful: cause == Cause::IdleExpiredLatePacket
                && before.retransmissions(case.receiver) == 0,
            is_reply: case.shape == Shape::Reply
                && before.handshake_complete()
                && from.has(Side::DATA),
            is_overflow: is_overflow(case),
            is_turned_away,
            is_orphan,
            is_midstream: before.is_midstream(),
            idle_ns: case.idle().ns(),
            server_spoke: Timestamp(reset.time.0.saturating_sub(silence.ns())),
            opened_s: before.opened_s(),
        })
    }
}

/// A SYN refused by the host it was sent to.
pub(crate) fn is_refusal(case: &Case<'_>) -> bool {
    case.shape == Shape::Refusal
        && case.stage == Stage::PostSyn
        && case.from().packets == 0
        && case.to().has(Side::SYN)
}

/// The shape of a handshake that found the accept queue full (R10).
pub(crate) fn is_overflow(case: &Case<'_>) -> bool {
    case.shape == Shape::Reply
        && !case.sender_is_client()
        && matches!(case.stage, Stage::PostSyn | Stage::PostAck | Stage::PostPsh)
        && case.from().has(Side::SYN)
        && case.to().has(Side::SYN)
        && case.reset().seq == case.before().initial(case.sender) + 1
        // Whoever acknowledged data had a place in the queue.
        && case.from().acked == case.before().initial(case.receiver) + 1
}

/// Accepted, then cut without a byte, and not at once: whoever accepted asked somebody else first.
/// Longer waits are idle timers', too.
pub(crate) fn is_turned_away(case: &Case<'_>) -> bool {
    let asked = case.since(case.to()).unwrap_or(Ticks(0));
    let round_trip = case.round_trip().map_or(Ticks(0), |round_trip| round_trip.span);
    case.shape == Shape::Active
        && !case.sender_is_client()
        && !case.from().has(Side::DATA)
        && !case.to().has(Side::FIN)
        && case.before().handshake_complete()
        && asked > Ticks(round_trip.0.saturating_mul(2))
        && asked < TURNED_AWAY_WITHIN
}

/// FIN and reset in one breath, with nothing left unread but something left to deliver: the kernel
/// let go of a socket that its process had closed (`tcp_close` and `tcp_check_oom`, net/ipv4/tcp.c).
///
/// Front ends end idle connections by FIN and reset, too, but nothing is under way on those.
pub(crate) fn is_orphan(case: &Case<'_>) -> bool {
    let (from, to, before) = (case.from(), case.to(), case.before());
    let waits = !case.is_thinned() && before.unacknowledged(case.sender) > 1;
    let is_stuck = waits || before.zero_windows(case.receiver) > 0;
    case.shape == Shape::Active
        && is_stuck
        && from.has(Side::FIN)
        && !to.has(Side::FIN)
        && case.reset().time.tick().since(from.advanced) <= ORPHAN_WITHIN
        && to.advanced.since(from.advanced) == Ticks(0)
}

/// Whether the state of its service may give it a cause.
pub(crate) fn is_of_service(case: &Case<'_>) -> bool {
    !case.sender_is_client()
        && (is_refusal(case) || is_overflow(case) || is_orphan(case) || is_turned_away(case))
}

/// The shortest idle timers last 5 s.
const TURNED_AWAY_WITHIN: Ticks = Ticks::from_ms(4_900);
/// One call of close() sends both.
const ORPHAN_WITHIN: Ticks = Ticks::from_ms(2);
