//! What cannot be told apart on the wire, and the evidence that tells it apart all the same.
//!
//! The ambiguity table (classification.md, section 5.4) as data: a cause in it is never said with
//! more than [`UNDECIDED_MAX`] unless one of its named pieces of evidence is there. `judge` asks
//! this place only, so that no rule and no fit can go around it.

use crate::vocabulary::{Cause, Clue};
use crate::weights::{Row, Rows, rows_where};

/// A cause that looks like another one on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    /// The cause.
    pub cause: Cause,
    /// What tells it apart; each of them suffices.
    pub lifted_by: &'static [Lift],
    /// What it looks like, and why.
    pub because: &'static str,
}

/// Evidence that tells a cause of the ambiguity table apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lift {
    /// It came from elsewhere than its named sender: distance, time, counter, fibre, label.
    Elsewhere,
    /// Only the kernel of the named sender knows what it wrote: label, counter, clock, class.
    OwnKernel,
    /// Other connections show the pattern.
    Others,
    /// The sender wrote the reason into the reset.
    Declared,
}

impl Cap {
    /// The entry for `cause`, if the ambiguity table has one.
    #[must_use]
    pub fn of(cause: Cause) -> Option<&'static Self> {
        CAPS.get(usize::from(CAP_OF[cause as usize]))
    }

    fn is_lifted(&self, seen: Seen, is_declared: bool) -> bool {
        self.lifted_by.iter().any(|lift| match lift {
            Lift::Elsewhere => seen.rows.meets(SAYS_ELSEWHERE),
            Lift::OwnKernel => seen.rows.meets(SAYS_OWN_KERNEL),
            Lift::Others => seen.others,
            Lift::Declared => is_declared,
        })
    }
}

/// What was seen of a reset, as far as a cap asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) rows: Rows,
    /// Other connections show the pattern of its cause.
    pub(crate) others: bool,
}

/// The most that may be said for `cause`, given the evidence as clues and rows.
#[must_use]
pub fn cause_confidence_max(
    cause: Cause,
    evidence: impl Iterator<Item = (Clue, Option<Row>)>,
    is_declared: bool,
) -> f32 {
    let mut seen = Seen { rows: Rows::NONE, others: false };
    for (clue, row) in evidence {
        seen.rows = row.map_or(seen.rows, |row| seen.rows.with(row));
        seen.others |= clue == Clue::Company;
    }
    said_at_most(cause, seen, is_declared)
}

/// The same, of what was collected in judging.
pub(crate) fn said_at_most(cause: Cause, seen: Seen, is_declared: bool) -> f32 {
    match Cap::of(cause) {
        Some(cap) if !cap.is_lifted(seen, is_declared) => UNDECIDED_MAX,
        _ => 1.0,
    }
}

/// What an outcome tells apart, if anything.
const fn lift_of(row: Row) -> Option<Lift> {
    let weight = row.weight();
    match weight.clue {
        Clue::IdLine => Some(Lift::Elsewhere),
        Clue::Hops
        | Clue::Causality
        | Clue::IpId
        | Clue::Port
        | Clue::Profile
        | Clue::AliveAfter
            if weight.hand_set <= ELSEWHERE =>
        {
            Some(Lift::Elsewhere)
        }
        Clue::Dscp | Clue::Timestamps | Clue::Window | Clue::Numbers | Clue::Train
            if weight.hand_set <= FOREIGN =>
        {
            Some(Lift::Elsewhere)
        }
        _ if OWN_KERNEL.meets(Rows::NONE.with(row)) => Some(Lift::OwnKernel),
        _ => None,
    }
}

const SAYS_ELSEWHERE: Rows =
    rows_where!(|weight| matches!(lift_of(weight.row), Some(Lift::Elsewhere)));
const SAYS_OWN_KERNEL: Rows =
    rows_where!(|weight| matches!(lift_of(weight.row), Some(Lift::OwnKernel)));

/// Where each cause stands in [`CAPS`]; beyond its end if nowhere.
const CAP_OF: [u8; Cause::ALL.len()] = {
    let (mut places, mut index) = ([u8::MAX; Cause::ALL.len()], 0);
    while index < CAPS.len() {
        places[CAPS[index].cause as usize] = index as u8;
        index += 1;
    }
    places
};

/// Above this a cause of the table needs its evidence.
pub const UNDECIDED_MAX: f32 = 0.7;

