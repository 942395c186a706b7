//! Lines of firewalls and proxies, joined with resets of the lab: none wrongly, however they come.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]
#![allow(clippy::print_stdout, reason = "figures for whoever asks with --nocapture")]

#[path = "../support/mod.rs"]
mod support;

mod absent;
mod counts;
mod hostile;
mod lines;
mod live;
mod nat;
mod oracle;
mod random;
mod real;
mod stamps;
mod table;
mod world;

use std::collections::HashMap;

use collector::logs::{Context, JoinOptions, Joiner, Reader, Reading, Revision, Sources, Zone};
use events::{Event, EventStatus, UtcTime};
use world::{WRITERS, What, World};

fn models() -> Vec<Event> {
    let is_meant = |event: &&Event| event.is_primary() && event.status == EventStatus::Final;
    support::events().iter().filter(is_meant).cloned().collect()
}

/// What a run made of a world.
struct Made {
    /// The last revision of each event.
    events: HashMap<String, Event>,
    joiner: Joiner,
    sources: Sources,
}

fn play(world: &World, options: JoinOptions, is_live: bool) -> Made {
    let mut joiner = Joiner::new(options);
    let mut reader = Reader::new();
    let mut sources = Sources::default();
    let mut events = HashMap::new();
    let mut keep = |revisions: Vec<Revision>| {
        for revision in revisions {
            assert_eq!(revision.sensor, "tap");
            let event = revision.event;
            let before: Option<Event> = events.insert(event.id.clone(), event.clone());
            let number = before.map_or(0, |before| before.revision);
            assert_eq!(event.revision, number + 1, "each revision is one higher");
        }
    };
    let mut second = 0;
    for arrival in &world.arrivals {
        let now = UtcTime(arrival.at_ns);
        if is_live && arrival.at_ns / 1_000_000_000 > second {
            second = arrival.at_ns / 1_000_000_000;
            keep(joiner.tick(now));
        }
        match &arrival.what {
            What::Event(event) => keep(joiner.event(now, "tap", event)),
            What::Line { peer, text } => {
                let context = Context { received: now, zone: Zone { east_s: 0 }, source: peer };
                let reading = reader.read(text.as_bytes(), &context);
                sources.count(peer, "udp", text.as_bytes(), &reading, now);
                if let Ok(Reading::Session(session)) = reading {
                    keep(joiner.session(now, *session));
                }
            }
        }
    }
    if is_live {
        let last = world.arrivals.last().map_or(0, |arrival| arrival.at_ns);
        for later in 1..120 {
            keep(joiner.tick(UtcTime(last + later * 1_000_000_000)));
        }
    } else {
        keep(joiner.finish());
    }
    Made { events, joiner, sources }
}

/// Joins that are right; panics at the first that is not.
fn right_joins(world: &World, made: &Made) -> usize {
    let mut right = 0;
    for event in made.events.values() {
        for item in &event.corroboration {
            // Some resets of this world are not logged; whose, is told in absent.rs.
            if item.agreement == events::Agreement::Absent {
                continue;
            }
            let truth = &world.truth[&item.line];
            assert_eq!(truth.as_ref(), Some(&event.id), "wrong join: {}", item.line);
            right += 1;
        }
        assert!(
            event.conclusion.is_some()
                || event.corroboration.iter().all(|i| !i.sentence.is_empty())
        );
    }
    right
}

#[test]
fn a_thousand_lines_with_nat_join_to_resets_and_none_wrongly() {
    for seed in [1, 20_231_114, 4711] {
        let world = World::new(seed, 1000, &models());
        let made = play(&world, JoinOptions::default(), true);
        let right = right_joins(&world, &made);
        println!(
            "seed {seed}: {} lines of resets, {} decoys, {} garbage: {right} joined, none wrongly; {:?}",
            world.lines,
            world.decoys,
            world.garbage,
            made.joiner.counts()
        );
        assert_eq!(world.lines, 1000);
        assert!(right >= 950, "{right} of {}", world.lines);
    }
}

#[test]
fn files_give_the_same_as_a_live_run_or_less_and_nothing_wrong() {
    let world = World::new(9, 1000, &models());
    let made = play(&world, JoinOptions::offline(100_000, 100_000), false);
    let right = right_joins(&world, &made);
    assert!(right >= 950, "{right} of {}", world.lines);
}

#[test]
fn clocks_are_learned_and_a_wrong_zone_is_named() {
    let world = World::new(5, 1000, &models());
    let made = play(&world, JoinOptions::default(), true);
    let clocks = made.joiner.clocks();
    for writer in WRITERS {
        let clock = &clocks[writer.name];
        let ahead_s = clock.ahead_s.expect("a hundred pairs teach a clock");
        let truth_s = writer.ahead_ns as f64 / 1e9;
        assert!((ahead_s - truth_s).abs() < 1.5, "{}: {ahead_s} for {truth_s}", writer.name);
    }
    assert_eq!(clocks["fw-zone"].zone.as_deref(), Some("+02:00"));
    assert_eq!(clocks["asa-zone"].zone.as_deref(), Some("-05:00"));
    assert_eq!(clocks["fgt-1"].zone, None);
}

#[test]
fn garbage_is_counted_and_shown() {
    let world = World::new(3, 400, &models());
    let made = play(&world, JoinOptions::default(), true);
    let clocks = made.joiner.clocks();
    let rows = made.sources.rows(&clocks);
    assert_eq!(rows.iter().map(|row| row.garbage).sum::<u64>(), world.garbage as u64);
    assert!(rows.iter().filter(|row| row.garbage > 0).all(|row| row.last_garbage.is_some()));
    assert_eq!(rows.len(), WRITERS.len(), "garbage belongs to who sent it");
}

#[test]
fn what_is_pushed_out_is_counted_and_memory_stays_bounded() {
    let world = World::new(7, 1000, &models());
    let options = JoinOptions { events: 50, sessions: 50, ..JoinOptions::default() };
    let made = play(&world, options, true);
    right_joins(&world, &made);
    let counts = made.joiner.counts();
    assert!(counts.events_displaced > 0 && counts.sessions_displaced > 0, "{counts:?}");
}
