//! HAProxy: the `log-format` of `deploy/config/logs/haproxy.cfg`, `option tcplog`, `httplog`, `httpslog` and
//! `httplog clf`.
//!
//! Source: HAProxy 2.6 configuration manual, sections 8.2 and 8.5. Our format tells both connections, that of
//! the client and that to the server; the usual ones tell only the client's address. A termination state is two
//! letters: who or what ended it (capital: at once, small: a timer), and in which phase.

use std::collections::HashMap;

use events::{Endpoint, UtcTime};

use super::Context;
use super::fields::{address, endpoint, pairs, told};
use super::header::Header;
use super::stamp::{self, MILLISECOND_NS};
use crate::logs::session::{End, Garbage, Kind, LogSession, LogTuple, Matched, Product, Reading};

/// What our format begins with.
const MARK: &str = "rstscope_haproxy ";

/// Where a message in our format begins.
pub(crate) fn ours_at(line: &str) -> Option<usize> {
    line.find(MARK)
}

/// Where any other message begins: behind the name of the program.
pub(crate) fn usual_at(line: &str) -> Option<usize> {
    let at = line.find("haproxy[")?;
    Some(at + line[at..].find("]: ")? + 3)
}

/// Reads a message.
pub(crate) fn read(
    message: &str,
    header: &Header<'_>,
    context: &Context<'_>,
) -> Result<Reading, Garbage> {
    let source = header.host.unwrap_or(context.source);
    match message.strip_prefix(MARK) {
        Some(fields) => ours(&pairs(fields), source),
        None => usual(message, source, context),
    }
}

/// `ci=… cp=… fi=… fp=… bi=… bp=… si=… sp=… ts=SD t0=1700000000.123 tt=5007 ft=front b=back s=srv bytes=212`.
fn ours(fields: &HashMap<&str, &str>, source: &str) -> Result<Reading, Garbage> {
    let of = |key: &str| fields.get(key).copied().unwrap_or("");
    let broken = |key: &str| Garbage::new(format!("HAProxy: field {key} is {:?}", of(key)));
    let client = endpoint(of("ci"), of("cp")).ok_or_else(|| broken("ci or cp"))?;
    let front = endpoint(of("fi"), of("fp")).ok_or_else(|| broken("fi or fp"))?;
    let mut tuples = vec![LogTuple { client, server: Some(front), matched: Matched::Front }];
    // What was never reached has no addresses.
    if let (Some(from), Some(to)) = (endpoint(of("bi"), of("bp")), endpoint(of("si"), of("sp"))) {
        let is_real = !from.ip.is_unspecified() && from.port > 0 && to.port > 0;
        if is_real {
            tuples.push(LogTuple { client: from, server: Some(to), matched: Matched::Back });
        }
    }
    let begun = stamp::epoch(of("t0")).ok_or_else(|| broken("t0"))?;
    let total_ms = milliseconds(of("tt")).ok_or_else(|| broken("tt"))?;
    let state = of("ts");
    let mut session = session(source, state, tuples)?;
    // Of later requests of a connection it is the request's begin.
    session.is_begun_exact = of("mode") == "tcp";
    session.begun = Some(begun);
    session.ended.0 = begun.0.saturating_add(total_ms.saturating_mul(MILLISECOND_NS));
    session.rule = told(&[of("ft"), of("b"), of("s")].join("/"));
    session.bytes = of("bytes").trim_start_matches('+').parse().ok();
    Ok(Reading::Session(Box::new(session)))
}

