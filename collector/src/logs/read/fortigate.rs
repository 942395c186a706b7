//! Fortinet FortiGate: `key=value`, traffic logs and those of inspection (type `utm`).
//!
//! Source: FortiOS log message reference 7.0. `eventtime` is in nanoseconds, in seconds before version 6.2;
//! `transip`/`transport` are the source after its translation, `tranip`/`tranport` the destination.

use std::collections::HashMap;

use events::{Endpoint, UtcTime};

use super::Context;
use super::fields::{endpoint, needed, pairs, told, translation, word};
use super::mark::Plain;
use super::stamp::{self, SECOND_NS};
use crate::logs::session::{End, Garbage, Kind, LogSession, Product, Reading, ResetTo, translated};

/// Where the first pair begins, if the line is FortiGate's: nothing is quoted but the values of its pairs.
pub(crate) fn begins_at(line: &str, plain: &Plain<'_>) -> Option<usize> {
    let at = plain.find(|text| {
        let equals = text.find('=')?;
        let quotes_a_value = !text.ends_with('"') || text.ends_with("=\"");
        let word = text[..equals].rfind(|c: char| c.is_whitespace() || c == '>');
        quotes_a_value
            .then(|| word.map_or(0, |before| before + 1))
            .filter(|at| text.is_char_boundary(*at))
    })?;
    let message = &line[at..];
    // Most lines of others end here.
    if !message.contains("type=") {
        return None;
    }
    let fields = pairs(message);
    let is_it = fields.contains_key("type")
        && ["logid", "devid"].iter().any(|key| fields.contains_key(key));
    is_it.then_some(at)
}

/// Reads a line.
pub(crate) fn read(line: &str, context: &Context<'_>) -> Result<Reading, Garbage> {
    let fields = pairs(line);
    match needed(&fields, "type").map_err(named)? {
        "traffic" => read_traffic(&fields, context).map_err(named),
        "utm" | "ips" | "webfilter" | "app-ctrl" | "virus" => {
            inspection(&fields, context).map_err(named)
        }
        _ => Ok(Reading::Other("FortiGate, neither traffic nor inspection")),
    }
}

fn named(garbage: Garbage) -> Garbage {
    Garbage::new(format!("FortiGate: {}", garbage.why))
}

fn read_traffic(fields: &HashMap<&str, &str>, context: &Context<'_>) -> Result<Reading, Garbage> {
    if needed(fields, "proto")? != "6" {
        return Ok(Reading::Other("FortiGate traffic, not TCP"));
    }
    let action = needed(fields, "action")?;
    let blocked = matches!(of(fields, "utmaction"), "block" | "blocked" | "reset");
    let end = match action {
        "start" => return Ok(Reading::Other("FortiGate traffic, a session's begin")),
        "accept" if !blocked => {
            return Ok(Reading::Other("FortiGate traffic, a session that goes on"));
        }
        _ if blocked => End::Policy,
        "client-rst" => End::ResetByClient,
        "server-rst" => End::ResetByServer,
        "close" => End::Finished,
        "timeout" => End::IdleTimeout,
        "deny" => End::Policy,
        _ => End::Other,
    };
    let said = if blocked {
        format!("{action}, utmaction={}", of(fields, "utmaction"))
    } else {
        action.to_owned()
    };
    let mut session = session(fields, context, &said, end)?;
    let duration_s: u64 = of(fields, "duration").parse().unwrap_or(0);
    if fields.contains_key("duration") {
        session.begun = Some(stamp::earlier(session.ended, duration_s));
        session.is_begun_exact = true;
    }
    let bytes = |key: &str| of(fields, key).parse::<u64>().ok();
    session.bytes =
        bytes("sentbyte").zip(bytes("rcvdbyte")).map(|(sent, got)| sent.saturating_add(got));
    Ok(Reading::Session(Box::new(session)))
}

fn inspection(fields: &HashMap<&str, &str>, context: &Context<'_>) -> Result<Reading, Garbage> {
    if of(fields, "proto") != "6" {
        return Ok(Reading::Other("FortiGate inspection, not TCP"));
    }
    let action = needed(fields, "action")?;
    let (end, resets) = match action {
        "reset" => (End::Policy, Some(ResetTo::Both)),
        "reset_client" => (End::Policy, Some(ResetTo::Client)),
        "reset_server" => (End::Policy, Some(ResetTo::Server)),
        "blocked" | "block" | "dropped" | "drop_session" | "clear_session" => (End::Policy, None),
        // detected, pass, passthrough, monitored.
        _ => return Ok(Reading::Other("FortiGate inspection that let it pass")),
    };
    let subtype = of(fields, "subtype");
    let mut session = session(fields, context, &format!("{subtype} {action}"), end)?;
    session.kind = Kind::Moment;
    session.is_oriented = false;
    session.resets = resets;
    let names = ["attack", "virus", "app", "catdesc", "hostname"];
    session.threat = names.iter().find_map(|name| told(of(fields, name)));
    Ok(Reading::Session(Box::new(session)))
}

fn session(
    fields: &HashMap<&str, &str>,
    context: &Context<'_>,
    said: &str,
    end: End,
) -> Result<LogSession, Garbage> {
    let client = part(fields, "srcip", "srcport")?;
    let server = part(fields, "dstip", "dstport")?;
    let after = |ip: &str, port: &str, before: Endpoint| {
        translation(of(fields, ip), of(fields, port), before)
    };
    let client_after = after("transip", "transport", client);
    let server_after = after("tranip", "tranport", server);
    let source = told(of(fields, "devname")).unwrap_or_else(|| context.source.to_owned());
    let rule = told(of(fields, "policyname")).or_else(|| told(of(fields, "policyid")));
    Ok(LogSession {
        product: Product::Fortigate,
        source,
        begun: None,
        is_begun_exact: false,
        ended: when(fields, context)?,
        resolution_ns: SECOND_NS,
        kind: Kind::Session,
        tuples: translated(client, server, client_after, server_after),
        is_oriented: true,
        end,
        said: word(said),
        action: word(of(fields, "action")),
        resets: None,
        rule,
        threat: None,
        bytes: None,
        line: String::new(),
    })
}

