//! Capture files by name: on disk, through a pipe, from standard input, missing.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use pipeline::{CaptureSource, ProblemKind, Received, Source};

/// A little-endian classic capture of one-byte frames at these seconds.
fn capture_of(seconds: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([0xff, 0xff, 0, 0, 1, 0, 0, 0]);
    for second in seconds {
        bytes.extend(second.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0, 0]);
        bytes.push(*second as u8);
    }
    bytes
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Input, number and time in seconds of every frame.
fn drain(source: &mut CaptureSource) -> Vec<(u16, u64, u64)> {
    let mut seen = Vec::new();
    loop {
        match source.receive().unwrap() {
            Received::Frames(frames) => seen.extend((0..frames).map(|index| {
                let frame = source.frame(index);
                let second = frame.time.0 / 1_000_000_000;
                assert_eq!(frame.bytes, [second as u8]);
                (frame.receipt.input, frame.receipt.frame, second)
            })),
            Received::Idle => {}
            Received::End => return seen,
        }
    }
}

#[test]
fn files_are_merged_whatever_their_names_say_and_a_missing_one_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [
        written(folder.path(), "plain.gz", &capture_of(&[1, 4])),
        folder.path().join("missing.pcap"),
        written(folder.path(), "zipped.pcap", &gzipped(&capture_of(&[2, 5]))),
        written(folder.path(), "pressed", &zstd::encode_all(&capture_of(&[3])[..], 1).unwrap()),
        folder.path().to_owned(),
    ];
    let mut source = CaptureSource::open(&paths);
    assert_eq!(source.names()[1], paths[1].display().to_string());
    let expected = [(0, 1, 1), (2, 1, 2), (3, 1, 3), (0, 2, 4), (2, 2, 5)];
    assert_eq!(drain(&mut source), expected);
    let problems = source.problems();
    assert_eq!(problems.iter().map(|found| found.input).collect::<Vec<_>>(), [1, 4]);
    assert!(matches!(problems[0].kind, ProblemKind::Open(_)));
    assert!(problems[1].to_string().contains("is a directory"), "{}", problems[1]);
    let stored: u64 = [0, 2, 3].iter().map(|&at: &usize| paths[at].metadata().unwrap().len()).sum();
    assert_eq!(source.bytes_total(), Some(stored));
    assert_eq!(source.bytes_read().load(Ordering::Relaxed), stored);
}

#[test]
fn no_input_at_all_is_the_end() {
    let mut source = CaptureSource::open(&[]);
    assert_eq!(source.receive().unwrap(), Received::End);
    assert!(source.problems().is_empty());
}

/// Not a test by itself: the child that the tests of standard input start, in a process whose
/// standard input is theirs to choose.
#[test]
fn child_that_reads_standard_input() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let mut source = CaptureSource::open(&["-".into(), "-".into()]);
    println!("total: {:?}", source.bytes_total());
    println!("frames: {:?}", drain(&mut source));
    for problem in source.problems() {
        println!("problem: {problem}");
    }
}

const CHILD: &str = "CAPTURE_TEST_CHILD";

fn child(standard_input: impl Into<Stdio>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_that_reads_standard_input", "--nocapture"])
        .env(CHILD, "1")
        .stdin(standard_input)
        .stdout(Stdio::piped());
    command
}

#[test]
fn standard_input_is_read_as_it_comes() {
    let mut child = child(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for byte in capture_of(&[7, 8]) {
        pipe.write_all(&[byte]).unwrap();
    }
    drop(pipe);
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(output.contains("total: None"), "{output}");
    assert!(output.contains("frames: [(0, 1, 7), (0, 2, 8)]"), "{output}");
    assert!(output.contains("problem: standard input: standard input is named more than once"));
}

#[test]
fn standard_input_from_a_file_has_a_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "one.pcap", &capture_of(&[7]));
    let output = child(fs::File::open(path).unwrap()).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("total: Some(41)"), "{output}");
}

#[test]
fn an_endless_standard_input_is_refused_at_once() {
    let mut endless = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
    let output = child(endless.stdout.take().unwrap()).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    // The child has ended, so the pipe is closed and its writer ends as well.
    endless.wait().unwrap();
    assert!(output.contains("is not a capture: begins with [79, 0a, 79, 0a]"), "{output}");
}
