//! OTLP/gRPC.

use std::net::SocketAddr;

use events::encode::otlp::{Logs, LogsAnswer};
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::send::{address, line, logs, options, start};
use crate::store::Memory;

async fn export(
    address: SocketAddr,
    coding: Option<CompressionEncoding>,
    request: Request<Logs>,
) -> Result<Response<LogsAnswer>, Status> {
    let channel =
        Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut grpc = Grpc::new(channel);
    if let Some(coding) = coding {
        grpc = grpc.send_compressed(coding);
    }
    grpc.ready().await.unwrap();
    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export".parse().unwrap();
    grpc.unary(request, path, ProstCodec::default()).await
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn requests_are_stored_before_they_are_answered() {
    let store = Memory::new();
    let receivers = start(&options(), &store);
    let address = address(&receivers, "otlp_grpc");
    run(async {
        for (number, coding) in
            [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)]
                .into_iter()
                .enumerate()
        {
            let texts = [Some(line(number as u64 + 1)), None];
            let answer = export(address, coding, Request::new(logs(&texts))).await.unwrap();
            let partial = answer.into_inner().partial_success.unwrap();
            assert_eq!(partial.rejected_log_records, 1);
            assert_eq!(store.count(), number + 1);
        }
    });
    assert_eq!(receivers.state().receivers[1].requests["taken"], 3);
    assert_eq!(receivers.state().receivers[1].refused["foreign"], 3);
}

#[test]
fn trouble_with_the_store_is_for_later_with_a_time() {
    let store = Memory::new();
    let receivers = start(&options(), &store);
    let address = address(&receivers, "otlp_grpc");
    store.fail(1);
    let status = run(export(address, None, Request::new(logs(&[Some(line(1))])))).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("the store cannot take records now"));
    let details = String::from_utf8_lossy(status.details()).into_owned();
    assert!(details.contains("google.rpc.RetryInfo"), "{details}");
    assert_eq!(receivers.state().receivers[1].requests["unstored"], 1);
}

#[test]
fn limits_and_tokens_hold() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "0123456789abcdef").unwrap();
    let store = Memory::new();
    let mut options = options();
    options.token_file = Some(path);
    options.body_bytes_max = 10_000;
    let receivers = start(&options, &store);
    let address = address(&receivers, "otlp_grpc");
    let with_token = |texts: &[Option<String>]| {
        let mut request = Request::new(logs(texts));
        let token = "Bearer 0123456789abcdef".parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        request
    };
    run(async {
        let status = export(address, None, Request::new(logs(&[]))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        export(address, None, with_token(&[Some(line(1))])).await.unwrap();
        let long = [Some("x".repeat(1_000_000))];
        for coding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
            let status = export(address, coding, with_token(&long)).await.unwrap_err();
            assert!(
                matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted),
                "{status}"
            );
        }
    });
    let requests = receivers.state().receivers[1].requests.clone();
    assert_eq!((requests["too_long"], requests["unauthorised"]), (3, 1), "{requests:?}");
}
