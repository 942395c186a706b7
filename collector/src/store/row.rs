//! An event's columns: what its verdict is in one number, and back.

use classifiers::{Cause, Effect, Impact, Origin, Role, Stage};
use events::{Agreement, Endpoint, EventStatus, Facts, UtcTime};

use super::bytes::endpoint_of;
use super::facts::EventFacts;
use super::group::Named;
use super::words::Words;
use crate::history::EventRow;

/// The place of an event in the order of a part: nanoseconds of its day, then 16 bits of its identifier.
pub(super) const fn at_of(ns: u64, id: u64) -> i64 {
    ((ns % DAY_NS) << 16 | (id & 0xffff)) as i64
}

/// Another place for it, less than a millisecond later.
pub(super) const fn at_beside(ns: u64, id: u64, attempt: u64) -> i64 {
    let jump = (id ^ attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 28;
    at_of(ns, id) + jump as i64
}

/// Bits from the lowest: origin 8, cause 8, stage 4, impact 4, effect 4, role 4, agreement 3, final 1,
/// burst 1, device 1.
pub(super) fn verdict_of(facts: &EventFacts, words: &Words) -> i64 {
    let agreement = match facts.agreement {
        None => 0,
        Some(Agreement::Confirmed) => 1,
        Some(Agreement::Contradicted) => 2,
        Some(Agreement::Refined) => 3,
        Some(Agreement::Neutral) => 4,
        Some(Agreement::Absent) => 5,
    };
    i64::from(words.origin_code(facts.origin))
        | i64::from(words.cause_code(facts.cause)) << 8
        | i64::from(words.stage_code(facts.stage)) << 16
        | i64::from(words.impact_code(facts.impact)) << 20
        | i64::from(words.effect_code(facts.effect)) << 24
        | i64::from(words.role_code(facts.role)) << 28
        | agreement << 32
        | i64::from(facts.is_final) << 35
        | i64::from(facts.in_burst) << 36
        | i64::from(facts.has_device) << 37
}

/// Both confidences in thousandths.
pub(super) fn sure_of(facts: &EventFacts) -> i64 {
    let thousandths = |share: f64| (share.clamp(0.0, 1.0) * 1000.0).round() as i64;
    thousandths(facts.origin_confidence) << 10 | thousandths(facts.cause_confidence)
}

/// Whether the verdict is final.
pub(super) const fn is_final(verdict: i64) -> bool {
    verdict >> 35 & 1 != 0
}

/// Bits of `verdict` that can be asked for.
pub(super) const IN_BURST: i64 = 1 << 36;
pub(super) const HAS_DEVICE: i64 = 1 << 37;
/// Contradicted or refined: the second bit of the agreement.
pub(super) const DISAGREES: i64 = 1 << 33;

/// An event as its columns say.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) id: u64,
    pub(super) ts: UtcTime,
    pub(super) sensor: u16,
    pub(super) server: Endpoint,
    pub(super) client: Endpoint,
    pub(super) origin: Origin,
    pub(super) origin_confidence: f64,
    pub(super) cause: Cause,
    pub(super) cause_confidence: f64,
    pub(super) stage: Stage,
    pub(super) impact: Impact,
    pub(super) effect: Effect,
    pub(super) role: Role,
    pub(super) status: EventStatus,
    pub(super) agreement: Option<Agreement>,
    pub(super) has_device: bool,
    pub(super) block: i64,
    pub(super) place: i64,
}

/// The columns that [`Stored::read`] takes, in its order.
pub(super) const COLUMNS: &str = "at, id, sensor, server, client, verdict, sure, block, place";

impl Stored {
    /// Of a row of [`COLUMNS`] in the part of a day.
    pub(super) fn read(row: &rusqlite::Row<'_>, day: u64, words: &Words) -> rusqlite::Result<Self> {
        let endpoint = |index: usize| {
            let key = row.get_ref(index)?.as_blob()?;
            endpoint_of(key).ok_or(rusqlite::Error::InvalidQuery)
        };
        let at: i64 = row.get(0)?;
        let verdict: i64 = row.get(5)?;
        let sure: i64 = row.get(6)?;
        let bits = |shift: u32, count: u32| (verdict >> shift & ((1 << count) - 1)) as u8;
        let share = |thousandths: i64| thousandths as f64 / 1000.0;
        Ok(Self {
            id: row.get::<_, i64>(1)? as u64,
            ts: UtcTime(day * DAY_NS + (at >> 16) as u64),
            sensor: row.get(2)?,
            server: endpoint(3)?,
            client: endpoint(4)?,
            origin: words.origin(bits(0, 8)),
            origin_confidence: share(sure >> 10),
            cause: words.cause(bits(8, 8)),
            cause_confidence: share(sure & 0x3ff),
            stage: words.stage(bits(16, 4)),
            impact: words.impact(bits(20, 4)),
            effect: words.effect(bits(24, 4)),
            role: words.role(bits(28, 4)),
            status: if is_final(verdict) { EventStatus::Final } else { EventStatus::Provisional },
            agreement: match bits(32, 3) {
                1 => Some(Agreement::Confirmed),
                2 => Some(Agreement::Contradicted),
                3 => Some(Agreement::Refined),
                4 => Some(Agreement::Neutral),
                5 => Some(Agreement::Absent),
                _ => None,
            },
            has_device: verdict & HAS_DEVICE != 0,
            block: row.get(7)?,
            place: row.get(8)?,
        })
    }

    /// Its verdict in words.
    pub(super) const fn named(&self) -> Named {
        let Self { origin, cause, stage, impact, .. } = *self;
        Named { origin, cause, stage, impact }
    }

    /// What filters ask for.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            impact: self.impact,
            origin: self.origin,
            cause: self.cause,
            stage: self.stage,
            server: self.server.into(),
            client: Some(self.client),
            effect: Some(self.effect),
            role: Some(self.role),
        }
    }

    /// As lists show it.
    pub(super) fn listed(&self, words: &Words, has_evidence: bool) -> EventRow {
        EventRow {
            id: format!("{:016x}", self.id),
            sensor: words.sensor(self.sensor).to_owned(),
            ts: self.ts,
            client: self.client,
            server: self.server,
            origin: self.origin.name().to_owned(),
            origin_confidence: self.origin_confidence,
            cause: self.cause.name().to_owned(),
            cause_confidence: self.cause_confidence,
            impact: self.impact.name().to_owned(),
            stage: self.stage.name().to_owned(),
            agreement: self.agreement,
            has_evidence,
        }
    }
}

/// Nanoseconds of a day.
pub(super) const DAY_NS: u64 = 86_400_000_000_000;
