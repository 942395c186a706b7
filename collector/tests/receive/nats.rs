//! A real NATS server: several collectors on one consumer, a server that is killed, batches that nobody can read.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use collector::{Listen, NatsOptions, ReceiveOptions, Receivers};

use crate::send::{line, start, uid};
use crate::servers::Nats;
use crate::store::{Memory, PATIENCE};

fn options(server: &Nats) -> ReceiveOptions {
    let nats = NatsOptions { servers: vec![server.url()], ack_wait_s: 2, ..NatsOptions::default() };
    ReceiveOptions {
        otlp_http: Listen::Off,
        otlp_grpc: Listen::Off,
        nats: Some(nats),
        ..ReceiveOptions::default()
    }
}

/// A client that publishes as sensors do.
async fn publisher(server: &Nats) -> jetstream::Context {
    let client = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .reconnect_delay_callback(|_| Duration::from_millis(20))
        .connect(server.url())
        .await
        .unwrap();
    let context = jetstream::new(client);
    loop {
        let config = stream::Config {
            name: "RSTSCOPE".to_owned(),
            subjects: vec!["rstscope.>".to_owned()],
            ..stream::Config::default()
        };
        if context.get_or_create_stream(config).await.is_ok() {
            return context;
        }
    }
}

/// Publishes until the server has it; so a batch may be there twice.
async fn publish(context: &jetstream::Context, headers: HeaderMap, body: Vec<u8>) {
    loop {
        let sent = context
            .publish_with_headers("rstscope.here.event", headers.clone(), body.clone().into())
            .await;
        if let Ok(acknowledged) = sent
            && acknowledged.await.is_ok()
        {
            return;
        }
    }
}

fn batch(numbers: std::ops::Range<u64>) -> Vec<u8> {
    numbers.map(|number| line(number) + "\n").collect::<String>().into_bytes()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn wait(receivers: &Receivers, what: &str, is_so: impl Fn(&collector::ReceiverState) -> bool) {
    let begun = std::time::Instant::now();
    while !is_so(&receivers.state().receivers[0]) {
        assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", receivers.state());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn two_collectors_share_batches_and_a_killed_server_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut server) = Nats::start(directory.path(), "") else { return };
    let stores = [Memory::new(), Memory::new()];
    let collectors: Vec<Receivers> =
        stores.iter().map(|store| start(&options(&server), store)).collect();
    block_on(async {
        let context = publisher(&server).await;
        for number in 0..100 {
            if number == 30 || number == 60 {
                server.kill_and_restart();
            }
            let mut headers = HeaderMap::new();
            let mut body = batch(number * 10..number * 10 + 10);
            if number % 2 == 0 {
                headers.insert("Content-Encoding", "zstd");
                body = zstd::bulk::compress(&body, 1).unwrap();
            }
            publish(&context, headers, body).await;
        }
    });
    let begun = std::time::Instant::now();
    let has_all = || (0..1000).all(|number| stores.iter().any(|store| store.has(&uid(number))));
    while !has_all() {
        assert!(begun.elapsed() < PATIENCE, "{:?}", stores.each_ref().map(|store| store.count()));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(stores.iter().all(|store| store.count() > 0), "both had something to do");
    drop(collectors);
}

#[test]
fn what_the_store_cannot_take_comes_again_and_what_nobody_can_read_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = Nats::start(directory.path(), "") else { return };
    let store: Arc<Memory> = Memory::new();
    store.fail(2);
    let mut options = options(&server);
    options.refused_directory = Some(directory.path().join("refused"));
    let receivers = start(&options, &store);
    block_on(async {
        let context = publisher(&server).await;
        publish(&context, HeaderMap::new(), batch(0..10)).await;
        let mut headers = HeaderMap::new();
        headers.insert("Content-Encoding", "gzip");
        publish(&context, headers.clone(), b"no gzip".to_vec()).await;
        headers.insert("Content-Encoding", "rot13");
        publish(&context, headers, batch(0..1)).await;
        publish(&context, HeaderMap::new(), b" \n".to_vec()).await;
        let half = [b"no record\n".to_vec(), batch(10..12)].concat();
        publish(&context, HeaderMap::new(), half).await;
    });
    store.wait_for(12);
    wait(&receivers, "three batches are refused", |state| {
        let refused = state.requests["malformed"] + state.requests["unsupported"];
        // The good half of a batch is stored before its bad half is counted.
        refused == 3 && state.refused["malformed"] == 4
    });
    let state = receivers.state();
    assert_eq!(state.commits_failed, 2);
    // A commit may hold several batches.
    assert!(state.receivers[0].requests["unstored"] >= 2);
    let kept = std::fs::read_to_string(directory.path().join("refused/refused.ndjson")).unwrap();
    assert_eq!(kept.lines().count(), 4);
    // Nothing is left to be given again.
    block_on(async {
        let context = publisher(&server).await;
        let stream = context.get_stream("RSTSCOPE").await.unwrap();
        loop {
            let mut consumer: jetstream::consumer::PullConsumer =
                stream.get_consumer("collectors").await.unwrap();
            let info = consumer.info().await.unwrap();
            if info.num_ack_pending == 0 && info.num_pending == 0 {
                break;
            }
        }
    });
}
