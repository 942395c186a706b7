//! The proof sheet of one reset: Who. Why. How sure. What was seen. What would disprove it. What to do.

use std::fmt::Write as _;

use classifiers::{Cause, Impact, Origin, Terminator};

use crate::advice::{Advice, When, advice};
use crate::event::{Event, EventStatus, PerSide, RoleSource, Side};
use crate::fill::{age_text, fill, hops};
use crate::sentence::{sentence, span_text};

/// Everything an event says, for people; wrapped to `width` columns, ends with a line feed.
#[must_use]
pub fn proof_sheet(event: &Event, width: usize) -> String {
    let advice = advice(event.verdict.cause);
    let mut sheet = Sheet { text: String::new(), width: width.max(WIDTH_MIN) };
    sheet.line("", &heading(event));
    sheet.section("Who", &[who(event)]);
    sheet.section("Why", &why(event, &advice));
    sheet.section("How sure", &how_sure(event));
    sheet.section("What was seen", &[connection(event), reset(event)]);
    sheet.evidence(event);
    sheet.section("What would disprove it", &disproofs(event, &advice));
    sheet.section("What to do", &[]);
    for step in steps(event, &advice) {
        sheet.line_after("  - ", &step);
    }
    sheet.text
}

/// Lines, wrapped with a hanging indent.
struct Sheet {
    text: String,
    width: usize,
}

impl Sheet {
    fn section(&mut self, title: &str, paragraphs: &[String]) {
        let _ = write!(self.text, "\n{title}.\n");
        for paragraph in paragraphs {
            self.line("  ", paragraph);
        }
    }

    fn evidence(&mut self, event: &Event) {
        for item in &event.verdict.evidence {
            let weight = match item.decibans {
                0.0 => String::new(),
                decibans => format!("{decibans:+.0} dB"),
            };
            let number = item.e.as_deref().unwrap_or("");
            self.line_after(&format!("  {weight:>7}  {number:<4} "), &sentence(item));
        }
    }

    /// One paragraph, all its lines behind `indent`.
    fn line(&mut self, indent: &str, text: &str) {
        self.wrapped(indent, indent, text);
    }

