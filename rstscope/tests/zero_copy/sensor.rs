//! The sensor: built static, run inside a machine on `eth0`, and its verdicts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::frames::{self, Frame};
use crate::machine::Machine;

/// What a run inside told.
pub(crate) struct Told {
    /// One line a reset, sorted: who between whom, then the four answers.
    pub(crate) verdicts: Vec<String>,
    /// Standard error.
    pub(crate) words: String,
}

/// The program as one static file, built once: there is no C library inside the machine.
pub(crate) fn static_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let output =
            Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/qemu/build-sensor.sh"))
                .output()
                .expect("deploy/qemu/build-sensor.sh starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(text.trim())
    })
}

/// Watches `eth0` with further `arguments` while `frames` are sent, and ends the run well.
pub(crate) fn watch(machine: &mut Machine, arguments: &str, frames: &[Frame]) -> Told {
    let counted = "cat /sys/class/net/eth0/statistics/rx_packets";
    machine.must("ip link set eth0 up");
    machine.must(&format!("{RUN} {arguments} >/tmp/events 2>/tmp/words & sensor=$!"));
    // What it says once it watches, unless it ends before.
    machine.must(
        "until grep -q ' worker' /tmp/words; do kill -0 $sensor || break; usleep 50000; done",
    );
    let before = number(&machine.must(counted));
    frames::play(frames, machine);
    let all = before + frames.len() as u64;
    machine.must(&format!(
        "until [ $({counted}) -ge {all} ]; do kill -0 $sensor || break; usleep 50000; done"
    ));
    let (code, _) = machine.run("kill -INT $sensor; wait $sensor");
    let words = machine.must("cat /tmp/words");
    assert_eq!(code, 0, "{words}{}", machine.must("dmesg | tail -40"));
    Told { verdicts: verdicts(&machine.must("cat /tmp/events")), words }
}

/// What the sensor says when it cannot begin.
pub(crate) fn refusal(machine: &mut Machine, arguments: &str) -> String {
    machine.must("ip link set eth0 up");
    let (code, words) = machine.run(&format!("{RUN} {arguments}"));
    assert_eq!(code, 1, "{words}");
    words
}

const RUN: &str = "NO_COLOR=1 ./sensor run -i eth0 --format json --flows 65536";

/// What `rstscope read` says of a capture.
pub(crate) fn replay(capture: &Path) -> (Vec<String>, Value) {
    let read = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_rstscope"))
            .args(["read", "--format", "json"])
            .args(arguments)
            .arg(capture)
            .output()
            .expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let report = serde_json::from_str(&read(&["--summary"])).expect("a report");
    (verdicts(&read(&[])), report)
}

fn verdicts(lines: &str) -> Vec<String> {
    let mut verdicts: Vec<String> = lines
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| verdict(&serde_json::from_str(line).expect("an event")))
        .collect();
    verdicts.sort();
    verdicts
}

fn verdict(event: &Value) -> String {
    let end = |side: &str| format!("{}:{}", event[side]["ip"], event[side]["port"]);
    let answers = ["claimed", "origin", "cause", "impact", "effect"].map(|key| &event[key]);
    let answers = answers.map(|value| value.as_str().unwrap_or_default());
    format!("{}-{} {}", end("client"), end("server"), answers.join(" "))
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is a count"))
}
