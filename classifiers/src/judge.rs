//! The decision procedure, in its order (classification.md, section 5.0).

use flowtable::{PayloadClass, Side, Watch};

use crate::caps::{Seen, UNDECIDED_MAX, said_at_most};
use crate::case::Case;
use crate::context::Setting;
use crate::declared::{self, Reason};
use crate::origin::{self, Attribution};
use crate::outcome;
use crate::role;
use crate::rules::{self, Finding};
use crate::verdict::{
    Alternative, EffectBasis, Evidence, EvidenceList, Ruling, Sheet, Unread, Value, Verdict,
};
use crate::vocabulary::{Cause, Clue, Effect, Impact, Origin, Role, Stage};

/// Judges a reset by what was known of its flow before and what was seen of it since, and says all
/// there is to say of it.
///
/// Called for each reset at once (`is_final` false), when its watch is over, and once more if other
/// connections have something to tell (`setting`).
#[must_use]
pub fn judge(watch: &Watch, is_final: bool, setting: &Setting) -> Verdict {
    let case = Case::new(watch, is_final, setting);
    let mut evidence = EvidenceList::new();
    let Decision { role, attribution, reading, effect, basis, impact, reason } =
        decision(&case, &mut evidence);
    add_context(&case, &mut evidence);
    Verdict {
        role,
        origin: attribution.origin,
        origin_confidence: attribution.confidence,
        origin_decibans: attribution.weighed.decibans,
        terminator: attribution.terminator,
        cause: reading.finding.cause,
        cause_confidence: reading.confidence,
        alternatives: normalised(alternatives(&case, &attribution, &reading), reading.confidence),
        effect,
        effect_basis: basis,
        stage: case.stage,
        impact,
        shape: case.shape,
        cost: outcome::cost(&case, effect),
        idle: case.idle_if_known(),
        rule: reading.finding.rule,
        rule_base: reading.finding.hand_set,
        caveat: reading.finding.caveat,
        declared: reason.map(|reason| reason.declared),
        evidence,
    }
}

/// Judges a reset the same way, and says only what is decided: a third of the work.
#[must_use]
pub fn decide(watch: &Watch, is_final: bool, setting: &Setting) -> Ruling {
    let case = Case::new(watch, is_final, setting);
    let Decision { role, attribution, reading, impact, .. } = decision(&case, &mut Unread);
    Ruling {
        role,
        origin: attribution.origin,
        origin_confidence: attribution.confidence,
        cause: reading.finding.cause,
        stage: case.stage,
        impact,
        idle: case.idle_if_known(),
        rows: attribution.weighed.rows,
    }
}

/// What all of a verdict rests on.
struct Decision {
    role: Role,
    attribution: Attribution,
    reading: Reading,
    effect: Effect,
    basis: EffectBasis,
    impact: Impact,
    reason: Option<Reason>,
}

fn decision(case: &Case<'_>, sheet: &mut impl Sheet) -> Decision {
    let role = role::of(case);
    let attribution = origin::attribute(case, sheet);
    let reason = declared::of(case).map(|reason| tested(reason, &attribution));
    let reading = read(case, role, &attribution, reason, sheet);
    let (effect, basis) = outcome::effect(case);
    let impact = outcome::impact(case, role, reading.finding.cause, effect);
    Decision { role, attribution, reading, effect, basis, impact, reason }
}

/// The cause that is told, found under the likelier hypothesis about the sender.
struct Reading {
    finding: Finding,
    confidence: f32,
}

/// Which of the two hypotheses about the sender gives the cause.
fn is_read_as_endpoint(case: &Case<'_>, attribution: &Attribution) -> bool {
    attribution.by_endpoint >= 0.5 || case.is_without_context()
}

/// The cause under the other hypothesis.
fn other_reading(case: &Case<'_>, attribution: &Attribution) -> Finding {
    if is_read_as_endpoint(case, attribution) {
        rules::if_device(case)
    } else {
        rules::if_endpoint(case)
    }
}

fn read(
    case: &Case<'_>,
    role: Role,
    attribution: &Attribution,
    reason: Option<Reason>,
    sheet: &mut impl Sheet,
) -> Reading {
    let mut finding = if is_read_as_endpoint(case, attribution) {
        rules::if_endpoint(case)
    } else {
        rules::if_device(case)
    };
    let mut base = finding.base;
    if role != Role::Primary {
        finding.confusion = finding.cause;
        (finding.cause, finding.rule, base) = (Cause::SecondaryRst, "P1", 0.9);
        finding.by_others = false;
    }
    if let Some(Reason { cause: Some(cause), confidence, declared }) = reason
        && role == Role::Primary
        && declared.consistent
    {
        finding.confusion = finding.cause;
        (finding.cause, finding.rule, base) = (by_stage(case, cause), "P2", confidence);
        finding.caveat = "";
        finding.by_others = false;
    }
    if finding.by_others {
        sheet.add(&Evidence {
            clue: Clue::Company,
            row: None,
            observed: Value::Word(finding.cause.name()),
            expected: Value::None,
            decibans: 0.0,
            says: "other connections show the pattern of this cause",
        });
    }
    let certainty = attribution.confidence.max(attribution.by_endpoint);
    let half = if role == Role::Primary && case.is_one_way() { ONE_WAY } else { 1.0 };
    let mut confidence = base * half * (0.6 + 0.4 * certainty).min(1.0);
    if attribution.origin == Origin::Unknown && role == Role::Primary && reason.is_none() {
        // Whoever it was, it was for this reason.
        let is_agreed = finding.cause == other_reading(case, attribution).cause;
        confidence = confidence.min(if is_agreed { UNDECIDED_MAX } else { UNKNOWN_SENDER_MAX });
    }
    if case.is_thinned() && reason.is_none() {
        // What was left out may have told it apart.
        confidence = confidence.min(UNDECIDED_MAX);
    }
    let seen = Seen { rows: attribution.weighed.rows, others: finding.by_others };
    confidence = confidence.min(said_at_most(finding.cause, seen, reason.is_some()));
    Reading { finding, confidence }
}

