//! Receivers of OTLP/gRPC that refuse, stall, babble, and want certificates.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use delivery::{Compression, Options, OtlpOptions, OtlpProtocol, SinkOptions, TlsOptions};
use events::encode::otlp::{Logs, LogsAnswer, PartialSuccess};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::authority::Authority;
use crate::receiver::text;
use crate::sensor::{emit, minute, otlp, spool, start, wait};

type Plan = Box<dyn FnMut(u64, &Request<Logs>) -> Result<LogsAnswer, Status> + Send>;
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A receiver of logs; it knows no metrics.
#[derive(Clone)]
struct Receiver(Arc<Mutex<State>>);

struct State {
    plan: Plan,
    requests: u64,
    uids: HashSet<String>,
}

impl Receiver {
    /// Listens until the test ends; `plan` says what to do with request number n.
    fn start(
        tls: Option<ServerTlsConfig>,
        plan: impl FnMut(u64, &Request<Logs>) -> Result<LogsAnswer, Status> + Send + 'static,
    ) -> (Self, SocketAddr) {
        let state = State { plan: Box::new(plan), requests: 0, uids: HashSet::new() };
        let receiver = Self(Arc::new(Mutex::new(state)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let service = receiver.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let incoming = tonic::transport::server::TcpIncoming::from(listener);
                let mut server = Server::builder();
                if let Some(tls) = tls {
                    server = server.tls_config(tls).unwrap();
                }
                let _ = server.serve_with_incoming(service, incoming).await;
            });
        });
        (receiver, address)
    }

    fn uids(&self) -> usize {
        self.0.lock().unwrap().uids.len()
    }
}

impl UnaryService<Logs> for Receiver {
    type Response = LogsAnswer;
    type Future = Later<Result<Response<LogsAnswer>, Status>>;

    fn call(&mut self, request: Request<Logs>) -> Self::Future {
        let mut state = self.0.lock().unwrap();
        state.requests += 1;
        let number = state.requests;
        let answer = (state.plan)(number, &request);
        if answer.is_ok() {
            let logs = request.into_inner().resource_logs.into_iter().flat_map(|of| of.scope_logs);
            let uids = logs.flat_map(|of| of.log_records).map(|log| text(&log, "log.record.uid"));
            state.uids.extend(uids);
        }
        Box::pin(std::future::ready(answer.map(Response::new)))
    }
}

impl Service<http::Request<Body>> for Receiver {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Later<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != LOGS_PATH {
                return Ok(Status::unimplemented("no such service").into_http());
            }
            let mut grpc = Grpc::new(ProstCodec::default())
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd);
            Ok(grpc.unary(service, request).await)
        })
    }
}

fn grpc(url: String) -> OtlpOptions {
    OtlpOptions { protocol: OtlpProtocol::Grpc, ..otlp(url) }
}

#[test]
fn every_event_arrives_at_a_receiver_that_refuses_and_is_sent_away_by_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let renew = token.clone();
    let (receiver, address) = Receiver::start(None, move |number, request| {
        let shown = request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
        match number % 4 {
            _ if shown == "Bearer first" => {
                std::fs::write(&renew, "second").unwrap();
                Err(Status::unauthenticated("who are you?"))
            }
            1 => Err(Status::unavailable("not now")),
            2 => Err(Status::new(Code::DataLoss, "lost it")),
            _ => Ok(LogsAnswer::default()),
        }
    });
    let mut sink = OtlpOptions {
        token_file: Some(token),
        compression: Compression::Zstd,
        ..grpc(format!("http://{address}"))
    };
    sink.send.batch_bytes_max = 20_000;
    let sinks = vec![SinkOptions::Otlp(sink)];
    let delivery = start(&Options { spool: spool(directory.path()), sinks });
    emit(&delivery, 200);
    let status = wait(&delivery, "all is sent", |status| status.sinks[0].sent == 200);
    assert!(status.sinks[0].retried > 0 && status.losses().is_empty(), "{status:?}");
    assert_eq!(receiver.uids(), 200);
}

#[test]
fn what_is_refused_for_good_is_counted_and_a_minute_without_a_taker_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let (_, address) = Receiver::start(None, |_, request| {
        let records = &request.get_ref().resource_logs[0].scope_logs[0].log_records;
        let ids: Vec<String> = records.iter().map(|record| text(record, "event.id")).collect();
        if ids.iter().any(|id| id.ends_with("07")) {
            return Err(Status::invalid_argument("a seven"));
        }
        let rejected_log_records = i64::from(ids.iter().any(|id| id.ends_with("03")));
        let error_message = "a three".to_owned();
        Ok(LogsAnswer {
            partial_success: Some(PartialSuccess { rejected_log_records, error_message }),
        })
    });
    let sinks = vec![SinkOptions::Otlp(grpc(format!("http://{address}")))];
    let delivery = start(&Options { spool: spool(directory.path()), sinks });
    emit(&delivery, 20);
    delivery.minute(&minute());
    let status = wait(&delivery, "all is done", |status| {
        status.spool.spooled == 21 && status.sinks[0].lag_events == 0
    });
    let sink = &status.sinks[0];
    assert_eq!((sink.sent, sink.refused, sink.retried), (18, 3, 0), "{status:?}");
}

#[test]
fn only_who_trusts_and_is_trusted_gets_through() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (certificate, key) = ours.issue("localhost");
    let identity = Identity::from_pem(certificate.pem(), key.serialize_pem());
    let authority = Certificate::from_pem(ours.pem());
    let tls = ServerTlsConfig::new().identity(identity).client_ca_root(authority);
    let (_, address) = Receiver::start(Some(tls), |_, _| Ok(LogsAnswer::default()));
    let check = |trusted: &Authority, shown: &Authority| {
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, trusted.pem()).unwrap();
        let (certificate, key) = shown.client(directory.path(), "client");
        let tls = TlsOptions {
            ca_file: Some(ca_file),
            certificate_file: Some(certificate),
            key_file: Some(key),
        };
        let sink = OtlpOptions { tls, ..grpc(format!("https://localhost:{}", address.port())) };
        delivery::check(&SinkOptions::Otlp(sink)).map_err(|error| error.to_string())
    };
    let said = check(&ours, &ours).unwrap();
    assert!(said.ends_with("answers OK"), "{said}");
    let error = check(&other, &ours).unwrap_err();
    assert!(error.contains("invalid peer certificate"), "{error}");
    check(&ours, &other).unwrap_err();
}

#[test]
fn who_never_answers_or_speaks_no_grpc_is_left() {
    let babble = TcpListener::bind("127.0.0.1:0").unwrap();
    let silence = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let check = |url: String| {
        let sink = SinkOptions::Otlp(OtlpOptions { timeout_s: 0.3, ..grpc(url) });
        delivery::check(&sink).unwrap_err().to_string()
    };
    let said = check(url(&silence));
    assert!(said.contains("no answer in 0.3 s"), "{said}");
    let address = url(&babble);
    std::thread::spawn(move || {
        for stream in babble.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n\x00\xff");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    assert!(check(address.clone()).contains(&address));
    assert!(check("http://[::1]:9".to_owned()).contains("[::1]:9"));
}

const LOGS_PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
