//! A full event to vary: a device resets upon a ClientHello, in the server's name.

use classifiers::{
    Alternative, Cause, Clue, Cost, Effect, EffectBasis, Evidence, EvidenceList, Impact, Origin,
    Reaction, Reception, Role, Shape, Stage, Terminator, Value, Verdict,
};
use events::{
    Baseline, CaptureQuality, Endpoint, Event, EventStatus, PerSide, ResetFields, RoleSource,
    SCHEMA, Side, TunnelFields, UtcTime, community_id, event_id,
};

/// The verdict.
#[allow(clippy::too_many_lines, reason = "one value")]
pub(crate) fn verdict() -> Verdict {
    let mut evidence = EvidenceList::new();
    evidence.push(Evidence {
        clue: Clue::Prior,
        row: None,
        observed: Value::None,
        expected: Value::None,
        decibans: 13.0,
        says: "most resets come from whom they name",
    });
    evidence.push(Evidence {
        clue: Clue::Hops,
        row: None,
        observed: Value::HopLimit { raw: 62, hops: 2 },
        expected: Value::HopLimit { raw: 57, hops: 7 },
        decibans: -20.0,
        says: "it came another way than the packets of its named sender",
    });
    evidence.push(Evidence {
        clue: Clue::Causality,
        row: None,
        observed: Value::Nanoseconds(300_000),
        expected: Value::Nanoseconds(18_000_000),
        decibans: -30.0,
        says: "it answers bytes that cannot have reached the named sender yet",
    });
    evidence.push(Evidence {
        clue: Clue::Payload,
        row: None,
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
        effect_basis: EffectBasis {
            expected: Reception::Obey,
            because: "it is at the very number that its receiver expects",
            seen: Reaction::Silence,
            contradiction: false,
        },
        stage: Stage::PostPsh,
        impact: Impact::Aborted,
        shape: Shape::Active,
        cost: Cost {
            in_flight: [Some(517), None],
            record_missing: [Some(1200), Some(0)],
            unread_possible: Some(true),
        },
        idle: None,
        rule: "R14",
        rule_base: 0.0,
        caveat: "which signature or name drew it is not on the wire",
        declared: None,
        evidence,
    }
}

/// The event of a verdict.
pub(crate) fn event(verdict: &Verdict) -> Event {
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
        answered_after_s: Some(0.000_3),
        one_way_ms_max: Some(0.15),
        longest_silence_s: None,
        late_after_close_s: None,
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
        other_side_rst_after_s: None,
        app: PerSide { client: Some("tls_client_hello".into()), server: None },
        context: None,
        capture: CaptureQuality { gap_seen: true, ..CaptureQuality::default() },
        revision: 0,
        corroboration: Vec::new(),
        conclusion: None,
    }
}
