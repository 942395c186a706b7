//! Scans, health checks and limits in numbers and words.

use std::collections::BTreeMap;
use std::net::IpAddr;

use classifiers::{Axis, Cause, Checker, Context, FoundLimit, Limit, Manner, Rhythm, Scan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Endpoint;
use crate::report::GroupCount;
use crate::sentence::{counted, percent, span_text};
use crate::time::UtcTime;

/// A scan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScanFields {
    /// Who scans.
    pub source: IpAddr,
    /// `vertical`: many ports of one host; `horizontal`: one port of many hosts; `block`: some ports
    /// of some hosts.
    pub kind: String,
    /// `half_open`, `connect`, `stealth`; `refused` if nothing was open.
    pub manner: String,
    /// The host of a vertical scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<IpAddr>,
    /// The port of a horizontal scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Ports or hosts that drew a reset so far, within some 13 %.
    pub targets: u32,
    /// First attempt.
    pub first: UtcTime,
    /// Last attempt so far.
    pub last: UtcTime,
}

impl From<&Scan> for ScanFields {
    fn from(scan: &Scan) -> Self {
        let (kind, host, port) = match scan.axis {
            Axis::Host(host) => ("vertical", Some(IpAddr::from(host)), None),
            Axis::Port(port) => ("horizontal", None, Some(port)),
            Axis::Block => ("block", None, None),
        };
        let manner = match scan.manner {
            Manner::HalfOpen => "half_open",
            Manner::Connect => "connect",
            Manner::Stealth => "stealth",
            Manner::Refused => "refused",
        };
        Self {
            source: scan.source.into(),
            kind: kind.to_owned(),
            manner: manner.to_owned(),
            host,
            port,
            targets: scan.targets,
            first: UtcTime(scan.since.0),
            last: UtcTime(scan.last.0),
        }
    }
}

impl ScanFields {
    pub(super) fn sentence(&self) -> String {
        let what = match (self.host, self.port) {
            (Some(host), _) => format!("about {} ports of {host}", self.targets),
            (_, Some(port)) => format!("port {port} of about {} hosts", self.targets),
            _ => format!("about {} ports of several hosts", self.targets),
        };
        let how = match self.manner.as_str() {
            "half_open" => "leaving handshakes half-open",
            "connect" => "by complete connections without a byte",
            "stealth" => "by segments that open nothing (ACK, FIN, NULL)",
            _ => "all of them refused",
        };
        let span_s = self.last.seconds_since(self.first);
        format!(
            "{} tried {what} within {}, {how}, from {} on",
            self.source,
            span_text(span_s),
            self.first.date_and_time()
        )
    }
}

/// The beat of a health check.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheckFields {
    /// Seconds from one probe to the next.
    pub every_s: f64,
    /// Probes that keep the beat, of those that are remembered.
    pub probes: u32,
    /// Checkers that take turns.
    pub checkers: u8,
}

impl From<&Rhythm> for HealthCheckFields {
    fn from(rhythm: &Rhythm) -> Self {
        let every_s = seconds(rhythm);
        Self { every_s, probes: rhythm.probes, checkers: rhythm.checkers }
    }
}

impl HealthCheckFields {
    pub(super) fn sentence(&self) -> String {
        let turns = match self.checkers {
            0 | 1 => String::new(),
            several => format!(", {several} checkers in turn"),
        };
        format!(
            "The same source does the same {}{turns} ({} so far)",
            every_text(self.every_s),
            counted(u64::from(self.probes), "probe")
        )
    }
}

/// Seconds with two decimals: what an operator has configured.
fn seconds(rhythm: &Rhythm) -> f64 {
    (rhythm.period.seconds() * 100.0).round() / 100.0
}

fn every_text(every_s: f64) -> String {
    format!("every {every_s:.1} s")
}

/// Health checks of one service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheckItem {
    /// What is checked.
    pub service: Endpoint,
    /// By whom, how often.
    pub checkers: Vec<CheckerItem>,
    /// Primary resets of the service.
    pub resets: u64,
    /// Of them, those of health checks.
    pub hidden: u64,
}

