//! The command in the hands of people who mean it no good, or know no better: every input is told
//! apart, nothing that was read is lost, exit codes stay what they are.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use events::{Event, Report};

/// Ten kinds of resets that real kernels made.
fn capture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../lab/captures/demo.pcap")
}

fn bytes() -> Vec<u8> {
    std::fs::read(capture()).expect("the capture is there")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rstscope"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program starts")
}

/// The program with all its streams piped.
fn spawn(arguments: &[&str]) -> Child {
    let streams = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
    let [stdin, stdout, stderr] = streams;
    let mut command = command(arguments);
    command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is text")
}

fn name(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

/// A folder with one file of these bytes.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("the file can be written");
    (folder, path)
}

/// Reads a file of these bytes; exit code, events told, standard error.
fn read(bytes: &[u8]) -> (Option<i32>, usize, String) {
    let (_folder, path) = file("input", bytes);
    let output = run(&["read", "--all", "--format", "json", name(&path)]);
    let events = text(&output.stdout).lines().count();
    (output.status.code(), events, text(&output.stderr).to_owned())
}

#[test]
fn what_is_no_capture_is_refused_with_its_name_and_what_is_wrong() {
    let mut claims = bytes()[..24].to_vec();
    claims.extend([0xff; 16]);
    claims.extend([b'x'; 100]);
    let cases: [(&[u8], &str); 7] = [
        (b"", "is empty"),
        (b"\x0a\x0d", "is not a capture"),
        (&bytes()[..10], "cut off"),
        (&bytes()[..30], "cut off"),
        (b"root:x:0:0:root:/root:/bin/sh\n", "is not a capture"),
        (&[0; 4096], "is not a capture"),
        (&claims, "claims"),
    ];
    for (bytes, expected) in cases {
        let (code, events, message) = read(bytes);
        assert_eq!((code, events), (Some(2), 0), "{expected}: {message}");
        assert!(message.contains("input: ") && message.contains(expected), "{message}");
        assert_eq!(message.matches("ERROR").count(), 1, "said once: {message}");
    }
}

#[test]
fn what_cannot_be_opened_is_told_and_the_others_are_read() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let missing = folder.path().join("missing.pcap");
    let capture = capture();
    for path in [folder.path(), &missing] {
        let output = run(&["read", "--format", "json", name(path), name(&capture)]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(name(path)), "{}", text(&output.stderr));
        assert!(text(&output.stdout).lines().count() >= 10);
    }
}

#[test]
fn a_file_that_must_not_be_read_is_told() {
    let (_folder, path) = file("secret.pcap", &bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000))
        .expect("ours to change");
    if std::fs::File::open(&path).is_ok() {
        // Root reads everything; a path through a file cannot be opened by anybody.
        let through = path.join("capture.pcap");
        let output = run(&["read", name(&through)]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("cannot be opened"), "{}", text(&output.stderr));
        return;
    }
    let output = run(&["read", name(&path)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Permission denied"), "{}", text(&output.stderr));
}

/// Class of bug: a panic or a hang on bytes that a disk or a network made wrong.
#[test]
fn garbled_captures_end_in_a_verdict_or_a_message_and_never_in_a_panic() {
    let whole = bytes();
    let mut state = 0x9e37_79b9_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize
    };
    for round in 0..24 {
        let mut garbled = whole.clone();
        for _ in 0..1 << (round % 8) {
            let at = random() % garbled.len();
            garbled[at] = random() as u8;
        }
        garbled.truncate(garbled.len() - random() % (garbled.len() / 2));
        let (code, _, message) = read(&garbled);
        assert!(matches!(code, Some(0 | 2)), "round {round}: {code:?}: {message}");
        assert_eq!(code == Some(2), message.contains("ERROR"), "round {round}: {message}");
    }
}

#[test]
fn an_endless_stream_that_is_no_capture_is_refused_at_once() {
    let mut child = spawn(&["read", "-"]);
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // Ends with a broken pipe, because the program does not read on.
    while stdin.write_all(&b"y\n".repeat(4096)).is_ok() {}
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is not a capture"), "{}", text(&output.stderr));
}

