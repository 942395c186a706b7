//! What a log line does to a verdict: one pure function.
//!
//! The passive verdict is never changed. A log proves little alone: a firewall that logs a reset of the
//! server's has seen one come from the server's side, and who sent it is what the packets say.

use classifiers::{Cause, Origin};
use events::{Agreement, Conclusion, CorroborationItem, Event, Side, community_id};

use super::session::{End, LogSession, LogTuple, Matched};
use super::{firewall, proxy};

/// What one log line makes of one event.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Judgement {
    /// As it is told.
    pub(crate) item: CorroborationItem,
    /// What both say together, if that is more than the packets say.
    pub(crate) conclusion: Option<Conclusion>,
    /// Of several judgements the highest decides.
    pub(crate) rank: u8,
}

/// Which side of a firewall the tap is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum TapSide {
    /// Not known.
    #[default]
    Unknown,
    /// Where addresses are as clients send them.
    Client,
    /// Where they are as servers get them.
    Server,
}

impl TapSide {
    /// By the addresses that were seen, where the firewall translates any.
    pub(crate) fn of(session: &LogSession, tuple: &LogTuple) -> Self {
        match (session.tuples.len(), tuple.matched) {
            (2 | 4, Matched::Original) => Self::Client,
            (2, Matched::ClientTranslated | Matched::ServerTranslated) => Self::Server,
            (4, Matched::BothTranslated) => Self::Server,
            _ => Self::Unknown,
        }
    }
}

/// Judges; `session` and `tuple` name the sides as the event does.
pub(crate) fn judge(
    event: &Event,
    session: &LogSession,
    tuple: &LogTuple,
    ahead_s: Option<f64>,
    tap: TapSide,
) -> Judgement {
    let opinion = match tuple.matched {
        Matched::Front | Matched::Back => proxy::opinion(event, session, tuple.matched),
        _ => firewall::opinion(event, session, ahead_s, tap),
    };
    let item = CorroborationItem {
        agreement: opinion.agreement,
        source: session.source.clone(),
        product: session.product.name().to_owned(),
        said: session.said.clone(),
        rule: session.rule.clone(),
        threat: session.threat.clone(),
        ts: session.ended,
        clock_offset_s: ahead_s,
        matched: tuple.matched.name().to_owned(),
        community_id_nat: other_addresses(event, session, tuple),
        sentence: opinion.sentence.clone(),
        line: session.line.clone(),
    };
    let rank = match opinion.agreement {
        Agreement::Confirmed if opinion.conclusion.is_some() && decides(session.end) => 5,
        Agreement::Refined if opinion.conclusion.is_some() => 4,
        Agreement::Contradicted => 3,
        Agreement::Confirmed => 2,
        Agreement::Refined => 1,
        Agreement::Neutral | Agreement::Absent => 0,
    };
    let conclusion =
        opinion.conclusion.map(|(origin, origin_confidence, cause, cause_confidence)| Conclusion {
            origin,
            origin_confidence: rounded(origin_confidence),
            cause,
            cause_confidence: rounded(cause_confidence),
            sentence: opinion.sentence,
        });
    Judgement { item, conclusion, rank }
}

/// Community ID by the other addresses of the same connection, so that it is found in tools behind the firewall.
fn other_addresses(event: &Event, session: &LogSession, tuple: &LogTuple) -> Option<String> {
    // Only with the usual seed can we say what the other tools call it.
    if community_id(event.client, event.server, 0) != event.community_id {
        return None;
    }
    let wanted = match tuple.matched {
        Matched::Original => session.tuples.iter().find(|other| other.matched != Matched::Original),
        Matched::Front | Matched::Back => {
            session.tuples.iter().find(|other| other.matched != tuple.matched)
        }
        _ => session.tuples.iter().find(|other| other.matched == Matched::Original),
    }?;
    Some(community_id(wanted.client, wanted.server?, 0))
}

/// What follows: agreement, sentence, and origin and cause with their probabilities.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Opinion {
    pub(super) agreement: Agreement,
    pub(super) sentence: String,
    pub(super) conclusion: Option<(Origin, f64, Cause, f64)>,
}

impl Opinion {
    pub(super) fn neutral(sentence: String) -> Self {
        Self { agreement: Agreement::Neutral, sentence, conclusion: None }
    }

    /// The passive verdict stands.
    pub(super) fn without_change(agreement: Agreement, sentence: String) -> Self {
        Self { agreement, sentence, conclusion: None }
    }

    pub(super) fn with(
        agreement: Agreement,
        sentence: String,
        origin: (Origin, f64),
        cause: (Cause, f64),
    ) -> Self {
        let conclusion = Some((origin.0, origin.1, cause.0, cause.1));
        Self { agreement, sentence, conclusion }
    }
}

/// `fw-edge-1 logs tcp-rst-from-server`.
pub(super) fn logs(session: &LogSession) -> String {
    format!("{} logs {}", session.source, session.said)
}

/// Whether a session's end is the writer's own doing.
fn decides(end: End) -> bool {
    matches!(end, End::Policy | End::Decryption | End::Resources)
}

pub(super) const fn endpoint(side: Side) -> Origin {
    match side {
        Side::Client => Origin::Client,
        Side::Server => Origin::Server,
    }
}

/// A probability with its doubt multiplied.
pub(super) fn surer(sure: f64, doubt: f64) -> f64 {
    1.0 - (1.0 - sure) * doubt
}

fn rounded(sure: f64) -> f64 {
    (sure.clamp(0.0, 1.0) * 1e3).round() / 1e3
}
