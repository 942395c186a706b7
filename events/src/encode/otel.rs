//! An event as an OpenTelemetry log record: which attribute says what.
//!
//! There is no semantic convention for resets: what has one uses it (`client.address`, `error.type`,
//! `log.record.uid`), the rest is `rst.` and the name of the event's own field. What there is nothing to
//! say of is left out.

use classifiers::Impact;

use super::otlp::{AnyValue, ArrayValue, KeyValue, LogRecord, Value};
use crate::event::{Event, EventStatus, PerSide, RoleSource};
use crate::explain::headline;
use crate::record::Body;
use crate::sentence::sentence;
use crate::verdict::EvidenceItem;

/// What is known of a record beside its event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope<'a> {
    /// Names the record for ever, however often it is sent.
    pub uid: &'a str,
    /// Its place among the records of its sensor.
    pub sequence: u64,
    /// When it was taken down, nanoseconds since the Unix epoch.
    pub observed_ns: u64,
    /// Whether it was made to try a sink: no reset was seen.
    pub is_test: bool,
}

/// The log record that says an event.
#[must_use]
pub fn log_record(event: &Event, envelope: &Envelope<'_>) -> LogRecord {
    let mut attributes = Attributes(Vec::with_capacity(64));
    attributes.envelope(event, envelope);
    attributes.endpoints(event);
    attributes.verdict(event);
    attributes.connection(event);
    attributes.packet(event);
    attributes.reasons(event);
    attributes.logs(event);
    let (severity_number, severity_text) = severity(event.verdict.impact);
    LogRecord {
        time_unix_nano: event.ts.0,
        observed_time_unix_nano: envelope.observed_ns,
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue::text(headline(event))),
        attributes: attributes.0,
        event_name: EVENT_NAME.to_owned(),
    }
}

/// A record as our own collector takes it: the record itself as JSON text, and little beside it.
#[must_use]
pub fn canonical_record(body: &Body, json: String, envelope: &Envelope<'_>) -> LogRecord {
    let mut attributes = Attributes(Vec::with_capacity(4));
    attributes.text("log.record.uid", envelope.uid);
    let (time, name, text) = match body {
        Body::Event(event) => (event.ts.0, EVENT_NAME, headline(event)),
        Body::Minute(minute) => (
            minute.start.0,
            MINUTE_NAME,
            format!("minute {}: {} rows", minute.id, minute.rows.len()),
        ),
        Body::Evidence(evidence) => {
            let packets = evidence.packets.len();
            (evidence.ts.0, EVIDENCE_NAME, format!("{packets} packets of event {}", evidence.event))
        }
    };
    let severity = match body {
        Body::Event(event) => severity(event.verdict.impact),
        Body::Minute(_) | Body::Evidence(_) => (9, "INFO"),
    };
    attributes.text(RECORD_KEY, json);
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: envelope.observed_ns,
        severity_number: severity.0,
        severity_text: severity.1.to_owned(),
        body: Some(AnyValue::text(text)),
        attributes: attributes.0,
        event_name: name.to_owned(),
    }
}

/// A reset is news where it cost something.
const fn severity(impact: Impact) -> (i32, &'static str) {
    match impact {
        Impact::Aborted => (13, "WARN"),
        Impact::Refused | Impact::Benign | Impact::Unknown => (9, "INFO"),
    }
}

