//! Policy by name: whether a server's connections are reset or served depends on the name asked for.
//!
//! Names come as keyed hashes, so a list of what is blocked can be kept without knowing what it is
//! that is blocked. A name counts as *reset* when a device resets its connection early, as *passed*
//! when the server gets to answer. That is a contrast between connections only: it never says who
//! sent a reset.

use std::hash::BuildHasher as _;
use std::num::NonZeroUsize;

use flowtable::{Endpoint, Happening, NameNote, Note, PlainName, Ticks};
use foldhash::quality::RandomState;

use crate::context::bounded::Bounded;
use crate::context::few::Few;
use crate::context::lesson::Lesson;
use crate::vocabulary::{Origin, Stage};

/// How connections of one server fare, with the name of this reset's connection and with others.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NameFacts {
    /// Keyed hash of the name.
    pub name: u64,
    /// With this name: reset by a device.
    pub resets: u32,
    /// With this name: answered by the server.
    pub passes: u32,
    /// With this name: reset by the server itself.
    pub refusals: u32,
    /// With other names: reset by a device.
    pub others_reset: u32,
    /// With other names: answered by the server.
    pub others_passed: u32,
    /// Different names that a device reset on this server; 8 or more.
    pub names_reset: u8,
}

impl NameFacts {
    /// This name is reset while others pass.
    #[must_use]
    pub const fn is_by_name(&self) -> bool {
        self.resets >= CONTRAST_MIN
            && self.resets >= 4 * self.passes
            && self.others_passed >= CONTRAST_MIN
    }

    /// The server itself refuses this name while it serves others.
    #[must_use]
    pub const fn is_refused_by_server(&self) -> bool {
        self.refusals >= CONTRAST_MIN
            && self.refusals >= 4 * self.passes
            && self.others_passed >= CONTRAST_MIN
    }

    /// Whatever is asked for on this server is reset: it is not the name.
    #[must_use]
    pub const fn is_whatever_name(&self) -> bool {
        self.names_reset as u32 >= CONTRAST_MIN && self.passes + self.others_passed == 0
    }
}

/// A name that is reset while others pass on the same servers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BlockedName {
    /// Keyed hash of the name.
    pub name: u64,
    /// The name, if it may be shown.
    pub plain: Option<PlainName>,
    /// Servers on which the contrast was seen.
    pub servers: u32,
    /// Connections with this name that a device reset there.
    pub resets: u32,
    /// Connections with this name that passed there.
    pub passes: u32,
    /// Connections with other names that passed there.
    pub others_passed: u32,
}

