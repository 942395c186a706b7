//! Nothing is left behind, whether the lab is dropped or its process is killed.

#![allow(clippy::unwrap_used, reason = "functions that serve tests may unwrap, too")]

mod support;

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use lab::{Options, Scenario};
use support::{Temporary, build, skip};

const INSTANCES: &str = "/sys/kernel/tracing/instances";

#[test]
fn a_dropped_lab_takes_its_hosts_along() {
    let Some(lab) = build(&Options { seed: 41, ..Options::default() }) else { return };
    lab.run(Scenario::Refused).unwrap();
    // This keeps the namespace of the tap alive, so that we can look into it afterwards.
    let tap = File::from(lab.tap().as_fd().try_clone_to_owned().unwrap());
    let path = lab.tap_namespace();
    assert!(interfaces(&tap).contains(lab.tap_interface()));
    drop(lab);
    assert!(!path.exists(), "the path of the namespace ends with the lab");
    // The tap's interface ends when its other end does, with the namespace of the firewall.
    wait_until("the firewall's namespace is gone", || !interfaces(&tap).contains("tap0"));
}

#[test]
fn a_killed_process_leaves_nothing() {
    if build(&Options { seed: 42, ..Options::default() }).is_none() {
        return;
    }
    let (capture, truth) = (Temporary::new("pcap"), Temporary::new("csv"));
    let mut process = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["run", "--scenario", "idle_session_forgotten", "--capture"])
        .arg(&capture.0)
        .arg("--truth")
        .arg(&truth.0)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Recording begins when everything is built.
    wait_until("the lab records", || capture.0.exists());
    let tap = namespaces(&process)
        .into_iter()
        .find(|namespace| interfaces(namespace).contains("tap0"))
        .expect("one of the namespaces holds the tap");
    let witnessed = instance(process.id());
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until("the firewall's namespace is gone", || !interfaces(&tap).contains("tap0"));
    match witnessed {
        Some(instance) => wait_until("the tracing instance is gone", || !instance.exists()),
        None => skip("no tracing file system here, so no instance to be left"),
    }
}

/// Names and addresses of all interfaces of a namespace.
fn interfaces(namespace: &File) -> String {
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let output = Command::new("ip").args(["-o", "link"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        });
        visitor.join().unwrap()
    })
}

/// The namespaces a process holds open.
fn namespaces(process: &Child) -> Vec<File> {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap();
    descriptors
        .flatten()
        .filter(|entry| {
            std::fs::read_link(entry.path())
                .is_ok_and(|to| to.to_string_lossy().starts_with("net:"))
        })
        .filter_map(|entry| File::open(entry.path()).ok())
        .collect()
}

fn instance(pid: u32) -> Option<PathBuf> {
    let prefix = format!("rs-lab-{pid}-");
    let entries = std::fs::read_dir(Path::new(INSTANCES)).ok()?;
    let mut paths =
        entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(&prefix));
    paths.next().map(|entry| entry.path())
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..600 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not within 30 s: {what}");
}