impl HealthCheckItem {
    /// The services under health checks, those with most resets of such first; `groups` says how
    /// many resets each service had, and of which causes.
    pub(super) fn of_all(context: &Context, groups: &[GroupCount]) -> Vec<Self> {
        let mut services: BTreeMap<Endpoint, Vec<CheckerItem>> = BTreeMap::new();
        for checker in &context.checkers() {
            let service =
                Endpoint { ip: checker.service.address.into(), port: checker.service.port };
            services.entry(service).or_default().push(checker.into());
        }
        let mut items: Vec<Self> = services
            .into_iter()
            .map(|(service, checkers)| {
                let resets = |of: &dyn Fn(&GroupCount) -> bool| {
                    let of_service = groups.iter().filter(|group| group.server == service);
                    of_service.filter(|group| of(group)).map(|group| group.count).sum()
                };
                let hidden = resets(&|group| group.cause == Cause::HealthCheck);
                Self { service, checkers, resets: resets(&|_| true), hidden }
            })
            .filter(|item| item.hidden > 0)
            .collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.hidden));
        items
    }
}

/// One that checks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CheckerItem {
    /// Who.
    pub source: IpAddr,
    /// Seconds from one probe to the next.
    pub every_s: f64,
    /// Probes so far.
    pub probes: u64,
}

impl From<&Checker> for CheckerItem {
    fn from(checker: &Checker) -> Self {
        let every_s = seconds(&checker.rhythm);
        Self { source: checker.source.into(), every_s, probes: checker.probes }
    }
}

impl HealthCheckItem {
    pub(super) fn sentence(&self) -> String {
        let by: Vec<String> = self
            .checkers
            .iter()
            .map(|checker| format!("{} {}", checker.source, every_text(checker.every_s)))
            .collect();
        format!(
            "{} of {} on {} are health checks from {}; {} remain",
            percent(self.hidden, self.resets),
            counted(self.resets, "reset"),
            self.service,
            by.join(" and "),
            self.resets.saturating_sub(self.hidden)
        )
    }
}

/// A limit on connections that a refusal fits.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LimitFields {
    /// Connections of the client that the service held at the fewest when it refused.
    pub at: u32,
    /// Connections that it held this time.
    pub open: u32,
    /// Refusals of this client so far.
    pub refusals: u32,
    /// Connections of this client that were accepted so far.
    pub accepted: u32,
    /// Whether connections were accepted meanwhile or afterwards.
    pub alive: bool,
}

impl From<&Limit> for LimitFields {
    fn from(limit: &Limit) -> Self {
        let &Limit { at, open, refusals, accepted, is_alive: alive } = limit;
        Self { at, open, refusals, accepted, alive }
    }
}

impl LimitFields {
    pub(super) fn sentence(&self) -> String {
        format!(
            "The client held {} connections to this service when it was refused; it is refused from \
             about {} on ({}) and accepted below ({} accepted)",
            self.open,
            self.at,
            counted(u64::from(self.refusals), "refusal"),
            self.accepted
        )
    }
}

/// A limit as the report tells it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LimitItem {
    /// Who is limited.
    pub source: IpAddr,
    /// By which service, or on the way to it.
    pub service: Endpoint,
    /// First refusal.
    pub first: UtcTime,
    /// The numbers.
    #[serde(flatten)]
    pub limit: LimitFields,
}

impl From<&FoundLimit> for LimitItem {
    fn from(found: &FoundLimit) -> Self {
        Self {
            source: found.source.into(),
            service: Endpoint { ip: found.service.address.into(), port: found.service.port },
            first: UtcTime(found.since.0),
            limit: (&found.limit).into(),
        }
    }
}

impl LimitItem {
    pub(super) fn sentence(&self) -> String {
        let LimitFields { at, refusals, accepted, .. } = self.limit;
        format!(
            "{} is refused at {} from about {at} connections at a time on ({refusals} refused, \
             {accepted} accepted below, from {} on)",
            self.source,
            self.service,
            self.first.date_and_time()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckerItem, HealthCheckItem};
    use crate::event::Endpoint;

    #[test]
    fn health_checks_are_told_with_what_remains() {
        let item = HealthCheckItem {
            service: Endpoint { ip: [10, 0, 0, 9].into(), port: 8080 },
            checkers: vec![CheckerItem { source: [10, 0, 0, 4].into(), every_s: 2.0, probes: 573 }],
            resets: 785,
            hidden: 573,
        };
        assert_eq!(
            item.sentence(),
            "73 % of 785 resets on 10.0.0.9:8080 are health checks from 10.0.0.4 every 2.0 s; 212 \
             remain"
        );
    }
}
