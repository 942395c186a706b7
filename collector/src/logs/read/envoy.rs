//! Envoy's access log: as Istio has it write, as JSON, and in its own default format.
//!
//! Source: Envoy's access log documentation; Istio's, Contour's and Envoy Gateway's default formats. In Istio's text,
//! after the quoted request stand status and `%RESPONSE_FLAGS%`; at the end, behind the upstream's host and cluster,
//! `%UPSTREAM_LOCAL_ADDRESS%`, `%DOWNSTREAM_LOCAL_ADDRESS%` and `%DOWNSTREAM_REMOTE_ADDRESS%`. Keys of JSON are
//! everybody's own choice; all three call what we need by the names of these operators in small letters. Envoy's own
//! default ends with the upstream's host: no connection is known by that alone.

use std::borrow::Cow;

use events::{Endpoint, UtcTime};
use serde::Deserialize;

use super::Context;
use super::fields::{endpoint, word};
use super::header::Header;
use super::stamp::{self, MILLISECOND_NS};
use crate::logs::session::{End, Garbage, Kind, LogSession, LogTuple, Matched, Product, Reading};

/// Where the line begins: `[2023-11-14T22:13:20.443Z] "`.
pub(crate) fn begins_at(line: &str) -> Option<usize> {
    line.match_indices("Z] \"").find_map(|(end, _)| {
        let at = line[..end].rfind('[')?;
        stamp::rfc3339(&line[at + 1..=end]).map(|_| at)
    })
}

/// Where a JSON object begins in what stands before the first quote.
pub(crate) fn json_at(message: &str) -> Option<usize> {
    let at = message.find('{')?;
    (message[at + 1..].trim_start() == "\"").then_some(at)
}

/// Reads a line of JSON.
pub(crate) fn read_json(
    line: &str,
    header: &Header<'_>,
    context: &Context<'_>,
) -> Result<Reading, Garbage> {
    let fields: Fields<'_> =
        serde_json::from_str(line).map_err(|_| Garbage::new("JSON, but not of Envoy"))?;
    let Fields { flags, status, begun, stamp, duration_ms, .. } = fields;
    let Some(end) = end_of(&flags) else { return Ok(Reading::Other("Envoy, an answer")) };
    let begun = begun.or(stamp);
    let begun = begun
        .as_deref()
        .and_then(stamp::rfc3339)
        .ok_or_else(|| Garbage::new(format!("Envoy: start_time is {begun:?}")))?;
    let of = |text: Option<Cow<'_, str>>| text.as_deref().and_then(pair);
    let tuples = tuples(of(fields.remote), of(fields.local), of(fields.from), of(fields.upstream));
    if tuples.is_empty() {
        return Ok(Reading::Other(WITHOUT_CONNECTION));
    }
    let said = match status.map_or(0, Number::rounded) {
        0 => word(&flags),
        status => word(&format!("{status} {flags}")),
    };
    let duration_ms = duration_ms.map_or(0, Number::rounded);
    Ok(session(header, context, begun, duration_ms, tuples, end, said))
}

/// What is needed of a line of JSON; the flags and one of the stamps must be there.
#[derive(Deserialize)]
struct Fields<'l> {
    #[serde(rename = "response_flags", borrow)]
    flags: Cow<'l, str>,
    #[serde(rename = "response_code", default)]
    status: Option<Number>,
    #[serde(rename = "start_time", default, borrow)]
    begun: Option<Cow<'l, str>>,
    /// What Contour calls `start_time`.
    #[serde(rename = "@timestamp", default, borrow)]
    stamp: Option<Cow<'l, str>>,
    #[serde(rename = "duration", default)]
    duration_ms: Option<Number>,
    #[serde(rename = "downstream_remote_address", default, borrow)]
    remote: Option<Cow<'l, str>>,
    #[serde(rename = "downstream_local_address", default, borrow)]
    local: Option<Cow<'l, str>>,
    #[serde(rename = "upstream_local_address", default, borrow)]
    from: Option<Cow<'l, str>>,
    #[serde(rename = "upstream_host", default, borrow)]
    upstream: Option<Cow<'l, str>>,
}

