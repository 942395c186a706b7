//! The store's files: killed writers, torn files, old tables, copies while it is written.

mod store_support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use collector::{Incoming, Store, StoreError, StoreOptions};
use events::Body;
use store_support::{DAY_S, NS, ask, event, evidence, line, minute, noon, options, put};

const BATCH: u64 = 40;

/// Everything that the sensor of these tests ever says: a minute in every fortieth place.
fn record(number: u64, now: u64) -> Vec<u8> {
    let body = if number.is_multiple_of(BATCH) {
        Body::Minute(minute(now - 60 * (number / BATCH % 1000), 4, number))
    } else {
        Body::Event(event(number, now * NS + number * 1000))
    };
    line(1, number + 1, "a", body)
}

fn records(range: std::ops::Range<u64>, now: u64) -> Vec<Vec<u8>> {
    range.map(|number| record(number, now)).collect()
}

/// Identifiers of all events that are kept, each as often as it is.
fn kept(store: &Store, now: u64) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let mut asked = ask(now - 3600, now + 3600, &["role=primary"]);
        (asked.limit, asked.offset) = (5000, ids.len());
        let list = store.history(&asked).expect("the store is there");
        ids.extend(list.rows.into_iter().map(|row| row.id));
        if !list.has_more {
            return ids;
        }
    }
}

/// No test: what the test below starts, and kills.
#[test]
fn writes_until_it_is_killed() {
    let Ok(directory) = std::env::var("STORE_TEST_DIRECTORY") else { return };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (mut next, now) = (number("STORE_TEST_NEXT"), number("STORE_TEST_NOW"));
    let store = Store::open_at(&options(Path::new(&directory)), now).unwrap();
    loop {
        put(&store, &records(next..next + BATCH, now), now);
        next += BATCH;
        eprintln!("acknowledged {next}");
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged_and_keeps_nothing_twice() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let mut acknowledged = 0;
    for round in 0..6_u64 {
        // What was sent last is sent again, cut elsewhere.
        let next = acknowledged - acknowledged.min(13 * round);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["writes_until_it_is_killed", "--exact", "--nocapture"])
            .env("STORE_TEST_DIRECTORY", directory.path())
            .env("STORE_TEST_NEXT", next.to_string())
            .env("STORE_TEST_NOW", now.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let enough = 3 + (round * 7) % 11;
        for line in said
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.starts_with("ack"))
            .take(enough as usize)
        {
            let number: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            acknowledged = acknowledged.max(number);
        }
        // In the middle of whatever it does.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(acknowledged > BATCH * 6);
    let is_event = |number: &u64| !number.is_multiple_of(BATCH);
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    let ids = kept(&store, now);
    let each: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(each.len(), ids.len(), "an event is kept twice");
    for number in (0..acknowledged).filter(is_event) {
        assert!(each.contains(&event(number, now).id), "{number} of {acknowledged} is lost");
    }
    // Whatever the killed one had begun: everything comes again, and is there once.
    let all = acknowledged + 20 * BATCH;
    for piece in records(0..all, now).chunks(333) {
        put(&store, piece, now);
    }
    assert_eq!(kept(&store, now).len(), (0..all).filter(is_event).count());
    let opened = |number: &u64| 1000 + number;
    let truth: u64 =
        (0..all).filter(|number| !is_event(number)).map(|number| opened(&number)).sum();
    let overview = store.overview(&ask(now - 61_000, now + 60, &[])).unwrap();
    assert_eq!(overview.connections.opened, truth);
    assert_eq!(store.sensors().unwrap()[0].missing, 0);
}

#[test]
fn a_torn_file_is_set_aside_and_the_rest_stays() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    put(&store, &records(0..400, now), now);
    drop(store);
    let files = [(9, "main.sqlite", false), (10, "evidence.sqlite", false), (11, "events", true)];
    for (session, name, is_events) in files {
        let torn = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                let file = path.file_name().unwrap().to_str().unwrap();
                file.starts_with(name) && file.ends_with(".sqlite")
            })
            .unwrap();
        let mut bytes = std::fs::read(&torn).unwrap();
        bytes[..64].fill(0x5a);
        std::fs::write(&torn, &bytes).unwrap();
        let store = Store::open_at(&options(directory.path()), now).unwrap();
        if is_events {
            assert!(store.history(&ask(now - 60, now + 60, &[])).unwrap().rows.is_empty());
        }
        put(&store, &[line(session, 1, "b", Body::Event(event(7, now * NS)))], now);
        let aside = store.state().set_aside;
        assert_eq!(aside.len(), 1, "{name}");
        assert!(aside[0].exists() && aside[0].to_str().unwrap().contains("damaged-"));
        assert!(store.event(&event(7, now * NS).id).unwrap().is_some());
        drop(store);
    }
}

#[test]
fn a_page_torn_inside_a_file_does_not_stop_what_comes() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    let packets = |number| Body::Evidence(evidence(&event(number, now * NS), 100));
    let of_day = |number: u64| Body::Event(event(number, now * NS + number));
    put(&store, &records(0..400, now), now);
    put(&store, &[line(9, 1, "b", packets(1))], now);
    drop(store);
    let later = now + DAY_S;
    // At the start the part of the day before is sealed.
    let store = Store::open_at(&options(directory.path()), later).unwrap();
    let names: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let part = names.iter().find(|name| name.starts_with("events-")).unwrap();
    tear(&directory.path().join(part), "event_id");
    tear(&directory.path().join("evidence.sqlite"), "sqlite_autoindex_evidence_1");
    for (turn, body) in [of_day(1000), packets(2)].into_iter().enumerate() {
        let lines = [line(9, turn as u64 + 2, "b", body)];
        let batch: Vec<Incoming<'_>> =
            lines.iter().map(|line| Incoming::read(line).unwrap()).collect();
        let error = store.put_at(&batch, later).unwrap_err();
        assert!(error.is_later() && error.to_string().contains("malformed"), "{error}");
        assert_eq!(store.put_at(&batch, later).unwrap().new, 1);
        assert_eq!(store.state().set_aside.len(), turn + 1);
    }
    assert!(store.event(&event(1000, 0).id).unwrap().is_some());
    assert!(store.evidence(&event(2, 0).id).unwrap().is_some());
}

