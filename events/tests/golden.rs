//! One full event as it goes out: the contract, byte for byte, and its proof sheet.

use classifiers::{
    Alternative, Cause, Clue, Effect, Evidence, EvidenceList, Impact, Origin, Role, Shape, Stage,
    Terminator, Value, Verdict,
};
use events::{
    Baseline, CaptureQuality, Endpoint, Event, EventStatus, PerSide, ResetFields, RoleSource,
    SCHEMA, Side, TunnelFields, UtcTime, community_id, event_id, explain,
};

/// A device resets upon a ClientHello, in the server's name.
fn verdict() -> Verdict {
    let mut evidence = EvidenceList::new();
    evidence.push(Evidence {
        clue: Clue::Prior,
        observed: Value::None,
        expected: Value::None,
        decibans: 13.0,
        says: "most resets come from whom they name",
    });
    evidence.push(Evidence {
        clue: Clue::Hops,
        observed: Value::HopLimit { raw: 62, hops: 2 },
        expected: Value::HopLimit { raw: 57, hops: 7 },
        decibans: -20.0,
        says: "it came another way than the packets of its named sender",
    });
    evidence.push(Evidence {
        clue: Clue::Causality,
        observed: Value::Nanoseconds(300_000),
        expected: Value::Nanoseconds(18_000_000),
        decibans: -30.0,
        says: "it answers bytes that cannot have reached the named sender yet",
    });
    evidence.push(Evidence {
        clue: Clue::Payload,
        observed: Value::Word("tls_client_hello"),
        expected: Value::None,
        decibans: 0.0,
        says: "the first bytes of the client drew it",
    });
    Verdict {
        role: Role::Primary,
        origin: Origin::MiddleboxToClient,
        origin_confidence: 0.994_87,
        origin_decibans: -37.04,
        terminator: Terminator::None,
        cause: Cause::PolicyResetContent,
        cause_confidence: 0.897_9,
        alternatives: [
            Some(Alternative {
                origin: Origin::MiddleboxToClient,
                cause: Cause::PolicyResetMidstream,
                confidence: 0.07,
            }),
            None,
        ],
        effect: Effect::Accepted,
        stage: Stage::PostPsh,
        impact: Impact::Aborted,
        shape: Shape::Active,
        bytes_unacked: [517, 0],
        idle: None,
        rule: "R14",
        caveat: "which signature or name drew it is not on the wire",
        declared: None,
        evidence,
    }
}

fn event(verdict: &Verdict) -> Event {
    let client = Endpoint { ip: [10, 1, 2, 3].into(), port: 40000 };
    let server = Endpoint { ip: [192, 168, 0, 9].into(), port: 443 };
    let ts = UtcTime(1_700_000_000_123_456_789);
    Event {
        id: event_id("office.pcap", 0, 14, ts),
        schema: SCHEMA,
        ts,
        status: EventStatus::Final,
        file: Some("office.pcap".into()),
        frame: Some(14),
        interface: None,
        queue: None,
        client,
        server,
        role_source: RoleSource::Syn,
        vlan: vec![100],
        tunnel: Some(TunnelFields { kind: "vxlan".into(), id: 7 }),
        community_id: community_id(client, server, 0),
        claimed: Side::Server,
        verdict: verdict.into(),
        idle_before_s: Some(0.000_3),
        age_s: Some(0.036_4),
        rtt_ms: PerSide { client: Some(1.2), server: Some(18.0) },
        packets: PerSide { client: 3, server: 1 },
        bytes: PerSide { client: 517, server: 0 },
        rst: ResetFields {
            flags: "RA".into(),
            seq_delta: Some(0),
            ack_delta: Some(0),
            ttl: 62,
            hops: 2,
            ip_id: Some(0),
            flow_label: None,
            df: Some(false),
            window: 0,
            traffic_class: 0,
            timestamps: false,
            payload_len: 0,
            payload_text: None,
        },
        peer: Some(Baseline {
            ttl: 57,
            hops: 7,
            ip_id: Some(4711),
            flow_label: None,
            df: Some(true),
            window: 65160,
            timestamps: true,
            packets: 1,
        }),
        rst_count: 1,
        other_side_rst: false,
        app: PerSide { client: Some("tls_client_hello".into()), server: None },
        context: None,
        capture: CaptureQuality { gap_seen: true, ..CaptureQuality::default() },
    }
}

#[test]
fn a_full_event_in_json() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&event(&verdict())).unwrap());
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
            for title in ["Who.", "Why.", "How sure.", "What was seen.", "What to do."] {
                assert!(sheet.contains(title), "{title} missing in {sheet}");
            }
        }
    }
}
