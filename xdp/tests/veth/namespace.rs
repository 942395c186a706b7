//! A network namespace of our own with a veth pair in it, gone when the test ends.

use std::fs;
use std::panic::resume_unwind;
use std::process::{Command, Output};

/// The end that tests send from.
pub(crate) const SENDING: &str = "rs-a";
/// The end that is watched.
pub(crate) const WATCHED: &str = "rs-b";

/// A veth pair.
#[derive(Clone, Copy)]
pub(crate) struct Veth {
    pub(crate) queues: u32,
    pub(crate) mtu: u32,
}

impl Default for Veth {
    fn default() -> Self {
        Self { queues: 1, mtu: 1500 }
    }
}

/// Runs `test` on a thread in a new namespace with a veth pair, both ends up and silent.
pub(crate) fn with_veth(veth: Veth, test: impl FnOnce() + Send + 'static) {
    if let Some(why) = why_not() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
        eprintln!("SKIPPED: {why}");
        return;
    }
    let thread = std::thread::spawn(move || {
        // SAFETY: takes and returns integers only; affects this thread and its children.
        let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "unshare: {}", std::io::Error::last_os_error());
        set_up(veth);
        test();
    });
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

fn why_not() -> Option<String> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    if !root {
        return Some("network namespaces need root".to_owned());
    }
    ["ip", "ethtool"]
        .into_iter()
        .find(|program| Command::new(program).arg("-V").output().is_err())
        .map(|program| format!("{program} is not installed"))
}

fn set_up(Veth { queues, mtu }: Veth) {
    ip(&format!(
        "link add {SENDING} mtu {mtu} numrxqueues {queues} numtxqueues {queues} type veth \
         peer name {WATCHED} mtu {mtu} numrxqueues {queues} numtxqueues {queues}"
    ));
    for end in [SENDING, WATCHED] {
        // No IPv6 address, so nothing is sent but what tests send.
        ip(&format!("link set {end} addrgenmode none"));
        // Checksums complete, tags in the bytes: what is sent is what arrives.
        run("ethtool", &format!("-K {end} tx off rxvlan off txvlan off"));
    }
    for end in [SENDING, WATCHED] {
        ip(&format!("link set {end} up"));
    }
}

/// Runs `ip` and returns what it printed.
pub(crate) fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

/// Runs a program that must succeed and returns what it printed.
pub(crate) fn run(program: &str, arguments: &str) -> String {
    let Output { status, stdout, stderr } =
        Command::new(program).args(arguments.split_ascii_whitespace()).output().unwrap();
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{program} {arguments}: {errors}");
    String::from_utf8(stdout).unwrap()
}
