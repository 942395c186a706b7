//! E13: one IP-ID counter behind resets in the names of several hosts is one device.
//!
//! A host counts its own packets; a device in the path has one counter for all the resets it writes,
//! whomever it names. Resets whose identifications lie on one slowly advancing line form a *line*.
//! It proves something only if chance does not explain it, and if hosts do not: a host with several
//! addresses also has one counter, but then its resets come from where its packets come from.

use std::num::NonZeroUsize;

use flowtable::{FlowKey, Marks, Timestamp, Watch};
use wire::Address;

use crate::case::hops;
use crate::context::bounded::Bounded;
use crate::context::few::Few;
use crate::verdict::Ruling;
use crate::vocabulary::{Clue, Role};
use crate::weights::{Rows, rows_where};

/// What a line tells of one of its resets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct IdLineFacts {
    /// Names the line for as long as it is known.
    pub line: u32,
    /// Hosts in whose names it reset although their own packets come from elsewhere; 8 or more.
    pub senders: u8,
    /// Resets on the line.
    pub resets: u32,
    /// Identification of the reset before this one on the line, or after it.
    pub neighbour: u16,
    /// How improbable it is that chance put them on a line, decibans.
    pub improbable: f32,
}

/// The lines of a run.
#[derive(Debug)]
pub(crate) struct IdLines {
    /// By hop limit and upper bits of the last identification.
    places: Bounded<Place, u32>,
    lines: Bounded<u32, Line>,
    /// Which line a reset lies on, while it waits to be told.
    members: Bounded<Member, (u32, u16)>,
    crowds: Box<[Crowd; 256]>,
    next: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Place {
    hop_limit: u8,
    part: u16,
}

/// One reset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Member {
    key: FlowKey,
    time: Timestamp,
    id: u16,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    last: Timestamp,
    last_id: u16,
    last_sender: Address,
    resets: u32,
    senders: Few<Address, 8>,
    improbable: f32,
}

/// How many resets with some identification come from one distance: what chance has to play with.
#[derive(Clone, Copy, Debug, Default)]
struct Crowd {
    last: Timestamp,
    recent: f32,
    all: u32,
}