/// What became of names.
#[derive(Debug)]
pub(crate) struct Names {
    flows: Bounded<u64, NamedFlow>,
    contrasts: Bounded<(Endpoint, u64), Tally>,
    servers: Bounded<Endpoint, Server>,
    plain: Bounded<u64, PlainName>,
    secret: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct NamedFlow {
    name: u64,
    server: Endpoint,
    became: Became,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Became {
    Pending,
    Passed,
    Reset,
    Refused,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    resets: u32,
    passes: u32,
    refusals: u32,
}

#[derive(Clone, Copy, Debug)]
struct Server {
    tally: Tally,
    names_reset: Few<u64, 8>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            flows: Bounded::new(FLOWS_MAX),
            contrasts: Bounded::new(CONTRASTS_MAX),
            servers: Bounded::new(SERVERS_MAX),
            plain: Bounded::new(PLAIN_MAX),
            secret: RandomState::default(),
        }
    }

    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<u64, NamedFlow>::memory_bytes(FLOWS_MAX)
            + Bounded::<(Endpoint, u64), Tally>::memory_bytes(CONTRASTS_MAX)
            + Bounded::<Endpoint, Server>::memory_bytes(SERVERS_MAX)
            + Bounded::<u64, PlainName>::memory_bytes(PLAIN_MAX)
    }

    /// A client asks for a name.
    pub(crate) fn asked(&mut self, note: &NameNote) {
        let flow = self.flow(note.client, note.server);
        let asked = NamedFlow { name: note.hash, server: note.server, became: Became::Pending };
        *self.flows.entry(flow, || asked) = asked;
        if let Some(plain) = note.plain {
            self.plain.entry(note.hash, || plain);
        }
    }

    /// A server that answers has been asked; nobody stood in between.
    pub(crate) fn note(&mut self, note: &Note) {
        if matches!(note.what, Happening::Answered { .. } | Happening::Closed) {
            let flow = self.flow(note.client, note.server);
            self.settle(flow, Became::Passed);
        }
    }

    /// A connection was reset; only what comes soon after the name may be about it.
    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        let Lesson { watch, ruling, .. } = lesson;
        let age_s = watch.reset.time.seconds().saturating_sub(watch.before.opened_s());
        let is_soon = match ruling.stage {
            Stage::PostAck | Stage::PostPsh => ruling.idle.is_none_or(|idle| idle <= SOON),
            Stage::Later => f64::from(age_s) <= SOON.seconds(),
            _ => false,
        };
        if !lesson.is_primary() || !is_soon {
            return;
        }
        let became = if ruling.origin.is_device() {
            Became::Reset
        } else if ruling.origin == Origin::Server && ruling.stage != Stage::Later {
            Became::Refused
        } else {
            return;
        };
        let flow = self.flow(lesson.client, lesson.server);
        self.settle(flow, became);
    }

    /// What the names tell of a reset.
    pub(crate) fn ask(&self, client: Endpoint, server: Endpoint) -> Option<NameFacts> {
        let &NamedFlow { name, server, .. } = self.flows.peek(&self.flow(client, server))?;
        let own = self.contrasts.peek(&(server, name)).copied().unwrap_or_default();
        let all = self.servers.peek(&server)?;
        let facts = NameFacts {
            name,
            resets: own.resets,
            passes: own.passes,
            refusals: own.refusals,
            others_reset: all.tally.resets.saturating_sub(own.resets),
            others_passed: all.tally.passes.saturating_sub(own.passes),
            names_reset: all.names_reset.count(),
        };
        let speaks = facts.is_by_name() || facts.is_refused_by_server() || facts.is_whatever_name();
        speaks.then_some(facts)
    }

    /// The names that are blocked, most resets first.
    pub(crate) fn blocked(&self) -> Vec<BlockedName> {
        let mut blocked: Vec<BlockedName> = Vec::new();
        for (&(server, name), own) in self.contrasts.iter() {
            let Some(all) = self.servers.peek(&server) else { continue };
            let others_passed = all.tally.passes.saturating_sub(own.passes);
            let is_by_name = own.resets >= CONTRAST_MIN
                && own.resets >= 4 * own.passes
                && others_passed >= CONTRAST_MIN;
            if is_by_name {
                let plain = self.plain.peek(&name).copied();
                let (resets, passes) = (own.resets, own.passes);
                blocked.push(BlockedName {
                    name,
                    plain,
                    servers: 1,
                    resets,
                    passes,
                    others_passed,
                });
            }
        }
        blocked.sort_by_key(|entry| entry.name);
        blocked.dedup_by(|next, kept| {
            let is_same = next.name == kept.name;
            if is_same {
                kept.servers += 1;
                kept.resets = kept.resets.saturating_add(next.resets);
                kept.passes = kept.passes.saturating_add(next.passes);
                kept.others_passed = kept.others_passed.saturating_add(next.others_passed);
            }
            is_same
        });
        blocked.sort_by_key(|entry| (std::cmp::Reverse(entry.resets), entry.name));
        blocked
    }

    /// Connections whose name gave way to others before it was known what became of them.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.flows.evicted()
    }

    /// Counts what became of a named connection; a reset that wins a race takes the pass back.
    fn settle(&mut self, flow: u64, became: Became) {
        let Some(named) = self.flows.peek_mut(&flow) else { return };
        let before = named.became;
        let is_news =
            before == Became::Pending || (before == Became::Passed && became == Became::Reset);
        if !is_news {
            return;
        }
        named.became = became;
        let NamedFlow { name, server, .. } = *named;
        let new = || Server { tally: Tally::default(), names_reset: Few::new() };
        let all = self.servers.entry(server, new);
        if became == Became::Reset {
            all.names_reset.insert(name);
        }
        all.tally.count(before, became);
        self.contrasts.entry((server, name), Tally::default).count(before, became);
    }

    fn flow(&self, client: Endpoint, server: Endpoint) -> u64 {
        self.secret.hash_one((client, server))
    }
}

impl Tally {
    const fn count(&mut self, before: Became, became: Became) {
        if matches!(before, Became::Passed) {
            self.passes = self.passes.saturating_sub(1);
        }
        let count = match became {
            Became::Pending => return,
            Became::Passed => &mut self.passes,
            Became::Reset => &mut self.resets,
            Became::Refused => &mut self.refusals,
        };
        *count = count.saturating_add(1);
    }
}

/// Connections on each side of a contrast (classification.md, R14).
const CONTRAST_MIN: u32 = 3;
/// A reset after a longer silence is not about the name.
const SOON: Ticks = Ticks::from_ms(3_000);
const FLOWS_MAX: NonZeroUsize = NonZeroUsize::new(1 << 15).expect("not zero");
const CONTRASTS_MAX: NonZeroUsize = NonZeroUsize::new(1 << 14).expect("not zero");
const SERVERS_MAX: NonZeroUsize = NonZeroUsize::new(1 << 13).expect("not zero");
const PLAIN_MAX: NonZeroUsize = NonZeroUsize::new(1 << 13).expect("not zero");

