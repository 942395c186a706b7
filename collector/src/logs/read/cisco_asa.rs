//! Cisco ASA and Firepower Threat Defense: `%ASA-6-302014` and its kin, `%FTD-1-430003`.
//!
//! Source: Cisco Secure Firewall ASA Series Syslog Messages. A teardown (302014) has no translated addresses and
//! does not tell who opened the connection; the message that it was built (302013) has both, and the two are
//! paired by their number. `TCP Reset-I` came from the interface of higher security, which is named second.

use events::{Endpoint, UtcTime};

use super::Context;
use super::fields::{INTERFACE_BYTES, endpoint, told, word};
use super::header::Header;
use super::memory::Memory;
use super::stamp::{self, SECOND_NS};
use crate::logs::session::{
    End, Garbage, Kind, LogSession, LogTuple, Matched, Product, Reading, ResetTo, beginning,
    translated,
};

/// Connections that were built and not torn down yet, by writer and number.
pub(crate) type Built = Memory<(String, u64), Opening>;

/// What 302013 tells.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    first: Side,
    second: Side,
    /// Whether the side named first opened it.
    is_inbound: bool,
    begun: UtcTime,
}

#[derive(Clone, Debug)]
struct Side {
    interface: String,
    real: Endpoint,
    mapped: Endpoint,
}

/// Where the message begins: `%ASA-6-302014: `.
pub(crate) fn begins_at(line: &str) -> Option<usize> {
    ["%ASA-", "%FTD-"].iter().filter_map(|name| line.find(name)).min()
}

/// Reads a message; `built` remembers openings.
pub(crate) fn read(
    message: &str,
    header: &Header<'_>,
    context: &Context<'_>,
    built: &mut Built,
) -> Result<Reading, Garbage> {
    let (head, text) =
        message.split_once(": ").ok_or_else(|| Garbage::new("ASA: no text after the number"))?;
    let number = head.rsplit('-').next().unwrap_or("");
    let source = header.host.unwrap_or(context.source).to_owned();
    let stamp = header.stamp.unwrap_or(context.received);
    let writer = Writer { source, stamp };
    match number {
        "302013" => writer.opening(text, built),
        "302014" => writer.teardown(text, built),
        "106015" | "106001" => writer.denied_pair(number, text),
        "106023" => writer.denied_by_list(text),
        "430002" => Ok(Reading::Other("FTD, a connection's begin")),
        "430003" => writer.connection_event(text),
        number if number.len() == 6 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Reading::Other("ASA, another message"))
        }
        _ => Err(Garbage::new(format!("ASA: {head:?} has no message number"))),
    }
}

struct Writer {
    source: String,
    stamp: UtcTime,
}