/// A device that declares an endpoint's reason lies.
fn tested(mut reason: Reason, attribution: &Attribution) -> Reason {
    let by_endpoint = matches!(
        reason.cause,
        Some(Cause::AppAbort | Cause::DataAfterClose | Cause::TlsFailureAbort | Cause::HealthCheck)
    );
    let is_endpoint = matches!(attribution.origin, Origin::Client | Origin::Server);
    reason.declared.consistent = !by_endpoint || is_endpoint;
    reason
}

/// A declared refusal is named by where in the connection it happened.
fn by_stage(case: &Case<'_>, cause: Cause) -> Cause {
    match (cause, case.stage) {
        (Cause::PolicyResetMidstream, Stage::PostSyn) => Cause::PolicyResetSyn,
        (Cause::PolicyResetMidstream, Stage::PostAck | Stage::PostPsh) => Cause::PolicyResetContent,
        // A connection that never was cannot be gone: its handshake went wrong.
        (Cause::StaleConnection, _)
            if !case.carried_data() && !case.before().is_midstream() && case.idle_s() < 3.0 =>
        {
            Cause::UnacceptableSegment
        }
        _ => cause,
    }
}

/// The two best other readings: the other sender, and the usual confusion.
fn alternatives(
    case: &Case<'_>,
    attribution: &Attribution,
    reading: &Reading,
) -> [Option<Alternative>; 2] {
    let endpoint = attribution.by_endpoint;
    let other = other_reading(case, attribution);
    let (named, device) = (origin::named_endpoint(case), attribution.device_candidate(case));
    let (here, there, other_share) =
        if endpoint >= 0.5 { (named, device, 1.0 - endpoint) } else { (device, named, endpoint) };
    let by_other =
        Alternative { origin: there, cause: other.cause, confidence: other_share * other.base };
    let here = if attribution.origin == Origin::Unknown { here } else { attribution.origin };
    let confused = Alternative {
        origin: here,
        cause: reading.finding.confusion,
        // The usual confusion is not the only one.
        confidence: (1.0 - other_share) * (1.0 - reading.finding.base) * CONFUSION_SHARE,
    };
    let undecided = Alternative {
        origin: here,
        cause: reading.finding.cause,
        confidence: (1.0 - other_share) * reading.finding.base,
    };
    // Undecided between two senders: both are named as candidates.
    let first = if attribution.origin == Origin::Unknown { undecided } else { confused };
    if by_other.confidence > first.confidence {
        [Some(by_other), Some(first)]
    } else {
        [Some(first), Some(by_other)]
    }
}

/// What is said and what else it may be add up to 1 at most.
fn normalised(alternatives: [Option<Alternative>; 2], confidence: f32) -> [Option<Alternative>; 2] {
    let sum: f32 = alternatives.iter().flatten().map(|other| other.confidence).sum();
    let room = (1.0 - confidence).max(0.0);
    let scale = if sum > room && sum > 0.0 { room / sum } else { 1.0 };
    alternatives.map(|other| {
        other.map(|other| Alternative { confidence: other.confidence * scale, ..other })
    })
}

/// Clues that bear on the cause only, for whoever reads the proof sheet.
fn add_context(case: &Case<'_>, evidence: &mut EvidenceList) {
    let before = case.before();
    let mut push = |clue, observed, says| {
        evidence.push(Evidence {
            clue,
            row: None,
            observed,
            expected: Value::None,
            decibans: 0.0,
            says,
        });
    };
    let idle = case.idle_before_provocation();
    if idle.seconds() >= 1.0 && !case.is_without_context() {
        let says = if idle > case.idle() {
            "silence of the named sender before the packet that provoked the reset"
        } else {
            "silence before the reset"
        };
        push(Clue::Idle, Value::Nanoseconds(idle.ns()), says);
    }
    let fins = (case.from().has(Side::FIN), case.to().has(Side::FIN));
    let says = match fins {
        (true, true) => "both sides had closed",
        (true, false) => "the sender had closed, the other side had not",
        (false, true) => "the other side had closed, the sender had not",
        (false, false) => "",
    };
    if !says.is_empty() {
        push(Clue::Stage, Value::Word(case.stage.name()), says);
    }
    let probes = before.unanswered_probes(case.sender);
    if probes > 0 {
        push(Clue::Probes, Value::Number(i64::from(probes)), "keepalive probes unanswered");
    }
    let retransmissions = before.retransmissions(case.sender);
    if retransmissions > 0 {
        let count = Value::Number(i64::from(retransmissions));
        push(Clue::Probes, count, "retransmissions of the sender unanswered");
    }
    let last = before.last_payload(case.receiver);
    if matches!(last, PayloadClass::TlsAlert | PayloadClass::TlsClientHello) {
        push(Clue::Payload, Value::Word("TLS"), "last payload of the other side is a TLS record");
    }
    if let Some(timer) = rules::timer_evidence(case) {
        evidence.push(timer);
    }
}

/// Share of the doubt about a rule that its usual confusion gets.
const CONFUSION_SHARE: f32 = 0.6;
/// A rule that saw one direction only is worth half (classification.md, section 9).
const ONE_WAY: f32 = 0.5;
/// Without a name for the sender no cause is said with more than this, unless both have the same.
const UNKNOWN_SENDER_MAX: f32 = 0.5;