/// Class of bug: whoever stopped an endless stream lost everything that had been counted.
#[test]
fn an_endless_capture_that_is_stopped_ends_with_its_summary() {
    let mut child = spawn(&["read", "-", "--summary", "--format", "json"]);
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let whole = bytes();
    stdin.write_all(&whole).expect("the program reads");
    // The pipe takes so much only if the program reads on.
    for _ in 0..16 {
        stdin.write_all(&whole[24..]).expect("the program reads");
    }
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status().expect("there is kill");
    assert!(status.success());
    while stdin.write_all(&whole[24..]).is_ok() {}
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(report.packets > 1000 && report.resets.primary >= 10, "{report:?}");
    assert!(!report.has_problems(), "{report:?}");
}

#[test]
fn a_reader_that_wants_one_line_gets_it_and_nobody_complains() {
    let capture = capture();
    let mut arguments = vec!["read", "--all", "--format", "csv"];
    arguments.extend(std::iter::repeat_n(name(&capture), 40));
    let mut child = spawn(&arguments);
    let mut first = [0; 16];
    let mut stdout = child.stdout.take().expect("standard output is piped");
    stdout.read_exact(&mut first).expect("there is a first line");
    drop(stdout);
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(first.starts_with(b"ts,impact,"), "{first:?}");
    assert!(!text(&output.stderr).contains("ERROR"), "{}", text(&output.stderr));
}

#[test]
fn a_full_disk_is_an_error_that_says_what_could_not_be_written() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let capture = capture();
    let mut command = command(&["read", name(&capture)]);
    let output = command.stdout(full).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("standard output") && message.contains("No space"), "{message}");
}

#[test]
fn the_same_capture_twice_has_no_more_resets_than_once() {
    let capture = capture();
    let report = |files: &[&str]| -> Report {
        let output = run(&[&["read", "--summary", "--format", "json"], files].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("a report")
    };
    let (once, twice) = (report(&[name(&capture)]), report(&[name(&capture); 2]));
    assert_eq!(twice.packets, 2 * once.packets);
    assert_eq!(twice.resets.primary, once.resets.primary);
}

#[test]
fn a_hundred_files_are_read_as_one() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let paths: Vec<String> = (0..100)
        .map(|index| {
            let path = folder.path().join(format!("{index:03}.pcap"));
            // Every second one is empty of packets but whole.
            let whole = bytes();
            let kept = if index % 2 == 0 { whole.len() } else { 24 };
            std::fs::write(&path, &whole[..kept]).expect("the file can be written");
            name(&path).to_owned()
        })
        .collect();
    let mut arguments = vec!["read", "--summary", "--format", "json"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report.inputs.len(), 100);
}

