//! nginx: the access log format of `deploy/config/logs/nginx.conf`, and the error log beside it.
//!
//! The error log knows why (`recv() failed (104: Connection reset by peer) while reading response header from
//! upstream`) but no port; the access log knows the addresses. Both name worker and connection, by which they
//! are paired; the error comes first. The connection to the upstream is not told: nginx has no variable for
//! its own port there.

use std::collections::HashMap;

use events::UtcTime;

use super::Context;
use super::fields::{address, endpoint, needed, pairs, told};
use super::header::Header;
use super::memory::Memory;
use super::stamp::{self, MILLISECOND_NS};
use crate::logs::session::{
    End, Garbage, Kind, LogSession, LogTuple, Matched, Product, Reading, beginning,
};

/// What our format begins with.
const MARK: &str = "rstscope_nginx ";

/// What went wrong on a connection, by writer, worker and connection.
pub(crate) type Errors = Memory<(String, u64, u64), String>;

/// Where a line of our format begins.
pub(crate) fn access_at(line: &str) -> Option<usize> {
    line.find(MARK)
}

/// Where a line of nginx's own format `combined` begins, whatever is added behind it (as `$upstream_addr`, and as
/// ingress-nginx adds by default): `10.1.2.3 - anna [14/Nov/2023:22:13:20 +0000] "`. Apache writes the same.
pub(crate) fn combined_at(message: &str) -> Option<usize> {
    let before = message.strip_suffix("] \"")?;
    let (who, stamp) = before.rsplit_once(" [")?;
    stamp::zoned(stamp, "%d/%b/%Y:%H:%M:%S %z")?;
    let client = who.split_once(" - ")?.0;
    let at = client.rfind(' ').map_or(0, |blank| blank + 1);
    address(&client[at..]).map(|_| at)
}

/// What such a line tells: no port of the client, so that no connection is known by it.
pub(crate) const COMBINED: Reading =
    Reading::Other("nginx, without the client's port: it cannot be joined, see deploy/config/logs");

/// Where an error begins: `2023/11/14 22:13:25 [error] 123#7: *45 recv() failed …`, with or without its stamp.
pub(crate) fn error_at(line: &str) -> Option<usize> {
    let level = LEVELS.iter().filter_map(|level| Some((line.find(level)?, level.len())));
    let (at, len) = level.min()?;
    let worker = line[at + len..].split_once(": ")?.0;
    let (process, thread) = worker.split_once('#')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let stamp_at = at.checked_sub(STAMP.len()).filter(|from| {
        let stamp = &line.as_bytes()[*from..at];
        stamp.iter().zip(STAMP.bytes()).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            shape => *byte == shape,
        })
    });
    (is_number(process) && is_number(thread)).then_some(stamp_at.unwrap_or(at))
}

/// Reads an error; it is told with the line of the access log that follows.
pub(crate) fn read_error(
    message: &str,
    header: &Header<'_>,
    context: &Context<'_>,
    errors: &mut Errors,
) -> Reading {
    let source = header.host.unwrap_or(context.source);
    if let Some((worker, connection, text)) = error(message) {
        // Before the first quote and the address of the client nginx says its own words only.
        let text = text.split('"').next().unwrap_or(text);
        let text = text.split(", client: ").next().unwrap_or(text).trim_end();
        if TROUBLE.iter().any(|begins| text.starts_with(begins)) {
            let text = beginning(text, TEXT_KEPT).to_owned();
            errors.insert((source.to_owned(), worker, connection), text);
        }
    }
    Reading::Other("nginx, an error without ports")
}

/// `[error] 123#7: *45 TEXT`.
fn error(message: &str) -> Option<(u64, u64, &str)> {
    let (worker, rest) = message.split_once("] ")?.1.split_once('#')?;
    let (_, rest) = rest.split_once(": *")?;
    let (connection, text) = rest.split_once(' ')?;
    Some((worker.parse().ok()?, connection.parse().ok()?, text))
}

/// Reads a line of the access log in our format.
pub(crate) fn read_access(
    fields: &str,
    header: &Header<'_>,
    context: &Context<'_>,
    errors: &mut Errors,
) -> Result<Reading, Garbage> {
    let fields = pairs(fields.strip_prefix(MARK).unwrap_or(fields));
    access(&fields, header, context, errors)
        .map_err(|garbage| Garbage::new(format!("nginx: {}", garbage.why)))
}

