//! OTLP/gRPC.
//!
//! | code | what it means for us |
//! |---|---|
//! | OK | taken; what a partial success names is refused for good |
//! | INVALID_ARGUMENT | these records are wrong: never again as they are |
//! | RESOURCE_EXHAUSTED without RetryInfo | too much at once, where less may help; otherwise later |
//! | all else, or none | later: nothing is wrong with the records |
//!
//! A pause that RetryInfo asks for is kept.

use std::str::FromStr as _;
use std::time::Duration;

use events::encode::otlp::LogsAnswer;
use prost::Message as _;
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::signal::{Request, Signal};
use super::{Reply, Transport, shortened};
use crate::error::Error;
use crate::options::{Compression, OtlpOptions};
use crate::sink::Answer;
use crate::tls::{NO_AUTHORITY, read, secret};

/// A receiver of OTLP/gRPC.
pub(super) struct Grpc {
    options: OtlpOptions,
    timeout: Duration,
    /// Made when they are needed; the channel anew after a failure: certificates may have been renewed.
    runtime: Option<Runtime>,
    channel: Option<Channel>,
}

impl Grpc {
    pub(super) fn new(options: &OtlpOptions) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Error::option(format!("sink {}: url = {:?}", options.name, options.url), why)
        };
        let uri = Uri::from_str(&options.url).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(refuse("must be http:// or https://, a host and a port, usually 4317"));
        }
        if uri.path() != "/" {
            return Err(refuse("gRPC has no path: leave it out"));
        }
        let timeout = Duration::from_secs_f64(options.timeout_s);
        Ok(Self { options: options.clone(), timeout, runtime: None, channel: None })
    }

    fn channel(&mut self) -> Result<Channel, String> {
        if let Some(channel) = &self.channel {
            return Ok(channel.clone());
        }
        let failed =
            |error: tonic::transport::Error| format!("set {} up: {error}", self.options.url);
        let mut endpoint = Endpoint::from_shared(self.options.url.clone())
            .and_then(|endpoint| {
                endpoint.user_agent(concat!("rstscope/", env!("CARGO_PKG_VERSION")))
            })
            .map_err(failed)?
            .connect_timeout(self.timeout);
        if self.options.url.starts_with("https:") {
            endpoint = endpoint.tls_config(self.tls()?).map_err(failed)?;
        }
        let channel = endpoint.connect_lazy();
        self.channel = Some(channel.clone());
        Ok(channel)
    }

    fn tls(&self) -> Result<ClientTlsConfig, String> {
        let options = &self.options.tls;
        let path = options.ca_path().ok_or(NO_AUTHORITY)?;
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&path)?));
        if let Some((certificate, key)) = options.own_paths()? {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(tls)
    }

    fn metadata(&self) -> Result<MetadataMap, String> {
        let mut headers = self.options.headers.clone();
        if let Some(path) = &self.options.token_file {
            headers
                .insert("authorization".to_owned(), format!("Bearer {}", secret("token", path)?));
        }
        let mut metadata = MetadataMap::new();
        for (name, value) in headers {
            // The value may be a secret.
            let refused = || format!("header {name:?} cannot be sent as gRPC metadata");
            let key: MetadataKey<Ascii> =
                name.to_ascii_lowercase().parse().map_err(|_| refused())?;
            metadata.insert(key, value.parse().map_err(|_| refused())?);
        }
        Ok(metadata)
    }

    fn call(&mut self, request: &Request) -> Result<LogsAnswer, Failure> {
        let metadata = self.metadata().map_err(Failure::Ours)?;
        let compression = self.options.compression;
        let timeout = self.timeout;
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::Ours(format!("start a runtime: {error}")))?,
        };
        let called = runtime.block_on(async {
            let channel = self.channel().map_err(Failure::Ours)?;
            let called = called(channel, request, metadata, compression);
            match tokio::time::timeout(timeout, called).await {
                Ok(answer) => answer.map_err(Failure::Theirs),
                Err(_) => Err(Failure::Ours(format!(
                    "send to {}: no answer in {} s",
                    self.options.url,
                    timeout.as_secs_f64()
                ))),
            }
        });
        self.runtime = Some(runtime);
        called
    }
}

