//! A real NATS server: killed in the middle, full, behind TLS and passwords; and one that never answers.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::TcpListener;
use std::time::Duration;

use async_nats::jetstream;
use delivery::{Identity, NatsOptions, Options, RecordKind, SinkOptions, SinkStatus, TlsOptions};

use crate::sensor::{emit, emit_noisy, minute, send, spool, start, wait};
use crate::servers::Nats;
use crate::tls::Authority;

fn nats(port: u16) -> NatsOptions {
    NatsOptions {
        urls: vec![format!("nats://127.0.0.1:{port}")],
        create_stream: true,
        timeout_s: 5.0,
        send: send(),
        ..NatsOptions::default()
    }
}

/// How often each record is in the stream, by uid.
fn stored(port: u16) -> BTreeMap<String, u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(format!("127.0.0.1:{port}")).await.unwrap();
        let stream = jetstream::new(client).get_stream("RSTSCOPE").await.unwrap();
        let mut found = BTreeMap::new();
        for number in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(number).await.unwrap();
            assert_eq!(message.headers.get("Content-Encoding").unwrap().as_str(), "zstd");
            let lines = zstd::stream::decode_all(message.payload.as_ref()).unwrap();
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let record: events::Record = serde_json::from_slice(line).unwrap();
                *found.entry(record.uid).or_default() += 1;
            }
        }
        found
    })
}

fn is_done(sink: &SinkStatus) -> bool {
    sink.lag_events == 0
}

#[test]
fn a_server_that_is_killed_in_the_middle_has_every_record_once() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mut server) = Nats::start(directory.path(), "") else { return };
    let port = server.port;
    let mut sink = nats(port);
    sink.send.batch_bytes_max = 50_000;
    let options = Options { spool: spool(directory.path()), sinks: vec![SinkOptions::Nats(sink)] };
    let mut delivery = start(&options);
    let mut sent = 0;
    for round in 0..4 {
        emit(&delivery, 2000);
        delivery.minute(&minute());
        wait(&delivery, "some more are sent", |status| status.sinks[0].sent > sent);
        server.kill_and_restart();
        if round % 2 == 1 {
            // As if the sensor were killed before it could note how far it is.
            delivery.stop();
            drop(delivery);
            let _ = std::fs::remove_file(options.spool.directory.join("nats.cursor"));
            delivery = start(&options);
        }
        sent = delivery.status().sinks[0].sent;
    }
    let status = wait(&delivery, "all is done", |status| is_done(&status.sinks[0]));
    assert!(status.losses().is_empty(), "{status:?}");
    let stored = stored(port);
    assert_eq!(stored.len(), 8004);
    let twice = stored.values().filter(|count| **count > 1).count();
    assert_eq!(twice, 0, "a batch that was stored is known by its name or by the stream's newest");
}

#[test]
fn a_full_stream_makes_records_wait_and_a_sink_knows_how_far_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = Nats::start(directory.path(), "") else { return };
    let port = server.port;
    let mut sink = NatsOptions { stream_bytes_max: 200_000, ..nats(port) };
    sink.send.batch_bytes_max = 50_000;
    sink.send.records = Some(RecordKind::ALL.to_vec());
    let sink = SinkOptions::Nats(sink);
    let options = Options { spool: spool(directory.path()), sinks: vec![sink.clone()] };
    let delivery = start(&options);
    emit_noisy(&delivery, 500);
    let status = wait(&delivery, "the stream is full", |status| {
        status.sinks[0]
            .last_error
            .as_ref()
            .is_some_and(|why| why.contains("maximum bytes exceeded"))
    });
    assert!(status.sinks[0].sent > 0 && status.sinks[0].refused == 0, "{status:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(format!("127.0.0.1:{port}")).await.unwrap();
        let mut stream = jetstream::new(client.clone()).get_stream("RSTSCOPE").await.unwrap();
        let mut config = stream.info().await.unwrap().config.clone();
        config.max_bytes = -1;
        jetstream::new(client).update_stream(config).await.unwrap();
    });
    wait(&delivery, "all is done", |status| is_done(&status.sinks[0]));
    let said = delivery::check(&sink).unwrap();
    assert!(said.contains("messages"), "{said}");
    let identity = Identity::of_this_machine("1");
    assert!(delivery::test(&sink, &identity).unwrap().contains("has stored it"));
    delivery.stop();
    std::fs::remove_file(options.spool.directory.join("nats.cursor")).unwrap();
    let delivery = start(&options);
    wait(&delivery, "nothing is sent again", |status| is_done(&status.sinks[0]));
    assert_eq!(stored(port).values().copied().max(), Some(1));
    assert_eq!(stored(port).len(), 501, "and the test");
}