/// `10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0`, and with a status
/// before the bytes and cookies before the state for HTTP.
fn usual(message: &str, source: &str, context: &Context<'_>) -> Result<Reading, Garbage> {
    // Between quotes stands the request.
    let unquoted = message.split('"').next().unwrap_or("");
    let words: Vec<&str> = unquoted.split_ascii_whitespace().take(WORDS_MAX).collect();
    if let [_, "-", "-", stamp, ..] = words.as_slice()
        && stamp.starts_with('[')
    {
        return common(message, source);
    }
    let [client, stamp, front, back, timers, ..] = words.as_slice() else {
        return Ok(Reading::Other("HAProxy, another message"));
    };
    // `[06/Feb/2009:12:12:51.443]`; whatever else it says has none.
    let Some(stamp) = stamp.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
        return Ok(Reading::Other("HAProxy, another message"));
    };
    // `10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt/1: Connection error during SSL handshake`.
    if front.ends_with(':') {
        return Ok(Reading::Other("HAProxy, a handshake that failed"));
    }
    let broken = |what: &str| not_as_documented(what, message);
    let (ip, port) = client.rsplit_once(':').ok_or_else(|| broken("the client"))?;
    let ip = address(ip).ok_or_else(|| broken("the client"))?;
    let port = port.parse().map_err(|_| broken("the client's port"))?;
    let begun = stamp::local(stamp, "%d/%b/%Y:%H:%M:%S%.f", context.zone)
        .ok_or_else(|| broken("the time"))?;
    let is_http = timers.matches('/').count() >= 4;
    let (bytes, state) = match is_http {
        true => (words.get(6), state_of_http(&words)),
        false => (words.get(5), words.get(6).copied()),
    };
    let state = state.ok_or_else(|| broken("the state"))?;
    // A quote in a cookie would hide what stands behind it: the request's two are all there are.
    let has_cookies = is_http && words.get(7..9) != Some(["-", "-"].as_slice());
    if has_cookies && message.matches('"').count() != 2 {
        return Err(broken("the quotes"));
    }
    let total =
        timers.rsplit('/').next().and_then(milliseconds).ok_or_else(|| broken("the times"))?;
    let client = Endpoint { ip, port };
    let tuples = vec![LogTuple { client, server: None, matched: Matched::Front }];
    let mut session = session(source, state, tuples)?;
    session.is_begun_exact = !is_http;
    session.begun = Some(begun);
    session.ended.0 = begun.0.saturating_add(total.saturating_mul(MILLISECOND_NS));
    session.rule = told(&format!("{front}/{back}"));
    session.bytes = bytes.and_then(|text| text.trim_start_matches('+').parse().ok());
    Ok(Reading::Session(Box::new(session)))
}

/// `option httplog clf`: `10.0.1.2 - - [23/Nov/2026:23:56:12 +0000] "GET / HTTP/1.1" 503 217 "" "" 35274 164 "fnt"
/// "bck" "srv1" 0 0 30 -1 3010 SC-- 1 1 0 0 3 0 0 …`: the port, milliseconds of the stamp, names, times, the state. In
/// the request HAProxy writes quotes as `#22`; what is captured comes last.
fn common(message: &str, source: &str) -> Result<Reading, Garbage> {
    let broken = |what: &str| not_as_documented(what, message);
    let parts: Vec<&str> = message.split('"').take(COMMON_PARTS).collect();
    let [who, _, answer, "", " ", "", port, front, " ", back, " ", server, times] = parts[..]
    else {
        return Err(broken("the quotes"));
    };
    let (ip, stamp) = who.split_once(" - - [").ok_or_else(|| broken("the client"))?;
    let stamp = stamp.trim_end().strip_suffix(']').ok_or_else(|| broken("the time"))?;
    let second = stamp::zoned(stamp, "%d/%b/%Y:%H:%M:%S %z").ok_or_else(|| broken("the time"))?;
    let (port, part_ms) = port.trim().split_once(' ').ok_or_else(|| broken("the port"))?;
    let client = endpoint(ip, port).ok_or_else(|| broken("the client"))?;
    let part_ms: u64 = part_ms.parse().map_err(|_| broken("the time"))?;
    let words: Vec<&str> = times.split_ascii_whitespace().take(6).collect();
    let [_, _, _, _, total, state] = words[..] else { return Err(broken("the times")) };
    let total_ms = milliseconds(total).ok_or_else(|| broken("the times"))?;
    let tuples = vec![LogTuple { client, server: None, matched: Matched::Front }];
    let mut session = session(source, state, tuples)?;
    let begun = second.0.saturating_add(part_ms.min(999) * MILLISECOND_NS);
    session.begun = Some(UtcTime(begun));
    session.ended.0 = begun.saturating_add(total_ms.saturating_mul(MILLISECOND_NS));
    session.rule = told(&format!("{front}/{back}/{server}"));
    session.bytes = answer.split_ascii_whitespace().nth(1).and_then(milliseconds);
    Ok(Reading::Session(Box::new(session)))
}

fn not_as_documented(what: &str, message: &str) -> Garbage {
    Garbage::new(format!("HAProxy: {what} not as documented: {message:?}"))
}

/// The termination state behind two captured cookies. They are the client's and the server's own words and may hold
/// blanks: then it is told only if nothing else looks like it.
fn state_of_http<'w>(words: &[&'w str]) -> Option<&'w str> {
    let (Some(&"-"), Some(&"-")) = (words.get(7), words.get(8)) else {
        let is_ratio = |word: &str, count: usize| {
            word.split('/').count() == count
                && word.bytes().all(|byte| byte.is_ascii_digit() || b"/+".contains(&byte))
        };
        let mut found = words
            .windows(3)
            .skip(9)
            .filter(|three| is_state(three[0]) && is_ratio(three[1], 5) && is_ratio(three[2], 2));
        let only = found.next()?[0];
        return found.next().is_none().then_some(only);
    };
    words.get(9).copied()
}