impl Writer {
    /// `Built inbound TCP connection 7 for outside:A/p (A/p) to inside:B/p (B/p)`.
    fn opening(&self, text: &str, built: &mut Built) -> Result<Reading, Garbage> {
        let broken = || Garbage::new(format!("ASA 302013: not as documented: {text:?}"));
        let rest = text.strip_prefix("Built ").ok_or_else(broken)?;
        let (is_inbound, rest) = match rest.strip_prefix("inbound ") {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix("outbound ").ok_or_else(broken)?),
        };
        let rest = connection(rest).ok_or_else(broken)?;
        let (number, rest) = rest.split_once(" for ").ok_or_else(broken)?;
        let number: u64 = number.trim().parse().map_err(|_| broken())?;
        let (first, rest) = side(rest).ok_or_else(broken)?;
        let (second, _) = side(rest.strip_prefix(" to ").ok_or_else(broken)?).ok_or_else(broken)?;
        let opening = Opening { first, second, is_inbound, begun: self.stamp };
        built.insert((self.source.clone(), number), opening);
        Ok(Reading::Other("ASA, a connection's begin"))
    }

    /// `Teardown TCP connection 7 for outside:A/p to inside:B/p duration 0:00:30 bytes 12 TCP Reset-O`.
    fn teardown(&self, text: &str, built: &mut Built) -> Result<Reading, Garbage> {
        let broken = || Garbage::new(format!("ASA 302014: not as documented: {text:?}"));
        let rest = text.strip_prefix("Teardown ").and_then(connection).ok_or_else(broken)?;
        let (number, rest) = rest.split_once(" for ").ok_or_else(broken)?;
        let number: u64 = number.trim().parse().map_err(|_| broken())?;
        let (first, rest) = side(rest).ok_or_else(broken)?;
        let (second, rest) =
            side(rest.strip_prefix(" to ").ok_or_else(broken)?).ok_or_else(broken)?;
        let rest = rest.strip_prefix(" duration ").ok_or_else(broken)?;
        let (duration, rest) = rest.split_once(" bytes ").ok_or_else(broken)?;
        let (bytes, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let duration_s = duration_s(duration).ok_or_else(broken)?;
        // Names of users stand in parentheses behind the reason.
        let reason = reason.split(" (").next().unwrap_or("").trim();
        let opening = built.remove(&(self.source.clone(), number)).filter(|opening| {
            (opening.first.real, opening.second.real) == (first.real, second.real)
        });
        let end = end_of(reason, &first.interface, &second.interface);
        let mut session = self.session(reason, end);
        session.begun = Some(stamp::earlier(self.stamp, duration_s));
        session.is_begun_exact = true;
        session.bytes = bytes.parse().ok();
        match opening {
            Some(opening) => {
                session.begun = Some(opening.begun);
                session.tuples = opening.tuples();
                if !opening.is_inbound {
                    session.end = turned(end);
                }
            }
            None => {
                session.is_oriented = false;
                session.tuples = original(first.real, second.real);
            }
        }
        Ok(Reading::Session(Box::new(session)))
    }

    /// `Deny TCP (no connection) from A/p to B/p flags RST on interface outside`, and
    /// `Inbound TCP connection denied from A/p to B/p flags SYN on interface outside`.
    fn denied_pair(&self, number: &str, text: &str) -> Result<Reading, Garbage> {
        let broken = || Garbage::new(format!("ASA {number}: not as documented: {text:?}"));
        let (head, rest) = text.split_once(" from ").ok_or_else(broken)?;
        let (from, rest) = rest.split_once(" to ").ok_or_else(broken)?;
        let (to, rest) = rest.split_once(" flags ").ok_or_else(broken)?;
        let (flags, _) = rest.split_once(" on interface").ok_or_else(broken)?;
        let (from, to) = (slashed(from).ok_or_else(broken)?, slashed(to).ok_or_else(broken)?);
        let end = if number == "106015" { End::NoSession } else { End::Policy };
        let mut session = self.session(&format!("{head}, flags {}", flags.trim()), end);
        session.kind = Kind::Moment;
        session.is_oriented = flags.trim() == "SYN";
        session.tuples = original(from, to);
        session.action = "deny".to_owned();
        Ok(Reading::Session(Box::new(session)))
    }

    /// `Deny tcp src outside:A/p dst inside:B/p by access-group "NAME" [0x0, 0x0]`.
    fn denied_by_list(&self, text: &str) -> Result<Reading, Garbage> {
        let Some(rest) = text.strip_prefix("Deny tcp src ") else {
            return Ok(Reading::Other("ASA, a denial that is not of TCP"));
        };
        let broken = || Garbage::new(format!("ASA 106023: not as documented: {text:?}"));
        let (from, rest) = side(rest).ok_or_else(broken)?;
        let (to, rest) = side(rest.strip_prefix(" dst ").ok_or_else(broken)?).ok_or_else(broken)?;
        let rest = rest.strip_prefix(" by access-group ").ok_or_else(broken)?;
        let mut session = self.session("Deny by access-group", End::Policy);
        session.kind = Kind::Moment;
        session.tuples = original(from.real, to.real);
        session.action = "deny".to_owned();
        session.rule = rest.split('"').nth(1).and_then(told);
        Ok(Reading::Session(Box::new(session)))
    }

    /// `AccessControlRuleAction: Block with reset, SrcIP: A, DstIP: B, SrcPort: p, DstPort: q, Protocol: tcp, …`.
    fn connection_event(&self, text: &str) -> Result<Reading, Garbage> {
        let of = |key: &str| {
            let mut parts = text.split(", ");
            parts.find_map(|part| part.trim().strip_prefix(key)?.strip_prefix(": ")).unwrap_or("")
        };
        if !of("Protocol").eq_ignore_ascii_case("tcp") {
            return Ok(Reading::Other("FTD, a connection that is not TCP"));
        }
        let part = |ip: &str, port: &str| {
            endpoint(of(ip), of(port)).ok_or_else(|| {
                Garbage::new(format!("FTD 430003: {ip} and {port} are no address and port"))
            })
        };
        let (client, server) = (part("SrcIP", "SrcPort")?, part("DstIP", "DstPort")?);
        let action = of("AccessControlRuleAction");
        let end = if action.starts_with("Block") { End::Policy } else { End::Other };
        let mut session = self.session(action, end);
        session.tuples = translated(client, server, None, None);
        session.resets = action.eq_ignore_ascii_case("block with reset").then_some(ResetTo::Both);
        session.action = word(action);
        session.rule = told(of("AccessControlRuleName"));
        if let Ok(duration_s) = of("ConnectionDuration").parse::<u64>() {
            session.begun = Some(stamp::earlier(self.stamp, duration_s));
            session.is_begun_exact = true;
        }
        Ok(Reading::Session(Box::new(session)))
    }

    fn session(&self, said: &str, end: End) -> LogSession {
        LogSession {
            product: Product::CiscoAsa,
            source: self.source.clone(),
            begun: None,
            is_begun_exact: false,
            ended: self.stamp,
            resolution_ns: SECOND_NS,
            kind: Kind::Session,
            tuples: Vec::new(),
            is_oriented: true,
            end,
            said: told(said).unwrap_or_else(|| "Teardown".to_owned()),
            action: String::new(),
            resets: None,
            rule: None,
            threat: None,
            bytes: None,
            line: String::new(),
        }
    }
}

