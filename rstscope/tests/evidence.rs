//! Capture files of kept packets, as tshark reads them: all ten resets of the demo.
#![allow(clippy::print_stderr, reason = "a skipped test is said aloud")]
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use events::Event;

fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/captures/demo.pcap")
}

/// Runs the program; gives its standard output.
fn rstscope(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_rstscope")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Rows of fields as tshark tells them; `None` if it is not there.
fn tshark(file: &Path, more: &[&str], fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(file).args(more);
    command.args(["-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"]);
    fields.iter().for_each(|field| _ = command.args(["-e", field]));
    let Ok(output) = command.output() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: no tshark");
        eprintln!("SKIPPED: tshark is not installed (deploy/prepare.sh test)");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> =
        said.lines().filter(|line| !line.starts_with("Running as user")).collect();
    assert!(output.status.success() && complaints.is_empty(), "{complaints:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

fn events() -> Vec<Event> {
    let json = rstscope(&["read", capture().to_str().unwrap(), "--format", "json"]);
    let lines = json.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn tshark_reads_every_reset_of_the_demo_with_its_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture();
    let into = folder.path().to_str().unwrap();
    rstscope(&["read", capture.to_str().unwrap(), "--evidence", into, "--quiet"]);
    let events: BTreeMap<String, Event> =
        events().into_iter().map(|event| (event.id.clone(), event)).collect();
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10 && files.len() == events.len(), "{} files", files.len());
    for file in files {
        let event = &events[file.file_stem().unwrap().to_str().unwrap()];
        let fields =
            ["communityid", "tcp.flags.reset", "frame.comment", "frame.len", "frame.cap_len"];
        let communities = ["--enable-protocol", "communityid"];
        let Some(rows) = tshark(&file, &communities, &fields) else { return };
        assert!(rows.iter().all(|row| row[0] == event.community_id), "{rows:?}");
        let judged: Vec<_> = rows.iter().filter(|row| row[2].contains("Cause: ")).collect();
        assert_eq!(judged.len(), 1, "{rows:?}");
        assert!(judged[0][1] == "1" || judged[0][1] == "True");
        assert!(judged[0][2].contains(event.verdict.cause.name()) && judged[0][2].contains(" dB"));
        let len = |row: &Vec<String>, field: usize| row[field].parse::<u32>().unwrap();
        assert!(rows.iter().all(|row| len(row, 3) >= len(row, 4) && len(row, 4) <= 128));
    }
}

#[test]
fn pseudonyms_are_the_same_in_every_file_and_no_true_address_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, key) = (capture(), folder.path().join("key"));
    std::fs::write(&key, format!("{}{}\n", "0f".repeat(16), "1e".repeat(16))).unwrap();
    let event = events().into_iter().next().unwrap();
    let frame = event.frame.unwrap().to_string();
    let make = |more: &[&str]| {
        let mut arguments = vec!["evidence", "make", capture.to_str().unwrap()];
        arguments.extend(["--frame", &frame, "--output", "-"]);
        arguments.extend(more);
        rstscope(&arguments)
    };
    let renamed = ["--pseudonymise", key.to_str().unwrap()];
    let (plain, first, second) = (make(&[]), make(&renamed), make(&renamed));
    assert_eq!(first, second, "one key, one name");
    let has =
        |file: &[u8], needle: &str| file.windows(needle.len()).any(|w| w == needle.as_bytes());
    for end in [event.client, event.server] {
        assert!(has(&plain, &end.ip.to_string()) && !has(&first, &end.ip.to_string()));
    }
    assert!(has(&plain, &event.community_id) && !has(&first, &event.community_id));
    let file = folder.path().join("renamed.pcapng");
    std::fs::write(&file, &first).unwrap();
    let checks = ["-o", "ip.check_checksum:TRUE", "--enable-protocol", "communityid"];
    let Some(rows) = tshark(&file, &checks, &["ip.checksum.status", "communityid"]) else { return };
    assert!(rows.iter().all(|row| row[0] != "0"), "{rows:?}");
    assert!(has(&first, &rows[0][1]), "the comment names the Community ID of the new addresses");
}

#[test]
fn explain_draws_the_ladder_below_the_sheet() {
    let frame = events()[0].frame.unwrap().to_string();
    let text = rstscope(&["explain", capture().to_str().unwrap(), "--frame", &frame]);
    let text = String::from_utf8(text).unwrap();
    let (_, ladder) = text.split_once("\nPackets.\n").expect("a ladder");
    assert!(ladder.lines().filter(|line| line.ends_with("<- judged")).count() == 1, "{ladder}");
}
