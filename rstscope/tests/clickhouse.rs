//! `rstscope collect` that keeps in ClickHouse, as a process: what sensors send is what questions answer, and what
//! a firewall logs is joined with it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "../../collector/tests/clickhouse/engine.rs"]
mod engine;
#[path = "../../delivery/tests/servers/mod.rs"]
mod servers;

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use delivery::{Delivery, Identity, Options, OtlpOptions, SendOptions, SinkOptions, SpoolOptions};
use engine::Engine;
use events::{Connections, Event, Minute, ServerRange, ServiceRow, UtcTime};
use serde_json::Value;
use servers::Process;

/// A collector with a store in ClickHouse, and where it is reached.
struct Collector {
    process: Process,
    api: String,
    otlp: String,
    logs: String,
}

impl Collector {
    fn start(engine: &Engine, directory: &Path) -> Self {
        let address = || format!("127.0.0.1:{}", servers::free_port());
        let (api, otlp, logs) = (address(), address(), address());
        let config = format!(
            r#"
                [collect]
                otlp_http = "{otlp}"
                otlp_grpc = "off"
                [store]
                kind = "clickhouse"
                clickhouse = {{ url = "{}", wait_s = 0.1 }}
                [logs]
                listen = [{{ transport = "tcp", address = "{logs}" }}]
                directory = "{}"
                [api]
                listen = "{api}"
            "#,
            engine.options.url,
            directory.join("logs").display(),
        );
        let path = directory.join("collector.toml");
        std::fs::write(&path, config).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_rstscope"));
        command.arg("collect").arg("--config").arg(path);
        let collector = Self { process: Process::start(command), api, otlp, logs };
        wait_until("the collector is ready", || {
            ureq::get(format!("http://{}/readyz", collector.api)).call().is_ok()
        });
        collector
    }

    /// What `rstscope query` is answered.
    fn query(&self, arguments: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_rstscope"))
            .arg("query")
            .args(arguments)
            .args(["--api", &format!("http://{}", self.api), "--format", "json"])
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// Sends events and a minute as a sensor does; returns when the collector has acknowledged them.
fn send(directory: &Path, to: &str, events: &[Event], minute: &Minute) {
    let otlp = OtlpOptions {
        url: format!("http://{to}"),
        canonical: true,
        send: SendOptions { batch_wait_s: 0.01, ..SendOptions::default() },
        ..OtlpOptions::default()
    };
    let spool = SpoolOptions {
        directory: directory.join("spool"),
        free_percent_min: 0.0,
        ..SpoolOptions::default()
    };
    let options = Options { spool, sinks: vec![SinkOptions::Otlp(otlp)] };
    let identity = Identity { sensor: "tap-1".to_owned(), ..Identity::of_this_machine("test") };
    let delivery = Delivery::start(&options, &identity, &[]).expect("a spool");
    events.iter().for_each(|event| delivery.emit(event));
    delivery.minute(minute);
    let last = events.len() as u64 + 1;
    wait_until("all is acknowledged", || {
        delivery.next_sequence() > last
            && delivery.status().sinks.iter().all(|sink| sink.lag_events == 0)
    });
    assert!(delivery.status().losses().is_empty(), "{:?}", delivery.status());
    delivery.stop();
}

/// A reset of a moment ago that a box sent in the server's name, in a connection of its own.
fn event(number: u16, second: u64) -> Event {
    let text = include_str!("../../delivery/src/test_event.json");
    let mut event: Event = serde_json::from_str(text).expect("an event");
    event.id = format!("{number:016x}");
    event.ts = UtcTime(second * NS);
    event.client.port = 30_000 + number;
    event
}

/// What a PAN-OS firewall in the path writes of it: the server, as far as it could see.
fn line(event: &Event) -> String {
    let stamp = |time: UtcTime| time.to_string()[..19].replace('-', "/").replace('T', " ");
    let age_s = event.age_s.expect("its begin was seen");
    let begun = stamp(UtcTime(event.ts.0 - (age_s * NS as f64) as u64));
    let ended = stamp(event.ts);
    let (client, server) = (event.client, event.server);
    format!(
        "<14>1,{ended},001122,TRAFFIC,end,2305,{ended},{},{},0.0.0.0,0.0.0.0,web,,,ssl,vsys1,untrust,trust,ae1,ae2,fwd,\
         {ended},{},1,{},{},0,0,0x0,tcp,allow,5120,1200,3920,31,{begun},{age_s:.0},any,0,7001,0x0,DE,DE,0,15,16,\
         tcp-rst-from-server,0,0,0,0,,fw-edge-1,from-policy",
        client.ip, server.ip, client.port, client.port, server.port
    )
}

#[test]
fn what_sensors_send_is_kept_joined_with_logs_and_answered_out_of_clickhouse() {
    let Some(engine) = Engine::start() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let collector = Collector::start(&engine, directory.path());
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let events: Vec<Event> = (1..=12).map(|number| event(number, now_s - 3)).collect();
    let server = ServerRange { ip: events[0].server.ip, port: Some(443), prefix: None };
    let connections = Connections { opened: 5000, closed_well: 4988, ..Connections::default() };
    let minute = Minute {
        schema: events[0].schema,
        id: "minute-1".to_owned(),
        start: UtcTime(now_s / 60 * 60 * NS),
        span_s: 60,
        services: vec![ServiceRow { server, connections }],
        connections,
        ..Minute::default()
    };
    send(directory.path(), &collector.otlp, &events, &minute);
    let listed = collector.query(&["events"]);
    let mut ids: Vec<&str> = listed["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row["id"].as_str())
        .collect();
    ids.sort_unstable();
    let sent: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, sent);
    assert_eq!(collector.query(&["overview"])["connections"]["opened"], 5000);
    assert_eq!(collector.query(&["sensors"])[0]["missing"], 0);
    assert!(collector.query(&["disagreements"])["rows"].as_array().expect("rows").is_empty());

    let mut firewall = TcpStream::connect(&collector.logs).expect("it listens");
    for event in &events {
        writeln!(firewall, "{}", line(event)).expect("it reads");
    }
    let mut told = Value::Null;
    wait_until("the revisions are kept", || {
        told = collector.query(&["disagreements"]);
        told["rows"][0]["count"] == 12
    });
    assert_eq!(told["rows"][0]["rule"], "web", "{told}");
    assert_eq!(told["rows"][0]["agreement"], "refined", "{told}");
    for id in sent {
        let event = &collector.query(&["event", id])["event"];
        assert_eq!((&event["id"], &event["revision"]), (&id.into(), &1.into()));
        assert_eq!(event["corroboration"][0]["source"], "fw-edge-1", "{event}");
    }
    let listed = collector.query(&["events"]);
    let rows = listed["rows"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["agreement"] == "refined"), "{listed}");
    assert_eq!(rows.len(), 12);
    // What a sensor sends again is what it first said: the later telling stays.
    std::fs::remove_dir_all(directory.path().join("spool")).expect("it is there");
    send(directory.path(), &collector.otlp, &events, &minute);
    assert_eq!(collector.query(&["disagreements"])["rows"][0]["count"], 12);
    assert_eq!(collector.query(&["overview"])["connections"]["opened"], 5000);
    drop(collector.process);
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not in a minute: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const NS: u64 = 1_000_000_000;
