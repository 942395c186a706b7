//! All servers of one sensor in one step, together: what overviews and series are added up from.

use std::collections::BTreeMap;

use events::{Connections, Minute, Spread};

use super::bytes::{In, Out, add_connections};
use super::group::Group;
use super::words::Words;

/// The sums of a step.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Total {
    pub(super) connections: Connections,
    pub(super) overflow: u64,
    pub(super) losses: BTreeMap<String, u64>,
    pub(super) groups: BTreeMap<Group, GroupTotal>,
}

/// Resets of one kind.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct GroupTotal {
    pub(super) count: u64,
    pub(super) idle: Spread,
    pub(super) timers: BTreeMap<u32, u64>,
}

impl Total {
    /// Of a minute.
    pub(super) fn of(minute: &Minute, words: &Words) -> Self {
        let mut total =
            Self { connections: minute.connections, overflow: minute.overflow, ..Self::default() };
        for (name, count) in minute.losses.iter().take(LOSSES_MAX) {
            total.losses.insert(name.chars().take(LOSS_LEN_MAX).collect(), *count);
        }
        for row in &minute.rows {
            let group = total.groups.entry(Group::of(row, words)).or_default();
            group.count = group.count.saturating_add(row.count);
            group.idle.merge(&row.idle_before_s);
            for (timer, count) in row.idle_timers.iter().take(TIMERS_MAX) {
                let known = group.timers.entry(*timer).or_default();
                *known = known.saturating_add(*count);
            }
        }
        total
    }

    /// Adds another one.
    pub(super) fn merge(&mut self, other: &Self) {
        self.merge_head(other);
        for (group, more) in &other.groups {
            self.groups.entry(*group).or_default().merge(more);
        }
    }

    /// Adds all of another one but its groups.
    pub(super) fn merge_head(&mut self, other: &Self) {
        add_connections(&mut self.connections, &other.connections);
        self.overflow = self.overflow.saturating_add(other.overflow);
        for (name, count) in &other.losses {
            if self.losses.len() < LOSSES_MAX || self.losses.contains_key(name) {
                let known = self.losses.entry(name.clone()).or_default();
                *known = known.saturating_add(*count);
            }
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.byte(VERSION);
        out.connections(&self.connections);
        out.number(self.overflow);
        out.number(self.losses.len() as u64);
        for (name, count) in &self.losses {
            out.bytes(name.as_bytes());
            out.number(*count);
        }
        out.number(self.groups.len() as u64);
        for (group, total) in &self.groups {
            out.number(group.to_number());
            out.number(total.count);
            // Measured apart, so that who only counts can pass over it.
            let mut idle = Out::default();
            idle.spread(&total.idle);
            idle.number(total.timers.len() as u64);
            for (timer, count) in &total.timers {
                idle.number(u64::from(*timer));
                idle.number(*count);
            }
            out.bytes(&idle.0);
        }
        out.0
    }

    /// Of what [`Total::write`] gave.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut groups = BTreeMap::new();
        let mut is_whole = true;
        let mut total = walk(bytes, |group, count, idle| {
            let mut sum = GroupTotal { count, ..GroupTotal::default() };
            is_whole &= sum.read_idle(idle).is_some();
            groups.insert(group, sum);
        })?;
        total.groups = groups;
        is_whole.then_some(total)
    }
}

/// Goes through the kinds of resets of a body: each with its count and what tells its silences. Gives all else;
/// `None` if it is no body.
pub(super) fn walk(bytes: &[u8], mut take: impl FnMut(Group, u64, In<'_>)) -> Option<Total> {
    let mut from = In(bytes);
    if from.byte()? != VERSION {
        return None;
    }
    let mut total =
        Total { connections: from.connections()?, overflow: from.number()?, ..Total::default() };
    for _ in 0..from.len()? {
        let name = std::str::from_utf8(from.bytes()?).ok()?.to_owned();
        total.losses.insert(name, from.number()?);
    }
    for _ in 0..from.len()? {
        let group = Group::from_number(from.number()?);
        let count = from.number()?;
        take(group, count, In(from.bytes()?));
    }
    Some(total)
}

impl GroupTotal {
    pub(super) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.idle.merge(&other.idle);
        for (timer, count) in &other.timers {
            *self.timers.entry(*timer).or_default() += count;
        }
    }

    /// Silences, of what [`walk`] gave.
    pub(super) fn read_idle(&mut self, mut from: In<'_>) -> Option<()> {
        self.idle = from.spread()?;
        for _ in 0..from.len()? {
            let timer = u32::try_from(from.number()?).ok()?;
            self.timers.insert(timer, from.number()?);
        }
        Some(())
    }
}

const VERSION: u8 = 1;

/// Names of losses that are kept apart; there are some twenty.
const LOSSES_MAX: usize = 64;
const LOSS_LEN_MAX: usize = 64;

/// Well-known timers of a row; there are some thirty.
pub(super) const TIMERS_MAX: usize = 64;
