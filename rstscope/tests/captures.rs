//! Real captures: every verdict pinned, compared with what really happened, and no input refused.
//!
//! `tests/captures/README.md` says where the captures come from and how to renew the snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use events::{Event, sentence};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

/// The captures in `folder`, in order.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let is_capture = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng")
    };
    let mut captures: Vec<PathBuf> = paths.filter(is_capture).collect();
    captures.sort();
    captures
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rstscope"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is text")
}

/// Every verdict on `capture`, by frame.
fn verdicts(capture: &Path) -> BTreeMap<u64, Event> {
    let path = capture.to_str().expect("the path is text");
    let output = run(&["read", "--all", "--format", "json", path]);
    assert_eq!(output.status.code(), Some(0), "{path}: {}", text(&output.stderr));
    let events = text(&output.stdout).lines().map(|line| {
        let event: Event = serde_json::from_str(line).expect("a line is an event");
        (event.frame.expect("an event of a capture has a frame"), event)
    });
    events.collect()
}

/// One line a reset: short enough to be read in a diff.
fn line(frame: u64, event: &Event) -> String {
    let verdict = &event.verdict;
    format!(
        "{frame} {} {} {:.2} {} {:.2} {} {} {}",
        verdict.role.name(),
        verdict.origin.name(),
        verdict.origin_confidence,
        verdict.cause.name(),
        verdict.cause_confidence,
        verdict.effect.name(),
        verdict.stage.name(),
        verdict.impact.name()
    )
}

/// Lines that only one side has, by frame, with the evidence of what is said now.
fn difference(expected: &str, said: &BTreeMap<u64, Event>) -> String {
    let frame_of = |line: &str| line.split(' ').next().and_then(|frame| frame.parse::<u64>().ok());
    let expected: BTreeMap<u64, &str> =
        expected.lines().filter_map(|line| Some((frame_of(line)?, line))).collect();
    let frames: BTreeSet<u64> = expected.keys().chain(said.keys()).copied().collect();
    let mut text = String::new();
    for frame in frames {
        let (before, event) = (expected.get(&frame), said.get(&frame));
        let now = event.map(|event| line(frame, event));
        if before.copied() == now.as_deref() {
            continue;
        }
        if let Some(before) = before {
            let _ = writeln!(text, "  - {before}");
        }
        let (Some(now), Some(event)) = (now, event) else { continue };
        let _ = writeln!(text, "  + {now}");
        let _ = writeln!(text, "      by rule {}", event.verdict.rule);
        for item in &event.verdict.evidence {
            let _ = writeln!(text, "      {:>+6.1} {}", item.decibans, sentence(item));
        }
    }
    text
}

#[test]
fn every_verdict_is_as_it_was() {
    let is_blessing = std::env::var_os("RSTSCOPE_BLESS").is_some_and(|value| value == "1");
    let snapshots = folder().join("verdicts");
    std::fs::create_dir_all(&snapshots).expect("the folder can be made");
    let (mut changed, mut known) = (String::new(), BTreeSet::new());
    for capture in captures(&folder()) {
        let said = verdicts(&capture);
        let name = capture.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let path = snapshots.join(format!("{name}.snap"));
        known.insert(path.clone());
        let lines: String = said.iter().map(|(frame, event)| line(*frame, event) + "\n").collect();
        if is_blessing {
            std::fs::write(&path, lines).expect("the snapshot can be written");
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        let is_new = !path.exists();
        if is_new || expected != lines {
            let why = if is_new { " (no snapshot yet)" } else { "" };
            let _ = writeln!(changed, "{name}{why}\n{}", difference(&expected, &said));
        }
    }
    let entries = std::fs::read_dir(&snapshots).expect("the folder can be read");
    for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
        if known.contains(&path) {
            continue;
        }
        if is_blessing {
            std::fs::remove_file(&path).expect("the snapshot can be removed");
        } else {
            let _ = writeln!(changed, "{}: its capture is gone", path.display());
        }
    }
    assert!(
        changed.is_empty(),
        "verdicts changed; if that is meant: RSTSCOPE_BLESS=1 cargo test -p rstscope --test \
         captures\n\n{changed}"
    );
}

#[test]
fn the_folder_stays_small_and_names_the_source_of_every_capture() {
    let readme = std::fs::read_to_string(folder().join("README.md")).expect("there is a README");
    let mut len = 0;
    for capture in captures(&folder()) {
        let name = capture.file_name().expect("a file has a name").to_string_lossy();
        assert!(readme.contains(&format!("| `{name}` |")), "README.md names no source of {name}");
        len += std::fs::metadata(&capture).expect("the capture is there").len();
    }
    assert!(len < 2_500_000, "{len} bytes of captures; over 2.5 MB nobody wants to clone");
}

/// Right and judged rows of one list of scores, as `evaluate` prints them.
fn score(output: &str, list: &str) -> (u32, u32) {
    let line = output.lines().find_map(|line| line.strip_prefix(&format!("{list}: ")));
    let mut numbers = line
        .unwrap_or_else(|| panic!("no line {list} in {output}"))
        .split(' ')
        .filter_map(|word| word.parse::<u32>().ok());
    let both = (numbers.next(), numbers.next());
    let (Some(right), Some(of)) = both else { panic!("no counts behind {list} in {output}") };
    (right, of)
}

fn evaluate(arguments: &[&str]) -> String {
    let folder = folder();
    let labels = folder.join("labels.csv");
    let paths = [&folder, &labels].map(|path| path.to_str().expect("the path is text"));
    let output = run(&[&["evaluate", paths[0], paths[1]], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

/// Whether `right` of `of` are at least so many percent.
fn assert_share((right, of): (u32, u32), percent: u32, output: &str) {
    assert!(of >= 30, "too few rows were judged: {output}");
    assert!(right * 100 >= of * percent, "{right} of {of} are under {percent} %:\n{output}");
}

#[test]
fn verdicts_agree_with_what_really_happened() {
    let all = evaluate(&[]);
    assert!(all.contains("no event for 0;"), "{all}");
    assert!(all.contains("endpoints' resets called a middlebox's or attacker's: 0\n"), "{all}");
    assert_share(score(&all, "CAUSE"), 85, &all);
    let sure = evaluate(&["--confidence", "high"]);
    assert_share(score(&sure, "ORIGIN"), 95, &sure);
}

/// More captures than the project may carry lie beside it on the machines of its authors.
#[test]
fn every_capture_of_the_larger_collection_can_be_read() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures/files");
    if !folder.is_dir() {
        // No part of the project, so its absence is no failure, in CI neither.
        eprintln!("SKIPPED: no larger collection of captures in {}", folder.display());
        return;
    }
    let captures = captures(&folder);
    assert!(!captures.is_empty(), "no captures in {}", folder.display());
    for capture in captures {
        let path = capture.to_str().expect("the path is text");
        let output = run(&["read", "--all", "--format", "json", path]);
        let message = text(&output.stderr);
        match output.status.code() {
            Some(0) => assert!(!message.contains("ERROR"), "{path}: {message}"),
            Some(2) => {
                let is_clear = message.lines().any(|line| {
                    line.contains("ERROR") && line.contains(path) && line.contains(" frames read")
                });
                assert!(is_clear, "{path}: {message}");
            }
            code => panic!("{path}: exit code {code:?}: {message}"),
        }
        for line in text(&output.stdout).lines() {
            serde_json::from_str::<Event>(line).expect("a line is an event");
        }
    }
}
