//! A whole fleet under fire: a sensor's spool, a broker, two collectors behind it and one behind OTLP, each a process
//! of its own that is killed (SIGKILL) at random moments. Nothing is lost, nothing is in a store twice.
//!
//! `RSTSCOPE_FLEET_EVENTS=200000` and `RSTSCOPE_FLEET_KILLS=60` make it longer than CI has time for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../../../delivery/tests/servers/mod.rs"]
mod servers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::{self, consumer::PullConsumer};
use collector::{Ask, Gather, Listen, NatsOptions, ReceiveOptions, Receivers, Store, StoreOptions};
use delivery::{Delivery, Identity, Options, OtlpOptions, SendOptions, SinkOptions, SpoolOptions};
use events::{Event, UtcTime};
use servers::{Nats, Process};

/// What a child is told.
const ROLE_DIRECTORY: &str = "RSTSCOPE_FLEET_DIRECTORY";
const NATS_URL: &str = "RSTSCOPE_FLEET_NATS";
const OTLP_ADDRESS: &str = "RSTSCOPE_FLEET_OTLP";
const BASE_S: &str = "RSTSCOPE_FLEET_BASE_S";

/// The sensor: event n is record n, however often it is killed.
#[test]
#[ignore = "is started and killed by the other test"]
fn sensor() {
    let Some(directory) = std::env::var_os(ROLE_DIRECTORY).map(PathBuf::from) else { return };
    let send = SendOptions {
        batch_bytes_max: 256_000,
        batch_wait_s: 0.01,
        retry_s_max: 0.2,
        ..SendOptions::default()
    };
    let nats = delivery::NatsOptions {
        urls: vec![std::env::var(NATS_URL).unwrap()],
        create_stream: true,
        timeout_s: 2.0,
        send: send.clone(),
        ..delivery::NatsOptions::default()
    };
    let otlp = OtlpOptions {
        url: format!("http://{}", std::env::var(OTLP_ADDRESS).unwrap()),
        canonical: true,
        timeout_s: 5.0,
        send,
        ..OtlpOptions::default()
    };
    let spool = SpoolOptions {
        directory: directory.join("spool"),
        segment_bytes: 1 << 20,
        free_percent_min: 0.0,
        ..SpoolOptions::default()
    };
    let sinks = vec![SinkOptions::Nats(nats), SinkOptions::Otlp(otlp)];
    let options = Options { spool, sinks };
    let identity = Identity { sensor: "sensor".to_owned(), ..Identity::of_this_machine("test") };
    let delivery = Delivery::start(&options, &identity, &[]).unwrap();
    let template: Event =
        serde_json::from_str(include_str!("../../../delivery/src/test_event.json")).unwrap();
    let base_s: u64 = std::env::var(BASE_S).unwrap().parse().unwrap();
    let first = delivery.next_sequence();
    for n in first..=events() {
        while n - delivery.next_sequence() > 1000 {
            std::thread::yield_now();
        }
        let mut event = template.clone();
        event.id = format!("{n:016x}");
        event.ts = UtcTime(base_s * 1_000_000_000 + n * 1_000_000);
        delivery.emit(&event);
    }
    let begun = Instant::now();
    while delivery.next_sequence() <= events()
        || delivery.status().sinks.iter().any(|sink| sink.lag_events > 0)
    {
        assert!(begun.elapsed() < PATIENCE, "{:?}", delivery.status());
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = delivery.status();
    assert!(status.losses().is_empty(), "{status:?}");
    delivery.stop();
}

/// A collector: receivers and a store.
#[test]
#[ignore = "is started and killed by the other test"]
fn collect() {
    let Some(directory) = std::env::var_os(ROLE_DIRECTORY).map(PathBuf::from) else { return };
    let store = Store::open(&store_options(&directory)).unwrap();
    let mut options = ReceiveOptions {
        otlp_http: Listen::Off,
        otlp_grpc: Listen::Off,
        ..ReceiveOptions::default()
    };
    match std::env::var(OTLP_ADDRESS) {
        Ok(address) => options.otlp_http = address.parse().unwrap(),
        Err(_) => {
            let servers = vec![std::env::var(NATS_URL).unwrap()];
            options.nats = Some(NatsOptions { servers, ack_wait_s: 2, ..NatsOptions::default() });
        }
    }
    let _receivers = Receivers::start(&options, Arc::new(store), Gather::AT_ONCE).unwrap();
    loop {
        std::thread::park();
    }
}

fn store_options(directory: &Path) -> StoreOptions {
    StoreOptions { directory: directory.join("store"), ..StoreOptions::default() }
}

/// Processes, each killed and started anew as the test likes.
struct Fleet {
    base_s: u64,
    broker: Nats,
    sensor: Process,
    collectors: Vec<Process>,
}

impl Fleet {
    fn start(directory: &Path) -> Option<Self> {
        let broker = Nats::start(directory, "")?;
        let otlp = format!("127.0.0.1:{}", servers::free_port());
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let base_s = now_s - 3600;
        let mut sensor = child("sensor", &directory.join("sensor"));
        sensor.env(NATS_URL, broker.url()).env(OTLP_ADDRESS, &otlp).env(BASE_S, base_s.to_string());
        let collector = |number: usize| {
            let mut command = child("collect", &directory.join(format!("collector-{number}")));
            // The last one takes OTLP, the others share the stream.
            match number + 1 == COLLECTORS {
                true => command.env(OTLP_ADDRESS, &otlp),
                false => command.env(NATS_URL, broker.url()),
            };
            Process::start(command)
        };
        let collectors = (0..COLLECTORS).map(collector).collect();
        Some(Self { base_s, broker, sensor: Process::start(sensor), collectors })
    }

    /// Kills one and starts it again; says whom.
    fn kill(&mut self, victim: usize) -> &'static str {
        let (name, process) = match victim {
            0 => ("broker", &mut self.broker.process),
            1 => ("sensor", &mut self.sensor),
            number => ("collector", &mut self.collectors[number - 2]),
        };
        process.kill();
        process.restart();
        name
    }
}