/// The table. Causes that name the whole of what looks alike (`app_abort` for a deliberate abort, a
/// crash and a kill) are no part of it: they claim no more than is seen.
pub const CAPS: &[Cap] = &[
    Cap {
        cause: Cause::PortClosed,
        lifted_by: &[Lift::OwnKernel, Lift::Declared],
        because: "a packet filter at the server's distance refuses the same way",
    },
    Cap {
        cause: Cause::ServiceUnavailable,
        lifted_by: &[Lift::OwnKernel, Lift::Others, Lift::Declared],
        because: "a packet filter at the server's distance refuses the same way",
    },
    Cap {
        cause: Cause::PolicyResetSyn,
        lifted_by: &[Lift::Elsewhere, Lift::Declared],
        because: "a closed port answers the same way",
    },
    Cap {
        cause: Cause::PolicyResetContent,
        lifted_by: &[Lift::Elsewhere, Lift::Declared],
        because: "a server that rejects a request resets the same way",
    },
    Cap {
        cause: Cause::PolicyResetMidstream,
        lifted_by: &[Lift::Elsewhere, Lift::Declared],
        because: "an application that gives up resets the same way",
    },
    Cap {
        cause: Cause::StaleConnection,
        lifted_by: &[Lift::OwnKernel, Lift::Others, Lift::Declared],
        because: "a firewall right in front of the host answers the same way",
    },
    Cap {
        cause: Cause::IdleExpiredLatePacket,
        lifted_by: &[Lift::OwnKernel, Lift::Elsewhere, Lift::Others, Lift::Declared],
        because: "the host and a firewall right in front of it forget alike",
    },
    Cap {
        cause: Cause::SessionlessReset,
        lifted_by: &[Lift::Elsewhere, Lift::Declared],
        because: "a host that lost the connection answers the same way",
    },
    Cap {
        cause: Cause::AcceptQueueOverflow,
        lifted_by: &[Lift::Others, Lift::Declared],
        because: "overload, a failed SYN cookie and a limit reset alike under load",
    },
    Cap {
        cause: Cause::ConnectionLimit,
        lifted_by: &[Lift::Others, Lift::Declared],
        because: "overload and a limit reset alike under load",
    },
    Cap {
        cause: Cause::TrafficShapingReset,
        lifted_by: &[Lift::Others, Lift::Declared],
        because: "only many connections show a limit by volume",
    },
    Cap {
        cause: Cause::ServiceRestart,
        lifted_by: &[Lift::Others, Lift::Declared],
        because: "alone, an abort, a crash and a kill look the same",
    },
    Cap {
        cause: Cause::ResourceExhaustion,
        lifted_by: &[Lift::Others, Lift::Declared],
        because: "an abort for want of memory looks like any other",
    },
];

/// What a packet filter cannot write without knowing the connection better than it does.
const OWN_KERNEL: Rows = Rows::NONE
    .with(Row::FlowLabelSame)
    .with(Row::FlowLabelByServer)
    .with(Row::FlowLabelOfStranger)
    .with(Row::DscpReflected)
    .with(Row::DscpReflectedRefusal)
    .with(Row::IpIdContinues)
    .with(Row::IpIdContinuesSwapped)
    .with(Row::TimestampsFresh);
/// From this hand-set weight on, a clue of distance, time or counter says "elsewhere".
const ELSEWHERE: f32 = -6.0;
/// From this hand-set weight on, any other header clue does.
const FOREIGN: f32 = -10.0;

#[cfg(test)]
mod tests {
    use super::{CAPS, Lift, UNDECIDED_MAX, cause_confidence_max, lift_of};
    use crate::vocabulary::{Cause, Clue};
    use crate::weights::{BASES, WEIGHTS};

    #[test]
    fn a_cause_of_the_table_needs_evidence_of_its_kind() {
        for cap in CAPS {
            let most =
                |clue, row| cause_confidence_max(cap.cause, [(clue, row)].into_iter(), false);
            for weight in &WEIGHTS {
                let lift = lift_of(weight.row);
                let is_named = lift.is_some_and(|lift| cap.lifted_by.contains(&lift));
                let expected = if is_named { 1.0 } else { UNDECIDED_MAX };
                assert_eq!(
                    most(weight.clue, Some(weight.row)),
                    expected,
                    "{:?} {}",
                    cap.cause,
                    weight.name
                );
            }
            let by_others = cap.lifted_by.contains(&Lift::Others);
            assert_eq!(most(Clue::Company, None) > UNDECIDED_MAX, by_others);
            assert_eq!(cause_confidence_max(cap.cause, [].into_iter(), false), UNDECIDED_MAX);
            assert_eq!(cause_confidence_max(cap.cause, [].into_iter(), true), 1.0);
        }
    }

    #[test]
    fn evidence_for_the_sender_never_says_elsewhere() {
        for weight in &WEIGHTS {
            let lift = lift_of(weight.row);
            assert!(lift != Some(Lift::Elsewhere) || weight.hand_set < 0.0, "{}", weight.name);
            assert!(lift != Some(Lift::OwnKernel) || weight.hand_set > 0.0, "{}", weight.name);
        }
    }

    #[test]
    fn no_fitted_base_goes_around_the_table() {
        // The cap is asked after the base: whatever was fitted, without evidence it is 0.7.
        for base in BASES {
            let said = base.base.min(cause_confidence_max(base.cause, [].into_iter(), false));
            let is_listed = CAPS.iter().any(|cap| cap.cause == base.cause);
            assert!(!is_listed || said <= UNDECIDED_MAX, "{} {:?}", base.rule, base.cause);
        }
        assert!(CAPS.iter().all(|cap| cap.cause != Cause::AppAbort));
    }
}
