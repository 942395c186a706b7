//! The answer: who, why, how sure, by what evidence.

use flowtable::Ticks;
use wire::TcpFlags;

use crate::vocabulary::{
    Cause, Clue, Effect, Impact, Origin, Reaction, Reception, Role, Shape, Stage, Terminator,
};
use crate::weights::{Row, Rows};

/// What is decided of one reset: all that is needed to count it, and to judge others by it. 48 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Ruling {
    /// Primary, aftermath, or captured twice.
    pub role: Role,
    /// Who sent it.
    pub origin: Origin,
    /// Probability of `origin`, 0 to 1.
    pub origin_confidence: f32,
    /// Why.
    pub cause: Cause,
    /// How far the connection had come.
    pub stage: Stage,
    /// What it cost.
    pub impact: Impact,
    /// Silence of the connection before the reset, or before the late packet that provoked it.
    pub idle: Option<Ticks>,
    /// What was seen.
    pub(crate) rows: Rows,
}

/// All that is said of one reset; `Copy`, no allocation.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Primary, aftermath, or captured twice.
    pub role: Role,
    /// Who sent it.
    pub origin: Origin,
    /// Probability of `origin`, 0 to 1.
    pub origin_confidence: f32,
    /// Log-odds that the named endpoint sent it, decibans (+10 is ten to one).
    pub origin_decibans: f32,
    /// Whether a front end speaks for the server.
    pub terminator: Terminator,
    /// Why.
    pub cause: Cause,
    /// Probability of `cause`, 0 to 1.
    pub cause_confidence: f32,
    /// The two best other readings, best first.
    pub alternatives: [Option<Alternative>; 2],
    /// What it did.
    pub effect: Effect,
    /// What that is taken from.
    pub effect_basis: EffectBasis,
    /// How far the connection had come.
    pub stage: Stage,
    /// What it cost.
    pub impact: Impact,
    /// Its shape.
    pub shape: Shape,
    /// What it cost, in bytes.
    pub cost: Cost,
    /// Silence of the connection before the reset, or before the late packet that provoked it.
    pub idle: Option<Ticks>,
    /// Name of the rule of classification.md section 5.3 that gave the cause.
    pub rule: &'static str,
    /// What that rule is worth at best, as set by hand: the grounds it decided on.
    pub rule_base: f32,
    /// A sentence the ambiguity table (5.4) demands beside this verdict, or "".
    pub caveat: &'static str,
    /// The reason the sender declared.
    pub declared: Option<Declared>,
    /// What was seen.
    pub evidence: EvidenceList,
}

/// What an effect is taken from: a model of the receiver, and what was seen of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EffectBasis {
    /// What the receiver's stack should do.
    pub expected: Reception,
    /// By what the model says so, as half a sentence about the reset ("it is ...").
    pub because: &'static str,
    /// What it was seen to do.
    pub seen: Reaction,
    /// Whether the two contradict each other.
    pub contradiction: bool,
}

/// What a connection lost by ending at a reset; pairs are of the client and of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Payload bytes in flight that were not acknowledged; `None` if that was not to be seen.
    pub in_flight: [Option<u32>; 2],
    /// Bytes of the last TLS record that were never sent, 0 between two records; `None` if that is
    /// not known or not TLS.
    pub record_missing: [Option<u16>; 2],
    /// Whether the sender may have left data of the receiver unread: true if some came after its
    /// own last byte, false only if the receiver had sent none. For aborts only.
    pub unread_possible: Option<bool>,
}

impl Cost {
    /// Whether a TLS record was cut; `None` if that is not known or not TLS.
    #[must_use]
    pub fn mid_record(&self) -> Option<bool> {
        let [client, server] = self.record_missing;
        match (client, server) {
            (Some(1..), _) | (_, Some(1..)) => Some(true),
            (Some(0), Some(0)) => Some(false),
            _ => None,
        }
    }
}

/// Another reading of the same packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alternative {
    /// Who.
    pub origin: Origin,
    /// Why.
    pub cause: Cause,
    /// Its probability, 0 to 1.
    pub confidence: f32,
}

