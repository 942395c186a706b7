//! Resets of one key.

use std::net::IpAddr;

use classifiers::{Cause, Impact, Origin, Stage};
use events::{ClientCount, EXAMPLES, MinuteRow, ServerRange, TOP_CLIENTS, idle_timer};

use super::fact::{Example, Fact};
use super::few_clients::FewClients;
use super::histogram::Histogram;

/// What rows are told apart by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Key {
    pub(super) server: ServerRange,
    pub(super) origin: Origin,
    pub(super) cause: Cause,
    pub(super) stage: Stage,
    pub(super) impact: Impact,
}

impl Key {
    pub(super) fn of(fact: &Fact, server: ServerRange) -> Self {
        let Fact { origin, cause, stage, impact, .. } = *fact;
        Self { server, origin, cause, stage, impact }
    }
}

/// Resets that share a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    count: u64,
    clients: FewClients,
    /// Those with the most resets, as SpaceSaving keeps them (Metwally and others, 2005).
    top: Vec<(IpAddr, u64)>,
    confidence_thousandths: u64,
    /// What the least of them lacks of certainty, so that 0 is the beginning.
    doubt_most: u16,
    age: Histogram,
    idle: Histogram,
    bytes: Histogram,
    timers: Vec<(u32, u64)>,
    /// Those of the lowest rank, lowest first: a draw that does not depend on their order.
    examples: [Option<(u64, Example)>; EXAMPLES],
}

impl Row {
    /// Cells that a row takes even where there is no room: its lists hold four at least.
    pub(super) const CELLS_LEAST: usize = 12;

    /// Adds a reset; gives the cells that it took.
    pub(super) fn add(&mut self, fact: &Fact, has_room: bool) -> usize {
        self.count += 1;
        self.add_top(fact.client);
        self.confidence_thousandths += u64::from(fact.confidence_thousandths);
        self.doubt_most = self.doubt_most.max(1000 - fact.confidence_thousandths.min(1000));
        self.draw(fact.example);
        let mut cells = self.clients.add(fact.client, has_room);
        if let Some(age_ns) = fact.age_ns {
            cells += self.age.add(age_ns, NS_PER_S, has_room);
        }
        if let Some(idle_ns) = fact.idle_ns {
            cells += self.idle.add(idle_ns, NS_PER_S, has_room);
            cells += self.add_timer(idle_ns, has_room);
        }
        cells + self.bytes.add(fact.bytes, 1.0, has_room)
    }

    /// Cells taken by all that grows.
    pub(super) fn cells(&self) -> usize {
        let lists = [&self.age, &self.idle, &self.bytes].map(Histogram::cells);
        self.clients.cells() + lists.iter().sum::<usize>() + 2 * self.timers.capacity()
    }

    fn add_top(&mut self, client: IpAddr) {
        if let Some((_, count)) = self.top.iter_mut().find(|(known, _)| *known == client) {
            *count += 1;
        } else if self.top.len() < TOP_CLIENTS {
            self.top.push((client, 1));
        } else if let Some(least) = self.top.iter_mut().min_by_key(|(_, count)| *count) {
            *least = (client, least.1 + 1);
        }
    }

    fn add_timer(&mut self, idle_ns: u64, has_room: bool) -> usize {
        let Some(timer) = idle_timer(idle_ns as f64 / NS_PER_S) else { return 0 };
        let before = self.timers.capacity();
        match self.timers.iter().position(|(known, _)| *known == timer) {
            Some(place) => self.timers[place].1 += 1,
            // Never more than there are timers.
            None if has_room => self.timers.push((timer, 1)),
            None => {}
        }
        2 * (self.timers.capacity() - before)
    }

    fn draw(&mut self, example: Example) {
        let mut drawn = Some((rank(example), example));
        for place in &mut self.examples {
            if place.is_none_or(|known| drawn.is_some_and(|drawn| drawn < known)) {
                std::mem::swap(place, &mut drawn);
            }
        }
    }

    /// Bytes of the row as told, about.
    pub(super) fn told_bytes(&self) -> usize {
        let buckets = self.age.len() + self.idle.len() + self.bytes.len();
        let clients = match &self.clients {
            FewClients::Few(few) => 4 * few.len(),
            FewClients::Many(_) => 1_400,
        };
        700 + 11 * buckets + clients + 45 * self.top.len()
    }

    /// As it is told; `id` names an example.
    pub(super) fn told(&self, key: &Key, id: impl Fn(&Example) -> String) -> MinuteRow {
        let mut top_clients: Vec<ClientCount> =
            self.top.iter().map(|&(ip, count)| ClientCount { ip, count }).collect();
        top_clients.sort_by_key(|client| (std::cmp::Reverse(client.count), client.ip));
        let thousandths = |sum: u64| sum as f64 / 1e3;
        MinuteRow {
            server: key.server,
            origin: key.origin,
            cause: key.cause,
            stage: key.stage,
            impact: key.impact,
            count: self.count,
            clients: self.clients.clients(),
            top_clients,
            confidence_sum: thousandths(self.confidence_thousandths),
            confidence_least: thousandths(u64::from(1000 - self.doubt_most)),
            time_to_reset_s: self.age.spread(NS_PER_S),
            idle_before_s: self.idle.spread(NS_PER_S),
            bytes_before: self.bytes.spread(1.0),
            idle_timers: self.timers.iter().copied().collect(),
            examples: self.examples.iter().flatten().map(|(_, example)| id(example)).collect(),
        }
    }
}

/// A number for an example that has nothing to do with when it came; the same in every run over a capture.
const fn rank(example: Example) -> u64 {
    let [place, frame] = example.receipt;
    let mixed = mix(example.time.0) ^ mix(place.wrapping_add(1)).rotate_left(32) ^ frame;
    mix(mixed)
}

/// The finalizer of SplitMix64 (Steele and others, 2014).
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const NS_PER_S: f64 = 1e9;
