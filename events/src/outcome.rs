//! What a reset did and what it cost, in words.

use std::fmt::Write as _;

use classifiers::{Effect, Origin, Reaction, Reception, Role};

use crate::event::{Event, Side};

/// What became of the receiver: what its stack should have done, and what it was seen to do.
pub(crate) fn effect_text(event: &Event) -> String {
    let verdict = &event.verdict;
    let receiver = event.claimed.opposite().name();
    let mut text = match verdict.effect {
        Effect::Accepted if is_seen(verdict.effect_seen) => {
            format!("Accepted: the {receiver} stopped")
        }
        Effect::Accepted => "Accepted, as far as can be seen".to_owned(),
        Effect::Ignored => format!("Ignored: the {receiver} went on"),
        Effect::Challenged => format!("Challenged: the {receiver} asked back and went on"),
        Effect::PredictedIneffective => {
            format!("Predicted to be without effect on the {receiver}")
        }
        Effect::Unobservable => format!("Whether the {receiver} obeyed is not to be seen"),
    };
    let _ = write!(text, ". By the model: {}, so {}.", verdict.effect_because, should(event));
    if let Some(seen) = reaction(verdict.effect_seen) {
        let _ = write!(text, " Seen: {seen}.");
    }
    if verdict.effect_contradiction {
        let _ = write!(text, " These CONTRADICT each other: {}.", contradiction(verdict.effect));
    }
    text
}

/// Whether the receiver was seen to have stopped.
const fn is_seen(seen: Reaction) -> bool {
    matches!(seen, Reaction::ResetInReturn | Reaction::OpenedAnew)
}

/// What the model expects of the receiver.
fn should(event: &Event) -> String {
    let receiver = event.claimed.opposite().name();
    match event.verdict.effect_expected {
        Reception::Obey => format!("the {receiver} ends the connection"),
        Reception::Challenge => {
            format!("a {receiver} that follows RFC 5961 answers by a challenge ACK and lives on")
        }
        Reception::Drop => format!("the {receiver} drops it in silence"),
        Reception::Unsure => "nothing is predicted".to_owned(),
    }
}

const fn reaction(seen: Reaction) -> Option<&'static str> {
    Some(match seen {
        Reaction::WentOn => "new data of it when the reset must have reached it",
        Reaction::ChallengeAck => "it repeated its acknowledgment at once (a challenge ACK)",
        Reaction::Retransmitted => "it repeated what it had sent instead of giving up",
        Reaction::ResetInReturn => {
            "it answered a later segment by a reset, so it knew the connection no more"
        }
        Reaction::OpenedAnew => "it opened a new connection from the same port",
        Reaction::UnderWay => "only what it may have sent before the reset came",
        Reaction::Silence => "nothing more of it",
        Reaction::Pending => return None,
    })
}

const fn contradiction(effect: Effect) -> &'static str {
    match effect {
        Effect::Accepted => {
            "another event ended the connection at the same time, or its stack takes more than \
             RFC 5961 allows"
        }
        _ => {
            "the reset was lost or filtered behind the sensor, or its receiver holds other numbers \
             (a proxy between)"
        }
    }
}

/// What the connection lost, or would have lost, by ending here.
pub(crate) fn cost_text(event: &Event) -> String {
    let verdict = &event.verdict;
    let lives = matches!(verdict.effect, Effect::Ignored | Effect::Challenged);
    let mut text = match (verdict.role, lives) {
        (Role::Primary, true) => "Nothing: the connection lived on. In flight at that moment:",
        (Role::Primary, false) => "In flight, not acknowledged:",
        _ => "Counted with the first reset of the connection. Not acknowledged at this one:",
    }
    .to_owned();
    let unacked = &verdict.bytes_unacked;
    match (unacked.client, unacked.server) {
        (Some(0), Some(0)) if event.bytes.client + event.bytes.server == 0 => {
            return "No data had been sent.".to_owned();
        }
        (Some(0), Some(0)) => text.push_str(" nothing in either direction"),
        (client, server) => {
            let (client, server) = (bytes_text(client), bytes_text(server));
            let _ = write!(text, " {client} of the client, {server} of the server");
        }
    }
    if unacked.of(event.claimed.opposite()).is_some_and(|bytes| bytes > 0) && has_arrived(event) {
        let _ = write!(
            text,
            "; the {}'s had arrived, as the reset itself acknowledges them, read or not",
            event.claimed.opposite().name()
        );
    }
    for side in [Side::Client, Side::Server] {
        if let Some(missing) = verdict.record_missing.of(side) {
            let _ = write!(
                text,
                "; a TLS record of the {} was cut, {} of its end never came",
                side.name(),
                bytes_text(Some(u32::from(*missing)))
            );
        }
    }
    match verdict.mid_record {
        Some(false) => text.push_str("; no TLS record was cut"),
        None if is_tls(event) => {
            text.push_str("; whether a TLS record was cut was not to be followed");
        }
        _ => {}
    }
    text + "."
}

/// Whether a genuine reset acknowledges everything that its receiver had sent before.
fn has_arrived(event: &Event) -> bool {
    let is_genuine = matches!(event.verdict.origin, Origin::Client | Origin::Server);
    is_genuine && event.rst.ack_delta.is_some_and(|delta| delta >= 0)
}

fn is_tls(event: &Event) -> bool {
    [&event.app.client, &event.app.server].into_iter().flatten().any(|app| app.starts_with("tls"))
}

/// A count of bytes that may be unknown.
pub(crate) fn bytes_text(bytes: Option<u32>) -> String {
    match bytes {
        None => "an unknown number of bytes".to_owned(),
        Some(0) => "nothing".to_owned(),
        Some(1) => "1 byte".to_owned(),
        Some(bytes) => format!("{} bytes", crate::sentence::thousands(u64::from(bytes))),
    }
}
