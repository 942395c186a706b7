//! The command as users and scripts meet it: streams, forms, exit codes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use events::{Event, Report};

/// Ten kinds of resets that real kernels made.
fn capture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../lab/captures/demo.pcap")
}

/// Runs the program; its input is empty unless `input` is given.
fn run_with(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // The program may have ended before it read anything.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn run(arguments: &[&str]) -> Output {
    run_with(arguments, b"")
}

fn read(arguments: &[&str]) -> Output {
    let capture = capture();
    let mut all = vec!["read", capture.to_str().expect("the path is text")];
    all.extend(arguments);
    run(&all)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is text")
}

#[test]
fn json_is_one_event_a_line_and_nothing_else_on_standard_output() {
    let output = read(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let events: Vec<Event> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an event"))
        .collect();
    assert!(events.len() >= 10);
    assert!(events.iter().all(|event| event.counts() && event.frame.is_some()));
    let frames: Vec<_> = events.iter().map(|event| (event.frame, &event.id)).collect();
    let again = read(&["--format", "json"]);
    for (line, (frame, id)) in text(&again.stdout).lines().zip(frames) {
        let event: Event = serde_json::from_str(line).expect("a line is an event");
        assert_eq!((event.frame, &event.id), (frame, id), "a second reading gives the same names");
    }
}

#[test]
fn the_summary_in_json_is_a_report_with_the_denominator() {
    let output = read(&["--summary", "--format", "json"]);
    let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(report.connections.opened > 0 && report.packets > 0);
    assert!(report.resets.primary >= 10);
    assert!(report.memory.total_bytes() > 0);
    assert!(!report.has_problems());
}

#[test]
fn csv_has_a_header_and_as_many_lines_as_json() {
    let csv = read(&["--format", "csv", "--all"]);
    let json = read(&["--format", "json", "--all"]);
    let lines = text(&csv.stdout).lines().count();
    assert!(text(&csv.stdout).starts_with("ts,impact,origin,"));
    assert_eq!(lines, text(&json.stdout).lines().count() + 1);
    let empty = read(&["--format", "csv", "--only", "client=192.0.2.1"]);
    assert_eq!(text(&empty.stdout).lines().count(), 1, "an empty result still has its header");
}

#[test]
fn the_table_is_plain_and_ends_with_the_summary() {
    let output = read(&[]);
    let table = text(&output.stdout);
    assert!(table.starts_with("IMPACT "), "{table}");
    assert!(table.contains("\nConnections  ") && table.contains("\nLost         nothing"));
    assert!(!table.contains('\x1b'), "no colours outside a terminal");
    assert!(text(&read(&["--color", "always"]).stdout).contains('\x1b'));
    let quiet = read(&["--quiet"]);
    assert!(!text(&quiet.stdout).contains("Connections") && quiet.stderr.is_empty());
}

#[test]
fn only_narrows_what_is_told_and_counted() {
    let output = read(&["--format", "json", "--only", "origin=middlebox"]);
    assert!(!output.stdout.is_empty());
    for line in text(&output.stdout).lines() {
        assert!(line.contains("\"origin\":\"middlebox_"), "{line}");
    }
    let arguments = ["--only", "origin=server", "--fail-on", "middlebox>0"];
    assert_eq!(read(&arguments).status.code(), Some(0));
}

#[test]
fn exit_codes_tell_what_happened() {
    assert_eq!(read(&["--fail-on", "middlebox>0"]).status.code(), Some(3));
    assert_eq!(read(&["--fail-on", "resets>1000000"]).status.code(), Some(0));
    assert_eq!(read(&["--fail-on", "weather>0"]).status.code(), Some(1));
    assert_eq!(read(&["--only", "impact=bad"]).status.code(), Some(1));
    assert_eq!(run(&["read"]).status.code(), Some(1));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
    let garbage = run_with(&["read", "-"], b"this is no capture at all, whatever it says");
    assert_eq!(garbage.status.code(), Some(2));
    assert!(text(&garbage.stderr).contains("standard input"), "{}", text(&garbage.stderr));
}

#[test]
fn a_cut_capture_keeps_what_came_before_and_damage_wins_over_the_condition() {
    let whole = std::fs::read(capture()).expect("the capture is there");
    let cut = &whole[..whole.len() - 7];
    let arguments = ["read", "-", "--format", "json", "--fail-on", "resets>0"];
    let output = run_with(&arguments, cut);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).lines().count() >= 10);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .args(["read", "--format", "json", "--all"])
        .args(std::iter::repeat_n(capture(), 8))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("ERROR"), "{}", text(&output.stderr));
}

