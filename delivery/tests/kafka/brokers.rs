//! Kafka brokers that die, lose answers, refuse, and want to know who we are: librdkafka's own broker over TCP.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use delivery::{
    Identity, KafkaCompression, KafkaKey, KafkaOptions, KafkaSasl, Options, RecordKind,
    SinkOptions, TlsOptions,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

use crate::authority::Authority;
use crate::gate::Gate;
use crate::sensor::{emit, emit_noisy, event, minute, send, spool, start, wait};

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// So many brokers, and three partitions of each topic.
fn cluster(brokers: i32) -> Cluster {
    let cluster = MockCluster::new(brokers).unwrap();
    for kind in RecordKind::ALL {
        let topic = format!("rstscope.{}", kind.name());
        cluster.create_topic(&topic, PARTITIONS, brokers.min(3)).unwrap();
    }
    // What the gate reads.
    cluster.apiversion(RDKafkaApiKey::Produce, Some(3), Some(8)).unwrap();
    cluster
}

fn kafka(brokers: &str) -> KafkaOptions {
    KafkaOptions {
        brokers: brokers.split(',').map(str::to_owned).collect(),
        timeout_s: 5.0,
        send: send(),
        ..KafkaOptions::default()
    }
}

fn options(directory: &Path, sink: &KafkaOptions) -> Options {
    Options { spool: spool(directory), sinks: vec![SinkOptions::Kafka(sink.clone())] }
}

/// A message as a reader sees it.
struct Read {
    partition: i32,
    key: String,
    uid: String,
    record: events::Record,
}

/// All messages of a topic; those of a partition in their order.
fn read(cluster: &Cluster, topic: &str) -> Vec<Read> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "reader")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut read, mut ends, mut troubles) = (Vec::new(), 0, 0);
    while ends < PARTITIONS {
        match consumer.poll(Duration::from_secs(60)).expect("an answer in a minute") {
            Ok(message) => {
                let header = |name: &str| {
                    let headers = message.headers().unwrap();
                    let found = headers.iter().find(|header| header.key == name).unwrap();
                    String::from_utf8(found.value.unwrap().to_vec()).unwrap()
                };
                assert_eq!(topic, format!("rstscope.{}", header("record")));
                read.push(Read {
                    partition: message.partition(),
                    key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
                    uid: header("uid"),
                    record: serde_json::from_slice(message.payload().unwrap()).unwrap(),
                });
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ends += 1,
            // It is told that a broker was away, and goes on.
            Err(error) => {
                troubles += 1;
                assert!(troubles < 100, "reader: {error}");
            }
        }
    }
    assert!(read.iter().all(|read| read.uid == read.record.uid));
    read
}

/// How often each record is there, by sequence.
fn counts(read: &[Read]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for read in read {
        *counts.entry(read.record.sequence).or_default() += 1;
    }
    counts
}

#[test]
fn answers_that_get_lost_store_no_record_twice_and_break_no_order() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    let gate = Gate::open(&cluster.bootstrap_servers(), 5);
    let mut sink = KafkaOptions { key: KafkaKey::Sensor, ..kafka(&gate.address()) };
    sink.send.batch_bytes_max = 30_000;
    let delivery = start(&options(directory.path(), &sink));
    for _ in 0..5 {
        emit(&delivery, 200);
        delivery.minute(&minute());
    }
    let status = wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    assert!(status.losses().is_empty(), "{status:?}");
    let (batches, lost, known) = gate.seen(|seen| (seen.batches, seen.lost, seen.known));
    println!("{batches} batches, {lost} answers lost, {known} came again and were known");
    assert!(lost > 5 && known >= lost);
    let events = read(&cluster, "rstscope.event");
    assert_eq!(counts(&events).len(), 1000);
    assert_eq!(events.len(), 1000, "each once");
    let partition = events[0].partition;
    assert!(events.iter().all(|read| read.partition == partition), "one key, one partition");
    assert!(events.is_sorted_by_key(|read| read.record.sequence));
    assert_eq!(read(&cluster, "rstscope.minute").len(), 5);
}

