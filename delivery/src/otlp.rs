//! Sink: OpenTelemetry logs over HTTP (OTLP/HTTP).
//!
//! | answer | what it means for us |
//! |---|---|
//! | 2xx | taken; what a partial success names is refused for good |
//! | 400, 413, 422 | these records are wrong or too many: never again as they are |
//! | the same for one record, and for a request without any | later: the request is wrong |
//! | all else, or none | later: nothing is wrong with the records |
//!
//! The OTLP specification calls 401, 403, 404 and the like not retryable either. But they speak of
//! the sender, its token or its address: whoever mends those gets the events that waited.

use std::io::Write as _;
use std::time::Duration;

use events::Event;
use events::encode::otel::{Envelope, log_record};
use events::encode::otlp::{
    KeyValue, LogRecord, Logs, LogsAnswer, Resource, ResourceLogs, Scope, ScopeLogs,
};
use flate2::write::GzEncoder;
use prost::Message as _;
use ureq::Agent;

use crate::error::Error;
use crate::http::{self, HttpAnswer};
use crate::options::{Compression, OtlpEncoding, OtlpOptions};
use crate::record::Record;
use crate::sink::{Answer, Identity, Sink};

/// Sends log records to one receiver.
#[derive(Debug)]
pub(crate) struct OtlpSink {
    options: OtlpOptions,
    url: String,
    resource: Resource,
    version: String,
    timeout: Duration,
    /// Made when it is needed, and anew after a failure: certificates may have been renewed.
    agent: Option<Agent>,
}

impl OtlpSink {
    pub(crate) fn new(options: &OtlpOptions, identity: &Identity) -> Result<Self, Error> {
        let what = |option: &str| format!("sink {}: {option}", options.name);
        let url = logs_url(&options.url)
            .map_err(|why| Error::option(what(&format!("url = {:?}", options.url)), why))?;
        if !(options.timeout_s >= TIMEOUT_S_MIN && options.timeout_s <= TIMEOUT_S_MAX) {
            let why = format!("must be from {TIMEOUT_S_MIN} to {TIMEOUT_S_MAX}");
            return Err(Error::option(what("timeout_s"), why));
        }
        Ok(Self {
            url,
            resource: resource(options, identity),
            version: identity.version.clone(),
            timeout: Duration::from_secs_f64(options.timeout_s),
            options: options.clone(),
            agent: None,
        })
    }

    /// Sends a request and says what the answer means.
    fn request(&mut self, log_records: Vec<LogRecord>) -> Answer {
        let count = log_records.len() as u64;
        let body = self.body(log_records);
        match self.post(&body) {
            Ok(answer) => judge(&self.url, &answer, count),
            Err(why) => {
                self.agent = None;
                Answer::Later { why, after: None }
            }
        }
    }

    /// Whether one record was refused for what it is: then a request without any is taken. Otherwise the
    /// answer is about the request: HTTP to a port for TLS, a compression that a proxy does not know.
    fn confirm(&mut self, why: String) -> Answer {
        match self.request(Vec::new()) {
            Answer::Taken { .. } => Answer::Never { why },
            Answer::Never { why } => {
                let hint =
                    "it refuses a request without events too: see url, encoding, compression";
                Answer::Later { why: format!("{why} ({hint})"), after: None }
            }
            later @ Answer::Later { .. } => later,
        }
    }

    fn post(&mut self, body: &[u8]) -> Result<HttpAnswer, String> {
        let headers = self.headers()?;
        let agent = match self.agent.take() {
            Some(agent) => agent,
            None => {
                let is_tls = self.url.starts_with("https:");
                http::agent(&self.options.tls, self.timeout, is_tls)?
            }
        };
        let agent = self.agent.insert(agent);
        http::post(agent, &self.url, &headers, body)
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
            let token = std::fs::read_to_string(path)
                .map_err(|error| format!("read the token in {}: {error}", path.display()))?;
            headers.push(("authorization".to_owned(), format!("Bearer {}", token.trim())));
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

    fn body(&self, log_records: Vec<LogRecord>) -> Vec<u8> {
        let scope = Scope { name: "rstscope".to_owned(), version: self.version.clone() };
        let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records }];
        let resource = Some(self.resource.clone());
        let logs = Logs { resource_logs: vec![ResourceLogs { resource, scope_logs }] };
        let plain = match self.options.encoding {
            OtlpEncoding::Protobuf => logs.encode_to_vec(),
            OtlpEncoding::Json => serde_json::to_vec(&logs).expect("messages are JSON"),
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

impl Sink for OtlpSink {
    fn send(&mut self, records: &[Record]) -> Answer {
        let mut log_records = Vec::with_capacity(records.len());
        for record in records {
            match encoded(record) {
                Ok(log_record) => log_records.push(log_record),
                // The courier halves the batch until this one is alone.
                Err(why) => return Answer::Never { why },
            }
        }
        let answer = self.request(log_records);
        match answer {
            Answer::Never { why } if records.len() == 1 => self.confirm(why),
            answer => answer,
        }
    }

    fn check(&mut self) -> Answer {
        self.request(Vec::new())
    }
}

/// A record as the receiver shall get it.
fn encoded(record: &Record) -> Result<LogRecord, String> {
    let event: Event = serde_json::from_slice(&record.json)
        .map_err(|error| format!("this version does not know such an event: {error}"))?;
    let uid = record.uid.to_string();
    let envelope = Envelope {
        uid: &uid,
        sequence: record.uid.sequence,
        observed_ns: record.time_ms * 1_000_000,
        is_test: record.is_test,
    };
    Ok(log_record(&event, &envelope))
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
    let refused = &partial["rejectedLogRecords"];
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

/// One line, not too long: it goes into a log.
fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(WORDS_LEN_MAX).collect()
}

/// The address of the logs of a receiver.
fn logs_url(url: &str) -> Result<String, String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.ok_or("must begin with http:// or https://")?;
    if rest.is_empty() || rest.starts_with('/') || url.contains(char::is_whitespace) {
        return Err("must name a host, like https://collector.example:4318".to_owned());
    }
    Ok(match rest.split_once('/') {
        None => format!("{url}/v1/logs"),
        Some((_, "")) => format!("{url}v1/logs"),
        Some(_) => url.to_owned(),
    })
}

/// From whom the events come; what the options name stands in place of our own.
fn resource(options: &OtlpOptions, identity: &Identity) -> Resource {
    let mut attributes = std::collections::BTreeMap::from([
        ("service.name".to_owned(), "rstscope".to_owned()),
        ("service.version".to_owned(), identity.version.clone()),
        ("service.instance.id".to_owned(), identity.sensor.clone()),
        ("host.name".to_owned(), identity.host.clone()),
    ]);
    attributes.extend(options.resource.clone());
    let attributes = attributes.into_iter().map(|(key, text)| KeyValue::text(key, text)).collect();
    Resource { attributes }
}

const PROTOBUF: &str = "application/x-protobuf";

/// Characters of a receiver's words that are repeated.
const WORDS_LEN_MAX: usize = 300;

const TIMEOUT_S_MIN: f64 = 0.1;
const TIMEOUT_S_MAX: f64 = 300.0;

#[cfg(test)]
mod tests {
    use super::{HttpAnswer, judge, logs_url};
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
            assert_eq!(logs_url(url).as_deref().map_err(|_| ()), whole, "{url}");
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
