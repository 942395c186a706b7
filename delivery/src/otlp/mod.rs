//! Sink: OpenTelemetry, over HTTP or gRPC. Events are logs; minutes are metrics, or logs where a record
//! goes to our own collector (`canonical`).
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | which record goes where, and what the answers of both mean together |
//! | `signal.rs` | logs and metrics as requests |
//! | `http.rs`, `request.rs` | OTLP/HTTP |
//! | `grpc.rs` | OTLP/gRPC |
//!
//! **What speaks of the records** refuses them for good: the batch is halved until the refused one is alone,
//! and that it is the record is confirmed by a request without any. **All else speaks of the sender**, its
//! token or its address: records wait. The OTLP specification calls most of that not retryable; but whoever
//! mends it gets the events that waited.
//!
//! A batch of both signals is two requests. What was taken is known by its newest record, so that a failure
//! of the second does not repeat the first.

mod grpc;
mod http;
mod request;
mod signal;

use events::Body;
use events::encode::otlp::{KeyValue, Resource};

use crate::error::Error;
use crate::options::{OtlpEncoding, OtlpOptions, OtlpProtocol};
use crate::record::{Record, RecordKind, Uid};
use crate::sink::{Answer, Identity, Sink};
use grpc::Grpc;
use http::Http;
use signal::{Encoder, Request, Signal};

/// How requests reach the receiver.
trait Transport: Send {
    /// Sends one request; tries once.
    fn send(&mut self, request: &Request) -> Reply;

    /// Whether there is an address for such a signal.
    fn has(&self, signal: Signal) -> bool;
}

/// What the receiver said.
#[derive(Clone, PartialEq, Debug)]
struct Reply {
    answer: Answer,
    /// The receiver knows no such signal, or no such address.
    is_unknown: bool,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, is_unknown: false }
    }
}

/// Sends logs and metrics to one receiver.
pub(crate) struct OtlpSink {
    transport: Box<dyn Transport>,
    encoder: Encoder,
    /// The newest record that was taken of each signal.
    taken: [Option<Uid>; 2],
    /// Records that were refused in a batch whose other half is still to be sent.
    refused: u64,
}

impl OtlpSink {
    pub(crate) fn new(options: &OtlpOptions, identity: &Identity) -> Result<Self, Error> {
        let what = |option: &str| format!("sink {}: {option}", options.name);
        if !(options.timeout_s >= TIMEOUT_S_MIN && options.timeout_s <= TIMEOUT_S_MAX) {
            let why = format!("must be from {TIMEOUT_S_MIN} to {TIMEOUT_S_MAX}");
            return Err(Error::option(what("timeout_s"), why));
        }
        let transport: Box<dyn Transport> = match options.protocol {
            OtlpProtocol::Http => Box::new(Http::new(options)?),
            OtlpProtocol::Grpc if options.encoding == OtlpEncoding::Json => {
                let why = "gRPC has Protocol Buffers only; leave it out";
                return Err(Error::option(what("encoding = \"json\""), why));
            }
            OtlpProtocol::Grpc => Box::new(Grpc::new(options)?),
        };
        let wants = |kind| options.send.records.as_ref().is_some_and(|kinds| kinds.contains(&kind));
        if wants(RecordKind::Evidence) && !options.canonical {
            let why = "evidence has a form for our own collector only: canonical = true";
            return Err(Error::option(what("send.records"), why));
        }
        if wants(RecordKind::Minute) && !options.canonical && !transport.has(Signal::Metrics) {
            let why = "minutes are metrics: name their address by metrics_url";
            return Err(Error::option(what("send.records"), why));
        }
        let encoder = Encoder {
            resource: resource(options, identity),
            version: identity.version.clone(),
            is_canonical: options.canonical,
        };
        Ok(Self { transport, encoder, taken: [None; 2], refused: 0 })
    }