#[test]
fn a_proof_sheet_can_be_had_by_frame_by_ends_and_by_community_id() {
    let first: Event = serde_json::from_str(
        text(&read(&["--format", "json"]).stdout).lines().next().expect("there are resets"),
    )
    .expect("a line is an event");
    let capture = capture();
    let explain = |option: &str, value: &str| {
        let path = capture.to_str().expect("the path is text");
        let output = run(&["explain", path, option, value]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    let by_frame = explain("--frame", &first.frame.expect("it has a frame").to_string());
    assert!(by_frame.contains("\nDoubt."));
    assert!(by_frame.contains(&first.community_id));
    assert_eq!(explain("--flow", &first.community_id), by_frame);
    assert_eq!(explain("--flow", &format!("{}-{}", first.server, first.client)), by_frame);
    let path = capture.to_str().expect("the path is text");
    assert_eq!(run(&["explain", path, "--frame", "1"]).status.code(), Some(1));
}

#[test]
fn the_replayed_demo_says_so_and_is_right_nine_times_of_ten() {
    let output = run(&["demo", "--replay"]);
    let shown = text(&output.stdout);
    assert!(shown.starts_with("REPLAY, NOT LIVE"), "{shown}");
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("of 10 right"), "{shown}");
}

#[test]
fn evaluate_compares_with_the_labels_of_the_lab() {
    let capture = capture();
    let path = capture.to_str().expect("the path is text");
    let labels = capture.with_extension("csv");
    let output = run(&["evaluate", path, labels.to_str().expect("the path is text")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let scores = text(&output.stdout);
    for part in ["ORIGIN: ", "CAUSE: ", "RECALL", "no event for 0"] {
        assert!(scores.contains(part), "{part} missing in {scores}");
    }
}

#[test]
fn evaluate_tells_calibration_as_json_and_as_a_picture() {
    let capture = capture();
    let labels = capture.with_extension("csv");
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("x.svg");
    let paths = [&capture, &labels, &picture].map(|path| path.to_str().expect("the path is text"));
    let output = run(&["evaluate", paths[0], paths[1], "--json", "--plot", paths[2]]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["not_endpoint"]["accused"], 0);
    assert_eq!(told["calibration"].as_array().map(Vec::len), Some(3));
    assert!(told["origin"]["classes"][0]["f1"].is_f64());
    assert!(std::fs::read_to_string(&picture).expect("a picture").contains("</svg>"));
    // A folder stands for the pairs in it.
    let whole = capture.parent().and_then(Path::to_str).expect("the path is text");
    assert_eq!(run(&["evaluate", whole, "--brief"]).status.code(), Some(0));
    assert_eq!(run(&["evaluate", paths[0]]).status.code(), Some(1));
}

#[test]
fn fit_gives_the_same_tables_again_and_notices_others() {
    let capture = capture();
    let labels = capture.with_extension("csv");
    let folder = tempfile::tempdir().expect("a folder");
    let paths = [&capture, &labels].map(|path| path.to_str().expect("the path is text"));
    let fit = |option: &str| {
        let sources = folder.path().to_str().expect("the path is text");
        let stamp = option.trim_start_matches('-');
        run(&["fit", option, "--stamp", stamp, "--sources", sources, paths[0], paths[1]])
    };
    let output = fit("--write");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("CROSS-VALIDATION"));
    assert_eq!(fit("--check").status.code(), Some(0));
    let table = folder.path().join("table.rs");
    let written = std::fs::read_to_string(&table).expect("a table");
    std::fs::write(&table, written.replace("-20.0", "-19.0")).expect("the table can be written");
    assert_eq!(fit("--check").status.code(), Some(1));
}

#[test]
fn completions_manual_and_version_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&run(&["completions", shell]).stdout).contains("rstscope"), "{shell}");
    }
    let manual = run(&["man"]);
    assert!(text(&manual.stdout).contains(".SH EXPLAIN"));
    let version: serde_json::Value =
        serde_json::from_slice(&run(&["version", "--json"]).stdout).expect("JSON");
    assert_eq!(version["event_schema"], 1);
}

#[test]
fn the_size_of_the_table_is_a_choice_and_a_small_one_says_what_it_forgot() {
    let report = |arguments: &[&str]| -> Report {
        let output = read(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("the summary is a report")
    };
    let ample = report(&["--summary", "--format", "json"]);
    let small = report(&["--summary", "--format", "json", "--flows", "16"]);
    assert!(ample.losses.is_empty(), "{:?}", ample.losses);
    assert!(small.memory.total_bytes() < ample.memory.total_bytes());
    assert!(small.losses.keys().any(|name| name.starts_with("flows_evicted")));
    assert_eq!(read(&["--flows", "3"]).status.code(), Some(1));
}

#[test]
fn connections_without_vlans_are_the_same_whatever_the_key_holds() {
    let plain = read(&["--format", "json"]);
    let scoped = read(&["--format", "json", "--key-scope", "vlan,tunnel"]);
    assert_eq!(text(&plain.stdout), text(&scoped.stdout));
}

#[test]
fn control_capture_says_in_summary_and_proof_sheet_what_was_not_seen() {
    let output = read(&["--capture", "control", "--first-packets", "1", "--summary"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("control packets only"), "{}", text(&output.stdout));
    let output =
        read(&["--capture", "control", "--first-packets", "1", "--summary", "--format", "json"]);
    let report: Report = serde_json::from_slice(&output.stdout).expect("the summary is a report");
    let control = report.control.expect("the mode is told");
    assert!(control.left_out > 0 && report.losses.is_empty(), "{control:?} {:?}", report.losses);
    let capture = capture();
    let capture = capture.to_str().expect("the path is text");
    let sheets = |more: &[&str]| run(&[&["explain", capture, "--each"], more].concat()).stdout;
    let control = sheets(&["--capture", "control", "--first-packets", "1"]);
    assert!(text(&control).contains("captured: control packets only"), "{}", text(&control));
    assert!(!text(&sheets(&[])).contains("control packets"));
}

#[test]
fn hints_are_printed_and_nothing_else_happens() {
    let output = run(&["hints", "--interface", "lo"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("nothing below has been run"), "{told}");
    assert!(told.contains("neither a hash key nor rules can be set"), "{told}");
    assert!(told.lines().all(|line| !line.starts_with("ethtool -X")), "{told}");
    assert_eq!(run(&["hints", "--interface", "rs-nobody"]).status.code(), Some(1));
}
