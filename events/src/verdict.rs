//! The fields of an event that a verdict gives.

use classifiers::{
    Alternative, Cause, Clue, Declared, Effect, Evidence, Impact, Origin, Reaction, Reception,
    Role, Shape, Stage, Terminator, Verdict,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::PerSide;
use crate::sentence::value_text;

/// A [`Verdict`] as owned data; its fields stand directly in the event's JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerdictFields {
    /// What it cost: the field to filter by.
    #[serde(with = "crate::names::impact")]
    #[schemars(with = "crate::names::impact::Names")]
    pub impact: Impact,
    /// Who really sent it.
    #[serde(with = "crate::names::origin")]
    #[schemars(with = "crate::names::origin::Names")]
    pub origin: Origin,
    /// Probability of `origin`, three decimals.
    pub origin_confidence: f64,
    /// Log-odds that the named endpoint sent it, decibans, one decimal.
    pub origin_decibans: f64,
    /// Whether a front end speaks for the server.
    #[serde(with = "crate::names::terminator")]
    #[schemars(with = "crate::names::terminator::Names")]
    pub terminator: Terminator,
    /// Why.
    #[serde(with = "crate::names::cause")]
    #[schemars(with = "crate::names::cause::Names")]
    pub cause: Cause,
    /// Probability of `cause`, three decimals.
    pub cause_confidence: f64,
    /// The rule that gave the cause.
    pub rule: String,
    /// What that rule is worth at best, as set by hand; for the fit, no part of the contract.
    #[serde(skip)]
    pub rule_base: f64,
    /// What has to be said beside this verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// Up to two other readings, best first.
    pub alternatives: Vec<AlternativeItem>,
    /// What it did to its receiver.
    #[serde(with = "crate::names::effect")]
    #[schemars(with = "crate::names::effect::Names")]
    pub effect: Effect,
    /// What the receiver's stack should have done with it (RFC 5961).
    #[serde(with = "crate::names::reception")]
    #[schemars(with = "crate::names::reception::Names")]
    pub effect_expected: Reception,
    /// By what that is expected: half a sentence about the reset.
    pub effect_because: String,
    /// What was seen of the receiver afterwards.
    #[serde(with = "crate::names::reaction")]
    #[schemars(with = "crate::names::reaction::Names")]
    pub effect_seen: Reaction,
    /// Whether the receiver did otherwise than expected.
    #[serde(default, skip_serializing_if = "is_false")]
    pub effect_contradiction: bool,
    /// How far the connection had come.
    #[serde(with = "crate::names::stage")]
    #[schemars(with = "crate::names::stage::Names")]
    pub stage: Stage,
    /// How it relates to other resets of its flow.
    #[serde(with = "crate::names::role")]
    #[schemars(with = "crate::names::role::Names")]
    pub role: Role,
    /// Whether `role` is `secondary`: the question most filters ask.
    pub secondary: bool,
    /// Its shape by the grammar of the stacks.
    #[serde(with = "crate::names::shape")]
    #[schemars(with = "crate::names::shape::Names")]
    pub shape: Shape,
    /// Payload bytes of each side that were in flight, not acknowledged, when it came; null where
    /// that could not be seen, for example because one direction was not captured.
    pub bytes_unacked: PerSide<Option<u32>>,
    /// Whether it cut a TLS record short; absent if that is not known, or nothing was TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid_record: Option<bool>,
    /// Bytes of the TLS record of each side that it cut short, which were never sent; absent if
    /// none was, or that is not known.
    #[serde(default, skip_serializing_if = "PerSide::is_empty")]
    pub record_missing: PerSide<Option<u16>>,
    /// Whether the named sender may have closed over unread data of the receiver (RFC 2525, section
    /// 2.17): true if some came after its own last byte; false, which excludes it, if the receiver
    /// had sent none at all. Absent in between, and for resets that no socket sends of its own
    /// accord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_possible: Option<bool>,
    /// The reason that the sender wrote into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<DeclaredItem>,
    /// What was seen, in the order it was weighed.
    pub evidence: Vec<EvidenceItem>,
}

impl From<&Verdict> for VerdictFields {
    fn from(verdict: &Verdict) -> Self {
        let basis = &verdict.effect_basis;
        let cost = &verdict.cost;
        let cut = |index: usize| cost.record_missing[index].filter(|missing| *missing > 0);
        Self {
            impact: verdict.impact,
            origin: verdict.origin,
            origin_confidence: probability(verdict.origin_confidence),
            origin_decibans: decibans(verdict.origin_decibans),
            terminator: verdict.terminator,
            cause: verdict.cause,
            cause_confidence: probability(verdict.cause_confidence),
            rule: verdict.rule.to_owned(),
            rule_base: probability(verdict.rule_base),
            caveat: Some(verdict.caveat).filter(|text| !text.is_empty()).map(str::to_owned),
            alternatives: verdict.alternatives.iter().flatten().map(Into::into).collect(),
            effect: verdict.effect,
            effect_expected: basis.expected,
            effect_because: basis.because.to_owned(),
            effect_seen: basis.seen,
            effect_contradiction: basis.contradiction,
            stage: verdict.stage,
            role: verdict.role,
            secondary: verdict.role == Role::Secondary,
            shape: verdict.shape,
            bytes_unacked: PerSide { client: cost.in_flight[0], server: cost.in_flight[1] },
            mid_record: cost.mid_record(),
            record_missing: PerSide { client: cut(0), server: cut(1) },
            unread_possible: cost.unread_possible,
            declared: verdict.declared.as_ref().map(Into::into),
            evidence: verdict.evidence.as_slice().iter().map(Into::into).collect(),
        }
    }
}