/// Writes over the first page of an index.
fn tear(path: &Path, index: &str) {
    let db = rusqlite::Connection::open(path).expect("a store's file");
    let (page, len): (u64, u64) = db
        .query_row(
            "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = ?",
            [index],
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)),
        )
        .expect("an index of that name");
    drop(db);
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a file");
    file.write_all_at(&[0x5a; 512], (page - 1) * len).expect("a page");
}

#[test]
fn tables_of_older_versions_are_brought_up_to_date_and_newer_ones_left_alone() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let main = directory.path().join("main.sqlite");
    let db = rusqlite::Connection::open(&main).unwrap();
    // As the first version made it, with a word that this program does not know.
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE word(list INTEGER NOT NULL, code INTEGER NOT NULL, name TEXT NOT NULL,
             PRIMARY KEY(list, code)) WITHOUT ROWID;
         INSERT INTO word VALUES(1, 0, 'a_cause_of_old'), (6, 0, 'an old sensor');
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(db);
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    put(&store, &records(0..80, now), now);
    let overview = store.overview(&ask(now - 3600, now + 60, &[])).unwrap();
    assert_eq!(overview.connections.opened, 2000 + 40);
    assert!(overview.by_cause.iter().all(|row| row.name != "a_cause_of_old"));
    assert_eq!(store.sensors().unwrap()[0].sensor, "a");
    drop(store);
    let db = rusqlite::Connection::open(&main).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = Store::open_at(&options(directory.path()), now).map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("install the program that wrote it"));
}

#[test]
fn a_part_that_somebody_deleted_is_gone_and_its_room_is_free() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let options = StoreOptions { events_d: 3, ..options(directory.path()) };
    let store = Store::open_at(&options, now).unwrap();
    put(&store, &records(0..80, now), now);
    assert_eq!(kept(&store, now).len(), 78);
    let files = std::fs::read_dir(directory.path()).unwrap();
    for path in files.map(|entry| entry.unwrap().path()) {
        if path.to_str().unwrap().contains("/events-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(kept(&store, now).is_empty());
    let later = now + 5 * DAY_S;
    put(&store, &[line(9, 1, "a", Body::Event(event(900, later * NS)))], later);
    put(&store, &[line(9, 2, "a", Body::Event(event(901, later * NS)))], later + 61);
    assert_eq!(store.state().event_files, 1);
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let own = directory.path().to_str().unwrap();
    let gone: Vec<_> = open
        .filter(|path| {
            path.to_str().is_some_and(|path| path.starts_with(own) && path.ends_with("(deleted)"))
        })
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn one_process_writes_and_others_read() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let absent = Store::open_to_read(directory.path()).map(drop).unwrap_err();
    assert!(matches!(absent, StoreError::Absent { .. }));
    let store = Store::open_at(&options(directory.path()), now).unwrap();
    let second = Store::open_at(&options(directory.path()), now).map(drop).unwrap_err();
    assert!(matches!(second, StoreError::Locked { .. }), "{second}");
    put(&store, &records(0..80, now), now);
    let reader = Store::open_to_read(directory.path()).unwrap();
    assert_eq!(kept(&reader, now).len(), 78);
    assert!(matches!(reader.put_at(&[], now), Err(StoreError::ReadOnly)));
}

#[test]
fn a_copy_made_while_it_is_written_is_a_store() {
    let (directory, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Store::open_at(&options(&directory.path().join("store")), now).unwrap();
    put(&store, &records(0..BATCH, now), now);
    let is_over = AtomicBool::new(false);
    let copies: Vec<_> = (0..3).map(|turn| directory.path().join(format!("copy-{turn}"))).collect();
    let acknowledged = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut next = BATCH;
            while !is_over.load(Ordering::Relaxed) {
                put(&store, &records(next..next + BATCH, now), now);
                next += BATCH;
            }
            next
        });
        let reader = Store::open_to_read(&directory.path().join("store")).unwrap();
        for copy in &copies {
            let report = reader.backup(copy).unwrap();
            assert!(report.files >= 3 && report.bytes > 0);
        }
        assert!(reader.backup(&copies[0]).is_err(), "nothing is written over");
        is_over.store(true, Ordering::Relaxed);
        writing.join().unwrap()
    });
    for copy in &copies {
        let copied = Store::open_at(&options(copy), now).unwrap();
        assert!(copied.state().set_aside.is_empty());
        // Whatever came after it was begun comes again, and everything is there once.
        put(&copied, &records(0..acknowledged, now), now);
        let events = (0..acknowledged).filter(|number| !number.is_multiple_of(BATCH)).count();
        assert_eq!(kept(&copied, now).len(), events);
        assert_eq!(
            copied.overview(&ask(now - 61_000, now + 60, &[])).unwrap().connections,
            store.overview(&ask(now - 61_000, now + 60, &[])).unwrap().connections
        );
    }
}
