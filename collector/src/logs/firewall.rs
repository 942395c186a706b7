//! What a firewall's line does to a verdict.
//!
//! A firewall stands in the path: that it logs a reset of the server's says that one came from the server's
//! side. Only where it says that it ended the connection itself does it name a culprit.

use classifiers::{Cause, Origin, Stage};
use events::{Agreement, Event, Side};

use super::conclude::{Opinion, TapSide, endpoint, logs, surer};
use super::session::{End, LogSession, Product, ResetTo};

/// Judges a line of a firewall.
pub(super) fn opinion(
    event: &Event,
    session: &LogSession,
    ahead_s: Option<f64>,
    tap: TapSide,
) -> Opinion {
    Said { event, session, tap }.opinion(ahead_s)
}

/// A firewall's line beside an event.
struct Said<'s> {
    event: &'s Event,
    session: &'s LogSession,
    tap: TapSide,
}

impl Said<'_> {
    fn opinion(&self, ahead_s: Option<f64>) -> Opinion {
        match self.session.end {
            End::ResetByServer => self.reset_by(Side::Server),
            End::ResetByClient => self.reset_by(Side::Client),
            End::Policy => self.policy(),
            End::Decryption => self.device(Cause::TlsFailureAbort, "its inspection of TLS failed"),
            End::Resources => self.device(Cause::ResourceExhaustion, "it was short of resources"),
            End::SynDefence => self.syn_defence(),
            End::IdleTimeout => self.forgotten(ahead_s),
            End::Finished => self.finished(),
            End::NoSession => self.no_session(),
            _ => Opinion::neutral(format!("{}, which says nothing of the reset.", self.logs())),
        }
    }

    /// `fw-edge-1 logs tcp-rst-from-server`.
    fn logs(&self) -> String {
        logs(self.session)
    }

    fn verdict(&self) -> (Origin, f64, Cause, f64) {
        let verdict = &self.event.verdict;
        (verdict.origin, verdict.origin_confidence, verdict.cause, verdict.cause_confidence)
    }

    /// The address of a side, as it was seen here.
    fn address(&self, side: Side) -> String {
        match side {
            Side::Client => self.event.client.ip.to_string(),
            Side::Server => self.event.server.ip.to_string(),
        }
    }

    fn reset_by(&self, side: Side) -> Opinion {
        let (origin, sure, cause, cause_sure) = self.verdict();
        let (logs, name, address) = (self.logs(), side.name(), self.address(side));
        let fw = &self.session.source;
        if self.event.claimed != side {
            return self.reset_of_other_side();
        }
        let endpoint = endpoint(side);
        match origin {
            _ if origin == endpoint => Opinion::with(
                Agreement::Confirmed,
                format!(
                    "{logs}, and the packet came from the {name} {address} itself: {fw} did not make it up."
                ),
                (origin, surer(sure, 0.5)),
                (cause, cause_sure),
            ),
            Origin::BlindAttacker => Opinion::with(
                Agreement::Refined,
                format!(
                    "{logs}, but the packet was forged off the path: {fw} took it for the {name}'s."
                ),
                (origin, sure),
                (cause, cause_sure),
            ),
            _ if origin.is_device() => Opinion::with(
                Agreement::Refined,
                format!(
                    "{logs}, but the packet was not sent by the {name}: the box sits between {fw} and {address}{}.",
                    self.narrower(side)
                ),
                (origin, sure),
                (cause, cause_sure),
            ),
            _ => Opinion::without_change(
                Agreement::Refined,
                format!(
                    "{logs}: {fw} did not send it; the {name} {address} did, or a box between the two."
                ),
            ),
        }
    }

    /// What the place of the tap adds to where the box is.
    fn narrower(&self, side: Side) -> &'static str {
        match (self.tap, side) {
            (TapSide::Server, Side::Server) => {
                ", and more closely between this sensor, which is behind it, and the server"
            }
            (TapSide::Client, Side::Client) => {
                ", and more closely between this sensor, which is before it, and the client"
            }
            _ => "",
        }
    }

    /// It logs a reset of one side, and here one came in the name of the other.
    fn reset_of_other_side(&self) -> Opinion {
        let (origin, sure, cause, cause_sure) = self.verdict();
        let capture = &self.event.capture;
        let is_whole = !capture.asymmetric && !capture.gap_seen && !capture.one_sided_tap;
        let claimed = self.event.claimed;
        let is_alone = !self.event.other_side_rst && is_whole;
        if origin == endpoint(claimed) && sure >= SURE && is_alone {
            return Opinion::with(
                Agreement::Contradicted,
                format!(
                    "{}, but the only reset here came from the {} {}.",
                    self.logs(),
                    claimed.name(),
                    self.address(claimed)
                ),
                (origin, sure),
                (cause, cause_sure),
            );
        }
        Opinion::neutral(format!(
            "{}, which is another reset than this one: this bears the name of the {}.",
            self.logs(),
            claimed.name()
        ))
    }

    fn policy(&self) -> Opinion {
        let fw = &self.session.source;
        let logs = self.logs_with_rule();
        if is_silent(&self.session.action) {
            return Opinion::neutral(format!(
                "{logs} and drops without a reset ({}): the reset was not {fw}'s.",
                self.session.action
            ));
        }
        if self.is_denial() {
            return Opinion::neutral(format!(
                "{logs}: it denied this connection; whether it answers with a reset is its setting."
            ));
        }
        let is_other_way = match self.session.resets {
            Some(ResetTo::Client) => self.event.claimed == Side::Client,
            Some(ResetTo::Server) => self.event.claimed == Side::Server,
            Some(ResetTo::Both) | None => false,
        };
        if is_other_way {
            return Opinion::neutral(format!(
                "{logs}, but its resets go the other way: this one bears the name of the {}.",
                self.event.claimed.name()
            ));
        }
        self.device_did(policy_cause(self.event), &logs, "its policy")
    }

    /// A denial by those that answer with nothing unless they are told to: no proof that the reset is theirs.
    fn is_denial(&self) -> bool {
        let session = self.session;
        matches!(session.product, Product::Fortigate | Product::JuniperSrx | Product::CiscoAsa)
            && session.action.eq_ignore_ascii_case("deny")
            && session.resets.is_none()
    }

    fn device(&self, cause: Cause, why: &str) -> Opinion {
        let stage = self.event.verdict.stage;
        if cause == Cause::TlsFailureAbort && matches!(stage, Stage::PostSyn | Stage::None) {
            return Opinion::neutral(format!(
                "{}, but nothing of TLS had begun here.",
                self.logs()
            ));
        }
        self.device_did(cause, &self.logs_with_rule(), why)
    }

    /// A firewall says that it ended the connection itself.
    fn device_did(&self, cause: Cause, logs: &str, why: &str) -> Opinion {
        let (origin, sure, passive_cause, passive_sure) = self.verdict();
        let fw = &self.session.source;
        let claimed = self.event.claimed;
        match origin {
            _ if origin.is_device() => Opinion::with(
                Agreement::Confirmed,
                format!("{logs}: {fw} is the box that sent the reset, because of {why}."),
                (origin, surer(sure, 0.2)),
                (cause, 0.95),
            ),
            Origin::Unknown => {
                let device = match claimed {
                    Side::Server => Origin::MiddleboxToClient,
                    Side::Client => Origin::MiddleboxToServer,
                };
                let sure = if self.session.resets.is_some() { 0.9 } else { 0.85 };
                Opinion::with(
                    Agreement::Refined,
                    format!(
                        "{logs}, and the packets do not decide: {fw} sent the reset, because of {why}."
                    ),
                    (device, sure),
                    (cause, 0.85),
                )
            }
            Origin::BlindAttacker => Opinion::neutral(format!(
                "{logs}, but this reset was guessed by somebody off the path."
            )),
            _ => {
                let doubted = sure * 0.8;
                let kept = if doubted >= NAMED { origin } else { Origin::Unknown };
                Opinion::with(
                    Agreement::Contradicted,
                    format!(
                        "{logs}, but the packet looks like the {}'s own: perhaps there were two resets, and this is \
                         not {fw}'s.",
                        claimed.name()
                    ),
                    (kept, doubted),
                    (passive_cause, passive_sure),
                )
            }
        }
    }

    fn syn_defence(&self) -> Opinion {
        let (origin, sure, cause, cause_sure) = self.verdict();
        let logs = self.logs();
        let is_early =
            matches!(self.event.verdict.stage, Stage::PostSyn | Stage::PostAck | Stage::None);
        if !is_early {
            return Opinion::neutral(format!(
                "{logs}, but this connection had carried data already."
            ));
        }
        let sentence =
            format!("{logs}: its protection from SYN floods took part in this handshake.");
        if matches!(cause, Cause::SynAuthReset | Cause::SynFloodBackscatter) {
            let cause = (cause, surer(cause_sure, 0.3));
            return Opinion::with(Agreement::Confirmed, sentence, (origin, sure), cause);
        }
        if origin == Origin::Unknown || origin.is_device() {
            let cause = (Cause::SynAuthReset, 0.8);
            return Opinion::with(Agreement::Refined, sentence, (origin, sure), cause);
        }
        // That it looked at the handshake says nothing of why an endpoint broke it off.
        Opinion::neutral(sentence)
    }

    fn forgotten(&self, ahead_s: Option<f64>) -> Opinion {
        let (origin, sure, cause, cause_sure) = self.verdict();
        let (logs, fw) = (self.logs(), &self.session.source);
        let timer = self.timer_text(ahead_s);
        let is_of_device = matches!(
            cause,
            Cause::IdleTimeoutMiddlebox | Cause::IdleExpiredLatePacket | Cause::SessionlessReset
        );
        if is_of_device {
            let told = match cause {
                Cause::SessionlessReset => Cause::IdleExpiredLatePacket,
                cause => cause,
            };
            return Opinion::with(
                Agreement::Confirmed,
                format!("{logs}: {fw} forgot the session after a silence{timer}."),
                (origin, sure),
                (told, surer(cause_sure, 0.2)),
            );
        }
        if matches!(cause, Cause::IdleTimeoutEndpoint | Cause::StaleConnection) {
            let sentence = format!("{logs}: {fw} forgot the session, too, after a silence{timer}.");
            return Opinion::without_change(Agreement::Confirmed, sentence);
        }
        Opinion::neutral(format!("{logs}: {fw} let the session age{timer}, which is no reset."))
    }

    /// The firewall's timer beside the silence that was seen.
    fn timer_text(&self, ahead_s: Option<f64>) -> String {
        let Some(idle_s) = self.event.idle_before_s.filter(|idle_s| *idle_s >= 1.0) else {
            return String::new();
        };
        let last = self.event.ts.0 as f64 / 1e9 - idle_s;
        let timer_s = self.session.ended.0 as f64 / 1e9 - ahead_s.unwrap_or(0.0) - last;
        if timer_s >= 1.0 && timer_s <= idle_s + 60.0 {
            format!(
                " ({timer_s:.0} s by its log; {idle_s:.0} s of silence were seen before the reset)"
            )
        } else {
            format!(" ({idle_s:.0} s of silence were seen before the reset)")
        }
    }

    fn finished(&self) -> Opinion {
        let cause = self.event.verdict.cause;
        let is_over = self.event.verdict.stage == Stage::PostFin
            || matches!(cause, Cause::CloseRace | Cause::FastClose | Cause::DataAfterClose);
        let logs = self.logs();
        match is_over {
            true => Opinion::without_change(
                Agreement::Confirmed,
                format!("{logs}: the connection had ended when the reset came."),
            ),
            false => {
                Opinion::neutral(format!("{logs}, but no FIN was seen here before the reset."))
            }
        }
    }

    fn no_session(&self) -> Opinion {
        let (origin, sure, cause, cause_sure) = self.verdict();
        let (logs, fw) = (self.logs(), &self.session.source);
        if self.session.said.contains("RST") {
            let sentence =
                format!("{logs}: {fw} knew the session no more and let no reset through.");
            return Opinion::neutral(sentence);
        }
        match cause {
            Cause::SessionlessReset | Cause::IdleExpiredLatePacket => Opinion::with(
                Agreement::Confirmed,
                format!("{logs}: {fw} had no session for the packet that drew the reset."),
                (origin, sure),
                (cause, surer(cause_sure, 0.2)),
            ),
            _ => Opinion::neutral(format!("{logs}: {fw} had no session for a packet of it.")),
        }
    }

    fn logs_with_rule(&self) -> String {
        let session = self.session;
        let mut text = self.logs();
        if let Some(rule) = &session.rule {
            text += &format!(" by rule {rule:?}");
        }
        if let Some(threat) = &session.threat {
            text += &format!(", threat {threat:?}");
        }
        text
    }
}

/// Which policy cause fits how far the connection had come.
fn policy_cause(event: &Event) -> Cause {
    match (event.verdict.cause, event.verdict.stage) {
        (
            cause @ (Cause::PolicyResetSyn
            | Cause::PolicyResetContent
            | Cause::PolicyResetMidstream
            | Cause::TrafficShapingReset
            | Cause::ConnectionLimit),
            _,
        ) => cause,
        (_, Stage::PostSyn) => Cause::PolicyResetSyn,
        (_, Stage::PostAck | Stage::PostPsh) => Cause::PolicyResetContent,
        _ => Cause::PolicyResetMidstream,
    }
}

/// Actions that send nothing.
fn is_silent(action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    action.starts_with("drop") || action == "block" || action == "blacklist"
}

/// A contradiction wants a verdict that stands firm.
const SURE: f64 = 0.9;

/// From here on an endpoint is named.
const NAMED: f64 = 0.7;
