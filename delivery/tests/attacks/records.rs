//! Every kind of record to whoever takes it, and a sink that the program brings along.

use std::sync::{Arc, Mutex};

use delivery::{
    Answer, Delivery, Identity, NdjsonOptions, Options, OtlpOptions, OwnSink, Record, RecordKind,
    SendOptions, SinkOptions, Uid,
};
use events::{Body, Evidence};

use crate::receiver::{Receiver, take, text};
use crate::sensor::{emit, event, minute, otlp, send, spool, start, wait};

/// Keeps what it is given; refuses the first attempt.
struct Keeper {
    kept: Arc<Mutex<Vec<Record>>>,
    attempts: u64,
}

impl delivery::Sink for Keeper {
    fn newest(&mut self) -> Option<Uid> {
        self.kept.lock().unwrap().last().map(|record| record.uid)
    }

    fn send(&mut self, records: &[Record]) -> Answer {
        self.attempts += 1;
        if self.attempts == 1 {
            return Answer::Later { why: "not yet".to_owned(), after: None };
        }
        self.kept.lock().unwrap().extend_from_slice(records);
        Answer::Taken { refused: 0, said: String::new() }
    }

    fn check(&mut self) -> Answer {
        Answer::Taken { refused: 0, said: String::new() }
    }
}

fn evidence() -> Evidence {
    let event = event(1);
    Evidence {
        schema: 1,
        event: event.id,
        ts: event.ts,
        client: event.client,
        server: event.server,
        interface: None,
        packets: Vec::new(),
        omitted: Some(3),
    }
}

#[test]
fn a_sink_of_our_own_gets_all_kinds_in_order_and_keeps_its_place_when_sinks_change() {
    let directory = tempfile::tempdir().unwrap();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Keeper { kept: kept.clone(), attempts: 0 };
    let mut own = OwnSink::new("store", "store", "memory", Box::new(keeper));
    own.send = send();
    let identity = Identity { sensor: "tap1".to_owned(), ..Identity::of_this_machine("1") };
    let mut options = Options { spool: spool(directory.path()), sinks: Vec::new() };
    for round in 0..2 {
        let delivery = Delivery::start(&options, &identity, std::slice::from_ref(&own)).unwrap();
        emit(&delivery, 1);
        delivery.evidence(&evidence());
        delivery.minute(&minute());
        let status = wait(&delivery, "all is kept", |status| {
            status.sinks.last().unwrap().sent == 3 * (round + 1)
        });
        let store = status.sinks.last().unwrap();
        assert_eq!((store.name.as_str(), store.kind.as_str()), ("store", "store"));
        assert_eq!(store.target, "memory");
        // Another sink beside it, as after SIGHUP.
        let file =
            NdjsonOptions { directory: Some(directory.path().join("n")), ..Default::default() };
        options.sinks = vec![SinkOptions::Ndjson(file)];
    }
    let kept = kept.lock().unwrap();
    let kinds: Vec<RecordKind> = kept.iter().map(|record| record.kind.of).collect();
    let each = [RecordKind::Event, RecordKind::Evidence, RecordKind::Minute];
    assert_eq!(kinds, [each, each].concat());
    assert!(kept.iter().map(|record| record.uid.sequence).eq(1..=6));
    assert_eq!(&*kept[0].sensor, "tap1");
    assert_eq!(kept[2].body().unwrap(), Body::Minute(minute()));
    assert_eq!(kept[1].body().unwrap(), Body::Evidence(evidence()));
}

#[test]
fn what_a_sink_does_not_take_is_not_counted_as_sent_when_the_receiver_tells_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let keeper = Keeper { kept: Arc::default(), attempts: 0 };
    let mut own = OwnSink::new("store", "store", "memory", Box::new(keeper));
    own.send = SendOptions { records: Some(vec![RecordKind::Event]), ..send() };
    // It wants minutes too, and nobody is there: all stays in the spool.
    let absent = SinkOptions::Otlp(otlp("http://127.0.0.1:1".to_owned()));
    let options = Options { spool: spool(directory.path()), sinks: vec![absent] };
    let identity = Identity::of_this_machine("1");
    for _ in 0..2 {
        let delivery = Delivery::start(&options, &identity, std::slice::from_ref(&own)).unwrap();
        if delivery.next_sequence() == 1 {
            emit(&delivery, 1);
            delivery.minute(&minute());
            emit(&delivery, 1);
        }
        let status = wait(&delivery, "both events are kept", |status| {
            status.spool.events == 3 && status.sinks[1].lag_events == 0
        });
        assert_eq!(status.sinks[1].sent, 2, "{status:?}");
        delivery.stop();
        drop(delivery);
        // As if the sensor were killed before it could note how far it is.
        std::fs::remove_file(options.spool.directory.join("store.cursor")).unwrap();
    }
}