#[cfg(test)]
mod tests {
    use flowtable::{Endpoint, Happening, NameNote, Note, PlainName, Timestamp};

    use super::{FLOWS_MAX, NameFacts, Names};
    use crate::context::lesson::Lesson;
    use crate::context::scene::Scene;

    fn scene(port: u16) -> Scene {
        Scene { port, ..Scene::NEW }
    }

    fn ask(names: &mut Names, [client, server]: [Endpoint; 2], hash: u64) {
        let plain = Some(PlainName::of(format!("name-{hash}.example").as_bytes()));
        names.asked(&NameNote { time: Timestamp(1), flow: 0, client, server, hash, plain });
    }

    fn fate(names: &Names, scene: &Scene) -> Option<NameFacts> {
        let [client, server] = scene.ends();
        names.ask(client, server)
    }

    fn answer(names: &mut Names, [client, server]: [Endpoint; 2]) {
        let what = Happening::Answered { syn_ack_hop_limit: 50, data_hop_limit: 50 };
        names.note(&Note { time: Timestamp(1), flow: 0, client, server, what });
    }

    /// So many connections that ask for a name, reset by a device.
    fn reset(names: &mut Names, ports: std::ops::Range<u16>, hash: u64) {
        for port in ports {
            ask(names, scene(port).ends(), hash);
            let (watch, verdict) = scene(port).reset();
            names.learn(&Lesson::of(&watch, &verdict));
        }
    }

    fn pass(names: &mut Names, ports: std::ops::Range<u16>, hash: u64) {
        for port in ports {
            ask(names, scene(port).ends(), hash);
            answer(names, scene(port).ends());
        }
    }

    #[test]
    fn a_name_that_is_reset_while_others_pass_is_blocked() {
        let mut names = Names::new();
        pass(&mut names, 1..4, 7);
        reset(&mut names, 10..12, 9);
        assert_eq!(fate(&names, &scene(11)), None, "twice is chance");
        reset(&mut names, 12..13, 9);
        let facts = fate(&names, &scene(12)).expect("three against three");
        assert!(facts.is_by_name() && !facts.is_whatever_name());
        assert_eq!((facts.resets, facts.passes, facts.others_passed), (3, 0, 3));
        let blocked = names.blocked();
        assert_eq!(blocked.len(), 1);
        assert_eq!(blocked[0].plain.expect("kept").as_str(), "name-9.example");
    }

    #[test]
    fn a_server_whose_connections_are_all_reset_is_not_reset_by_name() {
        let mut names = Names::new();
        for hash in 0..3u16 {
            reset(&mut names, 10 * hash..10 * hash + 2, u64::from(hash));
        }
        let facts = fate(&names, &scene(21)).expect("three names");
        assert!(facts.is_whatever_name() && !facts.is_by_name());
        assert!(names.blocked().is_empty());
    }

    #[test]
    fn an_answer_that_lost_the_race_against_the_reset_is_no_pass() {
        let mut names = Names::new();
        pass(&mut names, 1..4, 7);
        for port in 10..13 {
            ask(&mut names, scene(port).ends(), 9);
            answer(&mut names, scene(port).ends());
            let (watch, verdict) = scene(port).reset();
            names.learn(&Lesson::of(&watch, &verdict));
        }
        let facts = fate(&names, &scene(12)).expect("three against three");
        assert_eq!((facts.resets, facts.passes), (3, 0));
    }

    #[test]
    fn a_server_that_refuses_a_name_itself_blocks_nothing() {
        let mut names = Names::new();
        pass(&mut names, 1..4, 7);
        let own = |port| Scene { reset_hop_limit: 50, reset_id: 7_044, ..scene(port) };
        for port in 10..13 {
            ask(&mut names, own(port).ends(), 9);
            let (watch, verdict) = own(port).reset();
            names.learn(&Lesson::of(&watch, &verdict));
        }
        let facts = fate(&names, &own(12)).expect("three against three");
        assert!(facts.is_refused_by_server() && !facts.is_by_name());
        assert!(names.blocked().is_empty());
    }

    #[test]
    fn a_flood_of_names_makes_the_tables_forget_and_never_accuse() {
        let mut names = Names::new();
        for number in 0..100_000u32 {
            let [mut client, server] = Scene::NEW.ends();
            client.address.0[12..].copy_from_slice(&number.to_be_bytes());
            ask(&mut names, [client, server], u64::from(number));
            answer(&mut names, [client, server]);
        }
        assert_eq!(names.forgotten(), 100_000 - FLOWS_MAX.get() as u64);
        assert!(names.blocked().is_empty());
    }
}