impl Opening {
    /// A client knows the server by its mapped address, and the server the client by his.
    fn tuples(&self) -> Vec<LogTuple> {
        let (client, server) = match self.is_inbound {
            true => (&self.first, &self.second),
            false => (&self.second, &self.first),
        };
        translated(client.real, server.mapped, Some(client.mapped), Some(server.real))
    }
}

fn original(client: Endpoint, server: Endpoint) -> Vec<LogTuple> {
    vec![LogTuple { client, server: Some(server), matched: Matched::Original }]
}

/// As if the side named first were the client.
fn end_of(reason: &str, first: &str, second: &str) -> End {
    let by = |suffix: &str| match reason.rsplit_once(" from ") {
        // Newer versions name the interface.
        Some((_, interface)) if interface == first => End::ResetByClient,
        Some((_, interface)) if interface == second => End::ResetByServer,
        _ if suffix == "I" => End::ResetByServer,
        _ => End::ResetByClient,
    };
    let begins = |words: &[&str]| words.iter().any(|word| reason.starts_with(word));
    if begins(&["TCP Reset-I"]) {
        by("I")
    } else if begins(&["TCP Reset-O"]) {
        by("O")
    } else if begins(&["TCP FINs"]) {
        End::Finished
    } else if begins(&["Conn-timeout", "Idle Timeout", "Connection timeout"]) {
        End::IdleTimeout
    } else if begins(&["SYN Timeout"]) {
        End::HandshakeTimeout
    } else if begins(&["Flow terminated by TCP Intercept", "SYN Control"]) {
        End::SynDefence
    } else if begins(&[
        "Flow reset by",
        "Flow closed by inspection",
        "Deny Terminate",
        "Flow denied",
    ]) {
        End::Policy
    } else if begins(&["No memory", "Resource limit", "Failover replication"]) {
        End::Resources
    } else {
        End::Other
    }
}

const fn turned(end: End) -> End {
    match end {
        End::ResetByClient => End::ResetByServer,
        End::ResetByServer => End::ResetByClient,
        end => end,
    }
}

/// What follows `TCP connection `; probes of the firewall's own say that they are.
fn connection(text: &str) -> Option<&str> {
    text.strip_prefix("Probe ").unwrap_or(text).strip_prefix("TCP connection ")
}

/// `outside:192.0.2.7/443 (203.0.113.7/443)(LOCAL\name)` with which a text begins, and what follows it; without a
/// mapping it is the real one. Names of users may hold blanks and parentheses.
fn side(text: &str) -> Option<(Side, &str)> {
    let (interface, rest) = text.trim_start().split_once(':')?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(rest.len());
    let real = slashed(&rest[..end])?;
    let mut mapped = None;
    let mut rest = &rest[end..];
    for _ in 0..PARENTHESES_MAX {
        let Some(inner) = rest.trim_start_matches(' ').strip_prefix('(') else { break };
        let mut ends = inner.match_indices(')').map(|(at, _)| at);
        let end = ends.find(|at| is_closed(&inner[at + 1..])).or_else(|| inner.find(')'))?;
        mapped = mapped.or_else(|| slashed(&inner[..end]));
        rest = &inner[end + 1..];
    }
    let interface = beginning(interface, INTERFACE_BYTES).to_owned();
    Some((Side { interface, real, mapped: mapped.unwrap_or(real) }, rest))
}

