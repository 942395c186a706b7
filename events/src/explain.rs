//! The proof sheet of one reset: the verdict in a sentence, then its proof, then the doubt, then
//! what to do.

use std::fmt::Write as _;

use classifiers::{Cause, Clue, Impact, Origin, Role, Shape, Terminator};

use crate::advice::{Advice, advice};
use crate::ambiguity;
use crate::clue_text;
use crate::corroboration::beside;
use crate::event::{Event, EventStatus, PerSide, RoleSource, Side};
use crate::fill::{HOPS_MAX, age_text, fill, hops};
use crate::outcome::{cost_text, effect_text};
use crate::sentence::{capitalised, sentence, span_text, thousands};
use crate::steps::{disproofs, is_forged, is_too_soon, steps};
use crate::verdict::EvidenceItem;

/// Everything an event says, for people; wrapped to `width` columns, ends with a line feed.
#[must_use]
pub fn proof_sheet(event: &Event, width: usize) -> String {
    let advice = advice(event.verdict.cause);
    let mut sheet = Sheet { text: String::new(), width: width.max(WIDTH_MIN) };
    sheet.wrapped("", "", &headline(event));
    sheet.wrapped("", "", &place(event));
    sheet.text.push('\n');
    for text in why(event, &advice) {
        sheet.row("Why", &text);
    }
    for (label, text) in beside(event) {
        sheet.row(label, &text);
    }
    sheet.row("Effect", &effect_text(event));
    sheet.row("Cost", &cost_text(event));
    sheet.title(&proof_title(event));
    sheet.evidence(event);
    sheet.row("Flow", &connection(event));
    sheet.row("Reset", &reset(event));
    if let Some(text) = location(event) {
        sheet.row("Where", &text);
    }
    sheet.title("Doubt");
    for (label, text) in doubts(event, &advice) {
        sheet.row(label, &text);
    }
    sheet.title("What to do");
    for (index, step) in steps(event, &advice).iter().enumerate() {
        sheet.hanging(&format!("  {}. ", index + 1), step);
    }
    sheet.text
}

/// Lines, wrapped with a hanging indent.
struct Sheet {
    text: String,
    width: usize,
}

impl Sheet {
    fn title(&mut self, title: &str) {
        self.text.push('\n');
        self.wrapped("", "  ", &format!("{title}."));
    }

    /// A paragraph with its label before it.
    fn row(&mut self, label: &str, text: &str) {
        self.hanging(&format!("  {label:<7} "), text);
    }

    /// What bears on the sender, the strongest first; then what bears on the cause only.
    fn evidence(&mut self, event: &Event) {
        let evidence = &event.verdict.evidence;
        let mut weighed: Vec<&EvidenceItem> =
            evidence.iter().filter(|item| item.decibans != 0.0).collect();
        // What holds of every reset is no observation: last.
        weighed.sort_by(|a, b| {
            let rank = |item: &EvidenceItem| (item.clue == Clue::Prior, -item.decibans.abs());
            rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal)
        });
        for item in weighed {
            let number = item.e.as_deref().unwrap_or("");
            let head = format!("  {:>+4.0} dB {number:<4} ", item.decibans);
            self.hanging(&head, &format!("{}.", sentence(item)));
            if let Some((ground, void)) = clue_text::ground(item) {
                // What weighs little needs no lecture.
                let ground = if item.decibans.abs() >= HEAVY { ground } else { "" };
                let text = format!("{ground} Void {void}");
                self.hanging(&" ".repeat(head.len()), text.trim_start());
            }
        }
        let seen: Vec<&EvidenceItem> =
            evidence.iter().filter(|item| item.decibans == 0.0).collect();
        for (index, item) in seen.iter().enumerate() {
            // The same silence again, and what other connections say to it.
            let again = |later: &&EvidenceItem| {
                (later.clue, &later.observed) == (item.clue, &item.observed)
            };
            if item.clue == Clue::Idle && seen[index + 1..].iter().any(again) {
                continue;
            }
            let number = item.e.as_deref().unwrap_or("");
            self.hanging(&format!("  {:>7} {number:<4} ", "seen"), &format!("{}.", sentence(item)));
        }
    }

    /// One paragraph, its first line behind `head`, the others indented as far.
    fn hanging(&mut self, head: &str, text: &str) {
        self.wrapped(head, &" ".repeat(head.chars().count()), text);
    }

    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        self.text.push_str(&textwrap::fill(text, options));
        self.text.push('\n');
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

