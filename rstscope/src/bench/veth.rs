//! A network namespace of our own with a veth pair in it, gone when its thread ends.

use std::process::Command;

use anyhow::{Context as _, bail};
use nix::sched::{CloneFlags, unshare};

/// The end that packets are sent into.
pub(super) const SENDING: &str = "rs-send";
/// The end that they come out of.
pub(super) const RECEIVING: &str = "rs-take";

/// Why this process cannot do it.
pub(super) fn why_not() -> Option<&'static str> {
    if !nix::unistd::Uid::effective().is_root() {
        return Some(
            "bench live makes a network namespace and opens AF_XDP sockets: it needs root",
        );
    }
    let missing = Command::new("ip").arg("-V").output().is_err();
    missing.then_some("bench live needs the program ip (package iproute2)")
}

/// Does `work` on a thread in a new namespace with a veth pair, both ends up and silent.
pub(super) fn with_veth<T: Send>(
    work: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
            set_up()?;
            work()
        });
        match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn set_up() -> anyhow::Result<()> {
    // One queue: this is about one core.
    let one = "numrxqueues 1 numtxqueues 1";
    ip(&format!("link add {SENDING} {one} type veth peer name {RECEIVING} {one}"))?;
    for end in [SENDING, RECEIVING] {
        // No address, so nothing is sent but what is generated.
        ip(&format!("link set {end} addrgenmode none up"))?;
    }
    Ok(())
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let output =
        Command::new("ip").args(arguments.split_ascii_whitespace()).output().context("start ip")?;
    if !output.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
