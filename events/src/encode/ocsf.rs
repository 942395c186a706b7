//! An event of the Open Cybersecurity Schema Framework: class 4001, Network Activity.
//!
//! Source: ocsf/ocsf-schema 1.7, `events/network/network_activity.json`, `events/base_event.json`,
//! `objects/`, profiles `host` and `security_control`. What is not in the schema stands beneath
//! `unmapped`.

use classifiers::Impact;
use serde_json::{Value, json};

use super::rest::rest;
use super::{Source, application, nanoseconds, without_nothing};
use crate::event::{Endpoint, Event, RoleSource};
use crate::explain::headline;
use crate::time::UtcTime;

/// The event; `src_endpoint` is the client, `dst_endpoint` the server, whoever sent the reset.
pub(super) fn document(event: &Event, source: &Source<'_>) -> serde_json::Result<Value> {
    let verdict = &event.verdict;
    let activity = Activity::of(verdict.impact);
    let (severity_id, severity) = severity(verdict.impact);
    let (status_id, status) = status(verdict.impact);
    let age_ns = nanoseconds(event.age_s);
    let start = age_ns.map(|age_ns| UtcTime(event.ts.0.saturating_sub(age_ns)));
    let confidence = verdict.origin_confidence.min(verdict.cause_confidence);
    let document = json!({
        "activity_id": activity.id(),
        "activity_name": activity.name(),
        "category_uid": 4,
        "category_name": "Network Activity",
        "class_uid": CLASS,
        "class_name": "Network Activity",
        "type_uid": CLASS * 100 + activity.id(),
        "type_name": format!("Network Activity: {}", activity.name()),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_code": verdict.cause.name(),
        "status_detail": verdict.cause.meaning(),
        "time": milliseconds(event.ts),
        "start_time": start.map(milliseconds),
        "end_time": start.map(|_| milliseconds(event.ts)),
        "duration": start.map(|start| milliseconds(event.ts) - milliseconds(start)),
        "timezone_offset": 0,
        "message": headline(event),
        "metadata": metadata(event, source),
        "device": {
            "type_id": 99,
            "type": "Network Sensor",
            "name": source.sensor,
            "hostname": source.sensor,
            "interface_name": event.interface,
        },
        // It looks on.
        "action_id": 3,
        "action": "Observed",
        "disposition_id": 17,
        "disposition": "Logged",
        "confidence_score": (confidence * 100.0).round() as u8,
        "src_endpoint": endpoint(event.client, event),
        "dst_endpoint": endpoint(event.server, event),
        "is_src_dst_assignment_known": event.role_source != RoleSource::Port,
        "app_protocol_name": application(event),
        "connection_info": connection(event),
        "traffic": {
            "bytes": event.bytes.client.saturating_add(event.bytes.server),
            "bytes_out": event.bytes.client,
            "bytes_in": event.bytes.server,
            "packets": event.packets.client.saturating_add(event.packets.server),
            "packets_out": event.packets.client,
            "packets_in": event.packets.server,
        },
        "observables": [
            observable("src_endpoint.ip", event.client),
            observable("dst_endpoint.ip", event.server),
        ],
        "unmapped": { "rst": rest(event)? },
    });
    Ok(without_nothing(document))
}

fn metadata(event: &Event, source: &Source<'_>) -> Value {
    json!({
        "version": OCSF_VERSION,
        "profiles": ["host", "security_control"],
        "uid": event.id,
        "correlation_uid": event.community_id,
        "sequence": source.record.map(|(_, sequence)| sequence),
        "log_name": "rstscope.reset",
        "log_version": event.schema.to_string(),
        "original_time": event.ts.to_string(),
        "labels": source.is_test.then_some(["test"]),
        "product": {
            "name": "rstscope",
            "vendor_name": "rstscope",
            "version": source.version,
        },
    })
}

fn connection(event: &Event) -> Value {
    let (version_id, version) = if event.client.ip.is_ipv4() { (4, "IPv4") } else { (6, "IPv6") };
    json!({
        "community_uid": event.community_id,
        "protocol_num": 6,
        "protocol_name": "tcp",
        "protocol_ver_id": version_id,
        "protocol_ver": version,
        // What is inside and what outside is not known to a tap.
        "direction_id": 0,
        "direction": "Unknown",
        "tcp_flags": flags(&event.rst.flags),
    })
}

fn endpoint(end: Endpoint, event: &Event) -> Value {
    let vlan = event.vlan.first().map(ToString::to_string);
    json!({ "ip": end.ip, "port": end.port, "vlan_uid": vlan })
}

fn observable(name: &str, end: Endpoint) -> Value {
    json!({ "name": name, "type_id": 2, "type": "IP Address", "value": end.ip })
}

/// What the class calls what happened.
#[derive(Clone, Copy)]
enum Activity {
    Reset,
    Refuse,
}

impl Activity {
    const fn of(impact: Impact) -> Self {
        if matches!(impact, Impact::Refused) { Self::Refuse } else { Self::Reset }
    }

    const fn id(self) -> u32 {
        match self {
            Self::Reset => 3,
            Self::Refuse => 5,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Reset => "Reset",
            Self::Refuse => "Refuse",
        }
    }
}

/// A reset is news where it cost something.
const fn severity(impact: Impact) -> (u32, &'static str) {
    match impact {
        Impact::Aborted => (2, "Low"),
        Impact::Refused | Impact::Benign => (1, "Informational"),
        Impact::Unknown => (0, "Unknown"),
    }
}

const fn status(impact: Impact) -> (u32, &'static str) {
    match impact {
        Impact::Aborted | Impact::Refused => (2, "Failure"),
        Impact::Benign => (1, "Success"),
        Impact::Unknown => (0, "Unknown"),
    }
}

/// Control bits as the header has them (RFC 9293, section 3.1), from their letters.
fn flags(letters: &str) -> u32 {
    let bit = |letter| BITS.iter().position(|known| *known == letter);
    letters.chars().filter_map(bit).fold(0, |flags, bit| flags | 1 << bit)
}

const fn milliseconds(time: UtcTime) -> u64 {
    time.0 / 1_000_000
}

const CLASS: u32 = 4001;
const OCSF_VERSION: &str = "1.7.0";
/// FIN first, CWR last.
const BITS: [char; 8] = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C'];

#[cfg(test)]
mod tests {
    use super::flags;

    #[test]
    fn flags_are_the_bits_of_the_header() {
        assert_eq!([flags("R"), flags("RA"), flags("RPA"), flags("")], [0x04, 0x14, 0x1c, 0]);
    }
}
