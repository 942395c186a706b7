//! OTLP/HTTP.

use events::encode::otlp::LogsAnswer;
use prost::Message as _;

use crate::send::{JSON, PROTOBUF, address, body, gzip, line, logs, options, post, start, uid};
use crate::store::Memory;

#[test]
fn both_encodings_and_all_compressions_are_stored_before_they_are_answered() {
    let store = Memory::new();
    let receivers = start(&options(), &store);
    let address = address(&receivers, "otlp_http");
    let plain = |number| body(&[Some(line(number))]);
    let zstd = zstd::bulk::compress(&plain(3), 3).unwrap();
    let json = serde_json::to_vec(&logs(&[Some(line(4))])).unwrap();
    for (number, headers, sent) in [
        (1, PROTOBUF.to_owned(), plain(1)),
        (2, format!("{PROTOBUF}content-encoding: gzip\r\n"), gzip(&plain(2))),
        (3, format!("{PROTOBUF}content-encoding: zstd\r\n"), zstd),
        (4, JSON.to_owned(), json.clone()),
        (5, format!("{JSON}content-encoding: gzip\r\n"), gzip(&json)),
    ] {
        let answer = post(address, "/v1/logs", &headers, &sent);
        assert_eq!(answer.status, 200, "{number}: {answer:?}");
        assert_eq!(store.count() as u64, number.min(4));
    }
    assert_eq!(store.repeated(), 1);
    let state = receivers.state();
    assert_eq!(state.receivers[0].requests["taken"], 5);
    let kept = state.records.iter().find(|row| row.record == "event" && row.outcome == "kept");
    assert_eq!(kept.unwrap().count, 5);
}

#[test]
fn what_cannot_be_kept_is_refused_by_partial_success_counted_and_kept_aside() {
    let store = Memory::new();
    let aside = tempfile::tempdir().unwrap();
    let mut options = options();
    options.refused_directory = Some(aside.path().join("refused"));
    let receivers = start(&options, &store);
    let address = address(&receivers, "otlp_http");
    let texts = [
        Some(line(1)),
        None,
        Some("{}".to_owned()),
        Some(line(2).replace("\"x\"", "\"poison\"")),
        Some(line(3).replace("-4\"", "-5\"")),
        Some(line(5)),
    ];
    let answer = post(address, "/v1/logs", PROTOBUF, &body(&texts));
    assert_eq!(answer.status, 200);
    let partial = LogsAnswer::decode(&*answer.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 4);
    for word in ["rst.record", "no JSON object", "uid must be", "without its fields"] {
        assert!(partial.error_message.contains(word), "{}", partial.error_message);
    }
    assert!(store.has(&uid(1)) && store.has(&uid(5)) && store.count() == 2);
    let refused = receivers.state().receivers[0].refused.clone();
    for reason in ["foreign", "malformed", "name", "store"] {
        assert_eq!(refused[reason], 1, "{refused:?}");
    }
    let kept = std::fs::read_to_string(aside.path().join("refused/refused.ndjson")).unwrap();
    assert_eq!(kept.lines().count(), 3);
    let json = serde_json::to_vec(&logs(&texts)).unwrap();
    let answer = post(address, "/v1/logs", JSON, &json);
    let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["partialSuccess"]["rejectedLogRecords"], "4");
}

#[test]
fn trouble_with_the_store_is_for_later_and_its_end_is_noticed() {
    let store = Memory::new();
    let receivers = start(&options(), &store);
    let address = address(&receivers, "otlp_http");
    store.fail(1);
    let answer = post(address, "/v1/logs", PROTOBUF, &body(&[Some(line(1))]));
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 2"), "{}", answer.head);
    assert!(String::from_utf8_lossy(&answer.body).contains("the store cannot take records now"));
    let state = receivers.state();
    assert_eq!(state.problem.as_deref(), Some("the disk is full"));
    assert_eq!((state.commits_failed, store.count()), (1, 0));
    assert_eq!(post(address, "/v1/logs", PROTOBUF, &body(&[Some(line(1))])).status, 200);
    assert_eq!(receivers.state().problem, None);
}

#[test]
fn tests_are_answered_and_not_kept() {
    let store = Memory::new();
    let receivers = start(&options(), &store);
    let address = address(&receivers, "otlp_http");
    let test = line(1).replace("\"record\"", "\"test\":true,\"record\"");
    assert_eq!(post(address, "/v1/logs", PROTOBUF, &body(&[Some(test)])).status, 200);
    assert_eq!(post(address, "/v1/logs", PROTOBUF, &[]).status, 200);
    assert_eq!(store.count(), 0);
}

#[test]
fn metrics_are_declined_in_words() {
    let store = Memory::new();
    let receivers = start(&options(), &store);
    let address = address(&receivers, "otlp_http");
    let answer = post(address, "/v1/metrics", JSON, b"{}");
    assert_eq!(answer.status, 501);
    assert!(String::from_utf8_lossy(&answer.body).contains("metrics are not kept here"));
}