#[test]
fn whoever_is_killed_no_event_is_lost_and_none_is_stored_twice() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let Some(mut fleet) = Fleet::start(directory.path()) else { return };
    let mut killed: HashMap<&str, u64> = HashMap::new();
    for _ in 0..kills() {
        // A random moment is what is wanted here; nothing is waited for.
        std::thread::sleep(Duration::from_millis(random.u64(20..500)));
        *killed.entry(fleet.kill(random.usize(..2 + COLLECTORS))).or_default() += 1;
    }
    assert!(fleet.sensor.ends_well(), "the sensor did not end well, seed {seed}");
    block_on(drained(&fleet.broker.url()));
    let base_s = fleet.base_s;
    drop(fleet);
    println!("killed {killed:?}; all told after {:.1} s", begun.elapsed().as_secs_f64());
    let stored: Vec<HashMap<String, u64>> = (0..COLLECTORS)
        .map(|number| stored(&directory.path().join(format!("collector-{number}")), base_s))
        .collect();
    for (number, ids) in stored.iter().enumerate() {
        let twice = ids.values().filter(|count| **count > 1).count();
        println!("collector {number}: {} events, {twice} of them twice", ids.len());
        assert_eq!(twice, 0, "collector {number}, seed {seed}");
    }
    let (by_otlp, by_nats) = stored.split_last().unwrap();
    let name = |n: u64| format!("{n:016x}");
    let lost = |has: &dyn Fn(&str) -> bool| (1..=events()).filter(|n| !has(&name(*n))).count();
    assert_eq!(lost(&|id| by_otlp.contains_key(id)), 0, "by OTLP, seed {seed}");
    assert_eq!(
        lost(&|id| by_nats.iter().any(|ids| ids.contains_key(id))),
        0,
        "by NATS, seed {seed}"
    );
    assert_eq!(by_otlp.len() as u64, events());
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

/// How often each event is in a store.
fn stored(directory: &Path, base_s: u64) -> HashMap<String, u64> {
    let store = Store::open_to_read(&store_options(directory).directory).unwrap();
    let mut ids = HashMap::new();
    for first in (0..=events()).step_by(WINDOW) {
        let at = |n: u64| UtcTime(base_s * 1_000_000_000 + n * 1_000_000);
        let ask = Ask {
            from: at(first),
            to: at(first + WINDOW as u64),
            filters: Vec::new(),
            sensor: None,
            limit: 2 * WINDOW,
            offset: 0,
        };
        let page = store.history(&ask).unwrap();
        assert!(!page.has_more);
        for row in page.rows {
            *ids.entry(row.id).or_default() += 1;
        }
    }
    ids
}

fn child(role: &str, directory: &Path) -> Command {
    std::fs::create_dir_all(directory).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", role, "--ignored", "--nocapture"]).env(ROLE_DIRECTORY, directory);
    command
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn events() -> u64 {
    number("RSTSCOPE_FLEET_EVENTS", 10_000)
}

fn kills() -> u64 {
    number("RSTSCOPE_FLEET_KILLS", 12)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Two behind the broker, one behind OTLP.
const COLLECTORS: usize = 3;
/// Events asked for at a time; they are a millisecond apart.
const WINDOW: usize = 500;
const PATIENCE: Duration = Duration::from_secs(300);
