//! The numbers of a flow, put into the texts of the advice table.

use classifiers::{Clue, Origin};

use crate::event::{Event, Side};
use crate::sentence::span_text;
use crate::timers::known_timer;

/// Replaces every `{name}` of [`NAMES`] in `template` by the event's value for it.
pub(crate) fn fill(template: &str, event: &Event) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(&value(name, event));
        rest = after;
    }
    text + rest
}

/// Every name that a text may use.
#[cfg(test)]
pub(crate) const NAMES: [&str; 24] = [
    "client",
    "client_ip",
    "server",
    "server_ip",
    "server_port",
    "sender",
    "receiver",
    "claimed",
    "claimed_word",
    "device",
    "syn_fate",
    "idle",
    "silent",
    "age",
    "rtt_server",
    "rtt_client",
    "rtt_claimed",
    "unacked",
    "bytes_client",
    "bytes_server",
    "packets",
    "hops",
    "peer_hops",
    "rst_count",
];

fn value(name: &str, event: &Event) -> String {
    let bytes_unacked = &event.verdict.bytes_unacked;
    match name {
        "client" => event.client.to_string(),
        "client_ip" => event.client.ip.to_string(),
        "server" => event.server.to_string(),
        "server_ip" => event.server.ip.to_string(),
        "server_port" => event.server.port.to_string(),
        "sender" => sender(event),
        "receiver" => match event.claimed.opposite() {
            Side::Client => format!("the client {}", event.client),
            Side::Server => format!("the server {}", event.server),
        },
        "claimed" => format!("the {} {}", event.claimed.name(), event.claimed_endpoint()),
        "claimed_word" => event.claimed.name().to_owned(),
        "device" if is_endpoint(event.verdict.origin) => {
            format!("The device that holds the connection as {}", value("claimed", event))
        }
        "device" => format!("A device in the path, in the name of {},", value("claimed", event)),
        "syn_fate" => match event.claimed {
            Side::Server if goes_on(event) => "the server answered all the same".to_owned(),
            Side::Server => "the server was probably never asked".to_owned(),
            Side::Client if event.packets.server > 0 => {
                "the server, which had answered, is made to forget it".to_owned()
            }
            Side::Client => "the server is made to forget it".to_owned(),
        },
        "idle" => silence(event).unwrap_or_else(|| "that silence".to_owned()),
        "silent" => match silence(event) {
            Some(span) => format!("silent for {span}{}", timer(event)),
            None => "silent for a while".to_owned(),
        },
        "age" => event.age_s.map_or_else(unknown_span, age_text),
        "rtt_server" => event.rtt_ms.server.map_or_else(unknown_span, |ms| span_text(ms / 1e3)),
        "rtt_client" => event.rtt_ms.client.map_or_else(unknown_span, |ms| span_text(ms / 1e3)),
        "rtt_claimed" => {
            event.rtt_ms.of(event.claimed).map_or_else(unknown_span, |ms| span_text(ms / 1e3))
        }
        "unacked" => {
            (u64::from(bytes_unacked.client) + u64::from(bytes_unacked.server)).to_string()
        }
        "bytes_client" => event.bytes.client.to_string(),
        "bytes_server" => event.bytes.server.to_string(),
        "packets" => (event.packets.client + event.packets.server).to_string(),
        "hops" => hops(event.rst.hops),
        "peer_hops" => event.peer.as_ref().map_or_else(|| "unknown".to_owned(), |p| hops(p.hops)),
        "rst_count" => event.rst_count.to_string(),
        _ => format!("{{{name}}}"),
    }
}

/// Who sent it, with the address where there is one.
fn sender(event: &Event) -> String {
    match event.verdict.origin {
        Origin::Client => format!("the client {}", event.client),
        Origin::Server => format!("the server {}", event.server),
        Origin::MiddleboxToClient | Origin::MiddleboxToServer | Origin::MiddleboxBoth => {
            "the device in the path".to_owned()
        }
        Origin::BlindAttacker => "the attacker".to_owned(),
        Origin::Unknown => "its sender".to_owned(),
    }
}

/// How long the connection had been silent, if that is known.
///
/// `idle_before_s` ends with the reset: where the first packet after a silence drew the reset, it
/// is only the time of the answer, and the silence itself stands in the evidence, or nowhere.
fn silence(event: &Event) -> Option<String> {
    let clue = event.verdict.evidence.iter().find(|item| item.clue == Clue::Idle);
    clue.and_then(|item| item.observed.clone())
        .or_else(|| event.idle_before_s.filter(|idle_s| *idle_s >= SILENCE_S_MIN).map(span_text))
}

/// ", close to ..." if the silence points to a known timer, or nothing.
fn timer(event: &Event) -> String {
    event.idle_before_s.and_then(known_timer).map_or_else(String::new, |timer| {
        format!(", close to {} s, a default known from {}", timer.seconds, timer.products)
    })
}

/// Whether it was sent by whom it names.
const fn is_endpoint(origin: Origin) -> bool {
    matches!(origin, Origin::Client | Origin::Server)
}

/// Whether the named sender went on after its reset.
fn goes_on(event: &Event) -> bool {
    let evidence = &event.verdict.evidence;
    evidence.iter().any(|item| item.clue == Clue::AliveAfter && item.decibans < 0.0)
}

/// How old the connection is; the sensor may remember its beginning to the second only.
pub(crate) fn age_text(age_s: f64) -> String {
    match age_s {
        0.0 => "less than a second".to_owned(),
        age_s if age_s.fract() == 0.0 => format!("about {age_s:.0} s"),
        age_s => span_text(age_s),
    }
}

pub(crate) fn hops(hops: u8) -> String {
    if hops == 1 { "1 hop".to_owned() } else { format!("{hops} hops") }
}

fn unknown_span() -> String {
    "an unknown time".to_owned()
}

/// Shorter than this nobody calls it a silence.
const SILENCE_S_MIN: f64 = 1.0;