/// A reason that the sender wrote into the reset (classification.md, table 3C).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Where it was written.
    pub carrier: Carrier,
    /// The code; 0 for text.
    pub code: u16,
    /// What the code means, or "".
    pub meaning: &'static str,
    /// Whether the rest of the evidence agrees.
    pub consistent: bool,
}

/// Where a declared reason was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// draft-boucadair-tcpm-rst-diagnostic-payload, compact form.
    DiagnosticPayload,
    /// The same draft, free text.
    DiagnosticText,
    /// MP_TCPRST (RFC 8684).
    MptcpReset,
    /// MP_FASTCLOSE (RFC 8684).
    MptcpFastClose,
    /// NetScaler reset code in the window field.
    NetscalerWindow,
    /// Text in the payload (RFC 1122, section 4.2.2.12).
    PayloadText,
}

impl Carrier {
    /// The name used in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DiagnosticPayload => "diagnostic_payload",
            Self::DiagnosticText => "diagnostic_text",
            Self::MptcpReset => "mp_tcprst",
            Self::MptcpFastClose => "mp_fastclose",
            Self::NetscalerWindow => "netscaler_window",
            Self::PayloadText => "payload_text",
        }
    }
}

/// One clue: what was seen, what the named sender would have shown, and what that is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Which clue.
    pub clue: Clue,
    /// Which outcome of it; `None` for what bears on the cause only.
    pub row: Option<Row>,
    /// What was seen.
    pub observed: Value,
    /// What the named endpoint would have shown.
    pub expected: Value,
    /// Weight in decibans: positive speaks for the named endpoint, negative against it, 0 for
    /// clues that bear on the cause only.
    pub decibans: f32,
    /// What it says, as a sentence without values.
    pub says: &'static str,
}

impl Evidence {
    /// An outcome that speaks for or against the named sender, at the weight of its row.
    pub(crate) const fn of(row: Row, observed: Value, expected: Value, says: &'static str) -> Self {
        let weight = row.weight();
        Self {
            clue: weight.clue,
            row: Some(row),
            observed,
            expected,
            decibans: weight.decibans,
            says,
        }
    }
}

/// An observed or expected value, with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Nothing to show.
    None,
    /// A plain number.
    Number(i64),
    /// A hop limit as sent, and the hops it has behind it.
    HopLimit {
        /// As in the header.
        raw: u8,
        /// Distance from the next higher initial value.
        hops: u8,
    },
    /// IP identification.
    Id(u16),
    /// A span of time.
    Nanoseconds(u64),
    /// TCP control bits.
    Flags(TcpFlags),
    /// A sequence number relative to the sender's first; negative lies before it.
    Relative(i64),
    /// A word.
    Word(&'static str),
}

/// Up to [`EvidenceList::MAX`] pieces of evidence, in the order they were weighed.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceList {
    items: [Evidence; Self::MAX],
    len: u8,
}

impl EvidenceList {
    /// Most pieces a verdict carries.
    pub const MAX: usize = 26;

    const NOTHING: Evidence = Evidence {
        clue: Clue::Prior,
        row: None,
        observed: Value::None,
        expected: Value::None,
        decibans: 0.0,
        says: "",
    };

    /// No evidence yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: [Self::NOTHING; Self::MAX], len: 0 }
    }

    /// Adds a piece; the list is sized so that every clue fits.
    pub fn push(&mut self, evidence: Evidence) {
        if let Some(place) = self.items.get_mut(usize::from(self.len)) {
            *place = evidence;
            self.len += 1;
        }
    }

    /// The pieces.
    #[must_use]
    pub fn as_slice(&self) -> &[Evidence] {
        &self.items[..usize::from(self.len)]
    }
}

impl Default for EvidenceList {
    fn default() -> Self {
        Self::new()
    }
}

/// Who is shown the evidence while it is weighed.
pub(crate) trait Sheet {
    /// Takes in a piece, in the order of weighing.
    fn add(&mut self, evidence: &Evidence);
}

impl Sheet for EvidenceList {
    fn add(&mut self, evidence: &Evidence) {
        self.push(*evidence);
    }
}

/// Nobody reads the proof sheet: only what is decided is wanted.
pub(crate) struct Unread;

impl Sheet for Unread {
    fn add(&mut self, _: &Evidence) {}
}