/// Whether the parenthesis before this ends: a further one follows, the words behind a side, or nothing.
fn is_closed(rest: &str) -> bool {
    let words = [" to ", " duration ", " dst ", " by access-group "];
    let begins = rest.trim_start();
    begins.is_empty() || begins.starts_with('(') || words.iter().any(|word| rest.starts_with(word))
}

/// A mapping, a user, and another user at the end.
const PARENTHESES_MAX: usize = 3;

/// `192.0.2.7/443`.
fn slashed(text: &str) -> Option<Endpoint> {
    let text = text.trim();
    let text = text.split(['(', ' ']).next()?;
    let (ip, port) = text.rsplit_once('/')?;
    endpoint(ip, port)
}

/// `26:03:09`.
fn duration_s(text: &str) -> Option<u64> {
    let parts: Option<Vec<u64>> =
        text.trim().split(':').map(|part| part.parse().ok().filter(|n| *n < 1_000_000)).collect();
    match parts?.as_slice() {
        [hours, minutes, seconds] => Some(hours * 3600 + minutes * 60 + seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Zone;
    use super::*;

    fn reading(built: &mut Built, text: &str) -> Result<Reading, Garbage> {
        let line = format!("<166>Nov 14 2023 22:13:20 asa-1 : {text}");
        let context =
            Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "192.0.2.1" };
        let header = Header::of(&line, &context);
        read(&line[begins_at(&line).unwrap()..], &header, &context, built)
    }

    fn session_of(built: &mut Built, text: &str) -> LogSession {
        match reading(built, text) {
            Ok(Reading::Session(session)) => *session,
            other => panic!("{other:?}"),
        }
    }

    const BUILT_IN: &str = "%ASA-6-302013: Built inbound TCP connection 77 for outside:10.1.2.3/40000 \
        (10.1.2.3/40000) to inside:192.168.0.9/8443 (203.0.113.9/443)";
    const DOWN: &str = "%ASA-6-302014: Teardown TCP connection 77 for outside:10.1.2.3/40000 to \
        inside:192.168.0.9/8443 duration 0:00:20 bytes 5120 TCP Reset-I";

    #[test]
    fn a_teardown_and_its_opening_tell_who_and_all_translations() {
        let mut built = Built::new(8);
        assert!(matches!(reading(&mut built, BUILT_IN), Ok(Reading::Other(_))));
        let session = session_of(&mut built, DOWN);
        assert_eq!((session.end, session.said.as_str()), (End::ResetByServer, "TCP Reset-I"));
        assert!(session.is_oriented);
        assert_eq!(session.source, "asa-1");
        let told: Vec<String> =
            session.tuples.iter().map(|t| format!("{} {}", t.client, t.server.unwrap())).collect();
        assert_eq!(told, ["10.1.2.3:40000 203.0.113.9:443", "10.1.2.3:40000 192.168.0.9:8443"]);
        assert_eq!(session.ended, UtcTime(1_700_000_000_000_000_000));
        // The opening is used once.
        assert!(!session_of(&mut built, DOWN).is_oriented);
    }

    #[test]
    fn of_an_outbound_connection_the_inside_is_the_client() {
        let mut built = Built::new(8);
        let _ = reading(
            &mut built,
            "%ASA-6-302013: Built outbound TCP connection 9 for outside:203.0.113.9/443 (203.0.113.9/443) to \
             inside:10.0.0.5/40000 (198.51.100.1/61000)(LOCAL\\user)",
        );
        let session = session_of(
            &mut built,
            "%ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.9/443 to \
             inside:10.0.0.5/40000(LOCAL\\user) duration 1:00:20 bytes 1 TCP Reset-O from outside (user)",
        );
        assert_eq!(
            (session.end, session.said.as_str()),
            (End::ResetByServer, "TCP Reset-O from outside")
        );
        assert_eq!(session.tuples[0].client.to_string(), "10.0.0.5:40000");
        assert_eq!(session.tuples[1].client.to_string(), "198.51.100.1:61000");
    }

    #[test]
    fn names_of_users_may_be_any_and_addresses_ipv6() {
        for (user, other) in [
            ("LOCAL\\user", "user"),
            ("CORP\\Anna Maria Muster", "Anna Maria Muster"),
            ("CORP\\way to go", "way to go"),
            ("CORP\\for duration of (two) years", "x"),
            ("Muster, Anna (IT) dst", "a/5"),
        ] {
            let mut built = Built::new(8);
            let opened = format!(
                "%ASA-6-302013: Built inbound TCP connection 9 for outside-isp_1:2001:db8::1/40000 \
                 (2001:db8::1/40000)({user}) to inside:2001:db8::9/443 (2001:db8:f::9/8443) ({other})"
            );
            assert!(matches!(reading(&mut built, &opened), Ok(Reading::Other(_))), "{user}");
            let session = session_of(
                &mut built,
                &format!(
                    "%ASA-6-302014: Teardown TCP connection 9 for outside-isp_1:2001:db8::1/40000({user}) to \
                     inside:2001:db8::9/443 duration 0:00:20 bytes 1 TCP Reset-O from outside-isp_1 ({other})"
                ),
            );
            assert!(session.is_oriented, "{user}");
            assert_eq!(session.end, End::ResetByClient, "{user}");
            let servers: Vec<String> =
                session.tuples.iter().map(|tuple| tuple.server.unwrap().to_string()).collect();
            assert_eq!(servers, ["[2001:db8:f::9]:8443", "[2001:db8::9]:443"], "{user}");
        }
        let mut built = Built::new(8);
        let session = session_of(
            &mut built,
            "%ASA-4-106023: Deny tcp src dmz-1:10.1.2.3/40000(CORP\\way to dst, 12:guests) dst \
             inside:192.168.0.9/443(any name) by access-group \"dmz in\" [0x8ed66b60, 0xf8852875]",
        );
        assert_eq!(session.rule.as_deref(), Some("dmz in"));
        assert_eq!(session.tuples[0].server.unwrap().to_string(), "192.168.0.9:443");
        let probe = "%ASA-6-302014: Teardown Probe TCP connection 4 for inside:10.0.0.1/7 to inside:10.0.0.2/80 \
                     duration 0:00:00 bytes 0 TCP FINs";
        assert_eq!(session_of(&mut built, probe).end, End::Finished);
    }

    #[test]
    fn what_waits_for_its_end_is_bounded() {
        let mut built = Built::new(8);
        let (host, interface) = ("h".repeat(3000), "i".repeat(3000));
        let line = format!(
            "<166>Nov 14 2023 22:13:20 {host} : {}",
            BUILT_IN.replace("outside", &interface)
        );
        let context =
            Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "192.0.2.1" };
        let header = Header::of(&line, &context);
        let message = &line[begins_at(&line).unwrap()..];
        assert!(read(message, &header, &context, &mut built).is_ok());
        let kept = built.remove(&("h".repeat(255), 77)).expect("the name is cut where it is read");
        assert_eq!(kept.first.interface.len(), INTERFACE_BYTES);
    }

    #[test]
    fn denials_and_events_of_ftd_are_read() {
        let mut built = Built::new(8);
        let session = session_of(
            &mut built,
            "%ASA-6-106015: Deny TCP (no connection) from 10.1.2.3/40000 to 192.168.0.9/443 flags RST ACK  on \
             interface outside",
        );
        assert_eq!((session.end, session.kind), (End::NoSession, Kind::Moment));
        assert_eq!(session.said, "Deny TCP (no connection), flags RST ACK");
        let session = session_of(
            &mut built,
            "%ASA-4-106023: Deny tcp src outside:2001:db8::1/40000 dst inside:2001:db8::9/443 by access-group \
             \"outside_in\" [0x0, 0x0]",
        );
        assert_eq!(session.rule.as_deref(), Some("outside_in"));
        assert_eq!(session.tuples[0].client.to_string(), "[2001:db8::1]:40000");
        let session = session_of(
            &mut built,
            "%FTD-1-430003: EventPriority: Low, AccessControlRuleAction: Block with reset, SrcIP: 10.1.2.3, DstIP: \
             192.168.0.9, SrcPort: 40000, DstPort: 443, Protocol: tcp, AccessControlRuleName: no ssl, \
             ConnectionDuration: 2",
        );
        assert_eq!((session.end, session.resets), (End::Policy, Some(ResetTo::Both)));
        assert_eq!(session.rule.as_deref(), Some("no ssl"));
    }

    #[test]
    fn what_is_broken_is_garbage_and_other_numbers_are_not() {
        let mut built = Built::new(8);
        assert!(matches!(reading(&mut built, "%ASA-5-111008: User x"), Ok(Reading::Other(_))));
        for text in [
            "%ASA-6-302014: Teardown TCP connection",
            "%ASA-6-302014: Teardown TCP connection x for outside:1.2.3.4/5 to inside:1.2.3.4/6 duration 0:00:20 \
             bytes 1 TCP FINs",
            "%ASA-6-302013: Built sideways TCP connection 7",
            "%ASA-6-: x",
        ] {
            assert!(reading(&mut built, text).is_err(), "{text}");
        }
    }
}