/// A number, or the text of one: `json_format` of older versions writes texts only.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Text(String),
}

impl Number {
    fn rounded(self) -> u64 {
        match self {
            Self::Whole(number) => number,
            Self::Text(text) => text.parse().unwrap_or(0),
        }
    }
}

/// Reads a line of text.
pub(crate) fn read(
    line: &str,
    header: &Header<'_>,
    context: &Context<'_>,
) -> Result<Reading, Garbage> {
    let broken =
        |what: &str| Garbage::new(format!("Envoy: {what} not as in Istio's default format"));
    let (stamp, rest) = line.split_once("] \"").ok_or_else(|| broken("the time"))?;
    let begun = stamp::rfc3339(stamp.trim_start_matches('[')).ok_or_else(|| broken("the time"))?;
    // Behind the request: Envoy escapes no quote, and path, agent and authority are the client's own words. With
    // one quote more than its format has, nobody knows what is whose.
    let parts: Vec<&str> = rest.split('"').take(PARTS + 1).collect();
    let mut words = parts.get(1).copied().unwrap_or("").split_ascii_whitespace();
    let (Some(status), Some(flags)) = (words.next(), words.next()) else {
        return Err(broken("the status"));
    };
    let Some(end) = end_of(flags) else { return Ok(Reading::Other("Envoy, an answer")) };
    if parts.len() == PARTS_OF_ENVOY && parts[PARTS_OF_ENVOY - 1].is_empty() {
        return Ok(Reading::Other(WITHOUT_CONNECTION));
    }
    if parts.len() != PARTS {
        return Err(broken("the number of quotes"));
    }
    let upstream = pair(parts[UPSTREAM]);
    let tail: Vec<&str> = parts[UPSTREAM + 1].split_ascii_whitespace().take(4).collect();
    let address = |index: usize| tail.get(index).copied().and_then(pair);
    let tuples = tuples(address(3), address(2), address(1), upstream);
    if tuples.is_empty() {
        return Err(broken("the addresses"));
    }
    // BYTES_RECEIVED, BYTES_SENT and DURATION.
    let duration = parts[NUMBERS].split_ascii_whitespace().nth(2);
    let duration_ms: u64 = duration.and_then(|word| word.parse().ok()).unwrap_or(0);
    let said = word(&format!("{status} {flags}"));
    Ok(session(header, context, begun, duration_ms, tuples, end, said))
}

/// The connection that Envoy accepted and the one that it made; who logs no address of its own tells the client's.
fn tuples(
    remote: Option<Endpoint>,
    local: Option<Endpoint>,
    from: Option<Endpoint>,
    upstream: Option<Endpoint>,
) -> Vec<LogTuple> {
    let front = remote.map(|client| LogTuple { client, server: local, matched: Matched::Front });
    let back = from.zip(upstream).map(|(client, server)| LogTuple {
        client,
        server: Some(server),
        matched: Matched::Back,
    });
    front.into_iter().chain(back).collect()
}

fn session(
    header: &Header<'_>,
    context: &Context<'_>,
    begun: UtcTime,
    duration_ms: u64,
    tuples: Vec<LogTuple>,
    end: End,
    said: String,
) -> Reading {
    Reading::Session(Box::new(LogSession {
        product: Product::Envoy,
        source: header.host.unwrap_or(context.source).to_owned(),
        begun: Some(begun),
        is_begun_exact: false,
        ended: UtcTime(begun.0.saturating_add(duration_ms.saturating_mul(MILLISECOND_NS))),
        resolution_ns: MILLISECOND_NS,
        kind: Kind::Moment,
        tuples,
        is_oriented: true,
        end,
        said,
        action: String::new(),
        resets: None,
        rule: None,
        threat: None,
        bytes: None,
        line: String::new(),
    }))
}