#[test]
fn only_who_is_known_and_trusts_gets_in() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (certificate, key) = ours.issue("localhost");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths = [
        write("server.pem", &certificate.pem()),
        write("server.key", &key.serialize_pem()),
        write("ca.pem", &ours.pem()),
    ];
    let [certificate, key, ca] = paths.each_ref().map(|path| path.to_str().unwrap());
    let more = format!(
        "tls {{ cert_file: \"{certificate}\", key_file: \"{key}\", ca_file: \"{ca}\", verify: true }}\n\
         authorization {{ users: [{{ user: sensor, password: \"s3cret\" }}] }}"
    );
    let Some(server) = Nats::start(directory.path(), &more) else { return };
    let port = server.port;
    let check = |trusted: &Authority, shown: &Authority, user: &str| {
        let (certificate, key) = shown.client(directory.path(), "client");
        let tls = TlsOptions {
            ca_file: Some(write("trusted.pem", &trusted.pem())),
            certificate_file: Some(certificate),
            key_file: Some(key),
        };
        let sink = NatsOptions {
            urls: vec![format!("tls://localhost:{port}")],
            user_file: Some(write("user", user)),
            tls,
            ..nats(port)
        };
        delivery::check(&SinkOptions::Nats(sink)).map_err(|error| error.to_string())
    };
    // It may not listen yet.
    let begun = std::time::Instant::now();
    while let Err(error) = check(&ours, &ours, "sensor:s3cret\n") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
    }
    let error = check(&other, &ours, "sensor:s3cret").unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    check(&ours, &other, "sensor:s3cret").unwrap_err();
    let error = check(&ours, &ours, "sensor:wrong").unwrap_err();
    assert!(error.contains("uthorization"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
    let error = check(&ours, &ours, "nonsense").unwrap_err();
    assert!(error.contains("USER:PASSWORD is expected"), "{error}");
}

#[test]
fn a_server_that_never_answers_or_is_none_is_left() {
    let silence = TcpListener::bind("127.0.0.1:0").unwrap();
    let babble = TcpListener::bind("127.0.0.1:0").unwrap();
    let check = |listener: &TcpListener| {
        let port = listener.local_addr().unwrap().port();
        let sink = NatsOptions { timeout_s: 0.3, ..nats(port) };
        delivery::check(&SinkOptions::Nats(sink)).unwrap_err().to_string()
    };
    let said = check(&silence);
    assert!(said.contains("connect:"), "{said}");
    let other = babble.try_clone().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Write::write_all(&mut stream, b"220 what? \x00\xff\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let said = check(&babble);
    assert!(said.contains("connect:"), "{said}");
}

#[test]
fn what_another_stream_would_take_is_not_taken_for_stored() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = Nats::start(directory.path(), "") else { return };
    let port = server.port;
    let sink = |stream: &str, subject: &str| {
        let (stream, subject) = (stream.to_owned(), subject.to_owned());
        SinkOptions::Nats(NatsOptions { stream, subject, ..nats(port) })
    };
    let begun = std::time::Instant::now();
    while let Err(error) = delivery::check(&sink("OTHER", "other")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
    }
    delivery::check(&sink("RSTSCOPE", "rstscope")).unwrap();
    // Its subjects are those of the other one.
    let wrong = sink("RSTSCOPE", "other");
    let error = delivery::check(&wrong).unwrap_err().to_string();
    assert!(error.contains("it does not take other.") && error.contains("rstscope.>"), "{error}");
    let error = delivery::test(&wrong, &Identity::of_this_machine("1")).unwrap_err().to_string();
    assert!(error.contains("expected stream does not match"), "{error}");
    let said = delivery::check(&sink("OTHER", "other")).unwrap();
    assert!(said.contains("has 0 messages"), "{said}");
}

#[test]
fn a_stream_is_made_only_if_that_is_wished_for() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = Nats::start(directory.path(), "") else { return };
    let port = server.port;
    let check = |create_stream| {
        let sink = NatsOptions { create_stream, ..nats(port) };
        delivery::check(&SinkOptions::Nats(sink)).map_err(|error| error.to_string())
    };
    let begun = std::time::Instant::now();
    let error = loop {
        let error = check(false).unwrap_err();
        if !error.contains("connect") {
            break error;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
    };
    assert!(error.contains("nats stream add RSTSCOPE --subjects 'rstscope.>'"), "{error}");
    check(true).unwrap();
    check(false).unwrap();
}
