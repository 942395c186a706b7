//! OTLP/HTTP.
//!
//! | answer | what it means for us |
//! |---|---|
//! | 2xx | taken; what a partial success names is refused for good |
//! | 400, 413, 422 | these records are wrong or too many: never again as they are |
//! | the same for one record, and for a request without any | later: the request is wrong |
//! | all else, or none | later: nothing is wrong with the records |

use std::io::Write as _;
use std::time::Duration;

use events::encode::otlp::LogsAnswer;
use flate2::write::GzEncoder;
use prost::Message as _;
use ureq::Agent;

use super::request::{self, HttpAnswer};
use super::signal::{Request, Signal};
use super::{Reply, Transport, shortened};
use crate::error::Error;
use crate::options::{Compression, OtlpEncoding, OtlpOptions};
use crate::sink::Answer;
use crate::tls::secret;

/// A receiver of OTLP/HTTP.
#[derive(Debug)]
pub(super) struct Http {
    options: OtlpOptions,
    /// The address of each signal, where there is one.
    urls: [Option<String>; 2],
    timeout: Duration,
    /// Made when it is needed, and anew after a failure: certificates may have been renewed.
    agent: Option<Agent>,
}

impl Http {
    pub(super) fn new(options: &OtlpOptions) -> Result<Self, Error> {
        let what = |option: &str, url: &str| format!("sink {}: {option} = {url:?}", options.name);
        let logs = url_for(&options.url, "logs")
            .map_err(|why| Error::option(what("url", &options.url), why))?;
        let metrics = match &options.metrics_url {
            Some(url) => Some(
                url_for(url, "metrics")
                    .map_err(|why| Error::option(what("metrics_url", url), why))?,
            ),
            None => logs.strip_suffix("/v1/logs").map(|base| format!("{base}/v1/metrics")),
        };
        Ok(Self {
            urls: [Some(logs), metrics],
            timeout: Duration::from_secs_f64(options.timeout_s),
            options: options.clone(),
            agent: None,
        })
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Result<HttpAnswer, String> {
        let headers = self.headers()?;
        let agent = match self.agent.take() {
            Some(agent) => agent,
            None => {
                let is_tls = self.urls.iter().flatten().any(|url| url.starts_with("https:"));
                request::agent(&self.options.tls, self.timeout, is_tls)?
            }
        };
        let agent = self.agent.insert(agent);
        request::post(agent, url, &headers, body)
    }

    fn headers(&self) -> Result<Vec<(String, String)>, String> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![own("content-type", self.content_type())];
        match self.options.compression {
            Compression::Gzip => headers.push(own("content-encoding", "gzip")),
            Compression::Zstd => headers.push(own("content-encoding", "zstd")),
            Compression::None => {}
        }
        if let Some(path) = &self.options.token_file {
            let token = secret("token", path)?;
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        headers.extend(self.options.headers.clone());
        Ok(headers)
    }

    const fn content_type(&self) -> &'static str {
        match self.options.encoding {
            OtlpEncoding::Protobuf => PROTOBUF,
            OtlpEncoding::Json => "application/json",
        }
    }

    fn body(&self, request: &Request) -> Vec<u8> {
        let plain = match self.options.encoding {
            OtlpEncoding::Protobuf => request.to_protobuf(),
            OtlpEncoding::Json => request.to_json(),
        };
        match self.options.compression {
            Compression::None => plain,
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&plain).expect("memory can be written");
                encoder.finish().expect("memory can be written")
            }
            Compression::Zstd => zstd::bulk::compress(&plain, 1).expect("memory can be compressed"),
        }
    }
}

impl Transport for Http {
    fn send(&mut self, request: &Request) -> Reply {
        let Some(url) = self.urls[request.signal() as usize].clone() else {
            let why = format!("{} has no address for metrics (see metrics_url)", self.options.url);
            return Reply { answer: Answer::Later { why, after: None }, is_unknown: true };
        };
        match self.post(&url, &self.body(request)) {
            Ok(answer) => Reply {
                is_unknown: matches!(answer.status, 404 | 405 | 501),
                answer: judge(&url, &answer, request.count()),
            },
            Err(why) => {
                self.agent = None;
                Answer::Later { why, after: None }.into()
            }
        }
    }

    fn has(&self, signal: Signal) -> bool {
        self.urls[signal as usize].is_some()
    }
}

