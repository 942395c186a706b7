//! Receivers without sockets, for fuzz targets: a body goes the whole way into a store.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tower::Service as _;

use super::aside::Aside;
use super::counts::Counts;
use super::desk::Desk;
use super::gate::Gate;
use super::intake::{Gather, Intake};
use super::{Keep, ReceiveOptions, otlp};

/// Receivers without sockets.
#[derive(Debug)]
pub struct Senders {
    runtime: tokio::runtime::Runtime,
    http: Router,
    grpc: Router,
}

impl Senders {
    /// Whose records go to this store.
    ///
    /// # Panics
    /// If a thread cannot be made.
    #[must_use]
    pub fn new(keep: Arc<dyn Keep>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (intake, _) = Intake::start(keep, Gather::AT_ONCE).expect("a thread");
        let aside = Arc::new(Aside::open(None, 0).expect("nothing is opened"));
        let counts = Arc::new(Counts::new("fuzz", String::new()));
        let desk = Desk { intake: Arc::new(intake), counts, aside };
        let options =
            ReceiveOptions { body_bytes_max: BODY_BYTES_MAX, ..ReceiveOptions::default() };
        let gate = Gate::new(&options, desk, None);
        let (http, grpc) = (otlp::http::router(gate.clone()), otlp::grpc::router(gate));
        Self { runtime: runtime.expect("a runtime"), http, grpc }
    }

    /// A body in OTLP: its first byte says by which way, form and coding.
    ///
    /// # Panics
    /// If it is answered as no body should be.
    pub fn send(&self, input: &[u8]) {
        let Some((first, body)) = input.split_first() else { return };
        let body = Body::from(body.to_vec());
        let coding = ["identity", "gzip", "zstd"][usize::from(first / 3 % 3)];
        let request = match first % 3 {
            0 => http("application/x-protobuf", coding),
            1 => http("application/json", coding),
            _ => Request::post("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
                .header("content-type", "application/grpc")
                .header("grpc-encoding", coding)
                .header("te", "trailers"),
        };
        let request = request.body(body).expect("its parts are right");
        let mut router = if first % 3 == 2 { self.grpc.clone() } else { self.http.clone() };
        let answer = self.runtime.block_on(router.call(request)).expect("routers never fail");
        let status = answer.status().as_u16();
        assert!([200, 400, 413, 503].contains(&status), "{status} {:?}", answer.headers());
    }
}

fn http(form: &str, coding: &str) -> axum::http::request::Builder {
    Request::post("/v1/logs").header("content-type", form).header("content-encoding", coding)
}

/// Before and after inflating: small, so that the limit is met.
const BODY_BYTES_MAX: usize = 1 << 20;
