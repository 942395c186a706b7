//! What labels may say, and which verdicts agree with it.

use classifiers::{Cause, Origin};

/// A label: its words, and the values that agree with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expected<T> {
    pub(crate) name: String,
    pub(crate) accepts: Vec<T>,
}

impl<T: PartialEq> Expected<T> {
    /// Whether `said` agrees.
    pub(crate) fn is(&self, said: T) -> bool {
        self.accepts.contains(&said)
    }

    /// Whether it names several of our own names instead of one, or instead of a class of its file.
    pub(crate) fn is_joint(&self) -> bool {
        self.name.contains(JOINT)
    }
}

impl<T: PartialEq + Copy> Expected<T> {
    /// The class that a row counts under: what was said if a joint label accepts that, else the
    /// first it names; the label itself where it is not joint.
    ///
    /// So a row that two names are true of is no class of its own, whose precision would be that of
    /// no name at all.
    pub(crate) fn class(&self, said: Option<T>, name: fn(T) -> &'static str) -> &str {
        match self.accepts.first() {
            Some(first) if self.is_joint() => {
                name(said.filter(|said| self.is(*said)).unwrap_or(*first))
            }
            _ => &self.name,
        }
    }
}

/// The origins a label names: one of our own names, several joined by `|`, or `injected`.
///
/// `Ok(None)` for labels that leave it open.
pub(crate) fn origin(label: &str) -> Result<Option<Expected<Origin>>, String> {
    let accepts = match label {
        "" | "unknown" | "none" => return Ok(None),
        "injected" => INJECTED.to_vec(),
        names => parse_each(names, Origin::from_name, "origin")?,
    };
    Ok(Some(Expected { name: label.to_owned(), accepts }))
}

/// The causes a label names: one of our own names, or several joined by `|`.
pub(crate) fn cause(label: &str) -> Result<Option<Expected<Cause>>, String> {
    if matches!(label, "" | "none") {
        return Ok(None);
    }
    let accepts = parse_each(label, Cause::from_name, "cause")?;
    Ok(Some(Expected { name: label.to_owned(), accepts }))
}

/// The causes that a class of labels covers; `Ok(None)` for classes that cover every cause.
pub(crate) fn cause_class(label: &str) -> Result<Option<Expected<Cause>>, String> {
    if matches!(label, "" | "crafted") {
        return Ok(None);
    }
    let (_, accepts) = CLASSES
        .iter()
        .find(|(classes, _)| classes.contains(&label))
        .ok_or_else(|| format!("no class of causes is called {label:?}"))?;
    Ok(Some(Expected { name: label.to_owned(), accepts: accepts.to_vec() }))
}

/// Whether the label was understood and accepts what was said.
pub(crate) fn accepts<T: PartialEq + Copy>(
    label: Result<Option<Expected<T>>, String>,
    said: Option<T>,
) -> bool {
    matches!((label, said), (Ok(Some(label)), Some(said)) if label.is(said))
}

/// Why a label does not count for the mean over causes; "" if it does.
pub(crate) fn undecidable(label: &str) -> &'static str {
    match label {
        "unknown" | "no-context" => "there is nothing to decide by",
        "resource_exhaustion" => "an abort for want of memory looks like any other",
        _ => "",
    }
}

fn parse_each<T>(names: &str, parse: fn(&str) -> Option<T>, what: &str) -> Result<Vec<T>, String> {
    names
        .split(JOINT)
        .map(|name| parse(name.trim()).ok_or_else(|| format!("no {what} is called {name:?}")))
        .collect()
}

/// Between the names of a joint label.
const JOINT: char = '|';

/// Anyone but the two ends.
pub(crate) const INJECTED: [Origin; 4] = [
    Origin::MiddleboxToClient,
    Origin::MiddleboxToServer,
    Origin::MiddleboxBoth,
    Origin::BlindAttacker,
];

