//! The devices of a run: told from each other, counted, and located.
//!
//! A device resets from one distance, in one style, on one side of the sensor. What it answers, and
//! how soon, bounds how far away it can be: it sits at most half that time away, beyond the sensor
//! on the side of the host that it names.

use std::num::NonZeroUsize;

use flowtable::{Timestamp, Watch};
use wire::Address;

use crate::case::{Case, hops};
use crate::clues;
use crate::context::Setting;
use crate::context::bounded::Bounded;
use crate::context::few::Few;
use crate::context::id_line::IdLineFacts;
use crate::context::style::Style;
use crate::verdict::Ruling;
use crate::vocabulary::{Origin, Role};

/// What is known of the device that sent a reset.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DeviceFacts {
    /// Its number in this run, from 1.
    pub device: u32,
    /// Its resets so far.
    pub resets: u32,
    /// Hosts in whose names it reset; [`DeviceFacts::MANY`] or more.
    pub senders: u8,
    /// Hosts that it reset; [`DeviceFacts::MANY`] or more.
    pub victims: u8,
    /// Routers between it and the sensor, if it began with a usual hop limit.
    pub hops: u8,
    /// It sits where the servers are, seen from the sensor; else where the clients are.
    pub on_server_side: bool,
    /// It is at most so far away, one way, nanoseconds.
    pub one_way_ns_max: Option<u64>,
    /// Resets that it sent to both ends of a connection.
    pub both_ends: u32,
    /// Its resets share one IP-ID counter.
    pub has_id_line: bool,
    /// Times that this counter began anew elsewhere: restarts, or a takeover by its twin.
    pub jumps: u32,
    /// Its first and its last reset.
    pub seen: [Timestamp; 2],
}

impl DeviceFacts {
    /// Hosts are counted up to here.
    pub const MANY: u8 = 32;
}

/// The devices of a run.
#[derive(Debug)]
pub(crate) struct Devices {
    devices: Bounded<Identity, Device>,
    next: u32,
}

/// What tells one device from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Identity {
    style: Style,
    hop_limit: u8,
    on_server_side: bool,
}

#[derive(Clone, Copy, Debug)]
struct Device {
    facts: DeviceFacts,
    senders: Few<Address, { DeviceFacts::MANY as usize }>,
    victims: Few<Address, { DeviceFacts::MANY as usize }>,
    line: Option<u32>,
    /// Several lines go on side by side: a counter for each core.
    has_several_lines: bool,
}

impl Devices {
    pub(crate) fn new() -> Self {
        Self { devices: Bounded::new(DEVICES_MAX), next: 0 }
    }

    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Identity, Device>::memory_bytes(DEVICES_MAX)
    }

    /// Counts a reset for its device, if a device sent it, and says what is known of that.
    pub(crate) fn take(
        &mut self,
        watch: &Watch,
        verdict: &Ruling,
        line: Option<IdLineFacts>,
    ) -> Option<DeviceFacts> {
        if verdict.role == Role::Duplicate || !(verdict.origin.is_device() || line.is_some()) {
            return None;
        }
        let reset = &watch.reset;
        let on_server_side = watch.direction != watch.before.client();
        let [_, style] = Style::readings(watch);
        let identity = Identity { style, hop_limit: reset.hop_limit, on_server_side };
        if self.devices.peek(&identity).is_none() {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        let device = self.devices.entry(identity, || Device::new(number, &identity, reset.time));
        device.senders.insert(watch.key.sender(watch.direction).address);
        device.victims.insert(watch.key.sender(watch.direction.opposite()).address);
        device.follow(line, reset.time);
        let facts = &mut device.facts;
        facts.resets = facts.resets.saturating_add(1);
        facts.both_ends += u32::from(verdict.origin == Origin::MiddleboxBoth);
        (facts.senders, facts.victims) = (device.senders.count(), device.victims.count());
        facts.seen[1] = facts.seen[1].max(reset.time);
        if let Some(bound) = one_way_ns(watch) {
            facts.one_way_ns_max = Some(facts.one_way_ns_max.map_or(bound, |old| old.min(bound)));
        }
        Some(*facts)
    }

    /// Every device, busiest first.
    pub(crate) fn all(&self) -> Vec<DeviceFacts> {
        let mut all: Vec<_> = self.devices.iter().map(|(_, device)| device.facts).collect();
        all.sort_by_key(|facts| (std::cmp::Reverse(facts.resets), facts.device));
        all
    }
}

