//! The numbers of a flow, put into the texts of the advice table.

use classifiers::{Cause, Clue, Origin};

use crate::event::{Event, Side};
use crate::outcome::bytes_text;
use crate::sentence::{capitalised, counted, span_text, thousands};
use crate::timers::{Holder, KnownTimer, known_timer};

/// Replaces every `{name}` of [`NAMES`] in `template` by the event's value for it.
pub(crate) fn fill(template: &str, event: &Event) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        let value = value(name, event);
        let begins = text.ends_with(". ");
        text.push_str(&if begins { capitalised(&value) } else { value });
        rest = after;
    }
    text + rest
}

/// Every name that a text may use.
#[cfg(test)]
pub(crate) const NAMES: [&str; 25] = [
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
    "below",
    "silent",
    "answered",
    "crossed",
    "silence_before_close",
    "delivered",
    "first_bytes",
    "rtt_server",
    "so_far",
    "away",
    "hops",
    "peer_hops",
    "rst_count",
];

fn value(name: &str, event: &Event) -> String {
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
        "rtt_server" => event.rtt_ms.server.map_or_else(unknown_span, |ms| span_text(ms / 1e3)),
        "below" => below(event),
        "answered" => event.answered_after_s.map_or_else(unknown_span, span_text),
        "crossed" => event.late_after_close_s.map_or_else(unknown_span, span_text),
        "silence_before_close" => silence_before_close(event),
        "delivered" => delivered(event),
        "first_bytes" => first_bytes(event),
        "so_far" => so_far(event),
        "away" => match event.rst.hops {
            0 => "on this very link".to_owned(),
            away => format!("{} from the sensor", hops(away)),
        },
        "hops" => hops(event.rst.hops),
        "peer_hops" => event
            .peer
            .as_ref()
            .map_or_else(|| "an unknown number of hops".to_owned(), |p| hops(p.hops)),
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

/// What a keepalive must stay below: the timer that other connections show, or the one that the
/// silence points to, or the silence.
fn below(event: &Event) -> String {
    let shown = event.context.as_ref().and_then(|context| context.timer.as_ref());
    match (shown, lead(event)) {
        (Some(timer), _) => timer.floor_text(),
        (None, Some(timer)) => format!("{} s", thousands(u64::from(timer.seconds))),
        (None, None) => value("idle", event),
    }
}

/// The default that the silence before the reset equals. Where other connections show the timer
/// itself, that is said instead.
fn lead(event: &Event) -> Option<KnownTimer> {
    let is_shown = event.context.as_ref().is_some_and(|context| context.timer.is_some());
    let idle_s = event.idle_before_s.filter(|_| !is_shown)?;
    known_timer(idle_s, holder(event))
}

/// Whose timer ran out, most probably.
const fn holder(event: &Event) -> Holder {
    match (event.verdict.cause, event.verdict.origin) {
        // A forgotten session may have been anybody's.
        (Cause::IdleExpiredLatePacket | Cause::StaleConnection, _) => Holder::Any,
        (_, Origin::Client) => Holder::Client,
        (Cause::IdleTimeoutMiddlebox, _) => Holder::Tracker,
        (_, Origin::Server) => Holder::Server,
        _ => Holder::Tracker,
    }
}

/// What had passed before.
fn so_far(event: &Event) -> String {
    match (event.bytes.client, event.bytes.server) {
        (0, 0) => "before a byte of data was seen on it".to_owned(),
        (client, server) => format!(
            "after {} of the client and {} of the server",
            counted(client, "byte"),
            thousands(server)
        ),
    }
}

/// The longest silence, which a close after it points to a timer of.
fn silence_before_close(event: &Event) -> String {
    let Some(silence_s) = event.longest_silence_s else { return "an unknown time".to_owned() };
    // It is kept in whole seconds, rounded down.
    let closer = match event.claimed {
        Side::Client => Holder::Client,
        Side::Server => Holder::Server,
    };
    let timer = known_timer(f64::from(silence_s), closer)
        .or_else(|| known_timer(f64::from(silence_s) + 0.9, closer));
    let product = timer.map_or_else(String::new, |timer| {
        format!(" ({} s is a default known from {})", timer.seconds, timer.products)
    });
    format!("about {} s{product}", thousands(u64::from(silence_s)))
}

/// What of the data reached the other side.
fn delivered(event: &Event) -> String {
    let bytes = &event.verdict.bytes_unacked;
    match (bytes.client, bytes.server) {
        (Some(0), Some(0)) if event.bytes.client + event.bytes.server == 0 => {
            "no data had been sent".to_owned()
        }
        (Some(0), Some(0)) => format!(
            "all {} bytes of the client and {} of the server were acknowledged, nothing was lost",
            thousands(event.bytes.client),
            thousands(event.bytes.server)
        ),
        (client, server) => {
            format!(
                "{} of the client and {} of the server were not acknowledged",
                bytes_text(client),
                bytes_text(server)
            )
        }
    }
}

/// What the client's first bytes were.
fn first_bytes(event: &Event) -> String {
    match event.app.client.as_deref() {
        Some("tls") => "the client's first TLS record".to_owned(),
        Some("http") => "the client's HTTP request".to_owned(),
        _ => "the client's first bytes".to_owned(),
    }
}

/// ", close to ..." if the silence points to a known timer, or nothing.
fn timer(event: &Event) -> String {
    lead(event).map_or_else(String::new, |timer| {
        let seconds = thousands(u64::from(timer.seconds));
        format!(", close to {seconds} s, a default known from {}", timer.products)
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
    match hops {
        1 => "1 hop".to_owned(),
        0..=HOPS_MAX => format!("{hops} hops"),
        _ => "an unknown number of hops".to_owned(),
    }
}

fn unknown_span() -> String {
    "an unknown time".to_owned()
}

/// Shorter than this nobody calls it a silence.
const SILENCE_S_MIN: f64 = 1.0;

/// No path is longer; a hop limit that says so began at an unusual value.
pub(crate) const HOPS_MAX: u8 = 32;
