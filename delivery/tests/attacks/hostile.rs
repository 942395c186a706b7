//! Receivers that drop connections, refuse, stall, babble, and stand still.

use std::time::Duration;

use delivery::{Compression, Options, OtlpEncoding, OtlpOptions, SendOptions, SinkOptions};

use crate::receiver::{Deed, Receiver, take, text};
use crate::sensor::{emit, event, otlp, send, spool, start, wait};

fn options(directory: &std::path::Path, sink: OtlpOptions) -> Options {
    Options { spool: spool(directory), sinks: vec![SinkOptions::Otlp(sink)] }
}

#[test]
fn every_event_arrives_once_at_a_receiver_that_misbehaves_in_every_way() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number, _| match number % 7 {
        1 => Deed::Refuse(503, "retry-after: 0\r\n"),
        2 => Deed::KeepAndDie,
        3 => Deed::Babble,
        4 => Deed::Die,
        5 => Deed::Refuse(429, ""),
        _ => take(),
    });
    let mut sink = otlp(receiver.url());
    sink.send = SendOptions { batch_bytes_max: 40_000, ..send() };
    let delivery = start(&options(directory.path(), sink));
    emit(&delivery, 500);
    receiver.wait_for(500);
    let status = wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    let sink = &status.sinks[0];
    assert_eq!((sink.sent, sink.refused, sink.dropped, sink.damaged), (500, 0, 0, 0));
    assert!(sink.retried > 0, "{sink:?}");
    let mut ids: Vec<String> = receiver.kept(|kept| kept.records.values().cloned().collect());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 500, "each uid is one event");
    assert!(receiver.kept(|kept| kept.repeats) > 0, "the receiver was tempted");
}

#[test]
fn a_receiver_that_stalls_is_left_and_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number, _| match number {
        1 => Deed::Stall(Duration::from_secs(5)),
        _ => take(),
    });
    let sink = OtlpOptions { timeout_s: 0.2, ..otlp(receiver.url()) };
    let delivery = start(&options(directory.path(), sink));
    emit(&delivery, 10);
    let status = wait(&delivery, "all is sent", |status| status.sinks[0].sent == 10);
    assert!(status.sinks[0].retried >= 1);
    assert!(receiver.kept(|kept| kept.repeats) >= 10, "it had them already");
}

#[test]
fn a_sensor_that_stops_does_not_wait_until_a_slow_receiver_has_all() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| {
        std::thread::sleep(Duration::from_millis(20));
        take()
    });
    let mut sink = otlp(receiver.url());
    // One event a request: all of them take a minute.
    sink.send.batch_bytes_max = 1;
    let options = options(directory.path(), sink);
    let delivery = start(&options);
    emit(&delivery, 3000);
    receiver.wait_for(1);
    delivery.stop();
    let sink = &delivery.status().sinks[0];
    assert!(sink.sent > 0 && sink.lag_events > 1000, "{sink:?}");
    assert_eq!(sink.sent + sink.lag_events, 3000);
    let seen = delivery::inspect(&options.spool.directory).unwrap();
    assert_eq!((seen.sinks[0].sent, seen.sinks[0].lag_events), (sink.sent, sink.lag_events));
}

#[test]
fn events_wait_for_a_receiver_that_is_stopped_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(|_, _| take());
    let options = options(directory.path(), otlp(receiver.url()));
    let delivery = start(&options);
    emit(&delivery, 100);
    wait(&delivery, "the first are sent", |status| status.sinks[0].sent == 100);
    receiver.stop();
    emit(&delivery, 5000);
    let down = wait(&delivery, "it is missed", |status| status.sinks[0].last_error.is_some());
    assert!(down.sinks[0].lag_events >= 4900, "{down:?}");
    // The sensor is restarted too: what waits is on disk.
    delivery.stop();
    let seen = delivery::inspect(&options.spool.directory).unwrap();
    assert_eq!((seen.sinks[0].sent, seen.sinks[0].lag_events), (100, 5000));
    let delivery = start(&options);
    receiver.restart();
    receiver.wait_for(5100);
    let up = wait(&delivery, "all is sent", |status| status.sinks[0].lag_events == 0);
    assert_eq!((up.sinks[0].sent, up.sinks[0].dropped), (5100, 0));
    assert_eq!((up.sinks[0].last_error.as_deref(), up.sinks[0].lag_s), (None, 0.0));
    let spool = wait(&delivery, "it is freed", |status| status.spool.bytes < 64 << 10).spool;
    assert_eq!((spool.not_spooled, spool.error), (0, None));
}

#[test]
fn one_event_that_is_refused_for_good_does_not_take_others_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let poisoned = |records: &[_]| records.iter().any(|r| text(r, "event.id").ends_with("77"));
    let receiver = Receiver::start(
        move |_, records| {
            if poisoned(records) { Deed::Refuse(400, "") } else { take() }
        },
    );
    let delivery = start(&options(directory.path(), otlp(receiver.url())));
    emit(&delivery, 300);
    let status = wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    assert_eq!((status.sinks[0].sent, status.sinks[0].refused), (297, 3));
    assert_eq!(status.losses().get("events_refused_by_sink"), Some(&3));
    let kept = std::fs::read_to_string(directory.path().join("spool/otlp.refused.ndjson")).unwrap();
    assert_eq!(kept.lines().count(), 3);
    assert!(kept.contains("answers 400: no") && kept.contains("\"id\":\"0000000000000077\""));
}