/// Response flags that bear on a reset.
fn end_of(flags: &str) -> Option<End> {
    flags.split(',').find_map(|flag| match flag {
        "UC" | "UR" => Some(End::ServerGone),
        "UF" => Some(End::ServerRefused),
        "DC" | "DR" => Some(End::ClientGone),
        "UT" | "SI" => Some(End::ServerTimer),
        "UO" | "OM" => Some(End::Resources),
        "RL" | "UAEX" | "LR" | "DPE" | "RFCF" => Some(End::ProxyDecision),
        _ => None,
    })
}

/// `10.2.0.8:8080`, `[2001:db8::1]:8080`.
fn pair(word: &str) -> Option<Endpoint> {
    let (ip, port) = word.trim_start_matches("tcp://").rsplit_once(':')?;
    endpoint(ip, port)
}

/// What can be told of Envoy's own default format, and of JSON without the addresses.
const WITHOUT_CONNECTION: &str =
    "Envoy, without downstream_remote_address: it cannot be joined, see deploy/config/logs";

/// Pieces between quotes, from the request on.
const PARTS: usize = 14;
/// The same in Envoy's own default format.
const PARTS_OF_ENVOY: usize = 12;
/// Of those, the bytes and the duration, and the host of the upstream.
const NUMBERS: usize = 3;
const UPSTREAM: usize = 12;

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::super::stamp::Zone;
    use super::*;

    const LINE: &str = "[2023-11-14T22:13:20.443Z] \"GET /reviews HTTP/1.1\" 503 UC \
        upstream_reset_before_response_started{connection_termination} - \"-\" 0 95 3100 - \"-\" \"curl\" \"id\" \
        \"reviews:9080\" \"10.2.0.8:9080\" inbound|9080|| 10.2.0.7:51000 10.2.0.7:9080 10.1.2.3:40000 \
        outbound_.9080 default";

    fn reading(line: &str) -> Result<Reading, Garbage> {
        let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "pod" };
        read(&line[begins_at(line).unwrap()..], &Header::default(), &context)
    }

    #[test]
    fn an_upstream_that_went_away_is_told_with_both_connections() {
        let Ok(Reading::Session(session)) = reading(LINE) else { panic!("{:?}", reading(LINE)) };
        assert_eq!((session.end, session.said.as_str()), (End::ServerGone, "503 UC"));
        assert_eq!(session.tuples[0].client.to_string(), "10.1.2.3:40000");
        assert_eq!(session.tuples[1].server.unwrap().to_string(), "10.2.0.8:9080");
        assert_eq!(session.ended, UtcTime(1_700_000_003_543_000_000));
    }

    #[test]
    fn answers_are_no_garbage_and_lines_without_addresses_are() {
        assert!(matches!(reading(&LINE.replace(" UC ", " - ")), Ok(Reading::Other(_))));
        let bare = LINE.split(" inbound|").next().unwrap();
        assert!(reading(bare).is_err());
    }

    fn read_any(line: &str) -> Result<Reading, Garbage> {
        let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "pod" };
        super::super::Reader::new().read(line.as_bytes(), &context)
    }

    #[test]
    fn json_tells_what_it_has() {
        // As Istio and Envoy Gateway write it; older versions write numbers as texts.
        let istio = r#"{"authority":"reviews:9080","bytes_sent":"95","downstream_local_address":"10.2.0.7:9080",
            "downstream_remote_address":"10.1.2.3:40000","duration":"3100","response_code":"503","response_flags":"UC",
            "start_time":"2023-11-14T22:13:20.443Z","upstream_host":"10.2.0.8:9080",
            "upstream_local_address":"10.2.0.7:51000","user_agent":"a\",\"response_flags\":\"DC","x_forwarded_for":null}"#
            .replace('\n', "");
        let Ok(Reading::Session(session)) = read_any(&istio) else {
            panic!("{:?}", read_any(&istio))
        };
        assert_eq!((session.end, session.said.as_str()), (End::ServerGone, "503 UC"));
        assert_eq!(session.ended, UtcTime(1_700_000_003_543_000_000));
        let pairs: Vec<String> = session
            .tuples
            .iter()
            .map(|tuple| format!("{} {}", tuple.client, tuple.server.unwrap()))
            .collect();
        assert_eq!(pairs, ["10.1.2.3:40000 10.2.0.7:9080", "10.2.0.7:51000 10.2.0.8:9080"]);
        // As Contour does, by a relay, without a connection upstream: only what Envoy saw of the client.
        let contour = "<14>Nov 14 22:13:25 node-1 envoy[7]: {\"@timestamp\":\"2023-11-14T22:13:20Z\",\"duration\":12,\
            \"downstream_remote_address\":\"[2001:db8::7]:40000\",\"response_code\":0,\"response_flags\":\"DC\",\
            \"upstream_host\":\"10.2.0.8:80\",\"upstream_local_address\":\"-\"}";
        let Ok(Reading::Session(session)) = read_any(contour) else {
            panic!("{:?}", read_any(contour))
        };
        assert_eq!((session.end, session.said.as_str()), (End::ClientGone, "DC"));
        assert_eq!((session.source.as_str(), session.tuples.len()), ("node-1", 1));
        assert_eq!(session.tuples[0].server, None);
        let answer = istio.replace("\"UC\"", "\"-\"");
        assert_eq!(read_any(&answer), Ok(Reading::Other("Envoy, an answer")));
    }

    #[test]
    fn json_without_addresses_is_named_and_any_other_is_garbage() {
        let bare = r#"{"response_flags":"UC","start_time":"2023-11-14T22:13:20Z","upstream_host":"10.2.0.8:80"}"#;
        assert_eq!(read_any(bare), Ok(Reading::Other(WITHOUT_CONNECTION)));
        for line in [
            r#"{"level":"info","message":"x"}"#,
            r#"{"response_flags":"UC"}"#,
            r#"{"response_flags":7,"start_time":"2023-11-14T22:13:20Z"}"#,
            r#"{"response_flags":"UC","start_time":"2023-11-14T22:13:20Z""#,
            r#"user {"response_flags":"UC","start_time":"2023-11-14T22:13:20Z","downstream_remote_address":"10.1.2.3:4"}"#,
            "{\"",
        ] {
            assert!(read_any(line).is_err(), "{line}");
        }
    }

    #[test]
    fn envoys_own_default_is_known_and_tells_no_connection() {
        let line = "[2023-11-14T22:13:20.310Z] \"POST /api HTTP/2\" 503 UC 154 0 226 - \"10.0.35.28\" \"agent\" \
                    \"cc21d9b0\" \"locations\" \"tcp://10.0.2.1:80\"";
        assert_eq!(read_any(line), Ok(Reading::Other(WITHOUT_CONNECTION)));
        // With quotes of a client it has as many as Istio's has, and still no addresses behind the last.
        let forged = line.replace("agent", "a\" \"1.1.1.1:1");
        assert!(read_any(&forged).is_err(), "{forged}");
        assert!(read_any(&line.replace("agent", "a\"")).is_err());
    }

    #[test]
    fn quotes_of_a_client_forge_nothing() {
        let tail = LINE.split_once("HTTP/1.1\"").unwrap().1;
        let whole = format!("/x\"{}", tail.replace("10.1.2.3:40000", "192.0.2.66:1"));
        for (from, to) in [
            // A whole record in the path, in the agent's name, in the authority; and one that hides quotes of ours.
            ("/reviews", whole.as_str()),
            ("curl", whole.as_str()),
            ("reviews:9080", "a\" \"192.0.2.66:1\" x 1.1.1.1:1 1.1.1.1:2 192.0.2.66:2 x x"),
            ("curl", "\""),
        ] {
            let forged = LINE.replace(from, to);
            assert!(reading(&forged).is_err(), "{forged}");
        }
        // The name that a client asks for by TLS comes behind all that is read.
        let named = LINE.replace("outbound_.9080", "x 1.1.1.1:1 1.1.1.1:2 192.0.2.66:2");
        let Ok(Reading::Session(session)) = reading(&named) else { panic!("{named}") };
        assert_eq!(session.tuples[0].client.to_string(), "10.1.2.3:40000");
    }
}
