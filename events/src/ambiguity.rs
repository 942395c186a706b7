//! What cannot be told apart on the wire, and the sentence that says so (classification.md,
//! section 5.4). Never blame one of two that look alike.

use classifiers::{Cause, Origin, Shape, Terminator};

use crate::event::Event;
use crate::sentence::capitalised;

/// The sentences that hold for this event, the most important first.
pub(crate) fn sentences(event: &Event) -> Vec<String> {
    let verdict = &event.verdict;
    let mut texts = Vec::new();
    if let Some(caveat) = &verdict.caveat {
        texts.push(format!("{}.", capitalised(caveat.trim_end_matches('.'))));
    } else if let Some(text) = of_the_cause(event) {
        texts.push(text);
    }
    if let Some(text) = unread(event) {
        texts.push(text);
    }
    match verdict.origin {
        Origin::MiddleboxToClient | Origin::MiddleboxToServer => {
            let other = event.claimed.name();
            texts.push(format!(
                "Whether the {other} was reset as well, beyond this sensor, is not to be seen here."
            ));
        }
        Origin::Client | Origin::Server if is_reply(event) => {
            texts.push(format!(
                "A device within one hop of the {} answers exactly as that host would.",
                event.claimed.name()
            ));
        }
        _ => {}
    }
    if verdict.cause == Cause::PolicyResetContent && verdict.caveat.is_none() {
        texts.push("Which name or signature drew it is not on the wire.".to_owned());
    }
    texts
}

fn have_both_spoken(event: &Event) -> bool {
    event.bytes.client > 0 && event.bytes.server > 0
}

/// Whether the shape is one that packet filters write as well.
fn is_reply(event: &Event) -> bool {
    let verdict = &event.verdict;
    let said = verdict.caveat.as_deref().is_some_and(|text| text.contains("distance"));
    matches!(verdict.shape, Shape::Reply | Shape::Refusal) && !said
}

/// The row of the table that a cause belongs to.
fn of_the_cause(event: &Event) -> Option<String> {
    let verdict = &event.verdict;
    let text = match (verdict.origin, verdict.cause) {
        (Origin::Client | Origin::Server, Cause::AppAbort | Cause::ServiceRestart)
            if verdict.shape == Shape::Active =>
        {
            "A deliberate abort, a crash, a kill, a connection closed by an administrator and a \
             lack of memory look the same here."
        }
        (_, Cause::AcceptQueueOverflow | Cause::ConnectionLimit) => {
            "Overload and a deliberate limit look the same in one connection: only the others of \
             that moment tell."
        }
        (Origin::Server, Cause::TlsFailureAbort | Cause::PolicyResetContent)
            if verdict.terminator != Terminator::None =>
        {
            "A proxy that rejects a request by its content speaks as the server; so does the \
             server's own application."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// Whether it may have been a close with unread data: the half that can be known.
fn unread(event: &Event) -> Option<String> {
    let verdict = &event.verdict;
    let is_abort = matches!(
        verdict.cause,
        Cause::AppAbort | Cause::FastClose | Cause::TlsFailureAbort | Cause::ServiceRestart
    );
    if !is_abort || !matches!(verdict.origin, Origin::Client | Origin::Server) {
        return None;
    }
    let (named, other) = (event.claimed.name(), event.claimed.opposite());
    let (named, other) = (named, other.name());
    Some(match verdict.unread_possible {
        Some(true) => format!(
            "The {named} may have closed with data of the {other} unread: that came after its own \
             last byte, and a close over unread data is a reset too (RFC 2525, section 2.17)."
        ),
        Some(false) => format!("It was no close over unread data: the {other} had sent none."),
        None if verdict.shape == Shape::Active && have_both_spoken(event) => format!(
            "A close over unread data (RFC 2525, section 2.17) only if the {named} had answered \
             before it had read everything: it had the last word."
        ),
        None => return None,
    })
}