impl Device {
    fn new(number: u32, identity: &Identity, now: Timestamp) -> Self {
        let facts = DeviceFacts {
            device: number,
            resets: 0,
            senders: 0,
            victims: 0,
            hops: hops(identity.hop_limit),
            on_server_side: identity.on_server_side,
            one_way_ns_max: None,
            both_ends: 0,
            has_id_line: false,
            jumps: 0,
            seen: [now; 2],
        };
        Self {
            facts,
            senders: Few::new(),
            victims: Few::new(),
            line: None,
            has_several_lines: false,
        }
    }

    /// A new line soon after the last was added to: the counter began anew.
    fn follow(&mut self, line: Option<IdLineFacts>, now: Timestamp) {
        let Some(IdLineFacts { line, .. }) = line else { return };
        self.facts.has_id_line = true;
        // Lines are numbered in the order they began.
        let known = self.line.unwrap_or(line);
        self.has_several_lines |= line < known;
        // After a longer silence the same counter is simply somewhere else.
        if line > known && now.since_ns(self.facts.seen[1]) <= JUMP_WITHIN_NS {
            self.facts.jumps += 1;
        }
        if self.has_several_lines {
            self.facts.jumps = 0;
        }
        self.line = Some(known.max(line));
    }
}

/// Half of the time in which it answered, if that is less than its named sender needs.
fn one_way_ns(watch: &Watch) -> Option<u64> {
    let answered = clues::answered_too_soon(&Case::new(watch, true, &Setting::NONE))?;
    Some(answered.ns() / 2)
}

/// A counter does not go round in so short a time.
const JUMP_WITHIN_NS: u64 = 10_000_000_000;
const DEVICES_MAX: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");

#[cfg(test)]
mod tests {
    use super::{DEVICES_MAX, Devices};
    use crate::context::id_line::IdLineFacts;
    use crate::context::scene::Scene;

    fn line(line: u32) -> Option<IdLineFacts> {
        Some(IdLineFacts { line, senders: 3, resets: 3, neighbour: 1, improbable: 60.0 })
    }

    fn scene(server: u8, second: u64) -> Scene {
        Scene { server: [192, 0, 2, server], time_ms: second * 1_000, ..Scene::NEW }
    }

    #[test]
    fn resets_of_one_device_are_counted_together_and_bound_its_distance() {
        let mut devices = Devices::new();
        for server in 1..=3 {
            let (watch, verdict) = scene(server, u64::from(server)).reset();
            let facts = devices.take(&watch, &verdict, None).expect("sent by a device");
            assert_eq!((facts.device, facts.resets), (1, u32::from(server)));
        }
        let facts = devices.all()[0];
        assert_eq!((facts.senders, facts.victims, facts.hops), (3, 1, 3));
        assert!(facts.on_server_side && !facts.has_id_line);
        assert!(facts.one_way_ns_max.is_some_and(|ns| (900_000..=1_000_000).contains(&ns)));
        let (watch, verdict) = Scene { reset_hop_limit: 45, ..scene(1, 9) }.reset();
        assert_eq!(devices.take(&watch, &verdict, None).map(|facts| facts.device), Some(2));
        let (watch, verdict) = Scene { reset_hop_limit: 50, ..scene(1, 9) }.reset();
        assert_eq!(devices.take(&watch, &verdict, None), None, "the server's own");
    }

    #[test]
    fn a_counter_that_begins_anew_is_told_from_counters_side_by_side() {
        let mut devices = Devices::new();
        let mut take = |second, number| {
            let (watch, verdict) = scene(1, second).reset();
            devices.take(&watch, &verdict, line(number)).expect("on a line").jumps
        };
        assert_eq!([take(1, 1), take(2, 1), take(3, 2)], [0, 0, 1]);
        assert_eq!(take(100, 3), 1, "after a silence nobody knows");
        assert_eq!([take(101, 2), take(102, 3), take(103, 4)], [0, 0, 0]);
    }

    #[test]
    fn a_flood_of_styles_pushes_out_the_oldest_and_grows_nothing() {
        let mut devices = Devices::new();
        let (mut watch, verdict) = Scene::NEW.reset();
        for number in 0..100_000u32 {
            watch.reset.hop_limit = number as u8;
            watch.reset.traffic_class = (number >> 6) as u8;
            watch.reset.flags.0 = (number >> 14) as u16;
            devices.take(&watch, &verdict, None);
        }
        assert_eq!(devices.all().len(), DEVICES_MAX.get());
    }
}
