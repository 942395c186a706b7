//! A disk that is full: what was acknowledged stays, what was not comes again once there is room.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use collector::{Ask, Gather, Receivers, Store, StoreOptions};
use events::{Body, Event, Record, UtcTime};

use crate::send::{PROTOBUF, address, body, options, post};

/// Runs the test below on a small file system that nobody else sees.
#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=24m none \"$0\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(directory.path());
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "full::inside_a_small_file_system", "--ignored", "--nocapture"]);
    let done = command.env(PLACE, directory.path()).output();
    let why = match &done {
        Err(error) => error.to_string(),
        Ok(done) if done.status.success() => {
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(said.contains("1 passed"), "{said}");
            return;
        }
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr);
            let is_refused = said.contains("not permitted") || said.contains("denied");
            assert!(is_refused, "{}{said}", String::from_utf8_lossy(&done.stdout));
            said.into_owned()
        }
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
    eprintln!("SKIPPED: no file system of its own: {why}");
}

#[test]
#[ignore = "run by the test above, where there is little room"]
fn inside_a_small_file_system() {
    let place = PathBuf::from(std::env::var_os(PLACE).expect("the test above says where"));
    let options_of = StoreOptions { directory: place.join("store"), ..StoreOptions::default() };
    let store = Arc::new(Store::open(&options_of).unwrap());
    let receivers = Receivers::start(&options(), Arc::clone(&store) as _, Gather::AT_ONCE).unwrap();
    let http = address(&receivers, "otlp_http");
    assert_eq!(send(http, 0), 200);
    let filler = fill(&place);
    let mut acknowledged = 1;
    // What the files have room for still goes in.
    let status = loop {
        match send(http, acknowledged) {
            200 => acknowledged += 1,
            status => break status,
        }
        assert!(acknowledged < 10_000, "the disk is never full");
    };
    assert_eq!(status, 503, "sent again later");
    let state = receivers.state();
    let why = state.problem.expect("it is told");
    assert!(state.commits_failed > 0 && why.contains("full"), "{why}");
    // It is asked and answers all the same.
    let kept = count(&store);
    assert!((acknowledged * BATCH..=(acknowledged + 1) * BATCH).contains(&kept), "{kept}");
    std::fs::remove_file(filler).unwrap();
    assert_eq!(send(http, acknowledged), 200);
    // A reply that was lost: none of them twice.
    assert_eq!(send(http, acknowledged - 1), 200);
    assert_eq!(count(&store), (acknowledged + 1) * BATCH);
    assert_eq!(receivers.state().problem, None);
    drop(receivers);
    drop(store);
    assert_eq!(count(&Store::open(&options_of).unwrap()), (acknowledged + 1) * BATCH);
}

/// Takes all the room there is.
fn fill(place: &Path) -> PathBuf {
    let path = place.join("filler");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

/// Sends a batch of events; how it is answered.
fn send(http: SocketAddr, batch: u64) -> u16 {
    let lines: Vec<Option<String>> =
        (0..BATCH).map(|number| Some(line(batch * BATCH + number))).collect();
    post(http, "/v1/logs", PROTOBUF, &body(&lines)).status
}

fn line(number: u64) -> String {
    let text = include_str!("../../../delivery/src/test_event.json");
    let mut event: Event = serde_json::from_str(text).unwrap();
    event.id = format!("{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    event.ts = UtcTime(now_ns() / DAY_NS * DAY_NS + number);
    let uid = format!("00000000000000aa-{}", number + 1);
    let (sensor, body) = ("here".to_owned(), Body::Event(event));
    serde_json::to_string(&Record { uid, sequence: number + 1, sensor, test: false, body }).unwrap()
}

fn count(store: &Store) -> u64 {
    let (from, to) = (UtcTime(0), UtcTime(u64::MAX));
    let filters = vec!["role!=secondary".parse().unwrap()];
    store.count_events(&Ask { from, to, filters, sensor: None, limit: 1, offset: 0 }).unwrap()
}

fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_nanos() as u64
}

const PLACE: &str = "RSTSCOPE_SMALL_PLACE";
const BATCH: u64 = 100;
const DAY_NS: u64 = 86_400_000_000_000;