/// Attributes as they are collected.
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn envelope(&mut self, event: &Event, envelope: &Envelope<'_>) {
        self.text("log.record.uid", envelope.uid);
        self.text("event.id", &event.id);
        self.int("rst.sequence", envelope.sequence);
        self.int("rst.schema", event.schema);
        self.text(
            "rst.status",
            match event.status {
                EventStatus::Provisional => "provisional",
                EventStatus::Final => "final",
            },
        );
        if envelope.is_test {
            self.bool("rst.test", true);
        }
    }

    fn endpoints(&mut self, event: &Event) {
        self.text("client.address", event.client.ip.to_string());
        self.int("client.port", event.client.port);
        self.text("server.address", event.server.ip.to_string());
        self.int("server.port", event.server.port);
        self.text("network.community_id", &event.community_id);
        self.text("network.transport", "tcp");
        let network = if event.client.ip.is_ipv4() { "ipv4" } else { "ipv6" };
        self.text("network.type", network);
        self.text(
            "rst.role_source",
            match event.role_source {
                RoleSource::Syn => "syn",
                RoleSource::Synack => "synack",
                RoleSource::Port => "port",
            },
        );
        self.some_text("network.interface.name", event.interface.as_deref());
        if !event.vlan.is_empty() {
            let numbers = event.vlan.iter().map(|vlan| Value::Int(i64::from(*vlan)));
            self.array("network.vlan.id", numbers);
        }
        if let Some(tunnel) = &event.tunnel {
            self.text("rst.tunnel.kind", &tunnel.kind);
            self.int("rst.tunnel.id", tunnel.id);
        }
    }

    fn verdict(&mut self, event: &Event) {
        let verdict = &event.verdict;
        self.text("rst.impact", verdict.impact.name());
        self.text("rst.origin", verdict.origin.name());
        self.double("rst.origin_confidence", verdict.origin_confidence);
        self.text("rst.cause", verdict.cause.name());
        self.text("error.type", verdict.cause.name());
        self.double("rst.cause_confidence", verdict.cause_confidence);
        self.text("rst.rule", &verdict.rule);
        self.text("rst.stage", verdict.stage.name());
        self.text("rst.role", verdict.role.name());
        self.text("rst.effect", verdict.effect.name());
        self.text("rst.shape", verdict.shape.name());
        self.text("rst.terminator", verdict.terminator.name());
        self.text("rst.claimed", event.claimed.name());
        self.some_text("rst.caveat", verdict.caveat.as_deref());
        if let Some(declared) = &verdict.declared {
            self.text("rst.declared", format!("{} {}", declared.carrier, declared.code));
            self.bool("rst.declared_consistent", declared.consistent);
        }
    }

    fn connection(&mut self, event: &Event) {
        self.some_double("rst.age_s", event.age_s);
        self.some_double("rst.idle_before_s", event.idle_before_s);
        self.some_double("rst.answered_after_s", event.answered_after_s);
        self.some_double("rst.late_after_close_s", event.late_after_close_s);
        self.some_double("rst.one_way_ms_max", event.one_way_ms_max);
        for (side, value) in sides(&event.rtt_ms) {
            self.some_double(&format!("rst.rtt_ms.{side}"), *value);
        }
        for (side, value) in sides(&event.packets) {
            self.int(&format!("rst.packets.{side}"), *value);
        }
        for (side, value) in sides(&event.bytes) {
            self.int(&format!("rst.bytes.{side}"), *value);
        }
        for (side, value) in sides(&event.verdict.bytes_unacked) {
            self.some_int(&format!("rst.bytes_unacked.{side}"), *value);
        }
        for (side, value) in sides(&event.app) {
            self.some_text(&format!("rst.app.{side}"), value.as_deref());
        }
        self.int("rst.count", event.rst_count);
        self.bool("rst.other_side", event.other_side_rst);
        let capture = &event.capture;
        for (key, is_so) in [
            ("rst.capture.midstream", capture.midstream),
            ("rst.capture.asymmetric", capture.asymmetric),
            ("rst.capture.gap_seen", capture.gap_seen),
            ("rst.capture.reused_tuple", capture.reused_tuple),
            ("rst.capture.control_only", capture.control_only),
        ] {
            // What is well needs no word.
            if is_so {
                self.bool(key, true);
            }
        }
    }

    fn packet(&mut self, event: &Event) {
        let rst = &event.rst;
        self.text("rst.flags", &rst.flags);
        self.int("rst.ttl", rst.ttl);
        self.int("rst.hops", rst.hops);
        self.int("rst.window", rst.window);
        self.some_int("rst.ip_id", rst.ip_id);
        self.some_int("rst.seq_delta", rst.seq_delta);
        self.some_int("rst.ack_delta", rst.ack_delta);
        self.int("rst.payload_len", rst.payload_len);
        self.some_text("rst.payload_text", rst.payload_text.as_deref());
        if let Some(df) = rst.df {
            self.bool("rst.df", df);
        }
        if let Some(peer) = &event.peer {
            self.int("rst.peer.ttl", peer.ttl);
            self.int("rst.peer.hops", peer.hops);
            self.int("rst.peer.window", peer.window);
            self.some_int("rst.peer.ip_id", peer.ip_id);
        }
    }

    fn reasons(&mut self, event: &Event) {
        let verdict = &event.verdict;
        let weighed = verdict.evidence.iter().filter(|item| item.decibans != 0.0);
        let text = |item: &EvidenceItem| format!("{:+.1} dB {}", item.decibans, sentence(item));
        self.array("rst.evidence", weighed.map(|item| Value::Text(text(item))));
        let others = verdict.alternatives.iter().map(|other| {
            let (origin, cause) = (other.origin.name(), other.cause.name());
            Value::Text(format!("{cause} by {origin} {:.2}", other.confidence))
        });
        self.array("rst.alternatives", others);
    }

    /// What logs added to the verdict, which stays as it was.
    fn logs(&mut self, event: &Event) {
        if event.revision > 0 {
            self.int("rst.revision", event.revision);
        }
        if let Some(said) = &event.conclusion {
            self.text("rst.conclusion.origin", said.origin.name());
            self.double("rst.conclusion.origin_confidence", said.origin_confidence);
            self.text("rst.conclusion.cause", said.cause.name());
            self.double("rst.conclusion.cause_confidence", said.cause_confidence);
            self.text("rst.conclusion.sentence", &said.sentence);
        }
        let told = event.corroboration.iter().map(|item| Value::Text(item.told()));
        self.array("rst.corroboration", told);
    }

    fn text(&mut self, key: &str, text: impl Into<String>) {
        self.0.push(KeyValue::text(key, text));
    }

    fn some_text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn bool(&mut self, key: &str, is_so: bool) {
        self.0.push(KeyValue::new(key, Value::Bool(is_so)));
    }

    fn int(&mut self, key: &str, number: impl TryInto<i64>) {
        let number = number.try_into().unwrap_or(i64::MAX);
        self.0.push(KeyValue::new(key, Value::Int(number)));
    }

    fn some_int(&mut self, key: &str, number: Option<impl TryInto<i64>>) {
        if let Some(number) = number {
            self.int(key, number);
        }
    }

    fn double(&mut self, key: &str, number: f64) {
        self.0.push(KeyValue::new(key, Value::Double(number)));
    }

    fn some_double(&mut self, key: &str, number: Option<f64>) {
        if let Some(number) = number {
            self.double(key, number);
        }
    }

    fn array(&mut self, key: &str, values: impl Iterator<Item = Value>) {
        let values: Vec<AnyValue> = values.map(|value| AnyValue { value: Some(value) }).collect();
        if !values.is_empty() {
            self.0.push(KeyValue::new(key, Value::Array(ArrayValue { values })));
        }
    }
}

fn sides<T>(facts: &PerSide<T>) -> [(&'static str, &T); 2] {
    [("client", &facts.client), ("server", &facts.server)]
}

/// Which kind of event this is, to whoever takes logs of many kinds.
const EVENT_NAME: &str = "tcp.reset";

/// A minute and evidence to our own collector.
const MINUTE_NAME: &str = "rstscope.minute";
const EVIDENCE_NAME: &str = "rstscope.evidence";

/// The attribute that bears a whole record as JSON text.
pub const RECORD_KEY: &str = "rst.record";
