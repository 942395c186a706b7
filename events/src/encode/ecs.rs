//! An event as a document of the Elastic Common Schema.
//!
//! Source: elastic/ecs, `schemas/` of 8.17: names, types and allowed values. What is not in the schema
//! stands beneath `rst`.

use classifiers::Impact;
use serde_json::{Value, json};

use super::rest::rest;
use super::{Source, application, nanoseconds, without_nothing};
use crate::event::{Endpoint, Event};
use crate::explain::headline;
use crate::time::UtcTime;

/// The document; `source` is the client, `destination` the server, whoever sent the reset.
pub(super) fn document(event: &Event, source: &Source<'_>) -> serde_json::Result<Value> {
    let age_ns = nanoseconds(event.age_s);
    let side = |end: Endpoint, bytes: u64, packets: u64| json!({ "address": end.ip, "ip": end.ip, "port": end.port, "bytes": bytes, "packets": packets });
    let client = side(event.client, event.bytes.client, event.packets.client);
    let server = side(event.server, event.bytes.server, event.packets.server);
    let document = json!({
        "@timestamp": event.ts.to_string(),
        "ecs": { "version": ECS_VERSION },
        "message": headline(event),
        "tags": source.is_test.then_some(["test"]),
        "event": {
            "kind": "event",
            "category": ["network"],
            "type": types(event),
            "action": "tcp_reset",
            "outcome": outcome(event.verdict.impact),
            "reason": event.verdict.cause.name(),
            "id": event.id,
            "sequence": source.record.map(|(_, sequence)| sequence),
            "module": "rstscope",
            "dataset": "rstscope.reset",
            "start": age_ns.map(|age_ns| UtcTime(event.ts.0.saturating_sub(age_ns)).to_string()),
            "end": event.ts.to_string(),
            "duration": age_ns,
        },
        "observer": {
            "name": source.sensor,
            "type": "sensor",
            "vendor": "rstscope",
            "product": "rstscope",
            "version": source.version,
            "ingress": { "interface": { "name": event.interface } },
        },
        "network": {
            "transport": "tcp",
            "iana_number": "6",
            "type": if event.client.ip.is_ipv4() { "ipv4" } else { "ipv6" },
            "protocol": application(event),
            "community_id": event.community_id,
            "bytes": event.bytes.client.saturating_add(event.bytes.server),
            "packets": event.packets.client.saturating_add(event.packets.server),
            "vlan": { "id": event.vlan.first().map(ToString::to_string) },
            "inner": { "vlan": { "id": event.vlan.get(1).map(ToString::to_string) } },
        },
        "source": client.clone(),
        "destination": server.clone(),
        "client": client,
        "server": server,
        "related": { "ip": related(event) },
        "error": { "type": event.verdict.cause.name() },
        "rst": rest(event)?,
    });
    Ok(without_nothing(document))
}

/// What the schema allows of events of the network.
fn types(event: &Event) -> Vec<&'static str> {
    let is_by_policy = event.verdict.origin.is_device();
    let denied = (is_by_policy && event.verdict.impact != Impact::Benign).then_some("denied");
    ["connection", "end"].into_iter().chain(denied).collect()
}

const fn outcome(impact: Impact) -> &'static str {
    match impact {
        Impact::Aborted | Impact::Refused => "failure",
        Impact::Benign => "success",
        Impact::Unknown => "unknown",
    }
}

fn related(event: &Event) -> Vec<std::net::IpAddr> {
    let mut addresses = vec![event.client.ip, event.server.ip];
    addresses.dedup();
    addresses
}

const ECS_VERSION: &str = "8.17.0";
