//! A whole fleet under fire: a sensor's spool, a broker, two collectors behind it and one behind OTLP, each a process
//! of its own that is killed (SIGKILL) at random moments. Nothing is lost, nothing is in a store twice, and what the
//! store answers is what a store answers that was given every record once, in peace.
//!
//! Once each collector has a store of its own, in SQLite; once all share ClickHouse, which is killed as well.
//!
//! `RSTSCOPE_FLEET_RECORDS=200000` and `RSTSCOPE_FLEET_KILLS=60` make it longer than CI has time for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../clickhouse/engine.rs"]
mod engine;
mod roles;
#[path = "../../../delivery/tests/servers/mod.rs"]
mod servers;
#[path = "../store_support/mod.rs"]
mod store_support;

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::{self, consumer::PullConsumer};
use collector::{Ask, Past, ServerOrder, Store};
use engine::Engine;
use events::UtcTime;
use roles::{
    BASE_S, CLICKHOUSE_URL, NATS_URL, OTLP_ADDRESS, RECORDS, ROLE_DIRECTORY, is_minute, opened,
    record, store_options,
};
use servers::{Nats, Process};
use store_support::alike::same;
use store_support::{DAY_S, NS, ask, line, options, put};

/// Processes, each killed and started anew as the test likes.
struct Fleet {
    base_s: u64,
    records: u64,
    broker: Nats,
    sensor: Process,
    collectors: Vec<Process>,
    /// Where the collectors have no stores of their own.
    engine: Option<Engine>,
}

impl Fleet {
    fn start(directory: &Path, records: u64, engine: Option<Engine>) -> Option<Self> {
        let broker = Nats::start(directory, "")?;
        let otlp = format!("127.0.0.1:{}", servers::free_port());
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let base_s = now_s - 3600;
        let mut sensor = child("sensor", &directory.join("sensor"));
        sensor.env(NATS_URL, broker.url()).env(OTLP_ADDRESS, &otlp);
        sensor.env(BASE_S, base_s.to_string()).env(RECORDS, records.to_string());
        let collector = |number: usize| {
            let mut command = child("collect", &directory.join(format!("collector-{number}")));
            if let Some(engine) = &engine {
                command.env(CLICKHOUSE_URL, &engine.options.url);
            }
            // The last one takes OTLP, the others share the stream.
            match number + 1 == COLLECTORS {
                true => command.env(OTLP_ADDRESS, &otlp),
                false => command.env(NATS_URL, broker.url()),
            };
            Process::start(command)
        };
        let collectors = (0..COLLECTORS).map(collector).collect();
        Some(Self { base_s, records, broker, sensor: Process::start(sensor), collectors, engine })
    }

    /// Kills at random moments, then waits until all that was told has come.
    fn fire(&mut self, kills: u64, random: &mut fastrand::Rng) {
        let begun = Instant::now();
        let mut killed: HashMap<&str, u64> = HashMap::new();
        let victims = 2 + COLLECTORS + usize::from(self.engine.is_some());
        for _ in 0..kills {
            // A random moment is what is wanted here; nothing is waited for.
            std::thread::sleep(Duration::from_millis(random.u64(20..500)));
            *killed.entry(self.kill(random.usize(..victims))).or_default() += 1;
        }
        assert!(self.sensor.ends_well(), "the sensor did not end well");
        block_on(drained(&self.broker.url()));
        println!("killed {killed:?}; all told after {:.1} s", begun.elapsed().as_secs_f64());
    }

    /// Kills one and starts it again; says whom.
    fn kill(&mut self, victim: usize) -> &'static str {
        let (name, process) = match (victim, &mut self.engine) {
            (0, _) => ("broker", &mut self.broker.process),
            (1, _) => ("sensor", &mut self.sensor),
            (number, Some(engine)) if number == 2 + COLLECTORS => ("store", &mut engine.process),
            (number, _) => ("collector", &mut self.collectors[number - 2]),
        };
        process.kill();
        process.restart();
        name
    }
}

#[test]
fn whoever_is_killed_no_event_is_lost_and_none_is_stored_twice() {
    let mut random = random();
    let directory = tempfile::tempdir().unwrap();
    let Some(mut fleet) = Fleet::start(directory.path(), number(RECORDS, 10_000), None) else {
        return;
    };
    fleet.fire(number(KILLS, 12), &mut random);
    let (base_s, records) = (fleet.base_s, fleet.records);
    drop(fleet);
    let stores: Vec<Store> = (0..COLLECTORS)
        .map(|number| directory.path().join(format!("collector-{number}")))
        .map(|place| Store::open_to_read(&store_options(&place).directory).unwrap())
        .collect();
    let stored: Vec<HashMap<String, u64>> =
        stores.iter().map(|store| stored(store, base_s, records)).collect();
    let (_, by_nats) = stored.split_last().unwrap();
    assert_eq!(lost(records, |id| by_nats.iter().any(|ids| ids.contains_key(id))), 0, "by NATS");
    answers_as_in_peace(stores.last().unwrap(), base_s, records);
}

