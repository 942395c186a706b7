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
    let (_, rest) = rest.split_once("\" ").ok_or_else(|| broken("the request"))?;
    let words: Vec<&str> = rest.split_ascii_whitespace().take(WORDS_MAX).collect();
    let [status, flags, ..] = words.as_slice() else { return Err(broken("the status")) };
    let Some(end) = end_of(flags) else { return Ok(Reading::Other("Envoy, an answer")) };
    // The host of the upstream is the last quoted word that is an address.
    let at = words
        .iter()
        .rposition(|word| word.starts_with('"') && quoted(word).is_some())
        .ok_or_else(|| broken("the upstream's host"))?;
    let upstream = words.get(at).copied().and_then(quoted);
    let address = |offset: usize| words.get(at + offset).copied().and_then(pair);
    let (from, local, remote) = (address(2), address(3), address(4));
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
    // BYTES_RECEIVED, BYTES_SENT and DURATION follow up to three quoted details.
    let numbers: Vec<u64> = rest
        .split('"')
        .step_by(2)
        .flat_map(str::split_ascii_whitespace)
        .filter_map(|word| word.parse().ok())
        .take(4)
        .collect();
    let duration_ms = numbers.get(3).copied().unwrap_or(0);
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

fn quoted(word: &str) -> Option<Endpoint> {
    pair(word.trim_matches('"'))
}

/// `10.2.0.8:8080`, `[2001:db8::1]:8080`.
fn pair(word: &str) -> Option<Endpoint> {
    let (ip, port) = word.trim_start_matches("tcp://").rsplit_once(':')?;
    endpoint(ip, port)
}

const WORDS_MAX: usize = 64;

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
}
