//! What is kept is bounded, and what gives way is chosen well.

mod support;

use std::net::Ipv4Addr;

use classifiers::{Impact, Role};
use collector::{CountedFrom, ImpactCounts, Options, Question, Recent, Sensor};
use events::{Event, EventStatus};
use support::{events, fed, recent, status};

fn all() -> Question {
    Question { limit: 100_000, ..Question::default() }
}

fn asked(filter: &str) -> Question {
    Question { filters: vec![filter.parse().expect("a filter")], ..all() }
}

/// A primary reset to vary.
fn reset(impact: Impact) -> Event {
    let mut event = events().iter().find(|event| event.counts()).expect("one is primary").clone();
    event.verdict.impact = impact;
    event
}

#[test]
fn counts_are_those_of_the_events_whichever_way_they_are_added_up() {
    let recent = fed(&Options::default());
    let snapshot = recent.snapshot(&all());
    let primary = events().iter().filter(|event| event.counts()).count() as u64;
    assert_eq!(snapshot.resets.total(), primary);
    for impact in Impact::ALL {
        let of_impact = |event: &&Event| event.counts() && event.verdict.impact == *impact;
        let count = events().iter().filter(of_impact).count() as u64;
        assert_eq!(snapshot.resets.of(*impact), count, "{impact:?}");
        let sums = [
            snapshot.by_origin.iter().map(|row| row.counts.of(*impact)).sum::<u64>(),
            snapshot.by_cause.iter().map(|row| row.counts.of(*impact)).sum(),
            snapshot.by_server.iter().map(|row| row.counts.of(*impact)).sum(),
            snapshot.series.iter().map(|second| second.resets.of(*impact)).sum(),
        ];
        assert_eq!(sums, [count; 4], "{impact:?}");
    }
    let harm = |rows: &[collector::NameRow]| {
        rows.iter().map(|row| row.counts.harmful()).collect::<Vec<_>>()
    };
    assert!(harm(&snapshot.by_cause).is_sorted_by(|a, b| a >= b), "most harmful first");
    assert_eq!(snapshot.series.last().expect("a second").losses, 9, "none is counted twice");
}

#[test]
fn a_filtered_snapshot_counts_what_the_filtered_list_shows() {
    let recent = fed(&Options::default());
    for filter in ["impact=aborted", "origin=middlebox", "port=443", "server=10.0.0.0/8"] {
        let snapshot = recent.snapshot(&asked(filter));
        let listed = recent.events(&asked(filter)).events.len() as u64;
        assert_eq!(snapshot.resets.total(), listed, "{filter}");
        assert_eq!(snapshot.counted_from, CountedFrom::KeptEvents);
    }
    assert!(!recent.events(&asked("impact=aborted")).events.is_empty());
}

#[test]
fn aftermath_is_listed_only_if_roles_are_asked_for() {
    let recent = fed(&Options::default());
    let is_primary = |event: &Event| event.verdict.role == Role::Primary;
    assert!(recent.events(&all()).events.iter().all(|kept| is_primary(&kept.event)));
    let secondary = recent.events(&asked("role!=primary")).events;
    let expected = events().iter().filter(|event| !is_primary(event)).count();
    assert_eq!(secondary.len(), expected);
}

#[test]
fn a_flood_of_one_kind_pushes_out_itself() {
    let recent = recent(&Options { events_kept: 100, ..Options::default() });
    for _ in 0..5 {
        recent.event(&reset(Impact::Aborted));
    }
    for _ in 0..10_000 {
        recent.event(&reset(Impact::Benign));
    }
    let kept = recent.events(&all()).events;
    let of = |impact| kept.iter().filter(|kept| kept.event.verdict.impact == impact).count();
    assert_eq!((kept.len(), of(Impact::Aborted), of(Impact::Benign)), (100, 5, 95));
    assert!(kept.is_sorted_by_key(|kept| kept.number), "in the order they were told");
    assert_eq!(kept.last().expect("one").number, 10_005);
}

#[test]
fn a_scan_invents_servers_but_none_is_lost_from_the_sum() {
    let options = Options { servers_kept: 64, ..Options::default() };
    let recent = recent(&options);
    let mut victim = reset(Impact::Aborted);
    victim.server.ip = Ipv4Addr::new(192, 0, 2, 1).into();
    recent.event(&victim);
    let mut scanned = reset(Impact::Refused);
    for number in 0..5_000u32 {
        scanned.server.ip = Ipv4Addr::from(0x0a00_0000 + number).into();
        recent.event(&scanned);
    }
    let snapshot = recent.snapshot(&all());
    assert!(snapshot.by_server.len() <= 64, "{}", snapshot.by_server.len());
    assert!(snapshot.by_server.iter().any(|row| row.server == victim.server), "harm is kept");
    let listed: u64 = snapshot.by_server.iter().map(|row| row.counts.total()).sum();
    assert_eq!(listed + snapshot.other_servers.total(), 5_001);
    let three = recent.snapshot(&Question { limit: 3, ..Question::default() });
    assert_eq!(three.by_server.len(), 3);
    let listed: u64 = three.by_server.iter().map(|row| row.counts.total()).sum();
    assert_eq!(listed + three.other_servers.total(), 5_001);
}