/// What an answer means for the records that were sent.
fn judge(url: &str, answer: &HttpAnswer, count: u64) -> Answer {
    let (refused, message) = partial_success(answer);
    let words = if message.is_empty() { words_of(&answer.body) } else { message };
    let said = match words.as_str() {
        "" => format!("{url} answers {}", answer.status),
        words => format!("{url} answers {}: {words}", answer.status),
    };
    match answer.status {
        200..=299 => Answer::Taken { refused: refused.min(count), said },
        400 | 413 | 422 => Answer::Never { why: said },
        401 | 403 => later(format!("{said} (see token_file and the certificates)"), answer),
        404 | 405 => later(format!("{said} (is this the address of an OTLP receiver?)"), answer),
        415 => later(format!("{said} (see encoding and compression)"), answer),
        _ => later(said, answer),
    }
}

fn later(why: String, answer: &HttpAnswer) -> Answer {
    Answer::Later { why, after: answer.retry_after }
}

/// How many records were refused, and why, by the answer's own words.
fn partial_success(answer: &HttpAnswer) -> (u64, String) {
    if !(200..300).contains(&answer.status) {
        return (0, String::new());
    }
    if answer.content_type.starts_with(PROTOBUF) {
        let partial = LogsAnswer::decode(answer.body.as_slice()).unwrap_or_default();
        let partial = partial.partial_success.unwrap_or_default();
        let refused = u64::try_from(partial.rejected_log_records).unwrap_or(0);
        return (refused, shortened(&partial.error_message));
    }
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let partial = &json["partialSuccess"];
    let refused = match &partial["rejectedLogRecords"] {
        serde_json::Value::Null => &partial["rejectedDataPoints"],
        refused => refused,
    };
    // 64-bit numbers are text in the JSON of Protocol Buffers; not everybody knows.
    let refused = refused.as_u64().or_else(|| refused.as_str()?.parse().ok()).unwrap_or(0);
    (refused, shortened(partial["errorMessage"].as_str().unwrap_or_default()))
}

/// The beginning of a body, if it is text.
fn words_of(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let is_text = text.chars().all(|c| !c.is_control() || c.is_whitespace());
    if is_text { shortened(text) } else { String::new() }
}

/// The address of a signal of a receiver.
fn url_for(url: &str, signal: &str) -> Result<String, String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.ok_or("must begin with http:// or https://")?;
    if rest.is_empty() || rest.starts_with('/') || url.contains(char::is_whitespace) {
        return Err("must name a host, like https://collector.example:4318".to_owned());
    }
    Ok(match rest.split_once('/') {
        None => format!("{url}/v1/{signal}"),
        Some((_, "")) => format!("{url}v1/{signal}"),
        Some(_) => url.to_owned(),
    })
}

const PROTOBUF: &str = "application/x-protobuf";

#[cfg(test)]
mod tests {
    use super::{HttpAnswer, judge, url_for};
    use crate::sink::Answer;

    fn answer(status: u16, content_type: &str, body: &[u8]) -> Answer {
        let content_type = content_type.to_owned();
        let body = body.to_vec();
        judge("u", &HttpAnswer { status, retry_after: None, content_type, body }, 5)
    }

    #[test]
    fn the_path_is_added_only_where_there_is_none() {
        for (url, whole) in [
            ("http://c:4318", Ok("http://c:4318/v1/logs")),
            ("https://c/", Ok("https://c/v1/logs")),
            ("https://c/otel/logs", Ok("https://c/otel/logs")),
            ("c:4318", Err(())),
            ("http:///x", Err(())),
        ] {
            assert_eq!(url_for(url, "logs").as_deref().map_err(|_| ()), whole, "{url}");
        }
    }

    #[test]
    fn only_what_speaks_of_the_records_refuses_them_for_good() {
        for status in [400, 413, 422] {
            assert!(matches!(answer(status, "", b"no"), Answer::Never { .. }), "{status}");
        }
        for status in [301, 401, 403, 404, 408, 415, 429, 500, 502, 503, 504] {
            assert!(matches!(answer(status, "", b""), Answer::Later { .. }), "{status}");
        }
        assert!(matches!(answer(200, "", b"garbage\xff"), Answer::Taken { refused: 0, .. }));
    }

    #[test]
    fn a_partial_success_is_understood_in_both_encodings() {
        let json = br#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}"#;
        let protobuf = b"\x0a\x0b\x08\x02\x12\x07too old";
        for (content_type, body) in
            [("application/json", &json[..]), ("application/x-protobuf", &protobuf[..])]
        {
            let Answer::Taken { refused, said } = answer(200, content_type, body) else {
                panic!("{content_type}");
            };
            assert_eq!((refused, said.as_str()), (2, "u answers 200: too old"), "{content_type}");
        }
        let many = br#"{"partialSuccess":{"rejectedLogRecords":77}}"#;
        let many = answer(200, "application/json", many);
        assert!(matches!(many, Answer::Taken { refused: 5, .. }), "not more than were sent");
    }
}