#[test]
fn a_file_gets_the_records_that_it_names() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, records: Option<Vec<RecordKind>>| {
        let mut options = NdjsonOptions {
            name: name.to_owned(),
            directory: Some(directory.path().join(name)),
            send: send(),
            ..NdjsonOptions::default()
        };
        options.send.records = records;
        SinkOptions::Ndjson(options)
    };
    let sinks = vec![file("usual", None), file("proof", Some(vec![RecordKind::Evidence]))];
    let options = Options { spool: spool(directory.path()), sinks };
    let delivery = start(&options);
    emit(&delivery, 1);
    delivery.evidence(&evidence());
    delivery.minute(&minute());
    wait(&delivery, "all is written", |status| {
        status.spool.spooled == 3 && status.sinks.iter().all(|sink| sink.lag_events == 0)
    });
    let kinds = |name: &str| -> Vec<String> {
        let path = std::fs::read_dir(directory.path().join(name)).unwrap().next().unwrap();
        let text = std::fs::read_to_string(path.unwrap().path()).unwrap();
        let line = |line: &str| serde_json::from_str::<events::Record>(line).unwrap();
        text.lines()
            .map(|text| match line(text).body {
                Body::Event(_) => "event".to_owned(),
                Body::Minute(minute) => minute.id,
                Body::Evidence(evidence) => format!("{:?} left out", evidence.omitted),
            })
            .collect()
    };
    assert_eq!(kinds("usual"), ["event", "m"]);
    assert_eq!(kinds("proof"), ["Some(3) left out"]);
}

#[test]
fn two_sinks_cannot_have_one_name_wherever_they_were_made() {
    let directory = tempfile::tempdir().unwrap();
    let keeper = || Keeper { kept: Arc::default(), attempts: 0 };
    let own = OwnSink::new("file", "store", "memory", Box::new(keeper()));
    let sinks = vec![crate::sensor::ndjson(directory.path())];
    let options = Options { spool: spool(directory.path()), sinks };
    let error = Delivery::start(&options, &Identity::of_this_machine("1"), &[own]).unwrap_err();
    assert!(error.to_string().contains("two sinks have this name"), "{error}");
}

#[test]
fn a_receiver_without_metrics_gets_its_events_and_minutes_are_counted_as_refused() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| take());
    receiver.answer_metrics(404);
    let sinks = vec![SinkOptions::Otlp(otlp(receiver.url()))];
    let delivery = start(&Options { spool: spool(directory.path()), sinks });
    delivery.minute(&minute());
    let status = wait(&delivery, "the minute is refused", |status| status.sinks[0].refused == 1);
    let why = status.sinks[0].last_error.clone().unwrap();
    assert!(why.contains("answers 404") && why.contains("send.records = [\"event\"]"), "{why}");
    emit(&delivery, 3);
    receiver.wait_for(3);
    receiver.answer_metrics(503);
    delivery.minute(&minute());
    emit(&delivery, 3);
    wait(&delivery, "it is retried", |status| status.sinks[0].retried > 0);
    receiver.answer_metrics(200);
    let status = wait(&delivery, "all is done", |status| {
        status.spool.spooled == 8 && status.sinks[0].lag_events == 0
    });
    assert_eq!((status.sinks[0].sent, status.sinks[0].refused), (7, 1), "{status:?}");
    assert_eq!(receiver.kept(|kept| kept.repeats), 0, "what was taken is not sent again");
    assert!(receiver.kept(|kept| !kept.metrics.is_empty()));
}

#[test]
fn our_own_collector_gets_every_record_whole() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| take());
    let mut sink = OtlpOptions { canonical: true, ..otlp(receiver.url()) };
    sink.send.records = Some(RecordKind::ALL.to_vec());
    let sinks = vec![SinkOptions::Otlp(sink)];
    let delivery = start(&Options { spool: spool(directory.path()), sinks });
    let kinds = ["tcp.reset", "rstscope.minute", "rstscope.evidence"];
    for (n, name) in kinds.into_iter().enumerate() {
        match n {
            0 => emit(&delivery, 1),
            1 => delivery.minute(&minute()),
            _ => delivery.evidence(&evidence()),
        }
        wait(&delivery, "it is sent", |status| status.sinks[0].sent == n as u64 + 1);
        let last = receiver.kept(|kept| kept.last.clone()).unwrap();
        assert_eq!(last.event_name, name);
        let record: events::Record = serde_json::from_str(&text(&last, "rst.record")).unwrap();
        assert_eq!(record.uid, text(&last, "log.record.uid"));
        match record.body {
            Body::Event(told) => assert_eq!(told, event(1)),
            Body::Minute(told) => assert_eq!(told, minute()),
            Body::Evidence(told) => assert_eq!(told, evidence()),
        }
    }
}