#[test]
fn whoever_follows_gets_every_event_once_or_hears_how_many_he_missed() {
    let recent = recent(&Options { events_kept: 8, ..Options::default() });
    let mut followed = Question { after: Some(0), limit: 3, ..Question::default() };
    let mut seen = Vec::new();
    for _ in 0..5 {
        recent.event(&reset(Impact::Aborted));
    }
    for _ in 0..2 {
        let page = recent.events(&followed);
        assert_eq!(page.missed, 0);
        seen.extend(page.events.iter().map(|event| event.number));
        followed.after = Some(page.next);
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert!(recent.events(&followed).events.is_empty());
    for _ in 0..20 {
        recent.event(&reset(Impact::Aborted));
    }
    let page = recent.events(&followed);
    assert_eq!((page.missed, page.events.len(), page.next), (12, 3, 20));
    // A filter that nothing passes still moves on.
    let none = Question { after: Some(0), ..asked("impact=benign") };
    assert_eq!(recent.events(&none).next, 25);
    // A number of an earlier run: begins anew.
    let stale = Question { after: Some(1_000_000), ..all() };
    assert_eq!(recent.events(&stale).events.len(), 8);
}

#[test]
fn a_final_verdict_takes_the_place_of_the_provisional_one() {
    let recent = recent(&Options::default());
    let last = reset(Impact::Aborted);
    recent.event(&Event { status: EventStatus::Provisional, ..last.clone() });
    let statuses = || {
        let kept = recent.events(&all()).events;
        kept.iter().map(|kept| kept.event.status).collect::<Vec<_>>()
    };
    assert_eq!(statuses(), [EventStatus::Provisional]);
    assert_eq!(recent.snapshot(&all()).resets.total(), 0, "only final verdicts count");
    recent.event(&last);
    assert_eq!(statuses(), [EventStatus::Final]);
    assert_eq!(recent.snapshot(&all()).resets, ImpactCounts { aborted: 1, ..Default::default() });
    let sheet = recent.sheet(&last.id, 100).expect("it is kept");
    assert_eq!((sheet.number, sheet.event.status), (2, EventStatus::Final));
    assert!(sheet.sheet.contains("What to do"));
    assert_eq!(recent.sheet("0000", 100), None);
}

#[test]
fn health_is_told_from_what_is_bound_and_up() {
    let recent = recent(&Options::default());
    let health = recent.health();
    assert!(health.is_alive && !health.is_ready, "nothing is bound yet");
    recent.status(&status());
    assert!(recent.health().is_ready, "one of two queues is up");
    let mut down = status();
    down.queues.iter_mut().for_each(|queue| queue.is_up = false);
    recent.status(&down);
    assert!(!recent.health().is_ready);
    down.queues.clear();
    recent.status(&down);
    assert_eq!(recent.health().problems.first().expect("one"), "not bound: eth1");
}

#[test]
fn an_event_told_anew_is_listed_and_counted_once() {
    let recent = fed(&Options::default());
    let first = events().iter().find(|event| event.counts()).expect("a reset that counts");
    let question = |filters: &[&str]| Question {
        filters: filters.iter().map(|text| text.parse().expect("a filter")).collect(),
        limit: 1000,
        ..Question::default()
    };
    let counted = |filters: &[&str]| recent.snapshot(&question(filters)).resets.total();
    let all = "origin!=unknown";
    let before = (counted(&[]), counted(&[all]), recent.events(&question(&[])).events.len());
    let mut revised = first.clone();
    revised.revision = 1;
    recent.event(&revised);
    assert_eq!((counted(&[]), counted(&[all])), (before.0, before.1));
    let listed = recent.events(&question(&[])).events;
    assert_eq!(listed.len(), before.2);
    let told: Vec<_> = listed.iter().filter(|told| told.event.id == first.id).collect();
    assert_eq!((told.len(), told[0].event.revision), (1, 1));
}

#[test]
fn what_only_tells_of_the_past_is_well() {
    let sensor = Sensor { name: "tap-7".into(), version: "1.2.3".into(), interfaces: Vec::new() };
    let health = Recent::new(&Options::default(), sensor).health();
    assert!(health.is_alive && health.is_ready && health.problems.is_empty(), "{health:?}");
}
