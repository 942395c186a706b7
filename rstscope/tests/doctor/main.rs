//! `rstscope doctor` against faults that tests plant in namespaces of their own: each is found, and its
//! command mends it.
//!
//! These tests need root, iproute2 and ethtool; without them they say so and do nothing, except in CI,
//! where they fail.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]
#![allow(clippy::print_stderr, reason = "a test that was skipped says so")]

mod interface;
mod machine;
mod tap;

use std::fmt::Write as _;
use std::process::{Command, Output};

use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

/// The end that tests send into.
const SENDING: &str = "rs-a";
/// The end that the doctor looks at.
const WATCHED: &str = "rs-b";

/// Runs `test` on a thread in new network and mount namespaces with a veth pair of so many queues.
fn with_veth(queues: u32, test: impl FnOnce() + Send + 'static) {
    if let Some(why) = why_not() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
        eprintln!("SKIPPED: {why}");
        return;
    }
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
        // What is mounted here is seen by nobody else.
        sh("mount --make-rprivate /");
        let queues = format!("numrxqueues {queues} numtxqueues {queues}");
        sh(&format!("ip link add {SENDING} {queues} type veth peer name {WATCHED} {queues}"));
        for end in [SENDING, WATCHED] {
            // No address, so nothing is sent but what tests send.
            sh(&format!("ip link set {end} addrgenmode none up"));
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn why_not() -> Option<String> {
    if !nix::unistd::Uid::effective().is_root() {
        return Some("network namespaces and AF_XDP need root".to_owned());
    }
    for (program, package) in [
        ("ip", "iproute2"),
        ("ethtool", "ethtool"),
        ("setpriv", "util-linux"),
        ("setcap", "libcap2-bin"),
    ] {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Some(format!("{program} ({package}) is not installed"));
        }
    }
    None
}

/// Runs a command line, which must succeed.
fn sh(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The program, with small tables, and queues that hold a burst while another process has the core.
fn program(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rstscope"));
    command
        .arg("doctor")
        .args(arguments.split_ascii_whitespace())
        .env_remove("RUST_LOG")
        .env("RSTSCOPE_CAPTURE__FRAMES", "1024")
        .env("RSTSCOPE_SENSOR__FLOWS", "1024")
        // Whether this machine's disk has room for the store is not what is tested.
        .env("RSTSCOPE_STORE__ENABLED", "false");
    command
}

/// What the doctor found.
#[derive(Debug)]
struct Diagnosis {
    code: i32,
    all: Value,
}

/// Looks at the watched end; `arguments` come on top.
fn doctor(arguments: &str) -> Diagnosis {
    diagnosis(program(&format!("--interface {WATCHED} --json {arguments}")).output().unwrap())
}

fn diagnosis(output: Output) -> Diagnosis {
    let all = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    Diagnosis { code: output.status.code().unwrap(), all }
}

impl Diagnosis {
    fn find(&self, name: &str) -> Option<&Value> {
        self.all["findings"].as_array().unwrap().iter().find(|finding| finding["name"] == name)
    }

    /// The level of a finding; nothing where there is none.
    fn level(&self, name: &str) -> &str {
        self.find(name).and_then(|finding| finding["level"].as_str()).unwrap_or("")
    }

    fn commands(&self, name: &str) -> Vec<String> {
        let commands = self.find(name).and_then(|finding| finding["fix"]["commands"].as_array());
        let text = |command: &Value| command.as_str().unwrap().to_owned();
        commands.into_iter().flatten().map(text).collect()
    }

    /// Fails unless the finding has that level, and commands; runs them.
    #[track_caller]
    fn mend(&self, name: &str, level: &str) {
        self.assert(name, level);
        let commands = self.commands(name);
        assert!(!commands.is_empty(), "{name} has no command: {:#}", self.all);
        for command in commands {
            sh(&command);
        }
    }

    #[track_caller]
    fn assert(&self, name: &str, level: &str) {
        assert_eq!(self.level(name), level, "{name}: {}", self.summary());
        if level == "FAIL" {
            assert_eq!(self.code, 3);
            assert_eq!(self.all["ok"], false);
        }
    }

    fn summary(&self) -> String {
        let mut text = String::new();
        for finding in self.all["findings"].as_array().unwrap() {
            writeln!(
                text,
                "\n{} {} {}: {}",
                finding["level"], finding["subject"], finding["name"], finding["says"]
            )
            .unwrap();
        }
        text
    }
}

/// Plants nothing; looks, mends one finding, and looks again.
#[track_caller]
fn found_and_mended(name: &str, level: &str, arguments: &str) {
    doctor(arguments).mend(name, level);
    doctor(arguments).assert(name, "OK");
}
