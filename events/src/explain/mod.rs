//! What one reset says to people: the verdict in a sentence, then its proof, then the doubt, then
//! what to do.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`Explanation`]: all of it in parts, for whoever lays it out himself |
//! | `sheet.rs` | [`proof_sheet`]: the same in lines |
//! | `seen.rs` | connection, reset and place in sentences |

mod seen;
mod sheet;

use classifiers::{Cause, Clue, Impact, Origin, Role, Terminator};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::advice::{Advice, advice};
use crate::ambiguity;
use crate::clue_text;
use crate::event::{Event, EventStatus, RoleSource};
use crate::fill::fill;
use crate::outcome::{cost_text, effect_text};
use crate::sentence::{capitalised, sentence, span_text};
use crate::steps::{disproofs, is_too_soon, steps};
use crate::verdict::EvidenceItem;

pub use sheet::proof_sheet;

/// Everything an event says, for people, in parts; none of them is wrapped or holds markup.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The verdict in one sentence.
    pub headline: String,
    /// Between whom, when, and where to find it.
    pub place: String,
    /// Why, a paragraph each.
    pub why: Vec<String>,
    /// What other connections tell.
    pub others: Vec<String>,
    /// What it did to its receiver.
    pub effect: String,
    /// What was lost by it.
    pub cost: String,
    /// What the evidence amounts to.
    pub proof: String,
    /// What bears on the sender, the strongest first; then what bears on the cause only, with weight 0.
    pub reasons: Vec<Reason>,
    /// The connection before the reset.
    pub connection: String,
    /// The reset itself.
    pub reset: String,
    /// Where the device is, as far as hops and time tell; absent if no device sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// How sure that is, and by which rule.
    pub sure: String,
    /// Other readings of the same packets, the likeliest first.
    pub readings: Vec<Reading>,
    /// What looks the same on the wire.
    pub alike: Vec<String>,
    /// What of the connection was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// What would prove it wrong.
    pub disproofs: Vec<String>,
    /// What to do, in this order.
    pub steps: Vec<String>,
}

/// One clue in words.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// What it is worth, decibans: above 0 for the named sender, below against it.
    pub decibans: f64,
    /// Its number in the catalogue, or "".
    pub number: String,
    /// What was seen.
    pub text: String,
    /// Why that counts; "" for what weighs little.
    pub ground: String,
    /// When it does not count; "" if nothing is known.
    pub void: String,
}

/// Another reading of the same packets.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Name of the origin.
    pub origin: String,
    /// Name of the cause.
    pub cause: String,
    /// Its probability.
    pub confidence: f64,
    /// What would have happened if it held.
    pub meaning: String,
}

/// All that an event says.
#[must_use]
pub fn explanation(event: &Event) -> Explanation {
    let advice = advice(event.verdict.cause);
    Explanation {
        headline: headline(event),
        place: place(event),
        why: why(event, &advice),
        others: event.context.iter().flat_map(|context| context.sentences(event.server)).collect(),
        effect: effect_text(event),
        cost: cost_text(event),
        proof: proof_title(event),
        reasons: reasons(event),
        connection: seen::connection(event),
        reset: seen::reset(event),
        location: seen::location(event),
        sure: sure(event),
        readings: readings(event),
        alike: ambiguity::sentences(event),
        view: view(event),
        disproofs: disproofs(event, &advice),
        steps: steps(event, &advice),
    }
}

/// The verdict in one sentence.
#[must_use]
pub fn headline(event: &Event) -> String {
    let verdict = &event.verdict;
    let word = match (verdict.role, verdict.impact) {
        (Role::Secondary, _) => "AFTERMATH, reset",
        (Role::Duplicate, _) => "CAPTURED TWICE, reset",
        (_, Impact::Aborted) => "ABORTED",
        (_, Impact::Refused) => "REFUSED",
        (_, Impact::Benign) => "BENIGN, reset",
        (_, Impact::Unknown) => "UNJUDGED, reset",
    };
    let sure = share(verdict.origin_confidence);
    let cause = format!("{} ({})", verdict.cause.name(), share(verdict.cause_confidence));
    match verdict.origin {
        Origin::Unknown => format!(
            "{word} in the name of the {} {}; who sent it is not decided. Best reading of the \
             cause: {cause}.",
            event.claimed.name(),
            event.claimed_endpoint()
        ),
        _ => format!("{word} by {}. Cause: {cause}.", who(event, &sure)),
    }
}

