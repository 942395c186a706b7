//! The API as clients meet it, the rude ones included.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use collector::{
    Error, EventPage, EventSheet, Listen, Options, Refusal, Snapshot, StatusPage, VersionPage,
};
use serde::de::DeserializeOwned;
use support::{anywhere, events, fed, recent, serve};

/// A client that takes errors for answers.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into()
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut response = agent().get(format!("http://{address}{path}")).call().expect("an answer");
    let text = response.body_mut().read_to_string().expect("text");
    (response.status().as_u16(), text)
}

fn read<T: DeserializeOwned>(address: SocketAddr, path: &str) -> T {
    let (status, text) = get(address, path);
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
}

fn refused(address: SocketAddr, path: &str) -> (u16, String) {
    let (status, text) = get(address, path);
    let refusal: Refusal = serde_json::from_str(&text).expect("errors are JSON");
    (status, refusal.error)
}

#[test]
fn every_answer_is_what_recent_knows() {
    let recent = fed(&Options::default());
    let server = serve(&anywhere(), &recent);
    let at = server.local_addr();
    let snapshot: Snapshot = read(at, "/api/v1/snapshot");
    let primary = events().iter().filter(|event| event.counts());
    assert_eq!(snapshot.resets.total(), primary.clone().count() as u64);
    assert_eq!((snapshot.sensor.as_str(), snapshot.status.packets), ("tap-7", 1200));
    let status: StatusPage = read(at, "/api/v1/status");
    assert_eq!((status.run, status.status), (snapshot.run, support::status()));
    let version: VersionPage = read(at, "/api/v1/version");
    assert_eq!((version.version.as_str(), version.api), ("1.2.3", 1));
    let page: EventPage = read(at, "/api/v1/events?limit=1000");
    let told: Vec<_> = page.events.iter().map(|numbered| &numbered.event).collect();
    let mut owned: Vec<events::Event> = primary.cloned().collect();
    // No part of the contract.
    owned.iter_mut().for_each(|event| event.verdict.rule_base = 0.0);
    let expected: Vec<&events::Event> = owned.iter().collect();
    assert!(told == expected, "whole events, in order");
    let sheet: EventSheet = read(at, &format!("/api/v1/events/{}?width=70", expected[0].id));
    assert!(&sheet.event == expected[0] && sheet.sheet.contains("What to do"));
    assert!(sheet.sheet.lines().all(|line| line.chars().count() <= 70 || !line.contains(' ')));
    let filtered: EventPage = read(at, "/api/v1/events?impact=aborted&origin=middlebox");
    let is_meant = |event: &&&events::Event| {
        event.verdict.impact.name() == "aborted" && event.verdict.origin.is_device()
    };
    assert_eq!(filtered.events.len(), expected.iter().filter(is_meant).count());
    let same: EventPage =
        read(at, "/api/v1/events?only=impact%3Daborted&only=origin!%3Dclient,server,unknown");
    assert!(same.events.len() >= filtered.events.len());
}

#[test]
fn what_cannot_be_meant_is_refused_in_json_with_a_way_out() {
    let recent = fed(&Options::default());
    let server = serve(&anywhere(), &recent);
    let at = server.local_addr();
    for (path, status, expected) in [
        ("/nowhere", 404, "/api/v1/openapi.json"),
        ("/api/v1/events/0123456789abcdef", 404, "events_kept"),
        ("/api/v1/events/..%2f..%2fetc%2fpasswd", 404, "no such event"),
        ("/api/v1/events?impact=lost", 400, "aborted, refused"),
        ("/api/v1/events?limit=1001", 400, "1 to 1000"),
        ("/api/v1/events?after=x", 400, "no whole number"),
        ("/api/v1/events?%ff=%ff", 400, "no key"),
        ("/api/v1/snapshot?only=impact", 400, "KEY=VALUE"),
        ("/api/v1/events/x?width=7", 400, "from 40 to 400"),
    ] {
        let (given, text) = refused(at, path);
        assert!(given == status && text.contains(expected), "{path}: {given} {text}");
    }
    let mut response =
        agent().post(format!("http://{at}/api/v1/events")).send("x").expect("an answer");
    assert_eq!(response.status().as_u16(), 405);
    assert!(response.body_mut().read_to_string().expect("text").contains("GET"));
}

#[test]
fn health_says_why_not() {
    let recent = recent(&Options::default());
    let server = serve(&anywhere(), &recent);
    let at = server.local_addr();
    assert_eq!(get(at, "/healthz"), (200, "ok\n".to_owned()));
    let (status, text) = get(at, "/readyz");
    assert!(status == 503 && text.contains("not bound: eth1"), "{status} {text}");
    recent.status(&support::status());
    assert_eq!(get(at, "/readyz"), (200, "ok\n".to_owned()));
}

