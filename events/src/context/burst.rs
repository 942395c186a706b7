//! Many connections of one service cut together, in words: what happened, how long, who came back.

use std::net::IpAddr;

use classifiers::{Burst, BurstFacts, BurstKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Endpoint;
use crate::sentence::{counted, percent, span_text, thousands};
use crate::time::UtcTime;

/// The burst that a reset belongs to, as far as it was known when the reset was told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BurstFields {
    /// Its number in this run.
    pub id: u32,
    /// `restart`, `down`, `reboot`, `failover`, `state_lost`, `part` or `overload`.
    pub kind: String,
    /// First cut.
    pub first: UtcTime,
    /// Seconds from the first to the last cut.
    pub span_s: f64,
    /// Connections cut by a reset.
    pub cuts: u32,
    /// Connections closed by FIN in the same moment.
    pub finished: u32,
    /// Share of the connections that were open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Connections refused meanwhile.
    pub refused: u32,
    /// Seconds for which the service was away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_s: Option<f64>,
    /// Whether the reset is one of the cuts, and not a refusal that followed.
    pub is_cut: bool,
}

/// A burst of the run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BurstItem {
    /// Its number in this run.
    pub id: u32,
    /// `restart`, `down`, `reboot`, `failover`, `state_lost`, `part` or `overload`.
    pub kind: String,
    /// The service.
    pub server: Endpoint,
    /// First cut.
    pub first: UtcTime,
    /// Seconds from the first to the last cut.
    pub span_s: f64,
    /// Connections cut by a reset.
    pub cuts: u32,
    /// Connections closed by FIN in the same moment.
    pub finished: u32,
    /// Share of the connections that were open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Connections refused meanwhile.
    pub refused: u32,
    /// Seconds for which the service was away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_s: Option<f64>,
    /// Whether it was seen to accept afterwards.
    pub came_back: bool,
    /// Hop limit of its SYN/ACKs before and since, if another machine answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop_limits: Option<[u8; 2]>,
}

impl From<&BurstFacts> for BurstFields {
    fn from(facts: &BurstFacts) -> Self {
        Self {
            id: facts.id,
            kind: facts.kind.name().to_owned(),
            first: UtcTime(facts.began.0),
            span_s: seconds(facts.span_ns),
            cuts: facts.cuts,
            finished: facts.finished,
            share: facts.share.map(rounded),
            refused: facts.refused,
            outage_s: facts.outage_ns.map(seconds),
            is_cut: facts.is_cut,
        }
    }
}

impl From<&Burst> for BurstItem {
    fn from(burst: &Burst) -> Self {
        let server = Endpoint { ip: IpAddr::from(burst.server.address), port: burst.server.port };
        Self {
            id: burst.id,
            kind: burst.kind().name().to_owned(),
            server,
            first: UtcTime(burst.first().0),
            span_s: seconds(burst.last().since_ns(burst.first())),
            cuts: burst.cuts(),
            finished: burst.finished(),
            share: burst.share().map(rounded),
            refused: burst.outage.refused,
            outage_s: burst.outage_ns().map(seconds),
            came_back: burst.came_back(),
            hop_limits: burst.moved.map(|looks| looks.map(|look| look.hop_limit)),
        }
    }
}

impl BurstFields {
    /// What happened, for the proof sheet of one reset.
    #[must_use]
    pub fn sentence(&self) -> String {
        let role = if self.is_cut { "One of" } else { "Refused after" };
        let refused = match self.refused {
            0 => String::new(),
            refused => format!("; {} so far", refused_text(refused)),
        };
        let away = match self.outage_s {
            Some(outage_s) => format!("; away for {}", span_text(outage_s)),
            None => String::new(),
        };
        format!(
            "{role} {} at {} UTC (burst {}: {}{refused}{away}).",
            cut_text(self.cuts, self.finished, self.span_s, self.share),
            self.first.time_of_day(),
            self.id,
            kind_text(&self.kind),
        )
    }
}

