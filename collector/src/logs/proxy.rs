//! What a proxy's line does to a verdict: it is itself an end of both connections.
//!
//! Of the front connection the proxy is the server, of the back connection the client. It says who went away, by
//! FIN or reset, and which of its timers ran out; who sent a packet is what the packets say.

use classifiers::{Cause, Origin};
use events::{Agreement, Event, Side};

use super::conclude::{Opinion, endpoint, logs, surer};
use super::session::{End, LogSession, Matched};

/// Judges a line of a proxy.
pub(super) fn opinion(event: &Event, session: &LogSession, leg: Matched) -> Opinion {
    let proxy = if leg == Matched::Front { Side::Server } else { Side::Client };
    let line = Line { event, session, proxy };
    match (session.end, leg) {
        (End::ClientGone, Matched::Front) | (End::ServerGone, Matched::Back) => line.far_end_left(),
        (End::ServerRefused, Matched::Back) => line.far_end_left(),
        (End::ServerGone, Matched::Front) => {
            line.passed_on("the server behind it went away first, and it passed that on", None)
        }
        (End::ServerRefused, Matched::Front) => line.passed_on(
            "it could not reach its server, and passed that on",
            Some(Cause::ProxiedBackendRefused),
        ),
        (End::ClientGone, Matched::Back) => {
            line.passed_on("its own client went away first, and it passed that on", None)
        }
        (End::ClientTimer, Matched::Front) => {
            line.own_doing("its timer for the client ran out", Some(Cause::IdleTimeoutEndpoint))
        }
        (End::ServerTimer, Matched::Back) => {
            line.own_doing("its timer for the server ran out", Some(Cause::IdleTimeoutEndpoint))
        }
        (End::ClientTimer, _) => line.passed_on("its timer for the client ran out", None),
        (End::ServerTimer, _) => line.passed_on("its timer for the server ran out", None),
        (End::ProxyDecision | End::Resources, _) => line.own_doing("it decided so itself", None),
        _ => Opinion::neutral(format!("{}, which says nothing of the reset.", logs(session))),
    }
}

struct Line<'l> {
    event: &'l Event,
    session: &'l LogSession,
    /// The side that the proxy is.
    proxy: Side,
}

impl Line<'_> {
    /// Who is at the other end of this connection went away.
    fn far_end_left(&self) -> Opinion {
        let verdict = &self.event.verdict;
        let far = self.proxy.opposite();
        let (name, address) = match far {
            Side::Client => ("client", self.event.client.ip),
            Side::Server => ("server", self.event.server.ip),
        };
        let (logs, source) = (logs(self.session), &self.session.source);
        if self.event.claimed != far {
            return Opinion::neutral(format!(
                "{logs}: the {name} had gone; this reset bears {source}'s own name and answers that."
            ));
        }
        if verdict.origin == endpoint(far) {
            return Opinion::with(
                Agreement::Confirmed,
                format!("{logs}: the {name} {address} went away, as its packet says."),
                (verdict.origin, surer(verdict.origin_confidence, 0.5)),
                (verdict.cause, verdict.cause_confidence),
            );
        }
        if verdict.origin.is_device() {
            return Opinion::with(
                Agreement::Refined,
                format!(
                    "{logs}, but the packet was not sent by the {name}: the box sits between {source} and {address}."
                ),
                (verdict.origin, verdict.origin_confidence),
                (verdict.cause, verdict.cause_confidence),
            );
        }
        Opinion::neutral(format!("{logs}: to {source} the {name} {address} went away."))
    }

    /// Whether the reset is the proxy's, by its packet.
    fn is_its_own(&self) -> bool {
        self.event.claimed == self.proxy && self.event.verdict.origin == endpoint(self.proxy)
    }

    /// The proxy's reset has its reason on its other connection.
    fn passed_on(&self, why: &str, cause: Option<Cause>) -> Opinion {
        let verdict = &self.event.verdict;
        let text = format!("{}: {why}.", logs(self.session));
        if !self.is_its_own() {
            return self.not_its_own(text);
        }
        let cause = cause.map_or((verdict.cause, verdict.cause_confidence), |cause| (cause, 0.9));
        Opinion::with(
            Agreement::Refined,
            text,
            (verdict.origin, surer(verdict.origin_confidence, 0.5)),
            cause,
        )
    }

    /// The proxy's reset is its own wish.
    fn own_doing(&self, why: &str, timer: Option<Cause>) -> Opinion {
        let verdict = &self.event.verdict;
        let text = format!("{}: {why}.", logs(self.session));
        if !self.is_its_own() {
            return self.not_its_own(text);
        }
        // A timer explains what began as a silence; what came later has causes of its own.
        let is_timed = matches!(verdict.cause, Cause::AppAbort | Cause::Unknown);
        let cause = match timer.filter(|cause| is_timed || *cause == verdict.cause) {
            Some(cause) => (cause, surer(verdict.cause_confidence, 0.3).max(0.9)),
            None => (verdict.cause, verdict.cause_confidence),
        };
        Opinion::with(
            Agreement::Confirmed,
            text,
            (verdict.origin, surer(verdict.origin_confidence, 0.5)),
            cause,
        )
    }

    fn not_its_own(&self, text: String) -> Opinion {
        match self.event.verdict.origin {
            Origin::Unknown => Opinion::neutral(text),
            _ => {
                Opinion::neutral(format!("{text} This reset is not {}'s own.", self.session.source))
            }
        }
    }
}