/// Why there is no answer.
enum Failure {
    Ours(String),
    Theirs(Box<Status>),
}

async fn called(
    channel: Channel,
    request: &Request,
    metadata: MetadataMap,
    compression: Compression,
) -> Result<LogsAnswer, Box<Status>> {
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(ANSWER_LEN_MAX);
    match compression {
        Compression::Gzip => client = client.send_compressed(CompressionEncoding::Gzip),
        Compression::Zstd => client = client.send_compressed(CompressionEncoding::Zstd),
        Compression::None => {}
    }
    client.ready().await.map_err(|error| Status::unavailable(chain(&error)))?;
    let extensions = tonic::Extensions::default;
    let answered = match request {
        Request::Logs(logs) => {
            let request = tonic::Request::from_parts(metadata, extensions(), logs.clone());
            client.unary(request, path(LOGS_PATH), ProstCodec::default()).await
        }
        Request::Metrics(metrics) => {
            let request = tonic::Request::from_parts(metadata, extensions(), metrics.clone());
            client.unary(request, path(METRICS_PATH), ProstCodec::default()).await
        }
    };
    answered.map(tonic::Response::into_inner).map_err(Box::new)
}

fn path(path: &'static str) -> tonic::codegen::http::uri::PathAndQuery {
    tonic::codegen::http::uri::PathAndQuery::from_static(path)
}

impl Transport for Grpc {
    fn send(&mut self, request: &Request) -> Reply {
        let url = self.options.url.clone();
        match self.call(request) {
            Ok(answer) => {
                let partial = answer.partial_success.unwrap_or_default();
                let refused = u64::try_from(partial.rejected_log_records).unwrap_or(0);
                let said = match shortened(&partial.error_message).as_str() {
                    "" => format!("{url} answers OK"),
                    words => format!("{url} answers OK: {words}"),
                };
                Answer::Taken { refused: refused.min(request.count()), said }.into()
            }
            Err(Failure::Ours(why)) => {
                self.channel = None;
                Answer::Later { why, after: None }.into()
            }
            Err(Failure::Theirs(status)) => {
                // A connection that answered is kept.
                if matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal) {
                    self.channel = None;
                }
                judge(&url, &status, is_much(request))
            }
        }
    }

    fn has(&self, _: Signal) -> bool {
        true
    }
}

/// Whether a receiver may find it too much at once. One minute has many points: their number tells nothing.
fn is_much(request: &Request) -> bool {
    let is_many = request.signal() == Signal::Logs && request.count() > 1;
    is_many || request.to_protobuf().len() > MUCH_LEN
}

/// What a failure means for the records that were sent; `is_much` if fewer or shorter ones could be sent.
fn judge(url: &str, status: &Status, is_much: bool) -> Reply {
    let after = retry_delay(status.details());
    let words = shortened(&chain(status));
    let said = format!("{url} answers {:?}: {words}", status.code());
    let later = |hint: &str| Answer::Later { why: format!("{said}{hint}"), after };
    let answer = match status.code() {
        Code::InvalidArgument => Answer::Never { why: said },
        Code::ResourceExhausted | Code::OutOfRange if after.is_none() && is_much => {
            Answer::Never { why: said }
        }
        Code::Unauthenticated | Code::PermissionDenied => {
            later(" (see token_file and the certificates)")
        }
        Code::Unimplemented => later(" (is this the address of an OTLP/gRPC receiver?)"),
        _ => later(""),
    };
    Reply { answer, is_unknown: status.code() == Code::Unimplemented }
}

