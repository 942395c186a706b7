//! Juniper SRX: `RT_FLOW_SESSION_CLOSE` and `RT_FLOW_SESSION_DENY`, structured (RFC 5424) or as text.
//!
//! Source: Juniper's System Log Explorer. The translated addresses stand in fields of their own. The log's
//! own stamp is when the session was closed.

use std::collections::HashMap;

use events::UtcTime;

use super::Context;
use super::fields::{endpoint, needed, pairs, told, translation};
use super::header::Header;
use super::stamp::{self, SECOND_NS};
use crate::logs::session::{End, Garbage, Kind, LogSession, Product, Reading, translated};

/// Where the message begins.
pub(crate) fn begins_at(line: &str) -> Option<usize> {
    line.find("RT_FLOW_SESSION_")
}

/// Reads a message.
pub(crate) fn read(
    message: &str,
    header: &Header<'_>,
    context: &Context<'_>,
) -> Result<Reading, Garbage> {
    let name_end = message.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(message.len());
    let is_denial = match &message[..name_end] {
        "RT_FLOW_SESSION_CLOSE" | "RT_FLOW_SESSION_CLOSE_LS" => false,
        "RT_FLOW_SESSION_DENY" | "RT_FLOW_SESSION_DENY_LS" => true,
        _ => return Ok(Reading::Other("SRX, another message")),
    };
    if !message.contains("source-address=") {
        return Err(Garbage::new(
            "SRX: only structured messages can be read (set system syslog … structured-data)",
        ));
    }
    let fields = pairs(message);
    session(&fields, is_denial, header, context)
        .map_err(|garbage| Garbage::new(format!("SRX: {}", garbage.why)))
}

fn session(
    fields: &HashMap<&str, &str>,
    is_denial: bool,
    header: &Header<'_>,
    context: &Context<'_>,
) -> Result<Reading, Garbage> {
    if needed(fields, "protocol-id")? != "6" {
        return Ok(Reading::Other("SRX, a session that is not TCP"));
    }
    let of = |key: &str| fields.get(key).copied().unwrap_or("");
    let part = |ip: &str, port: &str| {
        let (ip, port) = (needed(fields, ip)?, needed(fields, port)?);
        endpoint(ip, port)
            .ok_or_else(|| Garbage::new(format!("{ip:?} {port:?} are no address and port")))
    };
    let client = part("source-address", "source-port")?;
    let server = part("destination-address", "destination-port")?;
    let client_after = translation(of("nat-source-address"), of("nat-source-port"), client);
    let server_after =
        translation(of("nat-destination-address"), of("nat-destination-port"), server);
    let ended: UtcTime = header.stamp.unwrap_or(context.received);
    let elapsed_s: Option<u64> = of("elapsed-time").parse().ok();
    let reason = of("reason");
    let end = if is_denial { End::Policy } else { end_of(reason) };
    Ok(Reading::Session(Box::new(LogSession {
        product: Product::JuniperSrx,
        source: header.host.unwrap_or(context.source).to_owned(),
        begun: elapsed_s.map(|elapsed_s| stamp::earlier(ended, elapsed_s)),
        is_begun_exact: elapsed_s.is_some(),
        ended,
        resolution_ns: SECOND_NS,
        kind: if is_denial { Kind::Moment } else { Kind::Session },
        tuples: translated(client, server, client_after, server_after),
        is_oriented: true,
        end,
        said: told(reason).unwrap_or_else(|| "denied".to_owned()),
        action: if is_denial { "deny".to_owned() } else { String::new() },
        resets: None,
        rule: told(of("policy-name")),
        threat: None,
        bytes: of("bytes-from-client").parse::<u64>().ok(),
        line: String::new(),
    })))
}

fn end_of(reason: &str) -> End {
    match reason.to_ascii_lowercase().as_str() {
        "tcp server rst" => End::ResetByServer,
        "tcp client rst" => End::ResetByClient,
        "tcp fin" => End::Finished,
        "idle timeout" | "idle timeout." | "aged out" => End::IdleTimeout,
        "synproxy failure" | "syn proxy failure" => End::SynDefence,
        text if text.contains("idp")
            || text.contains("policy")
            || text.contains("application failure") =>
        {
            End::Policy
        }
        _ => End::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Zone;
    use super::*;

    const LINE: &str = "<14>1 2023-11-14T22:13:20.000Z srx-1 RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.26 \
        reason=\"TCP SERVER RST\" source-address=\"10.1.2.3\" source-port=\"40000\" \
        destination-address=\"203.0.113.9\" destination-port=\"443\" nat-source-address=\"198.51.100.7\" \
        nat-source-port=\"61000\" nat-destination-address=\"203.0.113.9\" nat-destination-port=\"443\" \
        protocol-id=\"6\" policy-name=\"out\" session-id-32=\"7\" elapsed-time=\"20\"]";

    fn reading(line: &str) -> Result<Reading, Garbage> {
        let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "peer" };
        let header = Header::of(line, &context);
        read(&line[begins_at(line).unwrap()..], &header, &context)
    }

    #[test]
    fn a_closed_session_is_read() {
        let Ok(Reading::Session(session)) = reading(LINE) else { panic!("{:?}", reading(LINE)) };
        assert_eq!((session.end, session.source.as_str()), (End::ResetByServer, "srx-1"));
        assert_eq!(session.tuples.len(), 2);
        assert_eq!(session.begun, Some(UtcTime(1_699_999_980_000_000_000)));
        assert_eq!(session.rule.as_deref(), Some("out"));
    }

    #[test]
    fn text_without_structure_and_missing_fields_are_garbage() {
        let text = "RT_FLOW_SESSION_CLOSE: session closed TCP FIN: 1.1.1.1/1->2.2.2.2/80";
        assert!(reading(text).unwrap_err().why.contains("structured"));
        assert!(reading(&LINE.replace("source-port=\"40000\"", "")).is_err());
        let udp = LINE.replace("protocol-id=\"6\"", "protocol-id=\"17\"");
        assert!(matches!(reading(&udp), Ok(Reading::Other(_))));
    }
}