fn access(
    fields: &HashMap<&str, &str>,
    header: &Header<'_>,
    context: &Context<'_>,
    errors: &mut Errors,
) -> Result<Reading, Garbage> {
    let part = |ip: &str, port: &str| {
        let (ip_text, port_text) = (needed(fields, ip)?, needed(fields, port)?);
        endpoint(ip_text, port_text)
            .ok_or_else(|| Garbage::new(format!("{ip}={ip_text:?} {port}={port_text:?}")))
    };
    let number = |key: &str| -> Result<u64, Garbage> {
        let text = needed(fields, key)?;
        text.parse().map_err(|_| Garbage::new(format!("{key}={text:?} is no number")))
    };
    let time = |key: &str| -> Result<UtcTime, Garbage> {
        let text = needed(fields, key)?;
        stamp::epoch(text).ok_or_else(|| Garbage::new(format!("{key}={text:?} is no time")))
    };
    let (client, server) = (part("client", "client_port")?, part("server", "server_port")?);
    let (status, worker, connection) = (number("status")?, number("pid")?, number("connection")?);
    let ended = time("msec")?;
    let lasted = time("request_time")?;
    let host = told(fields.get("host").copied().unwrap_or(""));
    let source = host.unwrap_or_else(|| header.host.unwrap_or(context.source).to_owned());
    let error = errors.remove(&(source.clone(), worker, connection));
    let Some(end) = end_of(status, error.as_deref()) else {
        return Ok(Reading::Other("nginx, an answer"));
    };
    let said = match error {
        Some(error) => format!("{status}, {error}"),
        None => status.to_string(),
    };
    Ok(Reading::Session(Box::new(LogSession {
        product: Product::Nginx,
        source,
        begun: Some(UtcTime(ended.0.saturating_sub(lasted.0))),
        is_begun_exact: false,
        ended,
        resolution_ns: MILLISECOND_NS,
        // A line tells of a request: the connection may outlive it.
        kind: Kind::Moment,
        tuples: vec![LogTuple { client, server: Some(server), matched: Matched::Front }],
        is_oriented: true,
        end,
        said,
        action: String::new(),
        resets: None,
        rule: fields.get("upstream").copied().and_then(told),
        threat: None,
        bytes: fields.get("bytes").and_then(|text| text.parse().ok()),
        line: String::new(),
    })))
}

/// What of an answer bears on a reset; most do not.
fn end_of(status: u64, error: Option<&str>) -> Option<End> {
    if let Some(error) = error {
        let is_upstream = error.contains("upstream");
        let has = |text: &str| error.contains(text);
        return Some(match (is_upstream, has("104:") || has("prematurely closed")) {
            (true, true) => End::ServerGone,
            (false, true) => End::ClientGone,
            (true, false) if has("111:") => End::ServerRefused,
            (true, false) if has("timed out") => End::ServerTimer,
            (false, false) if has("timed out") => End::ClientTimer,
            _ => return None,
        });
    }
    match status {
        // Names of ngx_http_request.h: client closed, request time-out, close without an answer.
        499 => Some(End::ClientGone),
        408 => Some(End::ClientTimer),
        444 => Some(End::ProxyDecision),
        _ => None,
    }
}

const LEVELS: [&str; 6] = ["[error] ", "[info] ", "[warn] ", "[crit] ", "[notice] ", "[alert] "];

/// What stands before the level.
const STAMP: &str = "0000/00/00 00:00:00 ";

/// How nginx begins to tell of a connection that broke. Others, as `open() "PATH" failed`, begin with or hold what
/// clients chose, and say nothing of who went away.
const TROUBLE: [&str; 16] = [
    "recv() failed",
    "readv() failed",
    "send() failed",
    "writev() failed",
    "sendfile() failed",
    "connect() failed",
    "SSL_read() failed",
    "SSL_write() failed",
    "SSL_do_handshake() failed",
    "SSL_shutdown() failed",
    "upstream timed out",
    "upstream prematurely closed",
    "client timed out",
    "client prematurely closed",
    "epoll_wait() reported that client prematurely closed",
    "peer closed connection",
];

const TEXT_KEPT: usize = 200;

#[cfg(test)]
mod tests {
    use super::super::stamp::Zone;
    use super::*;

    const ACCESS: &str = "client=10.1.2.3 client_port=40000 server=203.0.113.9 server_port=443 pid=123 \
        connection=45 requests=1 status=502 bytes=150 msec=1700000005.127 request_time=3.100 \
        upstream=\"10.2.0.8:8080\" upstream_status=\"502\" host=web-1";
    const ERROR: &str = "2023/11/14 22:13:25 [error] 123#7: *45 recv() failed (104: Connection reset by peer) while \
        reading response header from upstream, client: 10.1.2.3, server: _, request: \"GET / HTTP/1.1\"";