/// The sender and how sure that is, as half a sentence.
fn who(event: &Event, sure: &str) -> String {
    let verdict = &event.verdict;
    let claimed = format!("the {} {}", event.claimed.name(), event.claimed_endpoint());
    match verdict.origin {
        Origin::Server if verdict.terminator == Terminator::Proven => {
            format!("{claimed}, or rather the front end that speaks for it ({sure})")
        }
        Origin::Server if verdict.terminator == Terminator::Suspected => {
            format!("{claimed} itself, or a front end that speaks for it ({sure})")
        }
        Origin::Client | Origin::Server => format!("{claimed} itself ({sure})"),
        Origin::BlindAttacker => format!(
            "a host off the path that guesses ({sure}), NOT by {claimed} whose name it bears"
        ),
        Origin::MiddleboxBoth => format!(
            "a device in the path that reset both ends ({sure}), NOT by {claimed} whose name it \
             bears"
        ),
        _ => format!("a device in the path ({sure}), NOT by {claimed} whose name it bears"),
    }
}

/// Where and when to find it.
fn place(event: &Event) -> String {
    let place = match (&event.file, event.frame, &event.interface, event.queue) {
        (Some(file), Some(frame), ..) => format!("{file} frame {frame}"),
        (_, _, Some(interface), Some(queue)) => format!("{interface} queue {queue}"),
        _ => "unknown place".to_owned(),
    };
    let status = match event.status {
        EventStatus::Provisional => " Provisional: what follows is still being watched.",
        EventStatus::Final => "",
    };
    format!(
        "Client {} to server {}, {}, {place}, Community ID {}.{status}",
        event.client, event.server, event.ts, event.community_id
    )
}

/// What the evidence amounts to.
fn proof_title(event: &Event) -> String {
    let verdict = &event.verdict;
    let named = event.claimed.name();
    let decibans = verdict.origin_decibans;
    let side = if decibans < 0.0 { "against" } else { "for" };
    let sum: f64 = verdict.evidence.iter().map(|item| item.decibans).sum();
    let capped = if (sum - decibans).abs() > 0.5 {
        "; header clues hang together and count only up to a limit"
    } else {
        ""
    };
    let claim = match verdict.origin {
        Origin::Unknown => {
            return format!(
                "Evidence, which does not decide: {:.0} dB {side} the {named} (10 dB is ten to \
                 one{capped})",
                decibans.abs()
            );
        }
        Origin::Client | Origin::Server => format!("Proof that the {named} sent it"),
        _ => format!("Proof that the {named} did not send it"),
    };
    format!("{claim}: {:.0} dB {side} it (10 dB is ten to one{capped})", decibans.abs())
}

fn why(event: &Event, advice: &Advice) -> Vec<String> {
    let verdict = &event.verdict;
    let text = capitalised(&fill(advice.why, event));
    let mut paragraphs = vec![match (verdict.origin, verdict.cause) {
        // The text of a cause tells a story; without a sender it is but the best one.
        (Origin::Unknown, cause) if cause != Cause::Unknown => {
            format!("If the best reading holds: {text}")
        }
        _ => text,
    }];
    if let (true, Some(after_s), Some(rtt_ms)) =
        (is_too_soon(event), event.answered_after_s, event.rtt_ms.of(event.claimed))
    {
        let named = event.claimed.name();
        paragraphs.push(format!(
            "It came {} after what it answers, and the round trip to the {named} takes {}: the \
             answer cannot be the {named}'s.",
            span_text(after_s),
            span_text(rtt_ms / 1e3)
        ));
    }
    if verdict.cause == Cause::IdleTimeoutMiddlebox
        && matches!(verdict.origin, Origin::Client | Origin::Server)
    {
        paragraphs.push("What holds this address is itself a device in the path.".to_owned());
    }
    if let Some(declared) = &verdict.declared {
        let agrees = if declared.consistent {
            "the rest of the evidence agrees"
        } else {
            "the rest of the evidence CONTRADICTS it"
        };
        let meaning = match declared.meaning.as_str() {
            "" => "no known meaning",
            meaning => meaning,
        };
        paragraphs.push(format!(
            "Its sender declares a reason ({}, code {}): {meaning}; {agrees}.",
            declared.carrier, declared.code
        ));
    }
    if let Some(text) = &event.rst.payload_text {
        paragraphs.push(format!("Its payload says: {text:?}."));
    }
    paragraphs
}

