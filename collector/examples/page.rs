//! A page to look at and to test: a store filled from captures, served on loopback until standard input ends;
//! each line there tells one of the resets anew, to whoever listens.
//!
//! `cargo run -p collector --example page -- DIRECTORY [--servers N] [CAPTURE]...`
//!
//! With `--servers` that many made-up servers are added, ten minutes of them, named by addresses of 10.0.0.0/8.
//! The resets of the captures are told as if they had come just now, under a sensor's name that tries to be
//! markup, and one of them bears a log line that does, too: a page must show both as they are.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use classifiers::{Cause, Impact, Origin, Stage};
use collector::{
    Incoming, LogList, LogSourceRow, Offer, Options, Recent, Sensor, Store, StoreOptions,
};
use events::{
    Agreement, Body, ClientCount, Clients, Conclusion, Connections, CorroborationItem, Event,
    Evidence, Minute, MinuteRow, Record, ServerRange, ServiceRow, Spread, UtcTime,
};

/// Markup in a name: shown as it is, or the page is broken.
const SENSOR: &str = "tap-7<img src=x onerror=alert(1)>";
const MARKUP: &str = "<script>alert(1)</script><b>bold</b>";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("name a directory for the store")?);
    let (mut servers, mut captures) = (0, Vec::new());
    while let Some(argument) = arguments.next() {
        if argument == "--servers" {
            servers = arguments.next().ok_or("--servers needs a number")?.parse()?;
        } else {
            captures.push(PathBuf::from(argument));
        }
    }
    // Programs that are built for tests are slow.
    let store = StoreOptions { directory, question_s_max: 60.0, ..StoreOptions::default() };
    let store = Store::open(&store)?;
    let told = read(&captures)?;
    let mut records = Records::default();
    for body in told.shifted_to_now() {
        records.add(body)?;
    }
    if servers > 0 {
        for minute in made_up(servers) {
            records.add(Body::Minute(minute))?;
        }
    }
    records.put(&store)?;
    serve(store, &told)
}

fn serve(store: Store, told: &Told) -> Result<(), Failure> {
    let options = Options { listen: Some("127.0.0.1:0".parse()?), ..Options::default() };
    let sensor = Sensor { name: SENSOR.into(), version: "0".into(), interfaces: Vec::new() };
    let recent = Arc::new(Recent::new(&options, sensor));
    let offer = Offer {
        recent: Arc::clone(&recent),
        past: Some(Arc::new(store)),
        logs: Some(Arc::new(log_rows)),
    };
    let server = collector::serve(&options, offer)?.ok_or("the options do not say off")?;
    writeln!(std::io::stdout(), "http://{}/", server.local_addr())?;
    recent.status(&events::Status::default());
    // A line on standard input: one reset is told anew, and whoever listens hears of it.
    let mut harmful = told.events.iter().filter(|event| event.counts()).cycle();
    for line in std::io::stdin().lines() {
        line?;
        recent.event(harmful.next().ok_or("no capture, no resets")?);
    }
    Ok(())
}

/// What the sensor tells of captures.
#[derive(Default)]
struct Told {
    events: Vec<Event>,
    minutes: Vec<Minute>,
    evidence: Vec<Evidence>,
}

fn read(captures: &[PathBuf]) -> Result<Told, Failure> {
    let mut told = Told::default();
    let evidence = pipeline::EvidenceOptions::usual();
    let options =
        pipeline::Options { seed: Some(7), flows: 1 << 12, evidence, ..Default::default() };
    if !captures.is_empty() {
        pipeline::read(captures, &options, None, &AtomicBool::new(false), &mut told)?;
    }
    Ok(told)
}

impl pipeline::Sink for Told {
    fn emit(&mut self, event: &Event) -> std::io::Result<()> {
        self.events.push(event.clone());
        Ok(())
    }

    fn wants_minutes(&self) -> bool {
        true
    }

    fn minute(&mut self, minute: &Minute) -> std::io::Result<()> {
        self.minutes.push(minute.clone());
        Ok(())
    }

    fn evidence(&mut self, evidence: &Evidence) -> std::io::Result<()> {
        self.evidence.push(evidence.clone());
        Ok(())
    }
}

impl Told {
    /// All of it, by as many whole minutes later as make the last one end now.
    fn shifted_to_now(&self) -> Vec<Body> {
        let last = self.minutes.iter().map(|minute| minute.start.0).max().unwrap_or(0);
        let shift = (now_ns().saturating_sub(last) / MINUTE_NS).saturating_sub(2) * MINUTE_NS;
        let later = |time: &mut UtcTime| time.0 += shift;
        let mut bodies = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            let mut event = event.clone();
            later(&mut event.ts);
            if index == 0 {
                say(&mut event);
            }
            bodies.push(Body::Event(event));
        }
        for minute in &self.minutes {
            let mut minute = minute.clone();
            later(&mut minute.start);
            bodies.push(Body::Minute(minute));
        }
        for evidence in &self.evidence {
            let mut evidence = evidence.clone();
            later(&mut evidence.ts);
            evidence.packets.iter_mut().for_each(|packet| later(&mut packet.ts));
            bodies.push(Body::Evidence(evidence));
        }
        bodies
    }
}

