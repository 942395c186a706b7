//! What was seen of the connection and of the reset, and where it came from, in sentences.

use std::fmt::Write as _;

use classifiers::{Origin, Shape};

use crate::event::{Event, PerSide, Side};
use crate::fill::{HOPS_MAX, age_text, hops};
use crate::sentence::{capitalised, span_text, thousands};
use crate::steps::{is_forged, is_too_soon};

/// Where the device is, as far as hops and time tell.
pub(super) fn location(event: &Event) -> Option<String> {
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

/// How much the connection had carried, and how old it was.
pub(super) fn connection(event: &Event) -> String {
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

/// The reset itself.
pub(super) fn reset(event: &Event) -> String {
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

/// No router forwards a packet faster.
const HOP_MS_MIN: f64 = 0.01;

/// The record counts no further.
const PACKETS_MAX: u64 = 255;