    /// One paragraph, its first line behind `head`, the others indented as far.
    fn line_after(&mut self, head: &str, text: &str) {
        self.wrapped(head, &" ".repeat(head.len()), text);
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

fn heading(event: &Event) -> String {
    let place = match (&event.file, event.frame, &event.interface, event.queue) {
        (Some(file), Some(frame), ..) => format!("{file} frame {frame}"),
        (_, _, Some(interface), Some(queue)) => format!("{interface} queue {queue}"),
        _ => "unknown place".to_owned(),
    };
    let status = match event.status {
        EventStatus::Provisional => ", provisional",
        EventStatus::Final => "",
    };
    format!(
        "{} reset between client {} and server {} at {} ({place}{status}; Community ID {})",
        impact_word(event.verdict.impact),
        event.client,
        event.server,
        event.ts,
        event.community_id
    )
}

const fn impact_word(impact: Impact) -> &'static str {
    match impact {
        Impact::Aborted => "ABORTING",
        Impact::Refused => "REFUSING",
        Impact::Benign => "Benign",
        Impact::Unknown => "Unjudged",
    }
}

fn who(event: &Event) -> String {
    let verdict = &event.verdict;
    let claimed = event.claimed_endpoint();
    let named = event.claimed.name();
    let mut text = match verdict.origin {
        Origin::Client => format!("The client {} itself.", event.client),
        Origin::Server if verdict.terminator == Terminator::None => {
            format!("The server {} itself.", event.server)
        }
        Origin::Server => format!(
            "The server {}, or rather the front end that {} for it.",
            event.server,
            if verdict.terminator == Terminator::Proven { "speaks" } else { "seems to speak" }
        ),
        Origin::MiddleboxToClient | Origin::MiddleboxToServer | Origin::MiddleboxBoth => {
            let others = match verdict.origin {
                Origin::MiddleboxBoth => " It reset the other end as well.",
                _ => "",
            };
            format!("NOT the {named} {claimed}: a device in the path, in its name.{others}")
        }
        Origin::BlindAttacker => {
            format!("NOT the {named} {claimed}: a host off the path that guesses, in its name.")
        }
        Origin::Unknown => format!(
            "Not decided. It bears the name of the {named} {claimed}; whether that sent it or a \
             device in the path did, the packets do not tell."
        ),
    };
    match &event.peer {
        Some(peer) if is_forged(verdict.origin) && peer.hops != event.rst.hops => {
            let _ = write!(
                text,
                " The reset came from {} away (TTL {}), the {named}'s own packets from {} (TTL {}, \
                 n={}).",
                hops(event.rst.hops),
                event.rst.ttl,
                peer.hops,
                peer.ttl,
                peer.packets
            );
        }
        _ if is_forged(verdict.origin) => {
            let against = verdict.evidence.iter().filter(|item| item.decibans < 0.0);
            if let Some(item) = against.min_by(|a, b| a.decibans.total_cmp(&b.decibans)) {
                let _ = write!(text, " What speaks most for that: {}.", sentence(item));
            }
        }
        _ if verdict.cause == Cause::IdleTimeoutMiddlebox && verdict.origin != Origin::Unknown => {
            text.push_str(" What holds this address is itself a device in the path.");
        }
        _ => {}
    }
    text
}

const fn is_forged(origin: Origin) -> bool {
    matches!(
        origin,
        Origin::MiddleboxToClient
            | Origin::MiddleboxToServer
            | Origin::MiddleboxBoth
            | Origin::BlindAttacker
    )
}

fn why(event: &Event, advice: &Advice) -> Vec<String> {
    let verdict = &event.verdict;
    let text = capitalised(&fill(advice.why, event));
    let mut paragraphs = vec![match (verdict.origin, verdict.cause) {
        // The text of a cause tells a story; without a sender it is but the best one.
        (Origin::Unknown, cause) if cause != Cause::Unknown => {
            format!("{}, if the best reading holds: {text}", cause.name())
        }
        (_, cause) => format!("{}: {text}", cause.name()),
    }];
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
    paragraphs.extend(event.context.iter().flat_map(|context| context.sentences()));
    paragraphs
}

fn how_sure(event: &Event) -> Vec<String> {
    let verdict = &event.verdict;
    let mut paragraphs = vec![format!(
        "Origin {} {} ({}; {:.0} dB {} the named endpoint). Cause {} {} ({}), by rule {}.",
        verdict.origin.name(),
        share(verdict.origin_confidence),
        band(verdict.origin_confidence),
        verdict.origin_decibans.abs(),
        if verdict.origin_decibans < 0.0 { "against" } else { "for" },
        verdict.cause.name(),
        share(verdict.cause_confidence),
        band(verdict.cause_confidence),
        verdict.rule
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
        paragraphs.push(format!("Other readings: {}.", others.join("; ")));
    }
    if let Some(caveat) = &verdict.caveat {
        paragraphs.push(format!("Caveat: {}.", caveat.trim_end_matches('.')));
    }
    paragraphs.extend(view(event));
    paragraphs
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

/// What of the connection was not seen, as a sentence.
fn view(event: &Event) -> Option<String> {
    let capture = event.capture;
    let missing: Vec<&str> = [
        (capture.midstream, "its beginning was not seen"),
        (capture.asymmetric, "only one direction was seen"),
        (capture.gap_seen, "segments are missing in the capture"),
        (capture.reused_tuple, "the same addresses and ports served an earlier connection"),
        (event.role_source == RoleSource::Port, "who is the server was guessed by port"),
    ]
    .into_iter()
    .filter_map(|(is_so, text)| is_so.then_some(text))
    .collect();
    (!missing.is_empty()).then(|| format!("The view was limited: {}.", missing.join("; ")))
}

fn connection(event: &Event) -> String {
    let mut text = format!(
        "The connection: {} of the client, {} of the server",
        volume(event, Side::Client),
        volume(event, Side::Server)
    );
    if let Some(age_s) = event.age_s {
        let _ = write!(text, "; {} old", age_text(age_s));
    }
    if let Some(idle_s) = event.idle_before_s {
        let _ = write!(text, "; silent for {} before the reset", span_text(idle_s));
    }
    if let Some(rtt) = round_trips(&event.rtt_ms) {
        let _ = write!(text, "; {rtt}");
    }
    let _ = write!(text, "; stage {}", event.verdict.stage.name());
    let unacked = &event.verdict.bytes_unacked;
    if unacked.client + unacked.server > 0 {
        let _ = write!(
            text,
            "; bytes not acknowledged: {} of the client, {} of the server",
            unacked.client, unacked.server
        );
    }
    text + "."
}

fn volume(event: &Event, side: Side) -> String {
    let bytes = *event.bytes.of(side);
    match *event.packets.of(side) {
        0 => "no packet".to_owned(),
        1 if bytes == 0 => "1 packet without data".to_owned(),
        1 => format!("1 packet with {bytes} bytes"),
        packets if bytes == 0 => format!("{packets} packets without data"),
        packets => format!("{packets} packets with {bytes} bytes"),
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
        "The reset: {} in the name of the {}, shape {}, TTL {}, window {}",
        rst.flags,
        event.claimed.name(),
        event.verdict.shape.name(),
        rst.ttl,
        rst.window
    );
    if let Some(delta) = rst.seq_delta {
        let _ = match delta {
            0 => write!(text, ", exactly at the next sequence number"),
            delta => write!(text, ", {delta:+} from the next sequence number"),
        };
    }
    let _ = write!(text, "; effect {}", event.verdict.effect.name());
    if event.rst_count > 1 {
        let _ = write!(text, "; {} resets in this connection", event.rst_count);
    }
    if event.other_side_rst {
        text.push_str("; both ends got one");
    }
    text + "."
}

fn disproofs(event: &Event, advice: &Advice) -> Vec<String> {
    let mut paragraphs = Vec::new();
    let named = event.claimed.name();
    if is_forged(event.verdict.origin) {
        paragraphs.push(format!(
            "Origin: a capture on the {named} {} that shows it sending this reset.",
            event.claimed_endpoint().ip
        ));
    } else if event.verdict.origin != Origin::Unknown {
        paragraphs.push(format!(
            "Origin: a capture on the {named} {} in which this reset is missing.",
            event.claimed_endpoint().ip
        ));
    }
    paragraphs.push(match event.verdict.cause {
        Cause::Unknown => fill(advice.disproof, event),
        _ => format!("Cause: {}", fill(advice.disproof, event)),
    });
    paragraphs
}

fn steps(event: &Event, advice: &Advice) -> Vec<String> {
    let mut steps: Vec<String> = advice
        .steps
        .iter()
        .filter(|(when, _)| applies(*when, event))
        .map(|(_, step)| capitalised(&fill(step, event)))
        .collect();
    if is_forged(event.verdict.origin) {
        steps.push(format!(
            "Do not look for the fault at the {}: a log that names it as the sender only repeats \
             the packet's source address.",
            event.claimed.name()
        ));
    }
    steps
}

fn applies(when: When, event: &Event) -> bool {
    match when {
        When::Always => true,
        When::Idle => event.idle_before_s.is_some_and(|idle_s| idle_s >= IDLE_S),
        When::BackendPort => BACKEND_PORTS.contains(&event.server.port),
        When::ServerSilent => event.bytes.server == 0 && event.bytes.client > 0,
        When::Fronted => event.verdict.terminator != Terminator::None,
        When::Benign => event.verdict.impact == Impact::Benign && unacked(event) <= FIN_LEN,
        When::BenignUnacked => event.verdict.impact == Impact::Benign && unacked(event) > FIN_LEN,
        When::Forged => is_forged(event.verdict.origin),
        When::ServerRoundTrip => event.rtt_ms.server.is_some(),
        When::ClaimedRoundTrip => {
            is_forged(event.verdict.origin) && event.rtt_ms.of(event.claimed).is_some()
        }
    }
}

/// Sequence numbers of both sides that nobody acknowledged.
fn unacked(event: &Event) -> u64 {
    let bytes = &event.verdict.bytes_unacked;
    u64::from(bytes.client) + u64::from(bytes.server)
}

pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Silence from which a timer is suspected (classification.md, rule 16).
const IDLE_S: f64 = 30.0;

/// A FIN takes one sequence number.
const FIN_LEN: u64 = 1;

/// Less likely readings are no help.
const WORTH_NAMING: f64 = 0.01;

/// Ports whose connections are usually pooled: SQL Server, Oracle, MySQL, PostgreSQL, AMQP, Redis,
/// Cassandra, Kafka, Elasticsearch, Memcached, MongoDB, LDAP.
const BACKEND_PORTS: [u16; 13] =
    [389, 636, 1433, 1521, 3306, 5432, 5672, 6379, 9042, 9092, 9200, 11211, 27017];

/// Narrower than this no sentence can be read.
const WIDTH_MIN: usize = 40;