fn part(fields: &HashMap<&str, &str>, ip: &str, port: &str) -> Result<Endpoint, Garbage> {
    let (ip_text, port_text) = (needed(fields, ip)?, needed(fields, port)?);
    endpoint(ip_text, port_text).ok_or_else(|| {
        Garbage::new(format!("{ip}={ip_text:?} {port}={port_text:?} are no address and port"))
    })
}

/// `eventtime`, else `date`, `time` and `tz`.
fn when(fields: &HashMap<&str, &str>, context: &Context<'_>) -> Result<UtcTime, Garbage> {
    if let Ok(number) = of(fields, "eventtime").parse::<u64>() {
        let unit_ns = match number {
            0..100_000_000_000 => SECOND_NS,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            _ => 1,
        };
        return Ok(UtcTime(number.saturating_mul(unit_ns)));
    }
    let (date, time, zone) = (needed(fields, "date")?, needed(fields, "time")?, of(fields, "tz"));
    let text = format!("{date} {time}");
    let zoned = stamp::zoned(&format!("{text} {zone}"), "%Y-%m-%d %H:%M:%S %z");
    zoned
        .or_else(|| stamp::local(&text, "%Y-%m-%d %H:%M:%S", context.zone))
        .ok_or_else(|| Garbage::new(format!("date={date:?} time={time:?} are no instant")))
}

fn of<'l>(fields: &HashMap<&str, &'l str>, key: &str) -> &'l str {
    fields.get(key).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Zone;
    use super::*;

    const LINE: &str = "<189>date=2023-11-14 time=23:13:20 devname=\"fgt-1\" devid=\"FGT1\" eventtime=1700000000123456789 \
        tz=\"+0100\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" srcip=10.1.2.3 \
        srcport=40000 srcintf=\"port1\" dstip=203.0.113.9 dstport=443 proto=6 action=\"server-rst\" policyid=7 \
        policyname=\"web out\" trandisp=\"snat\" transip=198.51.100.7 transport=61000 duration=20 sentbyte=1200 \
        rcvdbyte=3920";

    fn reading(line: &str) -> Result<Reading, Garbage> {
        let at = begins_at(line, &Plain::of(line)).expect("it is FortiGate's");
        read(
            &line[at..],
            &Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "peer" },
        )
    }

    fn session_of(line: &str) -> LogSession {
        match reading(line) {
            Ok(Reading::Session(session)) => *session,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_traffic_line_tells_the_end_its_tuples_and_its_rule() {
        let session = session_of(LINE);
        assert_eq!((session.end, session.said.as_str()), (End::ResetByServer, "server-rst"));
        assert_eq!(session.source, "fgt-1");
        assert_eq!(session.rule.as_deref(), Some("web out"));
        assert_eq!(session.tuples.len(), 2);
        assert_eq!(session.tuples[1].client.to_string(), "198.51.100.7:61000");
        assert_eq!(session.ended, UtcTime(1_700_000_000_123_456_789));
        assert_eq!(session.begun, Some(UtcTime(1_699_999_980_123_456_789)));
        assert_eq!(session.bytes, Some(5120));
    }

    #[test]
    fn the_time_may_be_in_seconds_or_by_date_and_zone() {
        let seconds = LINE.replace("1700000000123456789", "1700000000");
        assert_eq!(session_of(&seconds).ended, UtcTime(1_700_000_000_000_000_000));
        let dated = LINE.replace("eventtime=1700000000123456789 ", "");
        assert_eq!(session_of(&dated).ended, UtcTime(1_700_000_000_000_000_000));
        let without_zone = dated.replace("tz=\"+0100\" ", "");
        assert_eq!(session_of(&without_zone).ended, UtcTime(1_700_003_600_000_000_000));
    }

    #[test]
    fn blocks_of_inspection_are_policy() {
        let blocked =
            LINE.replace("action=\"server-rst\"", "action=\"accept\" utmaction=\"block\"");
        assert_eq!(session_of(&blocked).end, End::Policy);
        let ips = LINE
            .replace("type=\"traffic\" subtype=\"forward\"", "type=\"utm\" subtype=\"ips\"")
            .replace("server-rst", "reset_client")
            .replace("duration=20", "attack=\"Some.Overflow\"");
        let session = session_of(&ips);
        assert_eq!((session.end, session.resets), (End::Policy, Some(ResetTo::Client)));
        assert_eq!(session.threat.as_deref(), Some("Some.Overflow"));
    }

    #[test]
    fn what_does_not_end_a_tcp_session_is_no_garbage_and_what_is_broken_is_named() {
        for (from, to) in
            [("proto=6", "proto=17"), ("server-rst", "start"), ("server-rst", "accept")]
        {
            assert!(matches!(reading(&LINE.replace(from, to)), Ok(Reading::Other(_))), "{to}");
        }
        let garbage = reading(&LINE.replace("srcport=40000 ", "")).unwrap_err();
        assert!(garbage.why.contains("srcport is missing"), "{garbage}");
        let garbage = reading(&LINE.replace("10.1.2.3", "10.1.2")).unwrap_err();
        assert!(garbage.why.contains("no address and port"), "{garbage}");
    }
}