/// What bears on the sender, the strongest first; then what bears on the cause only.
fn reasons(event: &Event) -> Vec<Reason> {
    let evidence = &event.verdict.evidence;
    let (mut weighed, seen): (Vec<&EvidenceItem>, Vec<&EvidenceItem>) =
        evidence.iter().partition(|item| item.decibans != 0.0);
    // What holds of every reset is no observation: last.
    weighed.sort_by(|a, b| {
        let rank = |item: &EvidenceItem| (item.clue == Clue::Prior, -item.decibans.abs());
        rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    let is_told_again = |index: usize, item: &EvidenceItem| {
        // The same silence again, and what other connections say to it.
        let again =
            |later: &&EvidenceItem| (later.clue, &later.observed) == (item.clue, &item.observed);
        item.clue == Clue::Idle && seen[index + 1..].iter().any(again)
    };
    let told_once = seen.iter().enumerate().filter(|(index, item)| !is_told_again(*index, item));
    weighed.into_iter().chain(told_once.map(|(_, item)| *item)).map(reason).collect()
}

fn reason(item: &EvidenceItem) -> Reason {
    let (ground, void) = clue_text::ground(item).unwrap_or_default();
    Reason {
        decibans: item.decibans,
        number: item.e.clone().unwrap_or_default(),
        text: format!("{}.", sentence(item)),
        // What weighs little needs no lecture.
        ground: if item.decibans.abs() >= HEAVY { ground.to_owned() } else { String::new() },
        void: void.to_owned(),
    }
}

fn sure(event: &Event) -> String {
    let verdict = &event.verdict;
    format!(
        "Sender {} {} ({}{}). Cause {} {} ({}), by rule {}.",
        verdict.origin.name(),
        share(verdict.origin_confidence),
        band(verdict.origin_confidence),
        if rests_on_the_prior(event) { ", mostly because most resets are genuine" } else { "" },
        verdict.cause.name(),
        share(verdict.cause_confidence),
        band(verdict.cause_confidence),
        verdict.rule
    )
}

fn readings(event: &Event) -> Vec<Reading> {
    let others = event.verdict.alternatives.iter();
    others
        .filter(|other| other.confidence >= WORTH_NAMING)
        .map(|other| Reading {
            origin: other.origin.name().to_owned(),
            cause: other.cause.name().to_owned(),
            confidence: other.confidence,
            meaning: capitalised(&fill(advice(other.cause).why, event)),
        })
        .collect()
}

/// A probability with two decimals; nothing seen from outside is certain, so never "1.00".
fn share(confidence: f64) -> String {
    if confidence >= 0.995 { "above 0.99".to_owned() } else { format!("{confidence:.2}") }
}

/// The bands of classification.md, section 5.2.
fn band(confidence: f64) -> &'static str {
    match confidence {
        c if c >= 0.98 => "as good as proven",
        c if c >= 0.90 => "strong",
        c if c >= 0.70 => "likely",
        c if c >= 0.50 => "weak",
        _ => "a guess",
    }
}

/// Whether an endpoint is named although its packets say less for it than the prior does.
fn rests_on_the_prior(event: &Event) -> bool {
    let evidence = &event.verdict.evidence;
    let sum = |is_prior: bool| -> f64 {
        let items = evidence.iter().filter(|item| (item.clue == Clue::Prior) == is_prior);
        items.map(|item| item.decibans).sum()
    };
    matches!(event.verdict.origin, Origin::Client | Origin::Server) && sum(false) < sum(true)
}

/// What of the connection was not seen, as a sentence.
fn view(event: &Event) -> Option<String> {
    let capture = event.capture;
    let missing: Vec<&str> = [
        (capture.midstream, "its beginning was not seen"),
        (capture.asymmetric, "only one direction was seen"),
        (capture.gap_seen, "segments are missing in the capture"),
        (capture.one_sided_tap, "the tap shows only one direction of many connections"),
        (capture.duplicating_tap, "the tap shows packets twice"),
        (capture.split_queues, "its directions may have come to workers that share nothing"),
        (capture.mixed_fibres, "the ports of the tap are mixed up"),
        (capture.control_only, CONTROL_ONLY),
        (capture.reused_tuple, "the same addresses and ports served an earlier connection"),
        (event.role_source == RoleSource::Port, "who is the server was guessed by port"),
    ]
    .into_iter()
    .filter_map(|(is_so, text)| is_so.then_some(text))
    .collect();
    (!missing.is_empty()).then(|| format!("Limited: {}.", missing.join("; ")))
}

/// What control mode shows of a long connection.
const CONTROL_ONLY: &str = "captured: control packets only (the first of each side, then one a second, \
                            and what followed an end)";

/// Less likely readings are no help.
const WORTH_NAMING: f64 = 0.01;

/// Ten to one.
const HEAVY: f64 = 10.0;