#[test]
fn a_clickhouse_that_is_killed_with_its_collectors_has_every_record_once() {
    let mut random = random();
    let directory = tempfile::tempdir().unwrap();
    let Some(engine) = Engine::start() else { return };
    let records = number(RECORDS, 5_000);
    let Some(mut fleet) = Fleet::start(directory.path(), records, Some(engine)) else { return };
    fleet.fire(number(KILLS, 10), &mut random);
    let engine = fleet.engine.as_ref().unwrap();
    answers_as_in_peace(&opened(&engine.options), fleet.base_s, records);
}

/// Every event once, and all counts as those of a store that was given every record once.
fn answers_as_in_peace(past: &dyn Past, base_s: u64, records: u64) {
    let ids = stored(past, base_s, records);
    assert_eq!(lost(records, |id| ids.contains_key(id)), 0);
    let directory = tempfile::tempdir().unwrap();
    let twin = Store::open(&options(directory.path())).unwrap();
    let lines: Vec<Vec<u8>> =
        (1..=records).map(|n| line(1, n, "sensor", record(n, base_s))).collect();
    for some in lines.chunks(5000) {
        assert_eq!(put(&twin, some, base_s + 3600).refused, []);
    }
    let twin: &dyn Past = &twin;
    // Out of minutes, of ten minutes and of hours; out of events.
    for (ago_s, filters) in [
        (3600, &[] as &[&str]),
        (12 * DAY_S, &[]),
        (25 * DAY_S, &[]),
        (25 * DAY_S, &["impact=aborted", "port=443"]),
        (3600, &["client=10.0.0.0/27"]),
    ] {
        let asked = ask(base_s - ago_s, base_s + 3600, filters);
        let what = |view: &str| format!("{view} of {filters:?} over {ago_s} s");
        let without: &[&str] = if filters.is_empty() { &[] } else { &["last", "clients"] };
        same(&what("overview"), without, twin.overview(&asked), past.overview(&asked));
        same(&what("idle"), without, twin.idle(&asked), past.idle(&asked));
        let order = ServerOrder::default();
        let (one, other) = (twin.servers(&asked, &order), past.servers(&asked, &order));
        same(&what("servers"), without, one, other);
    }
    let sensors = past.sensors().unwrap();
    let told: Vec<(&str, u64)> =
        sensors.iter().map(|row| (row.sensor.as_str(), row.missing)).collect();
    assert_eq!(told, [("sensor", 0)]);
    println!("{} records came again", sensors[0].repeated);
}

/// Events that are not there.
fn lost(records: u64, has: impl Fn(&str) -> bool) -> usize {
    (1..=records).filter(|n| !is_minute(*n) && !has(&format!("{n:016x}"))).count()
}

/// Waits until all that the stream held is acknowledged.
async fn drained(url: &str) {
    let client =
        async_nats::ConnectOptions::new().retry_on_initial_connect().connect(url).await.unwrap();
    let context = jetstream::new(client);
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "batches are left over");
        let Ok(stream) = context.get_stream("RSTSCOPE").await else { continue };
        let Ok(mut consumer): Result<PullConsumer, _> = stream.get_consumer("collectors").await
        else {
            continue;
        };
        let Ok(info) = consumer.info().await else { continue };
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The events of a store; none is there twice.
fn stored(past: &dyn Past, base_s: u64, records: u64) -> HashMap<String, u64> {
    let mut ids = HashMap::new();
    for first in (0..=records).step_by(WINDOW) {
        let at = |n: u64| UtcTime(base_s * NS + n * 1_000_000);
        let ask = Ask {
            from: at(first),
            to: at(first + WINDOW as u64),
            filters: Vec::new(),
            sensor: None,
            limit: 2 * WINDOW,
            offset: 0,
        };
        let page = past.events(&ask).unwrap();
        assert!(!page.has_more);
        for row in page.rows {
            *ids.entry(row.id).or_default() += 1;
        }
    }
    let twice = ids.values().filter(|count| **count > 1).count();
    println!("{} events, {twice} of them twice", ids.len());
    assert_eq!(twice, 0);
    ids
}

fn child(role: &str, directory: &Path) -> Command {
    std::fs::create_dir_all(directory).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let role = format!("roles::{role}");
    command.args(["--exact", &role, "--ignored", "--nocapture"]).env(ROLE_DIRECTORY, directory);
    command
}

fn random() -> fastrand::Rng {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    fastrand::Rng::with_seed(seed)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

const KILLS: &str = "RSTSCOPE_FLEET_KILLS";
/// Two behind the broker, one behind OTLP.
const COLLECTORS: usize = 3;
/// Events asked for at a time; they are a millisecond apart.
const WINDOW: usize = 4000;
const PATIENCE: Duration = Duration::from_secs(500);
