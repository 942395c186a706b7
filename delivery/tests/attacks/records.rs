//! Every kind of record to whoever takes it, and a sink that the program brings along.

use std::sync::{Arc, Mutex};

use delivery::{
    Answer, Delivery, Identity, NdjsonOptions, Options, OwnSink, Record, RecordKind, SinkOptions,
    Uid,
};
use events::{Body, Evidence, Minute};

use crate::sensor::{emit, event, send, spool, wait};

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

fn minute() -> Minute {
    Minute { id: "m".to_owned(), span_s: 60, ..Minute::default() }
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
    let delivery = crate::sensor::start(&options);
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
