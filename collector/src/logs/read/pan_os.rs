//! Palo Alto Networks PAN-OS: TRAFFIC and THREAT, comma-separated.
//!
//! Positions as in the field lists of PAN-OS 7.1 to 10.0, which only append, and as syslog-ng's
//! `panos-parser()` has them (`collector/tests/logs_oracle.rs`). Stamps have no zone and whole seconds;
//! newer versions add one with a zone far right, which then tells the zone of all.

use chrono::DateTime;
use events::UtcTime;

use super::Context;
use super::fields::{endpoint, told, translation, word};
use super::stamp::{self, SECOND_NS, Zone};
use crate::logs::session::{End, Garbage, Kind, LogSession, Product, Reading, ResetTo, translated};

/// Where the record begins: `1,2023/11/14 22:13:20,` wherever in the line.
pub(crate) fn begins_at(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    line.match_indices(',').map(|(comma, _)| comma).find_map(|comma| {
        let date = bytes.get(comma + 1..comma + 12)?;
        let is_date = date.iter().zip(b"0000/00/00 ").all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            shape => byte == shape,
        });
        let digits = bytes[..comma].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        (is_date && digits > 0).then(|| comma - digits)
    })
}

/// Reads a record.
pub(crate) fn read(record: &str, context: &Context<'_>) -> Result<Reading, Garbage> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record.as_bytes());
    let mut fields = csv::StringRecord::new();
    let is_there = reader.read_record(&mut fields);
    if !matches!(is_there, Ok(true)) {
        return Err(Garbage::new("PAN-OS: no comma-separated fields"));
    }
    match fields.get(TYPE).unwrap_or("") {
        "TRAFFIC" => traffic(&fields, context),
        "THREAT" => threat(&fields, context),
        "" => Err(Garbage::new("PAN-OS: field 3, the type, is missing")),
        _ => Ok(Reading::Other("PAN-OS, neither TRAFFIC nor THREAT")),
    }
}

fn traffic(fields: &csv::StringRecord, context: &Context<'_>) -> Result<Reading, Garbage> {
    match text(fields, SUBTYPE) {
        "start" => return Ok(Reading::Other("PAN-OS TRAFFIC, a session's begin")),
        "end" | "deny" | "drop" => {}
        other => return Err(Garbage::new(format!("PAN-OS TRAFFIC: unknown subtype {other:?}"))),
    }
    if !is_tcp(fields)? {
        return Ok(Reading::Other("PAN-OS TRAFFIC, not TCP"));
    }
    let zone = zone(fields, context);
    let begun = needed_stamp(fields, START, zone, "start time")?;
    let elapsed_s: u64 = number(fields, ELAPSED, "elapsed time")?;
    let reason = fields.get(END_REASON).unwrap_or("");
    let is_denied = text(fields, SUBTYPE) != "end";
    let end = if is_denied { End::Policy } else { end_of(reason) };
    let said = match (reason, is_denied) {
        ("" | "n/a", true) => "policy-deny",
        ("" | "n/a", false) => "end",
        (reason, _) => reason,
    };
    let mut session = session(fields, said, end)?;
    session.source =
        told(text(fields, TRAFFIC_DEVICE)).unwrap_or_else(|| context.source.to_owned());
    session.begun = Some(begun);
    session.is_begun_exact = true;
    session.ended = stamp::later(begun, elapsed_s.min(ELAPSED_MAX_S));
    session.bytes = text(fields, BYTES).parse().ok();
    Ok(Reading::Session(Box::new(session)))
}

fn threat(fields: &csv::StringRecord, context: &Context<'_>) -> Result<Reading, Garbage> {
    if !is_tcp(fields)? {
        return Ok(Reading::Other("PAN-OS THREAT, not TCP"));
    }
    let action = text(fields, ACTION);
    let end = match (text(fields, SUBTYPE), action) {
        (_, "syncookie-sent" | "random-drop") | ("flood", _) => End::SynDefence,
        (_, "alert" | "allow" | "continue" | "override") => End::Other,
        _ => End::Policy,
    };
    let mut session = session(fields, &format!("threat {action}"), end)?;
    session.kind = Kind::Moment;
    // For attacks by the server some versions name it as the source.
    session.is_oriented = false;
    session.source = told(text(fields, THREAT_DEVICE)).unwrap_or_else(|| context.source.to_owned());
    session.threat = told(text(fields, THREAT_ID));
    session.ended = needed_stamp(fields, GENERATED, zone(fields, context), "generated time")?;
    Ok(Reading::Session(Box::new(session)))
}