/// A log line about an event, that contradicts it.
fn say(event: &mut Event) {
    event.revision = 1;
    event.corroboration.push(CorroborationItem {
        agreement: Agreement::Contradicted,
        source: "fw-edge-1".into(),
        product: "pan_os".into(),
        said: "tcp-rst-from-client".into(),
        rule: Some(MARKUP.into()),
        threat: None,
        ts: event.ts,
        clock_offset_s: Some(1.5),
        matched: "original".into(),
        community_id_nat: None,
        sentence: format!("The log names the client. {MARKUP}"),
        line: format!("1,2026/11/23 08:03:13,0011,TRAFFIC,end,{MARKUP},tcp-rst-from-client"),
    });
    event.conclusion = Some(Conclusion {
        origin: event.verdict.origin,
        origin_confidence: event.verdict.origin_confidence - 0.1,
        cause: event.verdict.cause,
        cause_confidence: event.verdict.cause_confidence,
        sentence: "Packets and log name different senders; the packets are believed.".into(),
    });
}

fn log_rows() -> LogList {
    let row = LogSourceRow {
        source: "fw-edge-1".into(),
        via: "udp".into(),
        product: "pan_os".into(),
        lines: 120_000,
        sessions: 80_000,
        joined: 412,
        garbage: 7,
        last_garbage: Some(format!("no such field: {MARKUP}")),
        clock_offset_s: Some(1.5),
        clock_zone: None,
        last: UtcTime(now_ns()),
    };
    let losses = [("datagrams_lost".to_owned(), 12), ("sessions_ambiguous".to_owned(), 3)];
    LogList { sources: vec![row], losses: losses.into() }
}

/// Minutes of servers that do not exist.
fn made_up(servers: u32) -> Vec<Minute> {
    let start = now_ns() / MINUTE_NS * MINUTE_NS - 12 * MINUTE_NS;
    let of_minute = servers.div_ceil(MINUTES).min(KEYS_MAX);
    (0..servers.div_ceil(of_minute))
        .map(|index| {
            let from = index * of_minute;
            let rows = (from..servers.min(from + of_minute)).map(|number| row(number, servers));
            let (rows, services): (Vec<MinuteRow>, Vec<ServiceRow>) = rows.unzip();
            let mut connections = Connections::default();
            for service in &services {
                connections.opened += service.connections.opened;
                connections.closed_well += service.connections.closed_well;
                connections.reset += service.connections.reset;
            }
            Minute {
                schema: events::SCHEMA,
                id: format!("made-up-{index}"),
                start: UtcTime(start + u64::from(index % MINUTES) * MINUTE_NS),
                span_s: 60,
                part: index / MINUTES,
                rows,
                services,
                connections,
                losses: [("kernel_receive_dropped".to_owned(), 17)].into(),
                ..Minute::default()
            }
        })
        .collect()
}

fn row(number: u32, servers: u32) -> (MinuteRow, ServiceRow) {
    let ip = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
    let server = ServerRange { ip, port: Some(443), prefix: None };
    let count = u64::from((servers - number) % 997 + 1);
    let mut clients = Clients::default();
    let mut idle = Spread::default();
    for client in 0..3 {
        clients.add(IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + (number + client) % 200)));
        idle.add(f64::from(350 + client));
    }
    let causes = [Cause::IdleTimeoutMiddlebox, Cause::PortClosed, Cause::AppAbort];
    let cause = causes[number as usize % causes.len()];
    let impact = if cause == Cause::PortClosed { Impact::Refused } else { Impact::Aborted };
    let row = MinuteRow {
        server,
        origin: if number.is_multiple_of(3) { Origin::MiddleboxBoth } else { Origin::Server },
        cause,
        stage: Stage::Later,
        impact,
        count,
        clients,
        top_clients: vec![ClientCount { ip: Ipv4Addr::new(192, 0, 2, 1).into(), count }],
        confidence_sum: count as f64 * 0.9,
        confidence_least: 0.8,
        time_to_reset_s: idle.clone(),
        idle_before_s: idle.clone(),
        bytes_before: idle,
        idle_timers: [(350, 3)].into(),
        examples: Vec::new(),
    };
    let opened = count * 20;
    let connections =
        Connections { opened, closed_well: opened - count, reset: count, ..Connections::default() };
    (row, ServiceRow { server, connections })
}

/// Lines as they come from a sensor.
#[derive(Default)]
struct Records(Vec<Vec<u8>>);

impl Records {
    fn add(&mut self, body: Body) -> Result<(), Failure> {
        let sequence = self.0.len() as u64 + 1;
        let uid = format!("{:016x}-{sequence}", 0x7e57_u64);
        let record = Record { uid, sequence, sensor: SENSOR.to_owned(), test: false, body };
        self.0.push(serde_json::to_vec(&record)?);
        Ok(())
    }

    fn put(&self, store: &Store) -> Result<(), Failure> {
        for lines in self.0.chunks(1000) {
            let batch: Result<Vec<Incoming<'_>>, _> =
                lines.iter().map(|line| Incoming::read(line)).collect();
            let put = store.put(&batch?)?;
            if !put.refused.is_empty() {
                return Err(format!("the store refused records: {:?}", put.refused).into());
            }
        }
        Ok(())
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 1_000_000_000
}

const MINUTE_NS: u64 = 60_000_000_000;
const MINUTES: u32 = 10;
/// Keys of a minute at most, as of a real sensor.
const KEYS_MAX: u32 = 20_000;