impl BurstItem {
    /// The whole story in one line.
    pub(super) fn sentence(&self) -> String {
        let mut parts = vec![cut_text(self.cuts, self.finished, self.span_s, self.share)];
        match (self.outage_s, self.kind.as_str()) {
            (Some(outage_s), "reboot") => parts.push(format!("silent for {}", span_text(outage_s))),
            (Some(outage_s), _) => parts.push(format!("{} outage", span_text(outage_s))),
            (None, "down") => parts.push("not seen again".to_owned()),
            (None, _) => {}
        }
        if self.refused > 0 {
            parts.push(refused_text(self.refused));
        }
        if let Some([before, since]) = self.hop_limits {
            parts.push(if before == since {
                "another system answers since".to_owned()
            } else {
                format!("another machine answers since (TTL {since}, before {before})")
            });
        } else if self.came_back && self.kind != "part" && self.kind != "overload" {
            parts.push("the same machine came back (by its TTL)".to_owned());
        }
        format!(
            "{} {}: {}, {}",
            self.first.date_and_time(),
            self.server,
            kind_text(&self.kind),
            parts.join(", ")
        )
    }
}

/// The largest bursts, in the order of time.
pub(super) fn largest(bursts: &[BurstItem], count: usize) -> impl Iterator<Item = &BurstItem> {
    let size = |burst: &BurstItem| burst.cuts + burst.finished + burst.refused;
    let mut sizes: Vec<u32> = bursts.iter().map(size).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let least = sizes.get(count.saturating_sub(1)).copied().unwrap_or(0);
    bursts.iter().filter(move |burst| size(burst) >= least).take(count)
}

fn cut_text(cuts: u32, finished: u32, span_s: f64, share: Option<f64>) -> String {
    let connections = |count: u32| counted(u64::from(count), "connection");
    let mut text = match (cuts, finished) {
        (0, finished) => format!("{} closed", connections(finished)),
        (cuts, 0) => format!("{} cut", connections(cuts)),
        (cuts, finished) => format!("{} cut and {finished} closed", connections(cuts)),
    };
    text.push_str(&format!(" in {}", span_text(span_s)));
    if let Some(share) = share {
        let share = percent((share * 1e3).round() as u64, 1_000);
        text.push_str(&format!(" ({share} of those open)"));
    }
    text
}

fn refused_text(refused: u32) -> String {
    format!("{} refused", thousands(u64::from(refused)))
}

fn kind_text(kind: &str) -> &'static str {
    let is = |known: BurstKind| kind == known.name();
    if is(BurstKind::Down) {
        "process ended"
    } else if is(BurstKind::Reboot) {
        "host reboot"
    } else if is(BurstKind::Failover) {
        "failover to another machine"
    } else if is(BurstKind::StateLost) {
        "host lost its connections (failover to a like machine, or a load balancer that forgot them)"
    } else if is(BurstKind::Part) {
        "one process or member of several ended or was drained"
    } else if is(BurstKind::Overload) {
        "overload (accept queue)"
    } else {
        "process restart"
    }
}

/// Seconds with six decimals.
pub(super) fn seconds(ns: u64) -> f64 {
    (ns / 1_000) as f64 / 1e6
}

fn rounded(share: f32) -> f64 {
    (f64::from(share) * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::{BurstItem, Endpoint, UtcTime, largest};

    fn restart() -> BurstItem {
        BurstItem {
            id: 1,
            kind: "restart".to_owned(),
            server: Endpoint { ip: "10.2.0.8".parse().unwrap(), port: 8080 },
            first: UtcTime(1_748_736_191_000_000_000 + 39_000_000_000_000),
            span_s: 0.04,
            cuts: 214,
            finished: 0,
            share: Some(0.91),
            refused: 37,
            outage_s: Some(5.0),
            came_back: true,
            hop_limits: None,
        }
    }

    #[test]
    fn a_restart_is_told_in_one_line() {
        assert_eq!(
            restart().sentence(),
            "2025-06-01 10:53:11 10.2.0.8:8080: process restart, 214 connections cut in 40.0 ms (91 % \
             of those open), 5.00 s outage, 37 refused, the same machine came back (by its TTL)"
        );
    }

    #[test]
    fn another_machine_is_told_by_what_gives_it_away() {
        let moved =
            BurstItem { kind: "failover".to_owned(), hop_limits: Some([57, 58]), ..restart() };
        let text = moved.sentence();
        assert!(text.ends_with("another machine answers since (TTL 58, before 57)"), "{text}");
        assert!(!text.contains("same machine"), "{text}");
    }

    #[test]
    fn the_largest_are_listed_in_the_order_of_time() {
        let bursts: Vec<BurstItem> =
            [5, 9, 1, 7].map(|cuts| BurstItem { id: cuts, cuts, ..restart() }).into();
        let listed: Vec<u32> = largest(&bursts, 2).map(|burst| burst.id).collect();
        assert_eq!(listed, [9, 7]);
        assert_eq!(largest(&bursts, 9).count(), 4);
    }
}