/// An error and what it comes from.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = match error.downcast_ref::<Status>() {
        Some(status) => status.message().to_owned(),
        None => error.to_string(),
    };
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// The pause that `google.rpc.RetryInfo` asks for, among the details of a status.
fn retry_delay(details: &[u8]) -> Option<Duration> {
    let details = RpcStatus::decode(details).ok()?.details;
    let info = details.into_iter().find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(Duration::from_secs(seconds) + Duration::from_nanos(u64::from(nanos)))
}

/// `google.rpc.Status`, of which only the details matter.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const LOGS_PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const METRICS_PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Bytes of an answer at most.
const ANSWER_LEN_MAX: usize = 64 << 10;

/// A message that a receiver may call too long: most take 4 MiB.
const MUCH_LEN: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use events::encode::otlp::LogRecord;
    use events::encode::otlp_metrics::{Data, Metric, NumberPoint, Sum};
    use prost::Message as _;
    use tonic::{Code, Status};

    use super::{Any, Delay, MUCH_LEN, RetryInfo, RpcStatus, is_much, judge, retry_delay};
    use crate::otlp::signal::{Encoder, Request, Signal};
    use crate::sink::Answer;

    fn details(seconds: i64) -> Vec<u8> {
        let info = RetryInfo { retry_delay: Some(Delay { seconds, nanos: 5 }) };
        let type_url = "type.googleapis.com/google.rpc.RetryInfo".to_owned();
        let details = vec![Any { type_url, value: info.encode_to_vec() }];
        RpcStatus { details }.encode_to_vec()
    }

    #[test]
    fn a_pause_that_is_asked_for_is_understood_and_nonsense_is_not() {
        assert_eq!(retry_delay(&details(3)), Some(Duration::new(3, 5)));
        assert_eq!(retry_delay(&details(-3)), None);
        assert_eq!(retry_delay(b"\xff\xff nonsense"), None);
    }

    #[test]
    fn only_what_speaks_of_the_records_refuses_them_for_good() {
        let answer = |code: Code, is_much| judge("u", &Status::new(code, "no"), is_much).answer;
        assert!(matches!(answer(Code::InvalidArgument, false), Answer::Never { .. }));
        assert!(matches!(answer(Code::ResourceExhausted, true), Answer::Never { .. }));
        assert!(matches!(answer(Code::ResourceExhausted, false), Answer::Later { .. }));
        let status = Status::with_details(Code::ResourceExhausted, "no", details(7).into());
        let Answer::Later { after, .. } = judge("u", &status, true).answer else { panic!("later") };
        assert_eq!(after, Some(Duration::new(7, 5)));
        for code in [Code::Unavailable, Code::Internal, Code::Unauthenticated, Code::DataLoss] {
            assert!(matches!(answer(code, true), Answer::Later { .. }), "{code:?}");
        }
        assert!(judge("u", &Status::new(Code::Unimplemented, ""), true).is_unknown);
    }

    #[test]
    fn many_points_are_one_minute_and_many_logs_are_many_records() {
        let resource = events::encode::otlp::Resource { attributes: Vec::new() };
        let encoder = Encoder { resource, version: String::new(), is_canonical: false };
        let metrics = |description: String| {
            let mut request = encoder.request(Signal::Metrics);
            let Request::Metrics(metrics) = &mut request else { panic!("metrics") };
            let data_points = vec![NumberPoint::default(); 500];
            let data = Some(Data::Sum(Sum { data_points, ..Sum::default() }));
            let metric = Metric { description, data, ..Metric::default() };
            metrics.resource_metrics[0].scope_metrics[0].metrics.push(metric);
            request
        };
        assert!(!is_much(&metrics(String::new())));
        assert!(is_much(&metrics("x".repeat(MUCH_LEN))));
        let logs = |count| {
            let mut request = encoder.request(Signal::Logs);
            let Request::Logs(logs) = &mut request else { panic!("logs") };
            logs.resource_logs[0].scope_logs[0].log_records = vec![LogRecord::default(); count];
            request
        };
        assert!(!is_much(&logs(1)) && is_much(&logs(2)));
    }
}
