//! Minutes of whole captures: what they say together is what the events and the report of the run say.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use benches::{CaptureWriter, Mix, Traffic};
use events::{Connections, Endpoint, Event, LATE_PARTS, Minute, Report, ServerRange};
use pipeline::{Options, Sink};
use support::{CLIENT, Conversation, MS, SECOND, START_NS, options};

/// Keeps what counts.
#[derive(Default)]
struct Told {
    events: Vec<Event>,
    minutes: Vec<Minute>,
}

impl Sink for Told {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.events.extend(event.counts().then(|| event.clone()));
        Ok(())
    }

    fn wants_minutes(&self) -> bool {
        true
    }

    fn minute(&mut self, minute: &Minute) -> io::Result<()> {
        self.minutes.push(minute.clone());
        Ok(())
    }
}

fn read(path: &Path, options: &Options) -> (Told, Report) {
    let (mut told, stop) = (Told::default(), AtomicBool::new(false));
    let inputs = [path.to_owned()];
    let report = pipeline::read(&inputs, options, None, &stop, &mut told).unwrap();
    (told, report)
}

/// Minutes of so many packets, whose servers and clients come and go.
fn busy_minutes(folder: &Path) -> PathBuf {
    let path = folder.join("busy.pcap");
    let file = io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut capture = CaptureWriter::begin(file).unwrap();
    let wish = benches::Options {
        mix: Mix::Churn,
        flows: 500,
        rate: 200,
        resets_per_mille: 40,
        ..Default::default()
    };
    let (mut traffic, mut frame) = (Traffic::new(&wish), Vec::new());
    for _ in 0..50_000 {
        let time_ns = traffic.next_frame(&mut frame);
        capture.frame(time_ns, &frame).unwrap();
    }
    drop(capture.finish().unwrap());
    path
}

/// What is counted of the resets of one key.
#[derive(Clone, PartialEq, Debug, Default)]
struct Counted {
    count: u64,
    bytes: f64,
    confidence: u64,
    idle: u64,
    clients: BTreeSet<std::net::IpAddr>,
    ids: BTreeSet<String>,
}

type Key = (u64, Endpoint, &'static str, &'static str, &'static str, &'static str);

fn by_events(events: &[Event]) -> BTreeMap<Key, Counted> {
    let mut groups: BTreeMap<Key, Counted> = BTreeMap::new();
    for event in events {
        let verdict = &event.verdict;
        let names = (verdict.origin.name(), verdict.cause.name());
        let (stage, impact) = (verdict.stage.name(), verdict.impact.name());
        let key = (event.ts.0 / 60_000_000_000, event.server, names.0, names.1, stage, impact);
        let group = groups.entry(key).or_default();
        group.count += 1;
        group.bytes += (event.bytes.client + event.bytes.server) as f64;
        group.confidence += (verdict.origin_confidence * 1e3).round() as u64;
        group.idle += u64::from(event.idle_before_s.is_some());
        group.clients.insert(event.client.ip);
        group.ids.insert(event.id.clone());
    }
    groups
}

fn check(told: &Told, report: &Report) {
    let mut groups = by_events(&told.events);
    let mut sum = Connections::default();
    for minute in &told.minutes {
        for row in &minute.rows {
            let server = Endpoint { ip: row.server.ip, port: row.server.port.unwrap() };
            let names = (row.origin.name(), row.cause.name());
            let (stage, impact) = (row.stage.name(), row.impact.name());
            let number = minute.start.0 / 60_000_000_000;
            let key = (number, server, names.0, names.1, stage, impact);
            let twin = groups.remove(&key).unwrap_or_else(|| panic!("{key:?} has no events"));
            assert_eq!(row.count, twin.count, "{key:?}");
            assert_eq!((row.confidence_sum * 1e3).round() as u64, twin.confidence, "{key:?}");
            assert_eq!(row.bytes_before.sum, twin.bytes, "{key:?}");
            assert_eq!(row.idle_before_s.count, twin.idle, "{key:?}");
            assert_eq!(row.examples.len(), twin.ids.len().min(3));
            assert!(row.examples.iter().all(|id| twin.ids.contains(id)), "{key:?}");
            assert!(row.top_clients.iter().all(|client| twin.clients.contains(&client.ip)));
            let clients = twin.clients.len() as f64;
            let error = (row.clients.count() as f64 - clients).abs();
            assert!(error <= 1.0 + clients * 0.1, "{} of {clients}", row.clients.count());
        }
        sum = added(sum, &minute.connections);
        assert!(minute.services.iter().all(|service| service.server.prefix.is_none()));
    }
    assert!(groups.is_empty(), "events that no minute counts: {groups:?}");
    let wanted = Connections { still_open: 0, ..report.connections };
    assert_eq!(Connections { still_open: 0, ..sum }, wanted);
    let ids: BTreeSet<&str> = told.minutes.iter().map(|minute| minute.id.as_str()).collect();
    assert_eq!(ids.len(), told.minutes.len());
    assert!(told.minutes.iter().all(|minute| minute.overflow == 0));
}