#[test]
fn a_receiver_that_refuses_every_request_costs_no_event() {
    let directory = tempfile::tempdir().unwrap();
    // A port for TLS that gets plain HTTP, say; mended later.
    let receiver = Receiver::start(|number, _| match number {
        0..=40 => Deed::Refuse(400, ""),
        _ => take(),
    });
    let delivery = start(&options(directory.path(), otlp(receiver.url())));
    emit(&delivery, 300);
    receiver.wait("it is asked", |kept| (kept.requests > 20).then_some(()));
    let status = wait(&delivery, "all is sent", |status| status.sinks[0].lag_events == 0);
    assert_eq!((status.sinks[0].sent, status.sinks[0].refused), (300, 0), "{status:?}");
}

#[test]
fn what_a_partial_success_names_is_counted_as_refused() {
    let directory = tempfile::tempdir().unwrap();
    let body = b"\x0a\x0b\x08\x02\x12\x07too old".to_vec();
    let receiver = Receiver::start(move |_, _| {
        Deed::Answer(200, "content-type: application/x-protobuf\r\n", body.clone())
    });
    let mut sink = otlp(receiver.url());
    sink.send.batch_wait_s = 5.0;
    sink.send.batch_bytes_max = 1;
    let delivery = start(&options(directory.path(), sink));
    emit(&delivery, 3);
    let status = wait(&delivery, "all is done", |status| status.sinks[0].lag_events == 0);
    // One a batch, and nobody can refuse more than was sent.
    assert_eq!((status.sinks[0].sent, status.sinks[0].refused), (0, 3));
    assert!(status.sinks[0].last_error.as_deref().unwrap().ends_with("answers 200: too old"));
}

#[test]
fn a_receiver_that_does_not_know_us_gets_all_events_once_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    let receiver = Receiver::start(|number, _| match number {
        1 => Deed::Refuse(401, ""),
        2 => Deed::Refuse(404, ""),
        _ => take(),
    });
    std::fs::write(&token, "secret\n").unwrap();
    let mut sink = OtlpOptions {
        token_file: Some(token),
        compression: Compression::Zstd,
        ..otlp(receiver.url())
    };
    sink.headers.insert("X-Scope-OrgID".to_owned(), "net".to_owned());
    sink.resource.insert("site".to_owned(), "north".to_owned());
    let delivery = start(&options(directory.path(), sink));
    emit(&delivery, 20);
    receiver.wait_for(20);
    let (head, resource, last) =
        receiver.kept(|kept| (kept.head.clone(), kept.resource.clone(), kept.last.clone()));
    assert!(head.starts_with("post /v1/logs http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer secret\r\n"), "{head}");
    assert!(head.contains("x-scope-orgid: net\r\n"), "{head}");
    let keys: Vec<&str> = resource.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(
        keys,
        ["host.name", "service.instance.id", "service.name", "service.version", "site"]
    );
    let last = last.unwrap();
    assert_eq!((last.event_name.as_str(), last.severity_text.as_str()), ("tcp.reset", "WARN"));
    assert_eq!(last.time_unix_nano, event(20).ts.0);
    assert_eq!(text(&last, "rst.origin"), "middlebox_to_client");
}

#[test]
fn provisional_and_final_verdicts_are_records_of_their_own_where_both_are_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| take());
    let mut both = OtlpOptions { name: "both".to_owned(), ..otlp(receiver.url()) };
    both.send.provisional = true;
    let final_only = Receiver::start(|_, _| take());
    let sinks = vec![SinkOptions::Otlp(both), SinkOptions::Otlp(otlp(final_only.url()))];
    let delivery = start(&Options { spool: spool(directory.path()), sinks });
    let told = event(1);
    let early = events::Event { status: events::EventStatus::Provisional, ..told.clone() };
    delivery.emit(&early);
    delivery.emit(&told);
    receiver.wait_for(2);
    final_only.wait_for(1);
    wait(&delivery, "all is done", |status| status.sinks.iter().all(|sink| sink.lag_events == 0));
    let (records, last) = receiver.kept(|kept| (kept.records.clone(), kept.last.clone()));
    assert!(records.values().all(|id| *id == told.id), "two uids, one event");
    assert_eq!(text(&last.unwrap(), "rst.status"), "final");
    assert_eq!(final_only.kept(|kept| kept.records.len()), 1);
}

#[test]
fn a_sink_is_checked_without_an_event_and_tried_with_one_that_is_marked() {
    let receiver = Receiver::start(|number, _| match number {
        3 => Deed::Refuse(403, ""),
        _ => take(),
    });
    let sink = SinkOptions::Otlp(otlp(receiver.url()));
    let said = delivery::check(&sink).unwrap();
    assert_eq!(said, format!("{}/v1/logs answers 200", receiver.url()));
    assert_eq!(receiver.kept(|kept| (kept.requests, kept.records.len())), (1, 0));
    let identity = delivery::Identity::of_this_machine("1");
    delivery::test(&sink, &identity).unwrap();
    let last = receiver.kept(|kept| kept.last.clone()).unwrap();
    assert!(last.attributes.iter().any(|attribute| attribute.key == "rst.test"));
    let error = delivery::test(&sink, &identity).unwrap_err().to_string();
    assert!(error.contains("answers 403: no (see token_file"), "{error}");
    let nobody =
        OtlpOptions { encoding: OtlpEncoding::Json, ..otlp(String::from("http://[::1]:9")) };
    let error = delivery::check(&SinkOptions::Otlp(nobody)).unwrap_err().to_string();
    assert!(error.contains("http://[::1]:9/v1/logs"), "{error}");
}