    /// What becomes of the records of one signal; all of them were taken already if there are none.
    fn send_signal(&mut self, signal: Signal, records: &[(&Record, Body)]) -> Answer {
        let taken = self.taken[signal as usize];
        let is_taken = |uid: Uid| {
            taken.is_some_and(|t| t.session == uid.session && t.sequence >= uid.sequence)
        };
        let records: Vec<_> = records.iter().filter(|(record, _)| !is_taken(record.uid)).collect();
        let Some((newest, _)) = records.last() else {
            return Answer::Taken { refused: 0, said: String::new() };
        };
        let newest = newest.uid;
        let mut request = self.encoder.request(signal);
        self.encoder.add(&mut request, &records);
        let reply = self.transport.send(&request);
        let answer = match reply.answer {
            Answer::Never { why } if records.len() == 1 => self.confirm(signal, why),
            Answer::Later { why, .. } if reply.is_unknown && signal == Signal::Metrics => {
                self.without_metrics(why, records.len() as u64)
            }
            Answer::Taken { refused, said } => {
                Answer::Taken { refused: share(refused, records.len(), request.count()), said }
            }
            answer => answer,
        };
        if matches!(answer, Answer::Taken { .. }) {
            self.taken[signal as usize] = Some(newest);
        }
        answer
    }

    /// Whether one record was refused for what it is: then a request without any is taken. Otherwise the
    /// answer is about the request: HTTP to a port for TLS, a compression that a proxy does not know.
    fn confirm(&mut self, signal: Signal, why: String) -> Answer {
        match self.transport.send(&self.encoder.request(signal)).answer {
            Answer::Taken { .. } => Answer::Never { why },
            Answer::Never { why } => {
                let hint =
                    "it refuses a request without events too: see url, encoding, compression";
                Answer::Later { why: format!("{why} ({hint})"), after: None }
            }
            later @ Answer::Later { .. } => later,
        }
    }

    /// A receiver that takes logs and knows no metrics must not keep events waiting behind a minute.
    fn without_metrics(&mut self, why: String, minutes: u64) -> Answer {
        match self.transport.send(&self.encoder.request(Signal::Logs)).answer {
            Answer::Taken { .. } => Answer::Taken {
                refused: minutes,
                said: format!(
                    "{why}; it takes logs, so minutes are refused: name another metrics_url, or leave \
                     them out by send.records = [\"event\"]"
                ),
            },
            _ => Answer::Later { why, after: None },
        }
    }
}

impl Sink for OtlpSink {
    fn send(&mut self, records: &[Record]) -> Answer {
        let mut parts = [(Signal::Logs, Vec::new()), (Signal::Metrics, Vec::new())];
        for record in records {
            match record.body() {
                Ok(body) => {
                    let signal = self.encoder.signal_of(&body);
                    parts[signal as usize].1.push((record, body));
                }
                // The courier halves the batch until this one is alone.
                Err(error) => {
                    let why = format!("this version does not know such a record: {error}");
                    return Answer::Never { why };
                }
            }
        }
        let mut words = Vec::new();
        for (signal, part) in &parts {
            if part.is_empty() {
                continue;
            }
            match self.send_signal(*signal, part) {
                Answer::Taken { refused, said } => {
                    self.refused += refused;
                    words.extend(Some(said).filter(|said| !said.is_empty()));
                }
                answer => return answer,
            }
        }
        let refused = std::mem::take(&mut self.refused).min(records.len() as u64);
        Answer::Taken { refused, said: words.join("; ") }
    }

    fn check(&mut self) -> Answer {
        self.transport.send(&self.encoder.request(Signal::Logs)).answer
    }
}

/// How many records were refused where `refused` of their `parts` were, rounded up: a minute has many points.
const fn share(refused: u64, records: usize, parts: u64) -> u64 {
    let (records, parts) = (records as u64, if parts == 0 { 1 } else { parts });
    let refused = if refused < parts { refused } else { parts };
    (refused * records).div_ceil(parts)
}

/// From whom records come; what the options name stands in place of our own.
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

/// One line, not too long: it goes into a log.
fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(WORDS_LEN_MAX).collect()
}

/// Characters of a receiver's words that are repeated.
const WORDS_LEN_MAX: usize = 300;

const TIMEOUT_S_MIN: f64 = 0.1;
const TIMEOUT_S_MAX: f64 = 300.0;
