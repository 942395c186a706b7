//! The page as browsers get it.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use collector::Options;
use ureq::http::Response;
use ureq::{Agent, Body};

use support::{anywhere, events, fed, serve};

fn get(at: SocketAddr, path: &str, known: &str) -> Response<Body> {
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.get(format!("http://{at}{path}")).header("If-None-Match", known);
    request.call().expect("an answer")
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

#[test]
fn every_view_is_the_page_and_its_files_may_be_kept() {
    let server = serve(&anywhere(), &fed(&Options::default()));
    let at = server.local_addr();
    let mut index = get(at, "/", "");
    assert!(header(&index, "content-security-policy").contains("script-src 'self'"));
    assert_eq!(header(&index, "x-content-type-options"), "nosniff");
    assert_eq!(header(&index, "access-control-allow-origin"), "", "nobody else's page may ask");
    let text = index.body_mut().read_to_string().expect("text");
    assert!(!text.contains("<style") && !text.contains("javascript:"), "nothing inline: {text}");
    for view in [
        "/servers",
        "/servers/10.0.0.5:443",
        "/servers/%5B2001:db8::1%5D:443",
        "/events/0123456789abcdef",
    ] {
        let mut same = get(at, view, "");
        assert_eq!(same.body_mut().read_to_string().expect("text"), text, "{view}");
    }
    let files: Vec<&str> = text.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(files.len(), 2, "a script and a style sheet: {text}");
    for file in files {
        let response = get(at, file, "");
        assert_eq!(response.status(), 200);
        assert!(header(&response, "cache-control").contains("immutable"), "{file}");
        let tag = header(&response, "etag").to_owned();
        assert_eq!(get(at, file, &tag).status(), 304, "{file} {tag}");
    }
    let tag = header(&get(at, "/", ""), "etag").to_owned();
    let again = get(at, "/", &tag);
    assert!(again.status() == 304 && header(&again, "cache-control") == "no-cache");
    for nowhere in ["/assets/../../Cargo.toml", "/assets/none.js", "/etc/passwd", "/api/v2"] {
        assert_eq!(get(at, nowhere, "").status(), 404, "{nowhere}");
    }
    assert_eq!(header(&get(at, "/api/v1/status", ""), "cache-control"), "no-store");
}

#[test]
fn the_page_is_shown_to_whoever_still_has_to_show_a_token_but_no_answer_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "0123456789abcdef\n").expect("written");
    let options = Options { token_file: Some(path), ..anywhere() };
    let server = serve(&options, &fed(&Options::default()));
    let at = server.local_addr();
    assert_eq!(get(at, "/", "").status(), 200);
    for path in [
        "overview",
        "servers",
        "history",
        "live",
        "vocabulary",
        "history/0123456789abcdef/evidence.pcapng",
    ] {
        assert_eq!(get(at, &format!("/api/v1/{path}"), "").status(), 401, "{path}");
    }
}

#[test]
fn without_a_store_the_past_is_refused_and_what_is_known_of_late_is_told() {
    let server = serve(&anywhere(), &fed(&Options::default()));
    let at = server.local_addr();
    let mut refused = get(at, "/api/v1/overview", "");
    assert_eq!(refused.status(), 503);
    let text = refused.body_mut().read_to_string().expect("text");
    assert!(text.contains("[store]"), "{text}");
    let id = &events().iter().find(|event| event.counts()).expect("a reset").id;
    let mut flow = get(at, &format!("/api/v1/history/{id}"), "");
    assert_eq!(flow.status(), 200);
    let text = flow.body_mut().read_to_string().expect("text");
    let page: collector::FlowPage = serde_json::from_str(&text).expect("the type");
    assert!(&page.detail.event.id == id && !page.explanation.steps.is_empty());
    for (path, expected) in [
        ("servers/example:443", "10.0.0.5:443"),
        ("servers?sort=colour", "-"),
        ("overview?last=1w", "24h"),
        ("history?impact=lost", "aborted"),
    ] {
        let mut wrong = get(at, &format!("/api/v1/{path}"), "");
        let text = wrong.body_mut().read_to_string().expect("text");
        assert!(wrong.status() == 400 && text.contains(expected), "{path}: {text}");
    }
}

#[test]
fn who_listens_hears_of_harmful_resets_and_of_the_status() {
    let recent = fed(&Options::default());
    let server = serve(&anywhere(), &recent);
    let mut stream = TcpStream::connect(server.local_addr()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.write_all(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("it goes on"));
    assert!(lines.any(|line| line == "event: status"), "a second has begun");
    let harmful = events()
        .iter()
        .find(|event| event.counts() && event.verdict.impact.name() == "aborted")
        .expect("the capture has some");
    recent.event(harmful);
    assert!(lines.any(|line| line == "event: reset"), "it comes");
    let data = lines.find(|line| line.starts_with("data: ")).expect("its data");
    let row: collector::EventRow = serde_json::from_str(&data["data: ".len()..]).expect("a row");
    assert_eq!((row.id.as_str(), row.sensor.as_str()), (harmful.id.as_str(), "tap-7"));
}
