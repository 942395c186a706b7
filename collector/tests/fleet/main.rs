//! A whole fleet under fire: a sensor's spool, a broker, two collectors behind it and one behind OTLP, each a process
//! of its own that is killed (SIGKILL) at random moments. Nothing is lost, nothing is in a store twice.
//!
//! `RSTSCOPE_FLEET_EVENTS=200000` and `RSTSCOPE_FLEET_KILLS=60` make it longer than CI has time for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test that is skipped says so")]

mod sinks;

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::{self, consumer::PullConsumer};
use collector::{Ask, Gather, Listen, NatsOptions, ReceiveOptions, Receivers, Store, StoreOptions};
use delivery::{Delivery, Identity, Options, OwnSink, SendOptions, SpoolOptions};
use events::{Event, UtcTime};

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
    let nats = sinks::Nats::new(std::env::var(NATS_URL).unwrap());
    let otlp = sinks::Otlp::new(&std::env::var(OTLP_ADDRESS).unwrap());
    let send = SendOptions {
        batch_bytes_max: 256_000,
        batch_wait_s: 0.01,
        retry_s_max: 0.2,
        ..SendOptions::default()
    };
    let mut own = [
        OwnSink::new("nats", "nats", "", Box::new(nats)),
        OwnSink::new("otlp", "otlp", "", Box::new(otlp)),
    ];
    for sink in &mut own {
        sink.send = send.clone();
    }
    let spool = SpoolOptions {
        directory: directory.join("spool"),
        segment_bytes: 1 << 20,
        free_percent_min: 0.0,
        ..SpoolOptions::default()
    };
    let options = Options { spool, ..Options::default() };
    let identity = Identity { sensor: "sensor".to_owned(), ..Identity::of_this_machine("test") };
    let delivery = Delivery::start(&options, &identity, &own).unwrap();
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

/// Processes, each with what starts it anew.
struct Fleet {
    directory: PathBuf,
    nats: String,
    otlp: String,
    base_s: u64,
    broker: Child,
    sensor: Child,
    collectors: Vec<Child>,
}

impl Fleet {
    fn start(broker: &Path, directory: &Path) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (nats, otlp) = (free(), free());
        let text = format!(
            "listen: \"{nats}\"\njetstream {{ store_dir: {:?}, sync_interval: always }}\n",
            directory.join("jetstream")
        );
        std::fs::write(directory.join("nats.conf"), text).unwrap();
        let broker = run_broker(broker, directory);
        let nats = format!("nats://{nats}");
        block_on(sinks::make_stream(&nats));
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let nothing = || Command::new("true").spawn().unwrap();
        let mut fleet = Self {
            directory: directory.to_owned(),
            nats,
            otlp: otlp.to_string(),
            base_s: now_s - 3600,
            broker,
            sensor: nothing(),
            collectors: (0..COLLECTORS).map(|_| nothing()).collect(),
        };
        fleet.sensor = fleet.run_sensor();
        fleet.collectors = (0..COLLECTORS).map(|number| fleet.run_collector(number)).collect();
        fleet
    }

    fn run_sensor(&self) -> Child {
        child("sensor", &self.directory.join("sensor"))
            .env(NATS_URL, &self.nats)
            .env(OTLP_ADDRESS, &self.otlp)
            .env(BASE_S, self.base_s.to_string())
            .spawn()
            .unwrap()
    }

    /// The last one takes OTLP, the others share the stream.
    fn run_collector(&self, number: usize) -> Child {
        let mut command = child("collect", &self.directory.join(format!("collector-{number}")));
        if number + 1 == COLLECTORS {
            command.env(OTLP_ADDRESS, &self.otlp);
        } else {
            command.env(NATS_URL, &self.nats);
        }
        command.spawn().unwrap()
    }

    /// Kills one and starts it again; says whom.
    fn kill(&mut self, broker: &Path, victim: usize) -> &'static str {
        match victim {
            0 => {
                end(&mut self.broker);
                self.broker = run_broker(broker, &self.directory);
                "broker"
            }
            1 => {
                end(&mut self.sensor);
                self.sensor = self.run_sensor();
                "sensor"
            }
            number => {
                let number = (number - 2) % COLLECTORS;
                end(&mut self.collectors[number]);
                self.collectors[number] = self.run_collector(number);
                "collector"
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for process in self.collectors.iter_mut().chain([&mut self.broker, &mut self.sensor]) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[test]
fn whoever_is_killed_no_event_is_lost_and_none_is_stored_twice() {
    let Some(broker) = broker() else { return };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let mut fleet = Fleet::start(&broker, directory.path());
    let mut killed: HashMap<&str, u64> = HashMap::new();
    for _ in 0..kills() {
        // A random moment is what is wanted here; nothing is waited for.
        std::thread::sleep(Duration::from_millis(random.u64(20..500)));
        *killed.entry(fleet.kill(&broker, random.usize(..2 + COLLECTORS))).or_default() += 1;
    }
    assert!(fleet.sensor.wait().unwrap().success(), "the sensor did not end well, seed {seed}");
    block_on(drained(&fleet.nats));
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
    command
        .args(["--exact", role, "--ignored", "--nocapture"])
        .env(ROLE_DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn end(process: &mut Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

fn run_broker(program: &Path, directory: &Path) -> Child {
    Command::new(program)
        .arg("-c")
        .arg(directory.join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// `deploy/prepare.sh test` puts it there.
fn broker() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/local/lib/rstscope-test/nats/nats-server");
    if path.exists() {
        return Some(path);
    }
    let why = format!("no {}; \"deploy/prepare.sh test\" gets it", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
    eprintln!("SKIPPED: {why}");
    None
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