/// Classes of the label files of public captures, and the causes each covers.
const CLASSES: [(&[&str], &[Cause]); 13] = [
    (&["refused"], &[Cause::PortClosed, Cause::ServiceUnavailable, Cause::PolicyResetSyn]),
    (
        &["data-after-close"],
        &[Cause::DataAfterClose, Cause::CloseRace, Cause::IdleExpiredLatePacket],
    ),
    (
        // Where another reset had closed the socket, our taxonomy calls the answer its aftermath.
        &["late-packet-after-close"],
        &[
            Cause::DataAfterClose,
            Cause::CloseRace,
            Cause::IdleExpiredLatePacket,
            Cause::SecondaryRst,
        ],
    ),
    (
        &["abort", "abort-unread-data", "accept-then-abort", "connect-then-abort"],
        &[Cause::AppAbort, Cause::FastClose, Cause::TlsFailureAbort, Cause::ProxiedBackendRefused],
    ),
    (
        &["idle-timeout", "retransmission-timeout"],
        &[
            Cause::IdleTimeoutEndpoint,
            Cause::IdleTimeoutMiddlebox,
            Cause::KeepaliveTimeout,
            Cause::RetransmissionTimeout,
        ],
    ),
    (&["stale-session"], &[Cause::StaleConnection, Cause::IdleExpiredLatePacket]),
    (
        &["handshake-bad-ack"],
        &[Cause::UnacceptableSegment, Cause::TimewaitCollision, Cause::SynAuthReset],
    ),
    (
        &["injected-middlebox", "middlebox-state-reset", "injected-attacker"],
        &[
            Cause::PolicyResetSyn,
            Cause::PolicyResetContent,
            Cause::PolicyResetMidstream,
            Cause::SessionlessReset,
            Cause::IdleTimeoutMiddlebox,
            Cause::BlindRstAttack,
        ],
    ),
    (
        &["scanner-abort", "probe-reply", "backscatter"],
        &[Cause::SynScan, Cause::StrayProbeResponse, Cause::SynFloodBackscatter],
    ),
    (&["rst-for-fin"], &[Cause::CloseRace]),
    (&["connect-abandoned"], &[Cause::ConnectCancelled]),
    (&["no-context"], &[Cause::Unknown]),
    (&["mptcp"], &[Cause::MptcpSubflowReset]),
];

#[cfg(test)]
mod tests {
    use classifiers::{Cause, Origin};

    use super::{cause, cause_class, origin};

    #[test]
    fn labels_accept_what_they_cover() {
        assert!(origin("injected").unwrap().unwrap().is(Origin::MiddleboxBoth));
        assert!(!origin("client").unwrap().unwrap().is(Origin::Server));
        assert_eq!(origin("unknown").unwrap(), None);
        assert!(cause("app_abort|fast_close").unwrap().unwrap().is(Cause::FastClose));
        assert!(cause_class("stale-session").unwrap().unwrap().is(Cause::StaleConnection));
        assert_eq!(cause_class("crafted").unwrap(), None);
    }

    #[test]
    fn a_joint_label_counts_under_what_was_said_or_under_its_first() {
        let class = |label: &str, said| {
            let label = cause(label).unwrap().unwrap();
            label.class(Some(said), Cause::name).to_owned()
        };
        let joint = "connection_limit|app_abort";
        assert_eq!(class(joint, Cause::AppAbort), "app_abort");
        assert_eq!(class(joint, Cause::ConnectionLimit), "connection_limit");
        assert_eq!(class(joint, Cause::CloseRace), "connection_limit");
        assert_eq!(class("app_abort", Cause::CloseRace), "app_abort");
        let refused = cause_class("refused").unwrap().unwrap();
        assert_eq!(refused.class(Some(Cause::ServiceUnavailable), Cause::name), "refused");
    }

    #[test]
    fn a_label_that_means_nothing_is_refused_by_name() {
        assert!(origin("router").unwrap_err().contains("\"router\""));
        assert!(cause("rain").unwrap_err().contains("\"rain\""));
        assert!(cause_class("rain").unwrap_err().contains("\"rain\""));
    }
}
