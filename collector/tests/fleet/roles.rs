//! What the killed processes do: this program again, told by its environment which part to play.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use collector::{
    ClickHouse, ClickHouseError, ClickHouseOptions, Gather, Keep, Listen, NatsOptions,
    ReceiveOptions, Receivers, Store, StoreOptions,
};
use delivery::{Delivery, Identity, Options, OtlpOptions, SendOptions, SinkOptions, SpoolOptions};
use events::{Body, Event, Minute, UtcTime};

use super::store_support::{NS, event, minute};
use super::{PATIENCE, number};

/// What a child is told.
pub(crate) const ROLE_DIRECTORY: &str = "RSTSCOPE_FLEET_DIRECTORY";
pub(crate) const NATS_URL: &str = "RSTSCOPE_FLEET_NATS";
pub(crate) const OTLP_ADDRESS: &str = "RSTSCOPE_FLEET_OTLP";
pub(crate) const CLICKHOUSE_URL: &str = "RSTSCOPE_FLEET_CLICKHOUSE";
pub(crate) const BASE_S: &str = "RSTSCOPE_FLEET_BASE_S";
pub(crate) const RECORDS: &str = "RSTSCOPE_FLEET_RECORDS";

/// The sensor: record n is number n, however often it is killed.
#[test]
#[ignore = "is started and killed by the other tests"]
fn sensor() {
    let Some(directory) = std::env::var_os(ROLE_DIRECTORY).map(PathBuf::from) else { return };
    let identity = Identity { sensor: "sensor".to_owned(), ..Identity::of_this_machine("test") };
    let delivery = Delivery::start(&delivery_options(&directory), &identity, &[]).unwrap();
    let (base_s, last) = (number(BASE_S, 0), number(RECORDS, 0));
    for n in delivery.next_sequence()..=last {
        while n - delivery.next_sequence() > 1000 {
            std::thread::yield_now();
        }
        match record(n, base_s) {
            Body::Event(event) => delivery.emit(&event),
            Body::Minute(minute) => delivery.minute(&minute),
            Body::Evidence(_) => unreachable!("none is made"),
        }
    }
    let begun = Instant::now();
    while delivery.next_sequence() <= last
        || delivery.status().sinks.iter().any(|sink| sink.lag_events > 0)
    {
        assert!(begun.elapsed() < PATIENCE, "{:?}", delivery.status());
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = delivery.status();
    assert!(status.losses().is_empty(), "{status:?}");
    delivery.stop();
}

fn delivery_options(directory: &Path) -> Options {
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
    Options { spool, sinks: vec![SinkOptions::Nats(nats), SinkOptions::Otlp(otlp)] }
}

/// What record n says: now and then a minute, mostly an event, a millisecond after the one before.
pub(crate) fn record(n: u64, base_s: u64) -> Body {
    if is_minute(n) {
        let start_s = (base_s / 60 + n / MINUTE_EVERY % MINUTES) * 60;
        let minute = minute(start_s, 5, n);
        return Body::Minute(Minute { id: format!("minute-{n}"), ..minute });
    }
    let at = base_s * NS + n * 1_000_000;
    Body::Event(Event { id: format!("{n:016x}"), ts: UtcTime(at), ..event(n, at) })
}

pub(crate) fn is_minute(n: u64) -> bool {
    n.is_multiple_of(MINUTE_EVERY)
}

/// A collector: receivers and a store.
#[test]
#[ignore = "is started and killed by the other tests"]
fn collect() {
    let Some(directory) = std::env::var_os(ROLE_DIRECTORY).map(PathBuf::from) else { return };
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
    let (keep, gather) = keep(&directory);
    let _receivers = Receivers::start(&options, keep, gather).unwrap();
    loop {
        std::thread::park();
    }
}

fn keep(directory: &Path) -> (Arc<dyn Keep>, Gather) {
    let Ok(url) = std::env::var(CLICKHOUSE_URL) else {
        return (Arc::new(Store::open(&store_options(directory)).unwrap()), Gather::AT_ONCE);
    };
    let options = ClickHouseOptions { url, ..ClickHouseOptions::default() };
    let gather = Gather { records_least: 1000, wait: Duration::from_millis(200) };
    (Arc::new(opened(&options)), gather)
}

/// ClickHouse as soon as it can be used: a service would be started again until then.
pub(crate) fn opened(options: &ClickHouseOptions) -> ClickHouse {
    let begun = Instant::now();
    loop {
        match ClickHouse::open(options) {
            Ok(store) => return store,
            Err(error @ ClickHouseError::Statement { .. }) => {
                assert!(begun.elapsed() < PATIENCE, "{error}");
            }
            Err(error) => panic!("{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn store_options(directory: &Path) -> StoreOptions {
    StoreOptions { directory: directory.join("store"), ..StoreOptions::default() }
}

/// A record of so many is a minute.
const MINUTE_EVERY: u64 = 100;
/// Different ones, many of each.
const MINUTES: u64 = 50;
