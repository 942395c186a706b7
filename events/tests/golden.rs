//! One full event as it goes out: the contract, byte for byte, and its proof sheet.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod sample;

use classifiers::{Alternative, Cause, Impact, Origin, Verdict};
use events::encode::otel::{Envelope, log_record};
use events::encode::{Encoding, Source};
use events::{Event, explain};
use sample::{event, verdict};

#[test]
fn a_full_event_in_json() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&event(&verdict())).unwrap());
}

#[test]
fn a_full_event_as_an_opentelemetry_log_record() {
    let envelope = Envelope {
        uid: "00000000000000ab-7",
        sequence: 7,
        observed_ns: 1_700_000_003_000_000_000,
        is_test: false,
    };
    let record = log_record(&event(&verdict()), &envelope);
    insta::assert_snapshot!(serde_json::to_string_pretty(&record).unwrap());
}

#[test]
fn a_revised_event_as_an_opentelemetry_log_record_says_what_logs_added() {
    let envelope = Envelope { uid: "u", sequence: 7, observed_ns: 0, is_test: false };
    let mut event = event(&verdict());
    let item = serde_json::json!({
        "agreement": "refined", "source": "fw1", "product": "pan_os", "said": "threat",
        "ts": event.ts, "matched": "original", "sentence": "A rule did it.", "line": "",
    });
    let conclusion = serde_json::json!({
        "origin": "client", "origin_confidence": 0.9, "cause": "policy_reset_content",
        "cause_confidence": 0.8, "sentence": "Both say so.",
    });
    event.revision = 2;
    event.corroboration = vec![serde_json::from_value(item).unwrap()];
    event.conclusion = Some(serde_json::from_value(conclusion).unwrap());
    let record = log_record(&event, &envelope);
    let said = |key: &str| {
        let found = record.attributes.iter().find(|attribute| attribute.key == key);
        serde_json::to_value(found.unwrap().value.as_ref()).unwrap()
    };
    for (key, value) in [
        ("rst.origin", serde_json::json!({ "stringValue": "middlebox_to_client" })),
        ("rst.revision", serde_json::json!({ "intValue": "2" })),
        ("rst.conclusion.origin", serde_json::json!({ "stringValue": "client" })),
        ("rst.conclusion.origin_confidence", serde_json::json!({ "doubleValue": 0.9 })),
        ("rst.conclusion.cause", serde_json::json!({ "stringValue": "policy_reset_content" })),
        ("rst.conclusion.cause_confidence", serde_json::json!({ "doubleValue": 0.8 })),
        ("rst.conclusion.sentence", serde_json::json!({ "stringValue": "Both say so." })),
        (
            "rst.corroboration",
            serde_json::json!({ "arrayValue": { "values": [{ "stringValue": "Refined: A rule did it." }] } }),
        ),
    ] {
        assert_eq!(said(key), value, "{key}");
    }
}

#[test]
fn a_full_event_survives_the_way_out_and_back() {
    let event = event(&verdict());
    let json = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
}

#[test]
fn a_name_that_is_not_known_is_refused_by_name() {
    let json = serde_json::to_string(&event(&verdict())).unwrap();
    let json = json.replace("policy_reset_content", "bad_weather");
    let error = serde_json::from_str::<Event>(&json).unwrap_err().to_string();
    assert!(error.contains("cause \"bad_weather\" is not known"), "{error}");
}

#[test]
fn the_proof_sheet_of_an_injected_reset() {
    insta::assert_snapshot!(explain::proof_sheet(&event(&verdict()), 96));
}

#[test]
fn the_proof_sheet_of_an_undecided_reset_names_both_candidates() {
    let other = |origin, cause| Some(Alternative { origin, cause, confidence: 0.45 });
    let undecided = Verdict {
        origin: Origin::Unknown,
        origin_confidence: 0.5,
        cause: Cause::Unknown,
        cause_confidence: 0.3,
        impact: Impact::Unknown,
        rule: "R99",
        rule_base: 0.0,
        alternatives: [
            other(Origin::Server, Cause::StaleConnection),
            other(Origin::MiddleboxToClient, Cause::SessionlessReset),
        ],
        ..verdict()
    };
    insta::assert_snapshot!(explain::proof_sheet(&event(&undecided), 96));
}

/// Class of bug: the time of an answer was told as the silence that it ended, because
/// `idle_before_s` ends with the reset and not with the packet that drew it.
#[test]
fn the_time_of_an_answer_is_not_told_as_a_silence() {
    let late = Verdict { cause: Cause::IdleExpiredLatePacket, ..verdict() };
    let mut event = event(&late);
    event.idle_before_s = Some(0.000_033);
    let sheet = explain::proof_sheet(&event, 96);
    assert!(sheet.contains("had been silent for a while"), "{sheet}");
    event.idle_before_s = Some(350.4);
    let sheet = explain::proof_sheet(&event, 96).replace("\n ", "");
    assert!(sheet.contains("silent for 350 s, close to 350 s"), "{sheet}");
}

#[test]
fn every_cause_and_origin_makes_a_sheet_without_gaps() {
    for &cause in Cause::ALL {
        for &origin in Origin::ALL {
            let mut event = event(&Verdict { cause, origin, ..verdict() });
            event.idle_before_s = Some(350.4);
            let sheet = explain::proof_sheet(&event, 80);
            assert!(!sheet.contains(['{', '}']), "{sheet}");
            assert!(sheet.lines().all(|line| line.chars().count() <= 100), "{sheet}");
            for title in ["  Why ", "  Effect ", "  Cost ", "dB", "\nDoubt.", "\nWhat to do."] {
                assert!(sheet.contains(title), "{title} missing in {sheet}");
            }
        }
    }
}

#[test]
fn a_full_event_in_the_words_of_ecs() {
    insta::assert_snapshot!(document(Encoding::Ecs));
}

#[test]
fn a_full_event_in_the_words_of_ocsf() {
    insta::assert_snapshot!(document(Encoding::Ocsf));
}

fn document(encoding: Encoding) -> String {
    let source = Source {
        sensor: Some("east-1"),
        version: "1.2.3",
        record: Some(("00000000000000ab-7", 7)),
        is_test: false,
    };
    let document = encoding.document(&event(&verdict()), &source).expect("an event has a document");
    serde_json::to_string_pretty(&document).expect("a document is JSON")
}