/// Another reading of the same packets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AlternativeItem {
    /// Who.
    #[serde(with = "crate::names::origin")]
    #[schemars(with = "crate::names::origin::Names")]
    pub origin: Origin,
    /// Why.
    #[serde(with = "crate::names::cause")]
    #[schemars(with = "crate::names::cause::Names")]
    pub cause: Cause,
    /// Its probability, three decimals.
    pub confidence: f64,
}

impl From<&Alternative> for AlternativeItem {
    fn from(alternative: &Alternative) -> Self {
        Self {
            origin: alternative.origin,
            cause: alternative.cause,
            confidence: probability(alternative.confidence),
        }
    }
}

/// A reason that the sender wrote into the reset.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeclaredItem {
    /// Where it was written.
    pub carrier: String,
    /// The code; 0 for text.
    pub code: u16,
    /// What the code means, or "".
    pub meaning: String,
    /// Whether the rest of the evidence agrees.
    pub consistent: bool,
}

impl From<&Declared> for DeclaredItem {
    fn from(declared: &Declared) -> Self {
        Self {
            carrier: declared.carrier.name().to_owned(),
            code: declared.code,
            meaning: declared.meaning.to_owned(),
            consistent: declared.consistent,
        }
    }
}

/// One clue: what was seen, what the named sender would have shown, and what that is worth.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceItem {
    /// Which clue.
    #[serde(with = "crate::names::clue")]
    #[schemars(with = "crate::names::clue::Names")]
    pub clue: Clue,
    /// The outcome of the clue, by its name in the table of weights; absent for what bears on the
    /// cause only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Its number in the catalogue: `E01` to `E20`; absent for those that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// What was seen, with its unit.
    pub observed: Option<String>,
    /// What the named endpoint would have shown.
    pub expected: Option<String>,
    /// Weight in decibans: positive speaks for the named endpoint, 0 bears on the cause only.
    pub decibans: f64,
    /// What it says, as a sentence without values.
    pub says: String,
}

impl From<&Evidence> for EvidenceItem {
    fn from(evidence: &Evidence) -> Self {
        Self {
            clue: evidence.clue,
            row: evidence.row.map(|row| row.name().to_owned()),
            e: catalogue_number(evidence.clue),
            observed: value_text(evidence.observed),
            expected: value_text(evidence.expected),
            decibans: decibans(evidence.decibans),
            says: evidence.says.to_owned(),
        }
    }
}

/// The number that a clue's meaning ends with, in parentheses.
///
/// It is read out of the meaning so that it stands in one place only.
fn catalogue_number(clue: Clue) -> Option<String> {
    let (_, number) = clue.meaning().trim_end_matches(").").rsplit_once('(')?;
    (number.len() == 3 && number.starts_with('E')).then(|| number.to_owned())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A probability with three decimals; what is not a number is 0, because JSON cannot say it.
fn probability(value: f32) -> f64 {
    if value.is_finite() { (f64::from(value).clamp(0.0, 1.0) * 1e3).round() / 1e3 } else { 0.0 }
}

/// A weight with one decimal, never "-0".
fn decibans(value: f32) -> f64 {
    if value.is_finite() { (f64::from(value) * 10.0).round() / 10.0 + 0.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{catalogue_number, decibans, probability};
    use classifiers::Clue;

    #[test]
    fn numbers_are_rounded_and_always_json() {
        assert_eq!(probability(0.976_54), 0.977);
        assert_eq!(probability(f32::NAN), 0.0);
        assert_eq!(probability(1.5), 1.0);
        assert_eq!(decibans(-12.34), -12.3);
        assert_eq!(decibans(f32::NEG_INFINITY), 0.0);
        assert_eq!(decibans(-0.01).to_string(), "0");
    }

    #[test]
    fn clues_of_the_catalogue_have_their_number() {
        assert_eq!(catalogue_number(Clue::Hops).as_deref(), Some("E01"));
        assert_eq!(catalogue_number(Clue::Volume).as_deref(), Some("E20"));
        assert_eq!(catalogue_number(Clue::Prior), None);
        let numbered = Clue::ALL.iter().filter(|clue| catalogue_number(**clue).is_some());
        assert_eq!(numbered.count(), 21, "E01 to E20, and E02 twice");
    }
}