    fn context() -> Context<'static> {
        Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "web-1" }
    }

    fn reading(errors: &mut Errors, fields: &str) -> Result<Reading, Garbage> {
        read_access(fields, &Header::default(), &context(), errors)
    }

    #[test]
    fn an_error_is_told_with_the_addresses_of_its_request() {
        let mut errors = Errors::new(8);
        let at = error_at(ERROR).unwrap();
        read_error(&ERROR[at..], &Header::default(), &context(), &mut errors);
        let Ok(Reading::Session(session)) = reading(&mut errors, ACCESS) else { panic!() };
        assert_eq!(session.end, End::ServerGone);
        assert!(session.said.starts_with("502, recv() failed (104: Connection reset by peer)"));
        assert!(!session.said.contains("client:"), "{}", session.said);
        assert_eq!(session.tuples[0].client.to_string(), "10.1.2.3:40000");
        assert_eq!(session.begun, Some(UtcTime(1_700_000_002_027_000_000)));
        // The next request of the connection is innocent.
        assert!(matches!(reading(&mut errors, ACCESS), Ok(Reading::Other(_))));
    }

    #[test]
    fn nginx_tells_by_its_status_who_went_away() {
        let mut errors = Errors::new(8);
        for (status, end) in
            [("499", End::ClientGone), ("408", End::ClientTimer), ("444", End::ProxyDecision)]
        {
            let line = ACCESS.replace("status=502 ", &format!("status={status} "));
            let Ok(Reading::Session(session)) = reading(&mut errors, &line) else { panic!() };
            assert_eq!(session.end, end, "{status}");
        }
        for (from, to) in [("client_port=40000", ""), ("msec=1", "msec=x"), ("pid=123", "pid=-1")] {
            assert!(reading(&mut errors, &ACCESS.replace(from, to)).is_err(), "{to}");
        }
        assert_eq!(error_at("2023/11/14 22:13:25 [error] x#7: *45 recv()"), None);
        assert_eq!(error_at(ERROR), Some(0));
        assert_eq!(error_at(&ERROR["2023/11/14 22:13:25 ".len()..]), Some(0));
    }

    #[test]
    fn lines_in_the_usual_format_are_known_and_tell_no_connection() {
        for line in [
            "10.1.2.3 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 502 150 \"-\" \"curl\"",
            "2001:db8::7 - anna b [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200 2 \"-\" \"curl\" 0.002 10.2.0.8:80",
            "<190>Nov 14 22:13:20 web-1 nginx: 10.1.2.3 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 502 150 \"-\" \
             \"curl\" 431 3.001 [shop-web-80] [] 10.2.0.8:80 0 3.000 502 5f3a",
        ] {
            let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "web" };
            let reading = super::super::Reader::new().read(line.as_bytes(), &context);
            assert_eq!(reading, Ok(COMBINED), "{line}");
        }
        for other in
            ["x - - [14/Nov/2023:22:13:20 +0000] \"", "10.1.2.3 - - [yesterday] \"", "\"", ""]
        {
            assert_eq!(combined_at(other), None, "{other}");
        }
    }

    #[test]
    fn words_of_a_client_in_an_error_blame_nobody() {
        for said in [
            "open() \"/www/104: upstream\" failed (2: No such file or directory)",
            "open() \"/www/a\" failed (104: Connection reset by peer) while reading upstream\" failed (2: x)",
            "user \"recv() failed (104: Connection reset by peer) upstream\" was not found in \"/etc/users\"",
            "access forbidden by rule",
        ] {
            let mut errors = Errors::new(8);
            let line = format!(
                "2023/11/14 22:13:25 [error] 123#7: *45 {said}, client: 10.1.2.3, server: _"
            );
            read_error(&line, &Header::default(), &context(), &mut errors);
            let read = reading(&mut errors, ACCESS);
            assert!(matches!(read, Ok(Reading::Other(_))), "{said}: {read:?}");
        }
        // What is said later of the same connection does not hide why it broke.
        let mut errors = Errors::new(8);
        for line in [ERROR, "[info] 123#7: *45 open() \"/x\" failed"] {
            read_error(line, &Header::default(), &context(), &mut errors);
        }
        assert!(matches!(reading(&mut errors, ACCESS), Ok(Reading::Session(_))));
    }
}
