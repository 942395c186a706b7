//! Envoy as Istio has it write its access log: with the addresses of both connections and response flags.
//!
//! Source: Envoy's access log documentation, Istio's default format. After the quoted request stand status and
//! `%RESPONSE_FLAGS%`; at the end, behind the upstream's host and cluster, `%UPSTREAM_LOCAL_ADDRESS%`,
//! `%DOWNSTREAM_LOCAL_ADDRESS%` and `%DOWNSTREAM_REMOTE_ADDRESS%`.

use events::Endpoint;

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

/// Reads a line.
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
    if parts.len() != PARTS {
        return Err(broken("the number of quotes"));
    }
    let upstream = pair(parts[UPSTREAM]);
    let tail: Vec<&str> = parts[UPSTREAM + 1].split_ascii_whitespace().take(4).collect();
    let address = |index: usize| tail.get(index).copied().and_then(pair);
    let (from, local, remote) = (address(1), address(2), address(3));
    let mut tuples = Vec::new();
    if let (Some(client), Some(server)) = (remote, local) {
        tuples.push(LogTuple { client, server: Some(server), matched: Matched::Front });
    }
    if let (Some(client), Some(server)) = (from, upstream) {
        tuples.push(LogTuple { client, server: Some(server), matched: Matched::Back });
    }
    if tuples.is_empty() {
        return Err(broken("the addresses"));
    }
    // BYTES_RECEIVED, BYTES_SENT and DURATION.
    let duration = parts[NUMBERS].split_ascii_whitespace().nth(2);
    let duration_ms: u64 = duration.and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(Reading::Session(Box::new(LogSession {
        product: Product::Envoy,
        source: header.host.unwrap_or(context.source).to_owned(),
        begun: Some(begun),
        is_begun_exact: false,
        ended: events::UtcTime(begun.0.saturating_add(duration_ms.saturating_mul(MILLISECOND_NS))),
        resolution_ns: MILLISECOND_NS,
        kind: Kind::Moment,
        tuples,
        is_oriented: true,
        end,
        said: word(&format!("{status} {flags}")),
        action: String::new(),
        resets: None,
        rule: None,
        threat: None,
        bytes: None,
        line: String::new(),
    })))
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

/// Pieces between quotes, from the request on.
const PARTS: usize = 14;
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
        let bare = LINE.split(" \"10.2.0.8").next().unwrap();
        assert!(reading(bare).is_err());
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