/// Where the device is, as far as hops and time tell.
fn location(event: &Event) -> Option<String> {
    let verdict = &event.verdict;
    if !is_forged(verdict.origin) {
        return None;
    }
    let (rst, named) = (&event.rst, event.claimed.name());
    let usual = "(if that began at a usual value)";
    let mut text = match rst.hops {
        0 => format!("On this very link by its TTL {} {usual}", rst.ttl),
        1..=HOPS_MAX => format!(
            "{} from this sensor by its TTL {} {usual}",
            capitalised(&hops(rst.hops)),
            rst.ttl
        ),
        _ => format!("Its TTL {} began at an unusual value and tells no distance", rst.ttl),
    };
    if let Some(peer) = &event.peer {
        let _ = match peer.hops.abs_diff(rst.hops) {
            0 => write!(text, ", as far as the {named}'s own packets"),
            _ => write!(
                text,
                "; the {named}'s own packets come from {} (TTL {}, n={})",
                hops(peer.hops),
                peer.ttl,
                peer.packets
            ),
        };
    }
    if let Some(away_ms) = event.one_way_ms_max.filter(|_| is_too_soon(event)) {
        let _ =
            write!(text, "; by time at most {} away in one direction", span_text(away_ms / 1e3));
        if away_ms < f64::from(rst.hops) * HOP_MS_MIN {
            text.push_str(", too near for so many hops: its TTL began at an unusual value");
        }
    }
    text.push('.');
    if matches!(verdict.origin, Origin::MiddleboxToClient | Origin::MiddleboxToServer) {
        let _ = write!(
            text,
            " It passed here on its way from the {named}'s side, so look between this sensor and \
             the {named}."
        );
    }
    Some(text)
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

/// How sure, what else, what looks alike, what was not seen, what would prove it wrong.
fn doubts(event: &Event, advice: &Advice) -> Vec<(&'static str, String)> {
    let verdict = &event.verdict;
    let mut rows = vec![(
        "Sure",
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
        ),
    )];
    let others: Vec<String> = verdict
        .alternatives
        .iter()
        .filter(|other| other.confidence >= WORTH_NAMING)
        .map(|other| {
            let confidence = share(other.confidence);
            format!("{} by {} {confidence}", other.cause.name(), other.origin.name())
        })
        .collect();
    if !others.is_empty() {
        rows.push(("Else", format!("Other readings: {}.", others.join("; "))));
    }
    let alike = ambiguity::sentences(event);
    if !alike.is_empty() {
        rows.push(("Alike", alike.join(" ")));
    }
    rows.extend(view(event).map(|text| ("View", text)));
    rows.extend(disproofs(event, advice).into_iter().map(|text| ("Refute", text)));
    rows
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

fn connection(event: &Event) -> String {
    let mut text = format!(
        "{} of the client, {} of the server",
        capitalised(&volume(event, Side::Client)),
        volume(event, Side::Server)
    );
    if let Some(age_s) = event.age_s {
        let _ = write!(text, "; {} old", age_text(age_s));
    }
    if let Some(idle_s) = event.idle_before_s {
        let _ = write!(text, "; silent for {} before the reset", span_text(idle_s));
    }
    let idle_s = event.idle_before_s.unwrap_or(0.0);
    if let Some(silence_s) = event.longest_silence_s.filter(|span| f64::from(*span) > idle_s + 1.0)
    {
        let _ = write!(text, "; its longest silence was about {silence_s} s");
    }
    if let Some(rtt) = round_trips(&event.rtt_ms) {
        let _ = write!(text, "; {rtt}");
    }
    let _ = write!(text, "; stage {}", event.verdict.stage.name());
    text + "."
}

fn volume(event: &Event, side: Side) -> String {
    let data = match *event.bytes.of(side) {
        0 => "without data".to_owned(),
        1 => "with 1 byte".to_owned(),
        bytes => format!("with {} bytes", thousands(bytes)),
    };
    match *event.packets.of(side) {
        0 => "no packet".to_owned(),
        1 => format!("1 packet {data}"),
        PACKETS_MAX => format!("{PACKETS_MAX} or more packets {data}"),
        packets => format!("{packets} packets {data}"),
    }
}

fn round_trips(rtt_ms: &PerSide<Option<f64>>) -> Option<String> {
    let name = |side: &str, ms: f64| format!("{} to the {side} and back", span_text(ms / 1e3));
    match (rtt_ms.client, rtt_ms.server) {
        (None, None) => None,
        (Some(ms), None) => Some(name("client", ms)),
        (None, Some(ms)) => Some(name("server", ms)),
        (Some(client), Some(server)) => {
            Some(format!("{}, {}", name("client", client), name("server", server)))
        }
    }
}

fn reset(event: &Event) -> String {
    let rst = &event.rst;
    let mut text = format!(
        "{} in the name of the {}, {}, TTL {}, window {}",
        rst.flags,
        event.claimed.name(),
        match event.verdict.shape {
            Shape::Active => "as a socket sends it of its own accord",
            Shape::Reply => "as a host answers a segment that it cannot place",
            Shape::Refusal => "as a host refuses a SYN",
            Shape::Odd => "in a shape that no stack writes",
        },
        rst.ttl,
        rst.window
    );
    if let Some(delta) = rst.seq_delta {
        let _ = match delta {
            0 => write!(text, ", exactly at the next sequence number"),
            delta => write!(text, ", {delta:+} from the next sequence number"),
        };
    }
    if let Some(after_s) = event.answered_after_s {
        let what = match event.verdict.shape {
            Shape::Active => "the last bytes that it acknowledges",
            _ => "the packet that it answers",
        };
        let _ = write!(text, "; {} after {what}", span_text(after_s));
    }
    if event.rst_count > 1 {
        let _ = write!(text, "; {} resets in this connection", event.rst_count);
    }
    match event.other_side_rst_after_s {
        Some(after_s) => {
            let _ = write!(text, "; the other end got one {} later", span_text(after_s));
        }
        None if event.other_side_rst => text.push_str("; both ends got one"),
        None => {}
    }
    text + "."
}

/// Ten to one.
const HEAVY: f64 = 10.0;

/// No router forwards a packet faster.
const HOP_MS_MIN: f64 = 0.01;

/// The record counts no further.
const PACKETS_MAX: u64 = 255;

/// Less likely readings are no help.
const WORTH_NAMING: f64 = 0.01;

/// Narrower than this no sentence can be read.
const WIDTH_MIN: usize = 40;