#[test]
fn brokers_that_go_away_and_answer_errors_cost_no_record() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(3);
    let sink = kafka(&cluster.bootstrap_servers());
    let delivery = start(&options(directory.path(), &sink));
    use RDKafkaRespErr::*;
    let errors = [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    for round in 0..4 {
        cluster.request_errors(RDKafkaApiKey::Produce, &errors);
        emit(&delivery, 300);
        let broker = round % 3 + 1;
        cluster.broker_down(broker).unwrap();
        emit(&delivery, 300);
        for partition in 0..PARTITIONS {
            let leader = Some(broker % 3 + 1);
            cluster.partition_leader("rstscope.event", partition, leader).unwrap();
        }
        emit(&delivery, 1);
        wait(&delivery, "the others do it", |status| status.sinks[0].lag_events == 0);
        cluster.broker_up(broker).unwrap();
    }
    let status = delivery.status();
    assert!(status.losses().is_empty(), "{status:?}");
    let events = read(&cluster, "rstscope.event");
    println!("{} messages", events.len());
    assert!(counts(&events).into_keys().eq(1..=2404), "{} messages", events.len());
}

#[test]
fn what_is_sent_again_after_a_kill_is_known_by_its_uid() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    let options = options(directory.path(), &kafka(&cluster.bootstrap_servers()));
    let delivery = start(&options);
    emit(&delivery, 500);
    wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    delivery.stop();
    // As if it had been killed before it could note how far it is.
    std::fs::remove_file(options.spool.directory.join("kafka.cursor")).unwrap();
    let delivery = start(&options);
    emit(&delivery, 500);
    wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    let events = read(&cluster, "rstscope.event");
    let mut uids: Vec<&str> = events.iter().map(|read| read.uid.as_str()).collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), 1000);
    assert!(counts(&events).into_keys().eq(1..=1000));
    assert!(counts(&events).values().all(|count| *count <= 2));
    let server = event(1).server;
    assert!(events.iter().all(|read| read.key == server.to_string()));
}

#[test]
fn a_record_that_is_too_long_is_refused_alone() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    let usual = serde_json::to_vec(&event(1)).unwrap().len() as u32;
    let mut sink = kafka(&cluster.bootstrap_servers());
    sink.message_bytes_max = usual + 500;
    sink.compression = KafkaCompression::None;
    let options = options(directory.path(), &sink);
    let delivery = start(&options);
    emit(&delivery, 5);
    emit_noisy(&delivery, 1);
    emit(&delivery, 5);
    let status = wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    assert_eq!((status.sinks[0].sent, status.sinks[0].refused), (10, 1), "{status:?}");
    let kept = options.spool.directory.join("kafka.refused.ndjson");
    let kept = std::fs::read_to_string(kept).unwrap();
    assert_eq!(kept.lines().count(), 1);
    assert!(kept.contains("message_bytes_max"), "{kept}");
    // What a broker finds too long is a whole batch: its halves are taken.
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    cluster.request_errors(RDKafkaApiKey::Produce, &[error]);
    emit(&delivery, 4);
    let status = wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    assert_eq!((status.sinks[0].sent, status.sinks[0].refused), (14, 1), "{status:?}");
    assert_eq!(read(&cluster, "rstscope.event").len(), 14);
}

#[test]
fn batches_are_compressed_as_chosen() {
    let cluster = cluster(1);
    for (compression, codec) in
        [(KafkaCompression::None, 0), (KafkaCompression::Lz4, 3), (KafkaCompression::Zstd, 4)]
    {
        let gate = Gate::open(&cluster.bootstrap_servers(), 0);
        let directory = tempfile::tempdir().unwrap();
        let sink = KafkaOptions { compression, ..kafka(&gate.address()) };
        let delivery = start(&options(directory.path(), &sink));
        emit(&delivery, 100);
        wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
        gate.seen(|seen| {
            assert!(!seen.codecs.is_empty() && seen.codecs.iter().all(|c| *c == codec))
        });
    }
    assert_eq!(read(&cluster, "rstscope.event").len(), 300);
}

