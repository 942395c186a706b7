//! What the command says in the words of others: schema, ECS, OCSF, minutes, Community ID.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what was compared is told")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use events::{Body, Event, Evidence, EvidencePacket, Minute, Record, Side};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn demo() -> PathBuf {
    folder().join("../lab/captures/demo.pcap")
}

fn output(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn read(capture: &Path, arguments: &[&str]) -> Vec<Value> {
    let all: Vec<&str> =
        ["read", capture.to_str().unwrap()].into_iter().chain(arguments.iter().copied()).collect();
    let lines = output(&all);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn record(body: Body) -> Value {
    let (uid, sensor) = ("00000000000000ab-7".to_owned(), "east-1".to_owned());
    serde_json::to_value(Record { uid, sequence: 7, sensor, test: false, body }).unwrap()
}

fn evidence(event: &Event) -> Evidence {
    let packet = EvidencePacket {
        ts: event.ts,
        from: Side::Server,
        len: 54,
        bytes: vec![0; 54],
        is_judged: true,
    };
    Evidence {
        schema: event.schema,
        event: event.id.clone(),
        ts: event.ts,
        client: event.client,
        server: event.server,
        interface: Some("eth1".to_owned()),
        packets: vec![packet],
        omitted: Some(12),
    }
}

#[test]
fn the_schema_describes_what_is_sent_and_nothing_else() {
    let printed = output(&["schema"]);
    let shipped = std::fs::read_to_string(folder().join("../events/schema/record-1.json")).unwrap();
    assert_eq!(printed, shipped);
    let schema: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let fits = |value: &Value| {
        let errors: Vec<String> =
            validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    };
    let events: Vec<Event> = read(&demo(), &["--format", "json", "--all", "--provisional"])
        .into_iter()
        .map(|event| serde_json::from_value(event).unwrap())
        .collect();
    assert!(events.len() >= 20);
    fits(&record(Body::Evidence(evidence(&events[0]))));
    for event in &events {
        fits(&record(Body::Event(event.clone())));
    }
    let minutes = read(&demo(), &["--minutes"]);
    assert!(!minutes.is_empty());
    for minute in minutes {
        let minute: Minute = serde_json::from_value(minute).unwrap();
        fits(&record(Body::Minute(minute)));
    }
    let sent = record(Body::Event(events[0].clone()));
    let broken: [fn(&mut Value); 4] = [
        |record| record["cause"] = "bad_luck".into(),
        |record| record["record"] = "rumour".into(),
        |record| record["server"]["port"] = 70_000.into(),
        |record| drop(record.as_object_mut().unwrap().remove("uid")),
    ];
    for breaks in broken {
        let mut record = sent.clone();
        breaks(&mut record);
        assert!(!validator.is_valid(&record), "{record}");
    }
}

#[test]
fn every_reset_of_a_capture_is_a_document_of_ecs_and_of_ocsf() {
    let events = read(&demo(), &["--format", "json"]);
    let ecs = read(&demo(), &["--format", "ecs"]);
    let ocsf = read(&demo(), &["--format", "ocsf"]);
    assert_eq!((ecs.len(), ocsf.len()), (events.len(), events.len()));
    for ((event, ecs), ocsf) in events.iter().zip(&ecs).zip(&ocsf) {
        assert_eq!(ecs["event"]["id"], event["id"]);
        assert_eq!(ecs["event"]["reason"], event["cause"]);
        assert_eq!(ecs["network"]["community_id"], event["community_id"]);
        assert_eq!(ecs["source"]["ip"], event["client"]["ip"]);
        assert_eq!(ocsf["metadata"]["uid"], event["id"]);
        assert_eq!(ocsf["class_uid"], 4001);
        let activity = if event["impact"] == "refused" { 5 } else { 3 };
        assert_eq!(ocsf["activity_id"], activity);
        assert_eq!(ocsf["type_uid"], 400_100 + activity);
        assert_eq!(ocsf["dst_endpoint"]["port"], event["server"]["port"]);
        assert_eq!(ocsf["unmapped"]["rst"]["cause"], event["cause"]);
    }
}

#[test]
fn minutes_of_the_demo_count_its_resets_beside_all_connections() {
    let minutes: Vec<Minute> = read(&demo(), &["--minutes"])
        .into_iter()
        .map(|minute| serde_json::from_value(minute).unwrap())
        .collect();
    let resets: u64 = minutes.iter().flat_map(|it| &it.rows).map(|row| row.count).sum();
    assert_eq!(resets, read(&demo(), &["--format", "json"]).len() as u64);
    let opened: u64 = minutes.iter().map(|minute| minute.connections.opened).sum();
    assert!(opened >= resets);
}

/// Community IDs by frame, as tshark has them; several for packets in packets.
fn tshark(capture: &Path) -> Option<BTreeMap<u64, Vec<String>>> {
    let output = Command::new("tshark")
        .args(["-r", capture.to_str()?, "--enable-protocol", "communityid"])
        .args([
            "-Y",
            "tcp.flags.reset==1",
            "-T",
            "fields",
            "-e",
            "frame.number",
            "-e",
            "communityid",
        ])
        .output()
        .ok()?;
    let lines = String::from_utf8(output.stdout).ok()?;
    let frame = |line: &str| {
        let (frame, ids) = line.split_once('\t')?;
        Some((frame.parse().ok()?, ids.split(',').map(str::to_owned).collect()))
    };
    Some(lines.lines().filter_map(frame).collect())
}

#[test]
fn community_ids_are_those_of_tshark() {
    if tshark(&demo()).is_none_or(|ids| ids.is_empty()) {
        let why = "SKIPPED: tshark with its dissector communityid is not here";
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("{why}");
        return;
    }
    let mut captures = vec![demo()];
    for folder in [folder().join("tests/pains"), folder().join("tests/captures")] {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        captures.extend(paths.filter(|path| path.extension().is_some_and(|it| it == "pcap")));
    }
    let (mut same, mut other) = (0, Vec::new());
    for capture in &captures {
        let theirs = tshark(capture).unwrap();
        for event in read(capture, &["--format", "json", "--all"]) {
            let (frame, ours) = (event["frame"].as_u64().unwrap(), event["community_id"].as_str());
            // None where tshark sees no TCP: tunnels that it has to be told of.
            let Some(known) = theirs.get(&frame).filter(|ids| !ids[0].is_empty()) else { continue };
            if known.iter().any(|id| Some(id.as_str()) == ours) {
                same += 1;
            } else {
                other.push(format!("{} {frame}: {ours:?} {known:?}", capture.display()));
            }
        }
    }
    println!("{same} resets of {} captures", captures.len());
    assert!(same > 200, "{same}");
    assert!(other.is_empty(), "{}", other.join("\n"));
}