impl IdLines {
    pub(crate) fn new() -> Self {
        Self {
            places: Bounded::new(LINES_MAX),
            lines: Bounded::new(LINES_MAX),
            members: Bounded::new(MEMBERS_MAX),
            crowds: Box::new([Crowd::default(); 256]),
            next: 0,
        }
    }

    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Place, u32>::memory_bytes(LINES_MAX)
            + Bounded::<u32, Line>::memory_bytes(LINES_MAX)
            + Bounded::<Member, (u32, u16)>::memory_bytes(MEMBERS_MAX)
            + 256 * size_of::<Crowd>()
    }

    /// Puts a reset that its named sender's own counter does not explain on its line.
    pub(crate) fn learn(&mut self, watch: &Watch, verdict: &Ruling) {
        let reset = &watch.reset;
        let is_v4 = !reset.marks.has(Marks::V6);
        if !is_v4 || reset.ip_id == 0 || verdict.role == Role::Duplicate || fits(watch, verdict) {
            return;
        }
        let crowd = &mut self.crowds[usize::from(reset.hop_limit)];
        let others = crowd.take(reset.time);
        let all = crowd.all;
        let sender = watch.key.sender(watch.direction).address;
        let number = self.find(watch).unwrap_or_else(|| {
            self.next = self.next.wrapping_add(1);
            self.next
        });
        let line = self.lines.entry(number, || Line {
            last: reset.time,
            last_id: reset.ip_id,
            last_sender: sender,
            resets: 0,
            senders: Few::new(),
            // Every reset so far might have begun one.
            improbable: -decibans(all as f32),
        });
        let neighbour = line.last_id;
        let step =
            reset.ip_id.wrapping_sub(line.last_id).min(line.last_id.wrapping_sub(reset.ip_id));
        if line.resets > 0 && line.last_sender != sender {
            // Some other reset lies so near, before or behind.
            let chance = others * (2.0 * f32::from(step) + 1.0) / f32::from(u16::MAX);
            line.improbable += decibans(1.0 / chance.clamp(1e-6, 1.0)) - LINK_COST;
        }
        if comes_from_elsewhere(watch) {
            line.senders.insert(sender);
        }
        line.resets = line.resets.saturating_add(1);
        (line.last, line.last_id, line.last_sender) = (reset.time, reset.ip_id, sender);
        let place = |id: u16| Place { hop_limit: reset.hop_limit, part: id / PART };
        if place(neighbour) != place(reset.ip_id) {
            self.places.remove(&place(neighbour));
        }
        *self.places.entry(place(reset.ip_id), || number) = number;
        self.members.entry(member(watch), || (number, neighbour));
    }

    /// What the line of a reset tells, if it proves a device.
    pub(crate) fn ask(&self, watch: &Watch) -> Option<IdLineFacts> {
        let &(number, neighbour) = self.members.peek(&member(watch))?;
        let line = self.lines.peek(&number)?;
        let is_firm = line.senders.count() >= 2 && line.improbable >= FIRM;
        is_firm.then_some(IdLineFacts {
            line: number,
            senders: line.senders.count(),
            resets: line.resets,
            neighbour: if neighbour == watch.reset.ip_id { line.last_id } else { neighbour },
            improbable: line.improbable,
        })
    }

    /// The line that a reset goes on with.
    fn find(&self, watch: &Watch) -> Option<u32> {
        let reset = &watch.reset;
        let part = reset.ip_id / PART;
        let parts = u16::MAX / PART + 1;
        [part, (part + parts - 1) % parts, (part + 1) % parts].into_iter().find_map(|part| {
            let &number = self.places.peek(&Place { hop_limit: reset.hop_limit, part })?;
            let line = self.lines.peek(&number)?;
            let ahead = reset.ip_id.wrapping_sub(line.last_id);
            // Workers tell their resets up to a second apart, so some come late.
            let is_near = ahead <= STEP_MAX || ahead.wrapping_neg() <= LATE_MAX;
            let apart = reset.time.apart_ns(line.last);
            (is_near && apart <= PAUSE_MAX_NS).then_some(number)
        })
    }
}

impl Crowd {
    /// Counts a reset and says how many there were lately, this one included.
    fn take(&mut self, now: Timestamp) -> f32 {
        let apart = now.apart_ns(self.last);
        self.recent = self.recent * (-(apart as f32) / PAUSE_MAX_NS as f32).exp() + 1.0;
        self.last = now;
        self.all = self.all.saturating_add(1);
        self.recent
    }
}

const fn member(watch: &Watch) -> Member {
    Member { key: watch.key, time: watch.reset.time, id: watch.reset.ip_id }
}

/// Whether the reset is on its named sender's own counter or clock, or from its own distance.
fn fits(watch: &Watch, verdict: &Ruling) -> bool {
    let side = watch.before.side(watch.direction);
    const SAYS_OWN: Rows = rows_where!(|weight| {
        matches!(weight.clue, Clue::IpId | Clue::Timestamps) && weight.decibans >= OWN
    });
    verdict.rows.meets(SAYS_OWN) || (side.packets > 0 && !comes_from_elsewhere(watch))
}

/// Neither as far away as the named sender's handshake nor as its last packet.
fn comes_from_elsewhere(watch: &Watch) -> bool {
    let (side, reset) = (watch.before.side(watch.direction), watch.reset.hop_limit);
    let syn = watch.before.syn_hop_limit(watch.direction);
    let differs = |limit: u8| limit != 0 && hops(limit) != hops(reset);
    let flapped = side.hop_flap();
    side.packets > 0
        && reset != 0
        && differs(side.hop_limit)
        && (syn == 0 || differs(syn))
        && hops(side.hop_limit).abs_diff(hops(reset)) > flapped
}

/// Odds to decibans.
fn decibans(odds: f32) -> f32 {
    10.0 * odds.log10()
}