#[test]
fn beyond_loopback_nobody_listens_without_a_token() {
    let recent = recent(&Options::default());
    let listen = Some(Listen::At("0.0.0.0:0".parse().expect("an address")));
    let options = Options { listen, ..Options::default() };
    let error = collector::serve(&options, recent.clone()).expect_err("no token");
    assert!(error.to_string().contains("token_file"), "{error}");
    let off = Options { listen: Some(Listen::Off), ..Options::default() };
    assert!(collector::serve(&off, recent).expect("nothing to do").is_none());
}

#[test]
fn with_a_token_only_health_is_told_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let recent = fed(&Options::default());
    let with_token = |text: &str| {
        std::fs::write(&path, text).expect("written");
        Options { token_file: Some(path.clone()), ..anywhere() }
    };
    for wrong in ["short\n", "", "0123456789 abcdef", "0123456789abcdef\nand more"] {
        let error = collector::serve(&with_token(wrong), recent.clone()).expect_err("no token");
        assert!(error.to_string().contains("16 to 1024"), "{wrong:?}: {error}");
    }
    let server = serve(&with_token("0123456789abcdef\n"), &recent);
    let at = server.local_addr();
    for path in ["/metrics", "/api/v1/status", "/api/v1/events", "/api/v1/snapshot"] {
        assert_eq!(refused(at, path).0, 401, "{path}");
        let call = |token: &str| {
            let request = agent().get(format!("http://{at}{path}"));
            request.header("Authorization", token).call().expect("an answer").status().as_u16()
        };
        assert_eq!(call("Bearer 0123456789abcdef"), 200, "{path}");
        assert_eq!(call("Bearer 0123456789abcdeF"), 401, "{path}");
    }
    assert_eq!((get(at, "/healthz").0, get(at, "/readyz").0), (200, 200));
    let missing = Options { token_file: Some(folder.path().join("none")), ..anywhere() };
    let error = collector::serve(&missing, recent).expect_err("no file");
    assert!(matches!(error, Error::TokenFile { .. }), "{error}");
}

#[test]
fn a_web_page_that_took_a_name_for_this_machine_is_not_answered() {
    let server = serve(&anywhere(), &fed(&Options::default()));
    let request = agent().get(format!("http://{}/api/v1/events", server.local_addr()));
    let response = request.header("Host", "evil.example:9477").call().expect("an answer");
    assert_eq!(response.status().as_u16(), 403);
}

/// What the server says to `bytes` until it hangs up.
fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    // It may hang up before it has heard all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it hangs up"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn rude_clients_are_hung_up_on_and_others_are_answered() {
    let options = Options { header_timeout_s: 1, connection_s: 2, ..anywhere() };
    let recent = fed(&options);
    let server = serve(&options, &recent);
    let at = server.local_addr();
    // A header that never ends, in time and in length; noise; a request without an end.
    assert!(!say(at, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").contains("200 OK"));
    let long = [b"GET /metrics HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    assert!(!say(at, &long).contains("200 OK"));
    let many = "X: y\r\n".repeat(1000);
    assert!(!say(at, format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).contains("200 OK"));
    let noise: Vec<u8> = (0..4096u32).map(|number| (number * 167 % 251) as u8).collect();
    assert!(!say(at, &noise).contains("200 OK"));
    // One that stays for ever without a word.
    let answer = say(at, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.contains("200 OK") && answer.ends_with("ok\n"), "{answer}");
    assert_eq!(get(at, "/healthz").0, 200);
}

#[test]
fn more_clients_than_allowed_wait_their_turn() {
    let options = Options { connections: 2, header_timeout_s: 1, connection_s: 2, ..anywhere() };
    let recent = fed(&options);
    let server = serve(&options, &recent);
    let at = server.local_addr();
    let idle: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(at).expect("a place")).collect();
    assert_eq!(get(at, "/healthz").0, 200, "idle ones are hung up on, then it is our turn");
    drop(idle);
}

#[test]
fn the_port_is_free_again_when_the_server_is_gone() {
    let recent = fed(&Options::default());
    let server = serve(&anywhere(), &recent);
    let address = server.local_addr();
    let listen = Some(Listen::At(address));
    let taken = collector::serve(&Options { listen, ..Options::default() }, recent.clone());
    let error = taken.expect_err("it is taken");
    assert!(error.is_port_taken() && error.to_string().contains("--api"), "{error}");
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
