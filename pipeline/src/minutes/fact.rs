//! What is counted of a reset.

use std::net::IpAddr;

use classifiers::{Cause, Impact, Origin, Ruling, Stage};
use events::Endpoint;
use flowtable::{Direction, FlowRecord, Timestamp, Watch};

use crate::telling::end;
use crate::window::Finding;

/// A final primary reset, as far as a minute counts it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fact {
    pub(crate) time: Timestamp,
    pub(crate) client: IpAddr,
    pub(crate) server: Endpoint,
    pub(crate) origin: Origin,
    pub(crate) cause: Cause,
    pub(crate) stage: Stage,
    pub(crate) impact: Impact,
    /// In the origin, thousandths: sums are exact then, in whatever order they are made.
    pub(crate) confidence_thousandths: u16,
    /// From the first packet of the connection to the reset, nanoseconds.
    pub(crate) age_ns: Option<u64>,
    /// Silence before the reset, nanoseconds.
    pub(crate) idle_ns: Option<u64>,
    /// Payload of both sides.
    pub(crate) bytes: u64,
    pub(crate) example: Example,
}

/// Where a reset was received: its identifier is made of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Example {
    pub(crate) receipt: [u64; 2],
    pub(crate) time: Timestamp,
}

impl Fact {
    /// Of a finding and what is decided of it.
    pub(crate) fn of(finding: &Finding, ruling: &Ruling) -> Self {
        let watch = &finding.watch;
        let before = &watch.before;
        let bytes = |side| u64::from(before.bytes(side));
        let confidence = (ruling.origin_confidence.clamp(0.0, 1.0) * 1e3).round();
        Self {
            time: watch.reset.time,
            client: end(watch.client()).ip,
            server: finding.server(),
            origin: ruling.origin,
            cause: ruling.cause,
            stage: ruling.stage,
            impact: ruling.impact,
            confidence_thousandths: confidence as u16,
            age_ns: age_ns(watch),
            idle_ns: ruling.idle.map(|idle| idle.ns()),
            bytes: bytes(Direction::FromLow) + bytes(Direction::FromHigh),
            example: Example { receipt: watch.receipt, time: watch.reset.time },
        }
    }
}

/// Time since the first packet. Records keep its second only; where that is coarse, the earliest moment
/// that they still remember tells more: of a connection that did not come to be, that is its SYN.
fn age_ns(watch: &Watch) -> Option<u64> {
    let (before, reset) = (&watch.before, &watch.reset);
    if before.opened_s() == 0 {
        return None;
    }
    let opened = Timestamp(u64::from(before.opened_s()) * NS_PER_S);
    // It was opened within that second: as much as a second later.
    let least_ns = reset.time.since_ns(opened).saturating_sub(NS_PER_S);
    Some(least_ns.max(remembered_ns(before, reset.time)))
}

fn remembered_ns(before: &FlowRecord, now: Timestamp) -> u64 {
    let sides = [Direction::FromLow, Direction::FromHigh];
    let seen = sides.map(|side| before.side(side)).into_iter().filter(|side| side.packets > 0);
    let moments = seen.flat_map(|side| [side.advanced, side.last]);
    moments.map(|then| now.tick().since(then).ns()).max().unwrap_or(0)
}

const NS_PER_S: u64 = 1_000_000_000;