fn added(sum: Connections, more: &Connections) -> Connections {
    Connections {
        opened: sum.opened + more.opened,
        midstream: sum.midstream + more.midstream,
        established: sum.established + more.established,
        closed_well: sum.closed_well + more.closed_well,
        reset: sum.reset + more.reset,
        timed_out: sum.timed_out + more.timed_out,
        unanswered: sum.unanswered + more.unanswered,
        // Not a sum; it stands in the first part.
        still_open: more.still_open.max(sum.still_open),
    }
}

#[test]
fn minutes_say_together_what_events_and_report_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = busy_minutes(folder.path());
    let options = Options { provisional: false, ..options() };
    let (told, report) = read(&path, &options);
    assert!(told.events.len() > 500, "{}", told.events.len());
    check(&told, &report);
    assert!(told.minutes.iter().all(|minute| minute.part < LATE_PARTS), "nothing was late");
    let whole: Vec<_> = told.minutes.iter().filter(|minute| minute.part == 0).collect();
    assert!(whole.len() >= 5);
    assert!(whole.is_sorted_by_key(|minute| minute.start));
    assert_eq!(whole.last().unwrap().connections.still_open, report.connections.still_open);
    let (again, _) = read(&path, &options);
    assert_eq!(told.minutes, again.minutes, "a second reading tells the same");
}

#[test]
fn a_run_of_less_than_a_minute_says_what_became_of_its_connections() {
    let talk = |number, start_s| Conversation::new(number, START_NS + start_s * SECOND, MS);
    let talks = [
        talk(1, 0).syn(),
        talk(2, 1).handshake().data(CLIENT, 100),
        talk(3, 2).handshake().data(CLIENT, 100).abort(CLIENT).pause(36 * SECOND),
        talk(4, 38).handshake(),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.pcap");
    std::fs::write(&path, support::capture(&support::merged(talks))).unwrap();
    let (told, report) = read(&path, &options());
    let [minute] = &told.minutes[..] else { panic!("one minute: {:?}", told.minutes) };
    assert!(report.connections.still_open > 0 && report.connections.opened == 4);
    assert_eq!(minute.connections, report.connections);
    assert_eq!(minute.losses, report.losses);
}

#[test]
fn what_became_of_connections_is_known_by_server() {
    let folder = tempfile::tempdir().unwrap();
    let (told, report) = read(&busy_minutes(folder.path()), &options());
    let mut servers: BTreeMap<ServerRange, Connections> = BTreeMap::new();
    for service in told.minutes.iter().flat_map(|minute| &minute.services) {
        let sum = servers.entry(service.server).or_default();
        *sum = added(*sum, &service.connections);
    }
    let all = servers.values().fold(Connections::default(), added);
    // Few servers: no table was full.
    let known = |connections: Connections| {
        let Connections { opened, midstream, established, closed_well, reset, .. } = connections;
        [opened, midstream, established, closed_well, reset]
    };
    assert_eq!(known(all), known(report.connections));
    for event in &told.events {
        let server = &servers[&ServerRange::from(event.server)];
        assert!(server.reset > 0, "{} has a reset", event.server);
    }
}

#[test]
fn minutes_of_real_captures_agree_with_their_events_whoever_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rstscope/tests/captures");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let captures: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "pcap" || it == "pcapng"))
        .collect();
    assert!(captures.len() > 10, "the captures are there");
    for path in &captures {
        for read_workers in [1, 2] {
            let options = Options { read_workers, provisional: false, ..options() };
            let (told, report) = read(path, &options);
            check(&told, &report);
        }
    }
}
