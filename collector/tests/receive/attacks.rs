//! Senders that mean no good, or are merely broken.

use std::io::Write as _;
use std::net::TcpStream;

use crate::send::{PROTOBUF, address, answer, body, gzip, line, options, post, start};
use crate::store::Memory;

#[test]
fn without_the_token_nothing_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    let store = Memory::new();
    let mut options = options();
    options.token_file = Some(path);
    let receivers = start(&options, &store);
    let address = address(&receivers, "otlp_http");
    let sent = body(&[Some(line(1))]);
    for headers in ["", "authorization: Bearer 0123456789abcdee\r\n", "authorization: Basic x\r\n"]
    {
        let answer = post(address, "/v1/logs", &format!("{PROTOBUF}{headers}"), &sent);
        assert_eq!(answer.status, 401, "{headers}");
        assert!(answer.head.contains("www-authenticate: bearer"));
    }
    let headers = format!("{PROTOBUF}authorization: Bearer 0123456789abcdef\r\n");
    assert_eq!(post(address, "/v1/logs", &headers, &sent).status, 200);
    assert_eq!(receivers.state().receivers[0].requests["unauthorised"], 3);
}

#[test]
fn what_is_too_long_is_stopped_before_it_takes_memory() {
    let store = Memory::new();
    let mut options = options();
    options.body_bytes_max = 100_000;
    let receivers = start(&options, &store);
    let address = address(&receivers, "otlp_http");
    let bomb = vec![0; 50 << 20];
    let coded = |coding| format!("{PROTOBUF}content-encoding: {coding}\r\n");
    let zstd = zstd::bulk::compress(&bomb, 9).unwrap();
    for (headers, sent) in [
        (PROTOBUF.to_owned(), bomb[..100_001].to_vec()),
        (coded("gzip"), gzip(&bomb)),
        (coded("zstd"), zstd),
    ] {
        assert_eq!(post(address, "/v1/logs", &headers, &sent).status, 413);
    }
    assert_eq!(receivers.state().receivers[0].requests["too_long"], 3);
    let cut = gzip(&body(&[Some(line(1))]));
    let answer = post(address, "/v1/logs", &coded("gzip"), &cut[..cut.len() - 9]);
    assert_eq!(answer.status, 400);
    assert!(String::from_utf8_lossy(&answer.body).contains("cannot be inflated"));
    assert_eq!(post(address, "/v1/logs", &coded("br"), &cut).status, 415);
    assert_eq!(post(address, "/v1/logs", "", &cut).status, 415);
    assert_eq!(post(address, "/v1/logs", PROTOBUF, b"\x0a\xff").status, 400);
    assert_eq!(post(address, "/v2/logs", PROTOBUF, b"").status, 404);
    assert_eq!(store.count(), 0);
}

#[test]
fn slow_senders_lose_their_place() {
    let store = Memory::new();
    let mut options = options();
    options.request_timeout_s = 1;
    options.requests = 2;
    let receivers = start(&options, &store);
    let address = address(&receivers, "otlp_http");
    let slow: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "POST /v1/logs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{PROTOBUF}content-length: 9\r\n\r\nab")
                .unwrap();
            stream
        })
        .collect();
    for stream in slow {
        assert_eq!(answer(stream).status, 408);
    }
    assert_eq!(receivers.state().receivers[0].requests["too_slow"], 2);
    assert_eq!(post(address, "/v1/logs", PROTOBUF, &body(&[Some(line(1))])).status, 200);
}

#[test]
fn more_than_allowed_at_a_time_are_told_to_come_again() {
    let store = Memory::new();
    let mut options = options();
    options.requests = 1;
    let receivers = start(&options, &store);
    let address = address(&receivers, "otlp_http");
    store.hold(true);
    let sent = body(&[Some(line(1))]);
    let begun = std::thread::spawn(move || post(address, "/v1/logs", PROTOBUF, &sent));
    let sent = body(&[Some(line(2))]);
    // The first holds the only place.
    store.wait_until_asked();
    let turned_away = post(address, "/v1/logs", PROTOBUF, &sent);
    assert_eq!(turned_away.status, 503);
    assert!(turned_away.head.contains("retry-after"));
    store.hold(false);
    assert_eq!(begun.join().unwrap().status, 200);
    assert_eq!(post(address, "/v1/logs", PROTOBUF, &sent).status, 200);
    assert_eq!(store.count(), 2);
}

#[test]
fn records_that_were_handed_over_are_stored_when_the_receivers_end() {
    let store = Memory::new();
    let receivers = start(&options(), &store);
    let address = address(&receivers, "otlp_http");
    store.hold(true);
    let sender =
        std::thread::spawn(move || post(address, "/v1/logs", PROTOBUF, &body(&[Some(line(1))])));
    store.wait_until_asked();
    let ending = std::thread::spawn(move || drop(receivers));
    store.hold(false);
    ending.join().unwrap();
    assert_eq!(sender.join().unwrap().status, 200);
    assert_eq!(store.count(), 1);
}
