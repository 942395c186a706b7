//! A real OpenTelemetry collector between us and the test's receiver: what it understood of our requests is
//! what it forwards.

use std::path::Path;
use std::process::Command;

use delivery::{
    Compression, Options, OtlpEncoding, OtlpOptions, OtlpProtocol, SinkOptions, Status,
};
use events::encode::otlp_metrics::{DELTA, Data, Metric};

use crate::receiver::{Receiver, take, text};
use crate::sensor::{emit, event, minute, otlp, spool, start, wait};
use crate::servers::{Process, free_port, program};

#[test]
fn a_real_collector_understands_both_encodings_and_loses_nothing_of_them() {
    let Some(program) = program("rotel/rotel-agent") else { return };
    for (protocol, encoding, compression) in [
        (OtlpProtocol::Http, OtlpEncoding::Protobuf, Compression::Gzip),
        (OtlpProtocol::Http, OtlpEncoding::Json, Compression::None),
        (OtlpProtocol::Grpc, OtlpEncoding::Protobuf, Compression::Gzip),
    ] {
        let receiver = Receiver::start(|_, _| take());
        let (http, grpc) = (free_address(), free_address());
        let _rotel = run(&program, &http, &grpc, &receiver.url());
        let address = if protocol == OtlpProtocol::Http { http } else { grpc };
        let directory = tempfile::tempdir().unwrap();
        // It may not listen yet: the events wait.
        let sink =
            OtlpOptions { protocol, encoding, compression, ..otlp(format!("http://{address}")) };
        let options =
            Options { spool: spool(directory.path()), sinks: vec![SinkOptions::Otlp(sink)] };
        let delivery = start(&options);
        emit(&delivery, 200);
        delivery.minute(&minute());
        let is_done = |status: &Status| status.sinks[0].sent == 201;
        let status = wait(&delivery, "all is sent", is_done);
        assert_eq!((status.sinks[0].lag_events, status.losses().len()), (0, 0), "{status:?}");
        receiver.wait_for(200);
        let names = receiver.wait("metrics", |kept| {
            let name = |metric: &Metric| (metric.name.clone(), is_delta(metric));
            (!kept.metrics.is_empty()).then(|| kept.metrics.iter().map(name).collect::<Vec<_>>())
        });
        println!("{protocol:?} {encoding:?} {names:?}");
        // This collector reads no points out of metrics in JSON, whose 64-bit numbers are text.
        let has_points = encoding == OtlpEncoding::Protobuf;
        assert!(names.contains(&("rst.events".to_owned(), has_points)), "{names:?}");
        assert!(names.contains(&("rst.idle_before".to_owned(), has_points)), "{names:?}");
        let last = receiver.kept(|kept| kept.last.clone()).unwrap();
        let told = event(1);
        assert_eq!((last.event_name.as_str(), last.severity_number), ("tcp.reset", 13));
        assert_eq!(last.time_unix_nano, told.ts.0);
        assert_eq!(text(&last, "client.address"), "192.0.2.10");
        assert_eq!(text(&last, "network.community_id"), told.community_id);
        assert!(last.attributes.iter().any(|attribute| attribute.key == "rst.evidence"));
    }
}

fn is_delta(metric: &Metric) -> bool {
    match &metric.data {
        Some(Data::Sum(sum)) => sum.aggregation_temporality == DELTA,
        Some(Data::ExponentialHistogram(spread)) => spread.aggregation_temporality == DELTA,
        None => false,
    }
}

fn run(program: &Path, http: &str, grpc: &str, forward_to: &str) -> Process {
    let mut command = Command::new(program);
    command
        .args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .args(["--otlp-http-endpoint", http, "--otlp-grpc-endpoint", grpc])
        .args(["--otlp-exporter-endpoint", forward_to]);
    Process::start(command)
}

fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}