/// One in a thousand that chance made the line, all resets so far taken as trials.
const FIRM: f32 = 30.0;
/// Chance alone gives a link 4.3 decibans on average: long lines must not come from many weak links.
const LINK_COST: f32 = 8.0;
/// Weight from which on a clue says "the sender's own counter" or "own clock".
const OWN: f32 = 4.0;
/// Identifications that a place on the line covers.
const PART: u16 = 64;
/// A device may write so many other packets between two resets.
const STEP_MAX: u16 = 64;
/// How far behind the line a reset may be that was told late.
const LATE_MAX: u16 = 16;
/// A line that nothing was added to for so long has ended: a counter may have gone round.
const PAUSE_MAX_NS: u64 = 60_000_000_000;
const LINES_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// As many as wait to be told.
const MEMBERS_MAX: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

#[cfg(test)]
mod tests {
    use super::IdLines;
    use crate::context::scene::Scene;

    /// Puts resets of so many servers on lines and says how many lie on a firm one.
    fn firm(lines: &mut IdLines, scenes: &[Scene]) -> usize {
        for scene in scenes {
            let (watch, verdict) = scene.reset();
            lines.learn(&watch, &verdict);
        }
        scenes.iter().filter(|scene| lines.ask(&scene.reset().0).is_some()).count()
    }

    fn scene(server: u8, second: u64, id: u16) -> Scene {
        Scene { server: [192, 0, 2, server], time_ms: second * 1_000, reset_id: id, ..Scene::NEW }
    }

    #[test]
    fn three_hosts_on_one_counter_are_one_device() {
        // Teredo.pcap of the public collection: 37152, 37153, 37157 in the names of "servers".
        let scenes = [scene(1, 1, 37_152), scene(2, 3, 37_153), scene(3, 9, 37_157)];
        let mut lines = IdLines::new();
        assert_eq!(firm(&mut lines, &scenes), 3);
        let facts = lines.ask(&scenes[1].reset().0).expect("on a firm line");
        assert_eq!((facts.senders, facts.resets, facts.neighbour), (3, 3, 37_152));
    }

    #[test]
    fn one_host_zero_and_far_identifications_make_no_line() {
        for scenes in [
            [scene(1, 1, 50), scene(1, 2, 51), scene(1, 3, 52)],
            [scene(1, 1, 0), scene(2, 2, 0), scene(3, 3, 0)],
            [scene(1, 1, 100), scene(2, 2, 9_000), scene(3, 3, 40_000)],
            [scene(1, 1, 100), scene(2, 200, 101), scene(3, 400, 102)],
        ] {
            assert_eq!(firm(&mut IdLines::new(), &scenes), 0);
        }
    }

    #[test]
    fn a_host_with_several_addresses_has_one_counter_and_is_no_device() {
        let own = |server, second, id| Scene { hop_limit: 61, ..scene(server, second, id) };
        let scenes = [own(1, 1, 700), own(2, 2, 701), own(3, 3, 702)];
        assert_eq!(firm(&mut IdLines::new(), &scenes), 0);
    }

    #[test]
    fn a_line_goes_round_zero_and_takes_late_news() {
        let scenes = [scene(1, 1, 65_530), scene(2, 2, 3), scene(3, 3, 1), scene(4, 4, 9)];
        assert_eq!(firm(&mut IdLines::new(), &scenes), 4);
    }

    #[test]
    fn a_flood_of_random_identifications_makes_no_line_and_no_more_memory() {
        let mut lines = IdLines::new();
        let (mut random, mut firm) = (0x2545_f491_4f6c_dd1d_u64, 0);
        let (mut watch, verdict) = Scene::NEW.reset();
        for _ in 0..200_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // A thousand a second, each in the name of another host.
            watch.reset.time = watch.reset.time.plus_ns(1_000_000);
            watch.reset.ip_id = (random >> 40) as u16;
            watch.key.high.address.0[12..].copy_from_slice(&(random as u32).to_be_bytes());
            lines.learn(&watch, &verdict);
            firm += usize::from(lines.ask(&watch).is_some());
        }
        assert_eq!(firm, 0);
    }
}