fn is_state(text: &str) -> bool {
    matches!(text.len(), 2 | 4)
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

fn session(source: &str, state: &str, tuples: Vec<LogTuple>) -> Result<LogSession, Garbage> {
    if !is_state(state) {
        return Err(Garbage::new(format!("HAProxy: {state:?} is no termination state")));
    }
    Ok(LogSession {
        product: Product::Haproxy,
        source: source.to_owned(),
        begun: None,
        is_begun_exact: false,
        ended: UtcTime(0),
        resolution_ns: MILLISECOND_NS,
        kind: Kind::Session,
        tuples,
        is_oriented: true,
        end: end_of(state),
        said: state.to_owned(),
        action: String::new(),
        resets: None,
        rule: None,
        threat: None,
        bytes: None,
        line: String::new(),
    })
}

/// The first letter says who, the second when.
fn end_of(state: &str) -> End {
    let (who, phase) = (state.as_bytes()[0], state.as_bytes()[1]);
    match (who, phase) {
        (b'-', _) => End::Finished,
        (b'C', _) => End::ClientGone,
        (b'S', b'C') => End::ServerRefused,
        (b'S', _) => End::ServerGone,
        (b'c', _) => End::ClientTimer,
        (b's', _) => End::ServerTimer,
        (b'P', _) => End::ProxyDecision,
        (b'R', _) => End::Resources,
        // D, U, K: a server went down or came back, or an operator acted; I, L: the proxy itself.
        (b'D' | b'U' | b'K' | b'I' | b'L', _) => End::ProxyDecision,
        _ => End::Other,
    }
}

/// Milliseconds; `+` says that the connection went on when this was written.
fn milliseconds(text: &str) -> Option<u64> {
    text.trim_start_matches('+').parse().ok()
}

/// Pieces between quotes up to the times.
const COMMON_PARTS: usize = 13;

/// Cookies and headers may be long; what is longer is not told apart.
const WORDS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::super::stamp::Zone;
    use super::*;

    fn session_of(line: &str) -> LogSession {
        let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "lb-1" };
        let header = Header::of(line, &context);
        match read(&line[ours_at(line).or(usual_at(line)).unwrap()..], &header, &context) {
            Ok(Reading::Session(session)) => *session,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn our_format_tells_both_connections() {
        let session = session_of(
            "<134>Nov 14 22:13:25 lb-1 haproxy[7]: rstscope_haproxy ci=10.1.2.3 cp=40000 fi=203.0.113.9 fp=443 \
             bi=10.9.0.1 bp=51000 si=192.168.0.9 sp=8443 ts=SD t0=1700000000.120 tt=5007 mode=tcp ft=web b=pool s=a1 \
             bytes=212",
        );
        assert_eq!((session.end, session.said.as_str()), (End::ServerGone, "SD"));
        assert_eq!(session.tuples.len(), 2);
        assert_eq!(session.tuples[1].server.unwrap().to_string(), "192.168.0.9:8443");
        assert_eq!(session.ended, UtcTime(1_700_000_005_127_000_000));
        assert_eq!(session.rule.as_deref(), Some("web/pool/a1"));
        assert!(session.is_begun_exact);
    }

    #[test]
    fn a_server_that_was_never_reached_has_no_connection() {
        let session = session_of(
            "rstscope_haproxy ci=::ffff:10.1.2.3 cp=40000 fi=203.0.113.9 fp=443 bi=- bp=0 si=- sp=0 ts=SC \
             t0=1700000000.120 tt=+7 mode=http ft=web b=pool s=<NOSRV> bytes=0",
        );
        assert_eq!(session.end, End::ServerRefused);
        assert_eq!(session.tuples.len(), 1);
        assert_eq!(session.source, "lb-1");
    }

    #[test]
    fn the_usual_formats_tell_the_client() {
        let tcp = session_of(
            "Nov 14 22:13:25 lb-1 haproxy[14385]: 10.0.1.2:33313 [14/Nov/2023:22:13:20.443] fnt bck/srv1 0/0/5007 212 \
             cD 0/0/0/0/3 0/0",
        );
        assert_eq!((tcp.end, tcp.tuples[0].server), (End::ClientTimer, None));
        assert_eq!(tcp.ended, UtcTime(1_700_000_005_450_000_000));
        let http = session_of(
            "Nov 14 22:13:25 lb-1 haproxy[14389]: 10.0.1.2:33317 [14/Nov/2023:22:13:20.443] http-in static/srv1 \
             10/0/30/-1/109 502 2750 - - SH-- 1/1/1/1/0 0/0 \"GET /index.html HTTP/1.1\"",
        );
        assert_eq!(
            (http.end, http.said.as_str(), http.bytes),
            (End::ServerGone, "SH--", Some(2750))
        );
    }

    #[test]
    fn the_common_format_and_that_of_tls_tell_the_client_too() {
        let common = |request: &str, captured: &str| {
            format!(
                "<134>Nov 14 22:13:25 lb-1 haproxy[14389]: 10.0.1.2 - - [14/Nov/2023:22:13:20 +0000] \"{request}\" 502 217 \
                 \"\" \"\" 33317 443 \"http-in\" \"static\" \"srv1\" 10 0 30 -1 109 SH-- 1 1 0 0 3 0 0 {captured}"
            )
        };
        for captured in ["\"\" \"\"", "\"SID=a\"b\" \"\" \"curl\"", ""] {
            let session = session_of(&common("GET /a#22b HTTP/1.1", captured));
            assert_eq!((session.end, session.said.as_str()), (End::ServerGone, "SH--"));
            assert_eq!(session.tuples[0].client.to_string(), "10.0.1.2:33317");
            assert_eq!(session.ended, UtcTime(1_700_000_000_552_000_000));
            assert_eq!(session.rule.as_deref(), Some("http-in/static/srv1"));
            assert_eq!(session.bytes, Some(217));
        }
        let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "lb" };
        let reading =
            |line: &str| read(&line[usual_at(line).unwrap()..], &Header::default(), &context);
        assert!(
            reading(&common("GET /a\"b HTTP/1.1", "")).is_err(),
            "HAProxy writes no such quote"
        );
        assert!(reading(&common("<BADREQ>", "").replace(" SH-- ", " - ")).is_err());
        let over_tls = session_of(
            "Nov 14 22:13:25 lb-1 haproxy[14389]: 10.0.1.2:33317 [14/Nov/2023:22:13:20.443] https-in~ static/srv1 \
             10/0/-1/-1/109 503 217 - - SC-- 1/1/0/0/3 0/0 \"GET / HTTP/2.0\" 0/0000000000000000/0/0/0 www/TLSv1.3/x",
        );
        assert_eq!((over_tls.end, over_tls.said.as_str()), (End::ServerRefused, "SC--"));
        let failed = "haproxy[7]: 10.0.1.2:33317 [14/Nov/2023:22:13:20.443] https-in/1: Connection closed during SSL \
                      handshake";
        assert!(matches!(reading(failed), Ok(Reading::Other(_))));
    }

    #[test]
    fn a_cookie_forges_no_state() {
        let line = |cookie: &str, header: &str| {
            format!(
                "Nov 14 22:13:25 lb-1 haproxy[14389]: 10.0.1.2:33317 [14/Nov/2023:22:13:20.443] http-in static/srv1 \
                 10/0/30/-1/109 502 2750 {cookie} - SH-- 1/1/1/1/0 0/0 {header} \"GET / HTTP/1.1\""
            )
        };
        let reading = |line: &str| {
            let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "lb" };
            read(&line[usual_at(line).unwrap()..], &Header::default(), &context)
        };
        for cookie in ["-", "id=7", "id=7 and more", "id=CD-- 1/1 x"] {
            let Ok(Reading::Session(session)) = reading(&line(cookie, "{curl}")) else {
                panic!("{cookie}")
            };
            assert_eq!(session.said, "SH--", "{cookie}");
        }
        assert!(reading(&line("id=7 - CD-- 1/1/1/1/0 0/0", "")).is_err());
        assert!(reading(&line("id=7 y CD-- 1/1/1/1/0 0/0 \"", "")).is_err(), "hides the real one");
        assert!(
            reading(&line("id=7", "{x CD-- 1/1/1/1/0 0/0}")).is_ok(),
            "a brace ends the number"
        );
        assert!(reading(&line("id=7", "{x CD-- 1/1/1/1/0 0/0 }")).is_err());
        let Ok(Reading::Session(session)) = reading(&line("-", "{x CD-- 1/1/1/1/0 0/0 }")) else {
            panic!()
        };
        assert_eq!(session.said, "SH--", "behind the state nothing counts");
    }

    #[test]
    fn other_messages_are_no_garbage_and_broken_ones_are() {
        let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "lb-1" };
        let reading = |message: &str| read(message, &Header::default(), &context);
        assert!(matches!(reading("Server bck/srv1 is DOWN, reason: x"), Ok(Reading::Other(_))));
        for message in [
            "10.0.1.2:x [14/Nov/2023:22:13:20.443] fnt bck/srv1 0/0/5007 212 cD 0/0/0/0/3 0/0",
            "10.0.1.2:1 [14/Nov/2023:22:13:20.443] fnt bck/srv1 0/0/x 212 cD 0/0/0/0/3 0/0",
            "10.0.1.2:1 [14/Nov/2023:22:13:20.443] fnt bck/srv1 0/0/5 212 c%D 0/0/0/0/3 0/0",
            "rstscope_haproxy ci=10.0.1.2",
        ] {
            assert!(reading(message).is_err(), "{message}");
        }
    }
}