/// What both types share; times are to be set.
fn session(fields: &csv::StringRecord, said: &str, end: End) -> Result<LogSession, Garbage> {
    let part = |ip: usize, port: usize| {
        endpoint(text(fields, ip), text(fields, port)).ok_or_else(|| {
            Garbage::new(format!(
                "PAN-OS: fields {ip} and {port} are no address and port: {:?}, {:?}",
                text(fields, ip),
                text(fields, port)
            ))
        })
    };
    let (client, server) = (part(SOURCE, SOURCE_PORT)?, part(DESTINATION, DESTINATION_PORT)?);
    let client_after = translation(text(fields, NAT_SOURCE), text(fields, NAT_SOURCE_PORT), client);
    let server_after =
        translation(text(fields, NAT_DESTINATION), text(fields, NAT_DESTINATION_PORT), server);
    let action = text(fields, ACTION);
    Ok(LogSession {
        product: Product::PanOs,
        source: String::new(),
        begun: None,
        is_begun_exact: false,
        ended: UtcTime(0),
        resolution_ns: SECOND_NS,
        kind: Kind::Session,
        tuples: translated(client, server, client_after, server_after),
        is_oriented: true,
        end,
        said: word(said),
        action: word(action),
        resets: match action {
            "reset-client" => Some(ResetTo::Client),
            "reset-server" => Some(ResetTo::Server),
            "reset-both" => Some(ResetTo::Both),
            _ => None,
        },
        rule: told(text(fields, RULE)),
        threat: None,
        bytes: None,
        line: String::new(),
    })
}

/// Session end reasons, as the vendor lists them by precedence.
fn end_of(reason: &str) -> End {
    match reason {
        "threat" | "policy-deny" => End::Policy,
        "decrypt-cert-validation" | "decrypt-unsupport-param" | "decrypt-error" => End::Decryption,
        "tcp-rst-from-client" => End::ResetByClient,
        "tcp-rst-from-server" => End::ResetByServer,
        "resources-unavailable" => End::Resources,
        "tcp-fin" => End::Finished,
        "aged-out" => End::IdleTimeout,
        // tcp-reuse, decoder, unknown, n/a, and what later versions add.
        _ => End::Other,
    }
}

fn text(fields: &csv::StringRecord, index: usize) -> &str {
    fields.get(index).unwrap_or("").trim()
}

fn number(fields: &csv::StringRecord, index: usize, name: &str) -> Result<u64, Garbage> {
    let value = text(fields, index);
    value.parse().map_err(|_| Garbage::new(format!("PAN-OS: field {index}, {name}, is {value:?}")))
}

fn needed_stamp(
    fields: &csv::StringRecord,
    index: usize,
    zone: Zone,
    name: &str,
) -> Result<UtcTime, Garbage> {
    let value = text(fields, index);
    stamp::local(value, STAMP, zone)
        .ok_or_else(|| Garbage::new(format!("PAN-OS: field {index}, {name}, is {value:?}")))
}

fn is_tcp(fields: &csv::StringRecord) -> Result<bool, Garbage> {
    match text(fields, PROTOCOL) {
        "" => Err(Garbage::new("PAN-OS: field 29, the protocol, is missing: the record was cut")),
        protocol => Ok(matches!(protocol, "tcp" | "TCP" | "6")),
    }
}

/// The zone of all stamps: that of the stamp with a zone, if both name the same second.
fn zone(fields: &csv::StringRecord, context: &Context<'_>) -> Zone {
    let generated = chrono::NaiveDateTime::parse_from_str(text(fields, GENERATED), STAMP).ok();
    let far_right = fields.iter().skip(TRAFFIC_DEVICE + 1);
    let zoned = far_right.filter_map(|field| DateTime::parse_from_rfc3339(field).ok());
    let agreeing = zoned.into_iter().find(|time| {
        let civil = time.naive_local();
        generated.is_some_and(|generated| (civil - generated).num_seconds().abs() <= 1)
    });
    agreeing.map_or(context.zone, |time| Zone { east_s: time.offset().local_minus_utc() })
}

const STAMP: &str = "%Y/%m/%d %H:%M:%S";

const TYPE: usize = 3;
const SUBTYPE: usize = 4;
const GENERATED: usize = 6;
const SOURCE: usize = 7;
const DESTINATION: usize = 8;
const NAT_SOURCE: usize = 9;
const NAT_DESTINATION: usize = 10;
const RULE: usize = 11;
const SOURCE_PORT: usize = 24;
const DESTINATION_PORT: usize = 25;
const NAT_SOURCE_PORT: usize = 26;
const NAT_DESTINATION_PORT: usize = 27;
const PROTOCOL: usize = 29;
const ACTION: usize = 30;
const BYTES: usize = 31;
const START: usize = 35;
const ELAPSED: usize = 36;
const END_REASON: usize = 46;
const TRAFFIC_DEVICE: usize = 52;
const THREAT_ID: usize = 32;
const THREAT_DEVICE: usize = 59;

