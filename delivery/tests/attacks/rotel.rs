//! A real OpenTelemetry collector between us and the test's receiver: what it understood of our requests is
//! what it forwards.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use delivery::{Compression, Options, OtlpEncoding, OtlpOptions, SinkOptions};

use crate::receiver::{Receiver, take, text};
use crate::sensor::{emit, event, otlp, spool, start, wait};

/// Ends with the test.
struct Rotel(Child);

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_collector_understands_both_encodings_and_loses_nothing_of_them() {
    let Some(program) = program() else { return };
    for (encoding, compression) in [
        (OtlpEncoding::Protobuf, Compression::Gzip),
        (OtlpEncoding::Json, Compression::Gzip),
        (OtlpEncoding::Protobuf, Compression::None),
    ] {
        let receiver = Receiver::start(|_, _| take());
        let address = free_address();
        let _rotel = Rotel(run(&program, &address, &receiver.url()));
        let directory = tempfile::tempdir().unwrap();
        // It may not listen yet: the events wait.
        let sink = OtlpOptions { encoding, compression, ..otlp(format!("http://{address}")) };
        let options =
            Options { spool: spool(directory.path()), sinks: vec![SinkOptions::Otlp(sink)] };
        let delivery = start(&options);
        emit(&delivery, 200);
        let status = wait(&delivery, "all is sent", |status| status.sinks[0].lag_events == 0);
        assert_eq!((status.sinks[0].sent, status.losses().len()), (200, 0), "{status:?}");
        receiver.wait_for(200);
        let last = receiver.kept(|kept| kept.last.clone()).unwrap();
        let told = event(1);
        assert_eq!((last.event_name.as_str(), last.severity_number), ("tcp.reset", 13));
        assert_eq!(last.time_unix_nano, told.ts.0);
        assert_eq!(text(&last, "client.address"), "192.0.2.10");
        assert_eq!(text(&last, "network.community_id"), told.community_id);
        assert!(last.attributes.iter().any(|attribute| attribute.key == "rst.evidence"));
    }
}

fn run(program: &PathBuf, address: &str, forward_to: &str) -> Child {
    Command::new(program)
        .args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .args(["--otlp-http-endpoint", address, "--otlp-grpc-endpoint", &free_address()])
        .args(["--otlp-exporter-endpoint", forward_to])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// `deploy/prepare.sh test` puts it there.
fn program() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/local/lib/rstscope-test/rotel/rotel-agent");
    if path.exists() {
        return Some(path);
    }
    let why = format!("no {}; \"deploy/prepare.sh test\" gets it", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
    eprintln!("SKIPPED: {why}");
    None
}
