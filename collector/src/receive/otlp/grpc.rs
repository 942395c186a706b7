//! OTLP/gRPC: two methods, whose messages are read in place.

use std::future::Future;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::{Buf as _, BufMut as _, Bytes};
use prost::Message as _;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};

use super::answer::{self, RETRY_S};
use super::protobuf;
use crate::receive::counts::Fate;
use crate::receive::gate::Gate;

/// What can be called.
pub(crate) fn router(gate: Gate) -> Router {
    Router::new()
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(logs))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(metrics))
        .fallback(unknown)
        .with_state(gate)
}

async fn logs(State(gate): State<Gate>, request: Request) -> Response {
    if let Err(text) = gate.admits(request.headers()) {
        return refused(&gate, Fate::Unauthorised, Status::unauthenticated(text));
    }
    let Some(_place) = gate.place() else {
        let status = unavailable("too many requests at a time");
        return refused(&gate, Fate::Busy, status);
    };
    let mut grpc = Grpc::new(Raw)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(gate.body_bytes_max);
    let export = Export(gate.clone());
    match tokio::time::timeout(gate.request_timeout * 2, grpc.unary(export, request)).await {
        Ok(response) => {
            count_status(&gate, &response);
            response.map(Body::new)
        }
        Err(_) => {
            let status = Status::deadline_exceeded("the request did not come in time");
            refused(&gate, Fate::TooSlow, status)
        }
    }
}

/// What tonic refuses by itself is counted by its code.
fn count_status(gate: &Gate, response: &axum::http::Response<tonic::body::Body>) {
    let code = response.headers().get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()));
    match code {
        Some(Code::OutOfRange | Code::ResourceExhausted) => {
            gate.refuse(Fate::TooLong, "a message is too long");
        }
        Some(Code::Unimplemented) => gate.refuse(Fate::Unsupported, "unknown compression"),
        Some(Code::Internal | Code::Unknown | Code::Cancelled) => {
            gate.refuse(Fate::Malformed, "a message broke off or cannot be inflated");
        }
        // The method itself has counted the others.
        _ => {}
    }
}

async fn metrics(State(gate): State<Gate>, request: Request) -> Response {
    match gate.admits(request.headers()) {
        Err(text) => refused(&gate, Fate::Unauthorised, Status::unauthenticated(text)),
        Ok(()) => refused(&gate, Fate::Unsupported, Status::unimplemented(answer::NO_METRICS)),
    }
}

async fn unknown(State(gate): State<Gate>) -> Response {
    let status = Status::unimplemented("there are LogsService/Export and MetricsService/Export");
    refused(&gate, Fate::Unsupported, status)
}

fn refused(gate: &Gate, fate: Fate, status: Status) -> Response {
    gate.refuse(fate, status.message());
    status.into_http::<Body>()
}

/// Come again, and when.
fn unavailable(text: &str) -> Status {
    let details = answer::status(Code::Unavailable as i32, text, Some(RETRY_S)).encode_to_vec();
    Status::with_details(Code::Unavailable, text, details.into())
}

/// The method `Export` of logs.
struct Export(Gate);

impl UnaryService<Bytes> for Export {
    type Response = Vec<u8>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Vec<u8>>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let gate = self.0.clone();
        Box::pin(async move {
            let body = request.into_inner();
            let read = tokio::task::spawn_blocking(move || protobuf::records(&body)).await;
            // All may end before it was read.
            let read = read.map_err(|_| unavailable("this collector is ending"))?;
            let found = read.map_err(|why| {
                gate.refuse(Fate::Malformed, &why);
                Status::invalid_argument(why)
            })?;
            let receipt = gate
                .desk
                .store(found)
                .await
                .map_err(|trouble| unavailable(trouble.text_for_sender()))?;
            Ok(tonic::Response::new(answer::taken(&receipt).encode_to_vec()))
        })
    }
}

/// Messages as they are: bytes.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