/// No session is older: a year.
const ELAPSED_MAX_S: u64 = 366 * 86_400;

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::super::stamp::Zone;
    use super::*;

    const LINE: &str = "<14>Nov 14 22:13:25 fw-edge-1 1,2023/11/14 22:13:24,001122,TRAFFIC,end,2305,2023/11/14 22:13:24,\
        10.1.2.3,203.0.113.9,198.51.100.7,192.168.0.9,\"web, inbound\",,,ssl,vsys1,untrust,trust,ae1,ae2,fwd,\
        2023/11/14 22:13:24,33712,1,40000,443,61000,8443,0x400000,tcp,allow,5120,1200,3920,31,\
        2023/11/14 22:13:00,20,any,0,7001,0x0,DE,DE,0,15,16,tcp-rst-from-server,0,0,0,0,,fw-edge-1,from-policy";

    fn context(east_s: i32) -> Context<'static> {
        Context { received: UtcTime(0), zone: Zone { east_s }, source: "peer" }
    }

    fn reading(line: &str, east_s: i32) -> Result<Reading, Garbage> {
        read(&line[begins_at(line).unwrap()..], &context(east_s))
    }

    fn ended(line: &str, east_s: i32) -> LogSession {
        match reading(line, east_s) {
            Ok(Reading::Session(session)) => *session,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_traffic_record_tells_four_tuples_times_rule_and_reason() {
        let session = ended(LINE, 0);
        assert_eq!(session.end, End::ResetByServer);
        assert_eq!(session.said, "tcp-rst-from-server");
        assert_eq!(session.source, "fw-edge-1");
        assert_eq!(session.rule.as_deref(), Some("web, inbound"));
        assert_eq!(session.tuples.len(), 4);
        assert_eq!(session.tuples[0].client.to_string(), "10.1.2.3:40000");
        assert_eq!(session.tuples[1].server.unwrap().to_string(), "192.168.0.9:8443");
        assert_eq!(session.begun, Some(UtcTime(1_699_999_980_000_000_000)));
        assert_eq!(session.ended, UtcTime(1_700_000_000_000_000_000));
        assert_eq!(session.bytes, Some(5120));
    }

    #[test]
    fn a_stamp_with_a_zone_tells_the_zone_of_the_others() {
        let line =
            format!("{LINE},,,0,,0,,N/A,0,0,0,0,uuid,0,0,,,,,,,,2023-11-14T22:13:24.512+01:00,,");
        assert_eq!(ended(&line, 0).ended, UtcTime(1_699_996_400_000_000_000));
        // One of another second is something else.
        let line = format!("{LINE},,2023-11-14T21:13:24.512+01:00");
        assert_eq!(ended(&line, 0).ended, UtcTime(1_700_000_000_000_000_000));
        assert_eq!(ended(LINE, 3600).ended, UtcTime(1_699_996_400_000_000_000));
    }

    #[test]
    fn a_threat_record_tells_to_whom_resets_were_sent() {
        let head = "1,2023/11/14 22:13:20,001122,THREAT,vulnerability,2305,2023/11/14 22:13:20,10.1.2.3,\
            203.0.113.9,0.0.0.0,0.0.0.0,web,,,ssl,vsys1,untrust,trust,ae1,ae2,fwd,2023/11/14 22:13:20,33712,1,\
            40000,443,0,0,0x0,tcp,reset-both,\"x\",Some Overflow(30003),any,critical,client-to-server";
        let tail = format!("{},vsys,fw-edge-1", ",".repeat(58 - 37));
        let session = ended(&format!("{head},{}", tail), 0);
        assert_eq!(session.resets, Some(ResetTo::Both));
        assert_eq!(session.threat.as_deref(), Some("Some Overflow(30003)"));
        assert_eq!((session.end, session.kind), (End::Policy, Kind::Moment));
        assert_eq!(session.source, "fw-edge-1");
        assert_eq!(session.tuples.len(), 1);
    }

    #[test]
    fn what_is_not_the_end_of_a_tcp_session_is_no_garbage() {
        for (from, to) in
            [("TRAFFIC,end", "TRAFFIC,start"), (",tcp,allow", ",udp,allow"), ("TRAFFIC", "SYSTEM")]
        {
            let line = LINE.replace(from, to);
            assert!(matches!(reading(&line, 0), Ok(Reading::Other(_))), "{to}");
        }
    }

    #[test]
    fn what_is_broken_is_named() {
        for (from, to, why) in [
            ("10.1.2.3", "10.1.2.333", "fields 7 and 24"),
            (",40000,", ",99999,", "fields 7 and 24"),
            ("22:13:00", "22:99:00", "field 35, start time"),
            (",20,any", ",x,any", "field 36, elapsed time"),
            ("TRAFFIC,end", "TRAFFIC,odd", "unknown subtype"),
        ] {
            let garbage = reading(&LINE.replace(from, to), 0).unwrap_err();
            assert!(garbage.why.contains(why), "{}", garbage.why);
        }
        assert_eq!(begins_at("1,2023/11/14"), None);
    }
}
