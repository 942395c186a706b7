//! syslog-ng's `panos-parser()` reads the same records: both must find the same fields.

use std::io::Write as _;
use std::process::{Command, Stdio};

use collector::logs::{Context, LogSession, Reader, Reading, Zone};
use events::UtcTime;
use serde_json::Value;

use crate::world::{What, World};

#[test]
fn syslog_ng_finds_the_same_fields_in_pan_os_records() {
    let is_there = Command::new("syslog-ng").arg("--version").output().is_ok();
    if !is_there {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI without syslog-ng");
        println!("SKIPPED: syslog-ng is not installed (deploy/prepare.sh test installs it)");
        return;
    }
    let world = World::new(11, 200, &crate::models());
    let records: Vec<&str> = world
        .arrivals
        .iter()
        .filter_map(|arrival| match &arrival.what {
            What::Line { text, .. }
                if text.contains(",TRAFFIC,end,") && world.truth.contains_key(text) =>
            {
                Some(&text[text.find(" 1,").expect("a record begins so") + 1..])
            }
            _ => None,
        })
        .collect();
    assert!(records.len() > 50);
    let theirs = panos_parser(&records);
    assert_eq!(theirs.len(), records.len(), "syslog-ng reads each record");
    for (record, fields) in records.iter().zip(&theirs) {
        compare(&read(record), fields);
    }
}

fn read(record: &str) -> LogSession {
    let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "peer" };
    match Reader::new().read(record.as_bytes(), &context) {
        Ok(Reading::Session(session)) => *session,
        other => panic!("{record}: {other:?}"),
    }
}

fn compare(ours: &LogSession, theirs: &Value) {
    let of = |key: &str| theirs[key].as_str().unwrap_or_else(|| panic!("no {key}: {theirs}"));
    let end = |ip: &str, port: &str| format!("{}:{}", of(ip), of(port));
    let first = ours.tuples[0];
    assert_eq!(first.client.to_string(), end("src", "sport"));
    assert_eq!(first.server.unwrap().to_string(), end("dst", "dport"));
    let translated = |ip: &str, port: &str, before: String| match of(ip) {
        "0.0.0.0" => before,
        _ => end(ip, port),
    };
    let (client, server) = (end("src", "sport"), end("dst", "dport"));
    let moved_client = translated("natsrc", "natsport", client);
    let moved_server = translated("natdst", "natdport", server);
    let is_both = |tuple: &collector::logs::LogTuple| {
        tuple.client.to_string() == moved_client
            && tuple.server.unwrap().to_string() == moved_server
    };
    assert!(ours.tuples.iter().any(is_both), "{theirs}");
    assert_eq!(ours.said, of("session_end_reason"));
    assert_eq!(ours.action, of("action"));
    assert_eq!(ours.rule.as_deref(), Some(of("rule")));
    assert_eq!(ours.source, of("device_name"));
    assert_eq!(ours.bytes.map(|bytes| bytes.to_string()).as_deref(), Some(of("bytes")));
    let lasted_s = (ours.ended.0 - ours.begun.unwrap().0) / 1_000_000_000;
    assert_eq!(lasted_s.to_string(), of("sec"));
    let begun = ours.begun.unwrap().to_string();
    assert_eq!(begun[..19].replace('T', " ").replace('-', "/"), of("start"));
}

/// What `panos-parser()` makes of each record.
fn panos_parser(records: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let configuration = format!(
        "@version: 3.38\n@include \"scl.conf\"\nsource s {{ stdin(flags(no-parse)); }};\nparser p {{ panos-parser(); }};\n\
         destination d {{ file(\"{}\" template(\"$(format-json --key .panos.*)\\n\")); }};\n\
         log {{ source(s); parser(p); destination(d); }};\n",
        path("out")
    );
    std::fs::write(path("conf"), configuration).unwrap();
    let mut program = Command::new("syslog-ng")
        .args(["-F", "--no-caps", "-f", &path("conf"), "-R", &path("persist")])
        .args(["-c", &path("ctl"), "-p", &path("pid")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    for record in records {
        writeln!(input, "{record}").unwrap();
    }
    // It ends when its input does.
    drop(input);
    assert!(program.wait().unwrap().success());
    let told = std::fs::read_to_string(path("out")).unwrap();
    let field = |line: &str| serde_json::from_str::<Value>(line).unwrap()["_panos"].clone();
    told.lines().map(field).collect()
}
