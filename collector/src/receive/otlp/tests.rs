//! Both encodings against what the sending side writes, and against damage.

use bytes::Bytes;
use events::encode::otlp::{
    AnyValue, ArrayValue, KeyValue, LogRecord, Logs, Resource, ResourceLogs, Scope, ScopeLogs,
    Value,
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use super::{Found, json, protobuf};

fn logs(records: &[Option<&str>]) -> Logs {
    let log_records = records.iter().map(|text| {
        let mut attributes = vec![
            KeyValue::text("client.address", "192.0.2.1"),
            KeyValue::new(
                "rst.evidence",
                Value::Array(ArrayValue { values: vec![AnyValue::text("x")] }),
            ),
            KeyValue::new("rst.other", Value::Double(0.5)),
        ];
        attributes.extend(text.map(|text| KeyValue::text(super::ATTRIBUTE, text)));
        attributes.push(KeyValue::new("rst.count", Value::Int(-1)));
        LogRecord {
            time_unix_nano: 1,
            body: Some(AnyValue::text("a reset")),
            attributes,
            ..LogRecord::default()
        }
    });
    let scope = Some(Scope { name: "rstscope".to_owned(), version: "1".to_owned() });
    let scope_logs = vec![ScopeLogs { scope, log_records: log_records.collect() }];
    let resource = Some(Resource { attributes: vec![KeyValue::text("host.name", "h")] });
    Logs { resource_logs: vec![ResourceLogs { resource, scope_logs }] }
}

fn sample() -> Logs {
    logs(&[Some("{\"uid\":\"\u{e4}\\\"\"}"), None, Some(""), Some("{}")])
}

fn expected() -> Found {
    let records = ["{\"uid\":\"\u{e4}\\\"\"}", "", "{}"].map(Bytes::from).into();
    Found { records, foreign: 1 }
}

#[test]
fn both_encodings_give_the_same_records() {
    let body = Bytes::from(sample().encode_to_vec());
    assert_eq!(protobuf::records(&body), Ok(expected()));
    let body = serde_json::to_vec(&sample()).unwrap();
    assert_eq!(json::records(&body), Ok(expected()));
}

#[test]
fn an_empty_request_has_no_records() {
    assert_eq!(protobuf::records(&Bytes::new()), Ok(Found::default()));
    assert_eq!(json::records(b"{}"), Ok(Found::default()));
    assert_eq!(json::records(b" {\"resourceLogs\":[],\"x\":{\"y\":[1]}} "), Ok(Found::default()));
}

#[test]
fn what_is_no_request_is_refused() {
    for body in ["", "[]", "{\"resourceLogs\":{}}", "{\"resourceLogs\":[1]}", "{} {}", "{\"a\":"] {
        assert!(json::records(body.as_bytes()).is_err(), "{body}");
    }
    let deep = "[".repeat(10_000);
    assert!(json::records(format!("{{\"x\":{deep}").as_bytes()).is_err());
    for body in
        [&b"\x0a\xff"[..], b"\x0a\x05abc", b"\x0b", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        assert!(protobuf::records(&Bytes::from_static(body)).is_err(), "{body:?}");
    }
}

#[test]
fn log_records_of_nothing_are_counted_only_so_far() {
    // Two bytes each: a decoder that makes a structure of each would need a hundred times as much.
    let flood = [0x12, 0].repeat(70_000);
    let wrap = |tag: u8, inner: &[u8]| {
        let mut message = vec![tag];
        prost::encoding::encode_varint(inner.len() as u64, &mut message);
        message.extend(inner);
        message
    };
    let body = Bytes::from(wrap(0x0a, &wrap(0x12, &flood)));
    assert!(protobuf::records(&body).unwrap_err().contains("more than 65536"));
    let flood = format!(
        "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{}}{}]}}]}}]}}",
        ",{}".repeat(70_000)
    );
    assert!(json::records(flood.as_bytes()).unwrap_err().contains("more than 65536"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..512)) {
        let _ = protobuf::records(&Bytes::from(bytes.clone()));
        let _ = json::records(&bytes);
    }

    #[test]
    fn damaged_requests_are_read_or_refused(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        for whole in [sample().encode_to_vec(), serde_json::to_vec(&sample()).unwrap()] {
            let mut bytes = whole.clone();
            for (place, byte) in &changes {
                *place.get_mut(&mut bytes) = *byte;
            }
            let len = cut.index(bytes.len() + 1);
            for bytes in [bytes.clone(), bytes[..len].to_vec(), whole[..len].to_vec()] {
                let found = protobuf::records(&Bytes::from(bytes.clone()));
                prop_assert!(found.is_err() || found.unwrap().records.len() <= bytes.len());
                let _ = json::records(&bytes);
            }
        }
    }

    #[test]
    fn the_walker_agrees_with_the_general_decoder(texts in vec(proptest::option::of(".{0,20}"), 0..5)) {
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let body = Bytes::from(logs(&texts).encode_to_vec());
        let found = protobuf::records(&body).unwrap();
        let truth: Vec<&[u8]> = texts.iter().flatten().map(|text| text.as_bytes()).collect();
        prop_assert_eq!(found.records.iter().map(|text| &text[..]).collect::<Vec<_>>(), truth);
        prop_assert_eq!(found.foreign as usize, texts.iter().filter(|text| text.is_none()).count());
    }
}