#[test]
fn standard_input_named_twice_is_a_mistake_that_is_told() {
    let output = run(&["read", "-", "-"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("more than once"), "{}", text(&output.stderr));
}

#[test]
fn filters_and_conditions_that_cannot_be_meant_are_refused_before_anything_is_read() {
    let bad = [
        ["--only", "impact"],
        ["--only", ""],
        ["--only", "impact="],
        ["--only", "server=10.0.0.0/33"],
        ["--only", "port=https"],
        ["--only", "colour=red"],
        ["--fail-on", ""],
        ["--fail-on", "aborted"],
        ["--fail-on", "aborted>>1"],
        ["--fail-on", "aborted>-1"],
        ["--fail-on", "cause:rain>0"],
        ["--fail-on", "aborted>99999999999999999999999"],
    ];
    for [option, value] in bad {
        let output = run(&["read", "/nonexistent", option, value]);
        assert_eq!(output.status.code(), Some(1), "{option} {value}");
        assert!(output.stdout.is_empty());
        let message = text(&output.stderr);
        assert!(message.contains(option) && !message.contains("nonexistent"), "{message}");
    }
}

#[test]
fn networks_and_ports_narrow_what_is_told() {
    let capture = capture();
    let events = |only: &[&str]| -> Vec<Event> {
        let mut arguments = vec!["read", "--format", "json", name(&capture)];
        arguments.extend(only.iter().flat_map(|only| ["--only", only]));
        let output = run(&arguments);
        let lines = text(&output.stdout).lines();
        lines.map(|line| serde_json::from_str(line).expect("a line is an event")).collect()
    };
    let all = events(&[]).len();
    let v4 = events(&["client=192.0.2.0/24"]);
    let v6 = events(&["client=2001:db8::/32"]);
    assert!(!v4.is_empty() && v4.iter().all(|event| event.client.ip.is_ipv4()));
    assert_eq!(v4.len() + v6.len(), all);
    assert_eq!(events(&["client!=192.0.2.0/24"]).len(), v6.len());
    assert!(events(&["server=10.0.0.0/8"]).is_empty());
    let port = v4[0].server.port;
    let of_port = events(&[&format!("port={port}"), "client=192.0.2.0/24"]);
    assert!(!of_port.is_empty() && of_port.iter().all(|event| event.server.port == port));
}

#[test]
fn no_reset_is_said_with_its_denominator_in_every_form() {
    let capture = capture();
    // The first frames of the capture open connections; no reset is among them.
    let (_folder, path) = file("quiet.pcap", &bytes()[..914]);
    let table = run(&["read", name(&path)]);
    assert!(text(&table.stdout).contains("Resets       none in 9 connections"), "{table:?}");
    for form in ["json", "csv"] {
        let output = run(&["read", "--format", form, name(&path)]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("no resets: none in 9 packets of 9 connections"));
        assert!(!text(&output.stdout).contains("no resets"));
        let quiet = run(&["read", "--quiet", "--format", form, name(&path)]);
        assert!(quiet.stderr.is_empty());
    }
    let sheet = run(&["explain", name(&path)]);
    assert!(text(&sheet.stdout).contains("none in 9 packets of 9 connections"), "{sheet:?}");
    // Hidden by a filter is not the same as absent.
    let hidden = run(&["read", "--only", "server=10.0.0.0/8", name(&capture)]);
    assert!(text(&hidden.stdout).contains("not shown by --only"), "{hidden:?}");
}

#[test]
fn no_colour_is_written_where_it_is_refused() {
    let capture = capture();
    for arguments in [["--color", "never"], ["--color", "auto"]] {
        let mut command = command(&[&["read", name(&capture)], arguments.as_slice()].concat());
        let output = command.env("NO_COLOR", "1").output().expect("the program starts");
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
    }
}

#[test]
fn csv_is_read_by_a_csv_parser_and_says_the_same_as_json() {
    let capture = capture();
    let csv = run(&["read", "--all", "--format", "csv", name(&capture)]);
    let json = run(&["read", "--all", "--format", "json", name(&capture)]);
    let mut reader = csv::Reader::from_reader(csv.stdout.as_slice());
    let header = reader.headers().expect("there is a header").clone();
    let column = |name: &str| header.iter().position(|column| column == name).expect("it is there");
    let (frame, cause, client) = (column("frame"), column("cause"), column("client_ip"));
    let mut rows = 0;
    for (record, line) in reader.records().zip(text(&json.stdout).lines()) {
        let record = record.expect("every line has as many cells as the header");
        let event: Event = serde_json::from_str(line).expect("a line is an event");
        assert_eq!(Some(record[frame].parse().expect("a number")), event.frame);
        assert_eq!(record[cause], *event.verdict.cause.name());
        assert_eq!(record[client], event.client.ip.to_string());
        rows += 1;
    }
    assert_eq!(rows, text(&json.stdout).lines().count());
}

#[test]
fn damage_wins_over_the_condition_whatever_the_order_of_files() {
    let (_folder, damaged) = file("cut.pcap", &bytes()[..1000]);
    let capture = capture();
    for files in [[name(&capture), name(&damaged)], [name(&damaged), name(&capture)]] {
        let output = run(&[&["read", "--fail-on", "resets>0"], files.as_slice()].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("cut off at byte"), "the summary says so too");
    }
    let conditions = ["--fail-on", "resets>1000000", "--fail-on", "refused>=1"];
    let output = run(&[&["read", name(&capture)], conditions.as_slice()].concat());
    assert_eq!(output.status.code(), Some(3), "one of several conditions suffices");
}

/// Class of bug: thousands of resets for one reason buried the few others under their sheets.
#[test]
fn many_resets_of_one_kind_get_a_few_sheets_and_one_line() {
    let captures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let path = captures.join("zeek+zeek__testing__btest__Traces__nmap-vsn.pcap");
    let told = run(&["read", "--format", "json", name(&path)]);
    let resets = text(&told.stdout).lines().count();
    let sheets = |arguments: &[&str]| {
        let output = run(&[&["explain", name(&path)], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let shown = text(&output.stdout);
        let more = shown.contains("More of the kinds above");
        (shown.lines().filter(|line| *line == "Doubt.").count(), more)
    };
    assert_eq!(sheets(&["--each"]), (resets, false));
    let (few, is_more) = sheets(&[]);
    assert!(few < resets && is_more, "{few} sheets of {resets} resets");
}