#[test]
fn only_who_is_known_and_trusts_gets_in() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let cluster = cluster(1);
    let gate = Gate::open_tls(&cluster.bootstrap_servers(), &ours, Some("sensor:s3cret"));
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let sink = |trusted: &Authority, shown: &Authority, user: &str| {
        let (certificate, key) = shown.client(directory.path(), "client");
        let tls = TlsOptions {
            ca_file: Some(write("trusted.pem", &trusted.pem())),
            certificate_file: Some(certificate),
            key_file: Some(key),
        };
        KafkaOptions {
            brokers: vec![format!("tls://{}", gate.address())],
            sasl: Some(KafkaSasl::Plain),
            user_file: Some(write("user", user)),
            timeout_s: 3.0,
            tls,
            ..kafka("")
        }
    };
    let check = |trusted: &Authority, shown: &Authority, user: &str| {
        let sink = SinkOptions::Kafka(sink(trusted, shown, user));
        delivery::check(&sink).map_err(|error| error.to_string())
    };
    let error = check(&other, &ours, "sensor:s3cret").unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    check(&ours, &other, "sensor:s3cret").unwrap_err();
    let error = check(&ours, &ours, "sensor:wrong").unwrap_err();
    assert!(error.contains("uthentication") && !error.contains("wrong"), "{error}");
    assert!(!gate.seen(|seen| seen.logged_in));
    let error = check(&ours, &ours, "nonsense").unwrap_err();
    assert!(error.contains("USER:PASSWORD is expected"), "{error}");
    let said = check(&ours, &ours, "sensor:s3cret\n").unwrap();
    assert!(said.contains("rstscope.event (3 partitions), rstscope.minute"), "{said}");
    assert!(gate.seen(|seen| seen.logged_in));
    // A password that is put right is taken without a restart.
    let sink = sink(&ours, &ours, "sensor:old");
    let delivery = start(&options(directory.path(), &sink));
    emit(&delivery, 10);
    wait(&delivery, "it is not let in", |status| status.sinks[0].last_error.is_some());
    write("user", "sensor:s3cret");
    wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    assert_eq!(read(&cluster, "rstscope.event").len(), 10);
}

#[test]
fn a_broker_that_never_answers_or_is_none_is_left_and_a_missing_topic_is_named() {
    let silence = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let identity = Identity::of_this_machine("1");
    for address in [silence.local_addr().unwrap(), nobody] {
        let sink = KafkaOptions { timeout_s: 0.5, ..kafka(&address.to_string()) };
        let sink = SinkOptions::Kafka(sink);
        let said = delivery::check(&sink).unwrap_err().to_string();
        assert!(said.contains(&address.to_string()), "{said}");
        let said = delivery::test(&sink, &identity).unwrap_err().to_string();
        assert!(said.contains("1 of 1 records not acknowledged in 0.5 s"), "{said}");
    }
    let cluster = cluster(1);
    let sink = SinkOptions::Kafka(kafka(&cluster.bootstrap_servers()));
    let said = delivery::check(&sink).unwrap();
    assert!(said.contains("rstscope.event (3 partitions)"), "{said}");
    let said = delivery::test(&sink, &identity).unwrap();
    assert!(said.contains("has stored it: rstscope.event, partition"), "{said}");
    let stored = read(&cluster, "rstscope.event");
    assert!(stored.len() == 1 && stored[0].record.test);
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    cluster.topic_error("rstscope.event", missing).unwrap();
    let said = delivery::check(&sink).unwrap_err().to_string();
    assert!(said.contains("make the topic (kafka-topics.sh --create)"), "{said}");
}

const PARTITIONS: i32 = 3;
