//! What the process may do, checked before anything is tried, so that the error names it.

use std::fs;
use std::io;

use crate::error::Error;
use crate::system;

/// What the process may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Privileges {
    /// Needed capabilities that it lacks, each with its purpose.
    pub missing: Vec<&'static str>,
    /// Whether it may lock as much memory as it wants (CAP_IPC_LOCK).
    pub locks_all_memory: bool,
    /// The limit of locked memory in bytes; nothing where there is none.
    pub memlock_limit: Option<u64>,
}

impl Privileges {
    /// Every capability that a sensor wants, as setcap(8) and systemd name them.
    pub const WANTED: [&str; 5] =
        ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF", "CAP_PERFMON", "CAP_IPC_LOCK"];

    /// Those of this process; nothing where `/proc` does not tell.
    #[must_use]
    pub fn here() -> Option<Self> {
        let effective = effective_capabilities()?;
        Some(Self {
            missing: missing(effective),
            locks_all_memory: effective & (1 << IPC_LOCK) != 0,
            memlock_limit: system::memlock_limit().ok()?,
        })
    }
}

/// Fails with the names of all missing capabilities, each with its purpose.
pub(crate) fn check() -> Result<(), Error> {
    // A kernel without procfs mounted: let the calls themselves fail.
    let Some(effective) = effective_capabilities() else { return Ok(()) };
    let missing = missing(effective);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::MissingCapabilities { missing: missing.join(", ") })
}

/// Turns the failure to register a UMEM into an error with numbers, where the cause is the limit.
pub(crate) fn explain_umem(queue: &str, needed: u64, source: io::Error) -> Error {
    let queue = queue.to_owned();
    // ENOBUFS is what xdp_umem_account_pages says (Linux 6.18, net/xdp/xdp_umem.c).
    match (source.raw_os_error(), system::memlock_limit()) {
        (Some(libc::ENOBUFS), Ok(Some(limit))) => Error::MemlockTooSmall {
            queue,
            needed_kib: needed.div_ceil(1024),
            limit_kib: limit / 1024,
        },
        _ => Error::Socket { queue, source },
    }
}

fn effective_capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// The needed capabilities that `effective` lacks (capabilities(7), `linux/capability.h`).
fn missing(effective: u64) -> Vec<&'static str> {
    let has = |number: u32| effective & (1 << number) != 0;
    NEEDED
        .iter()
        .filter(|(number, instead, _)| !has(*number) && !instead.is_some_and(has))
        .map(|(_, _, name)| *name)
        .collect()
}

const IPC_LOCK: u32 = 14;
const SYS_ADMIN: u32 = 21;

/// Number, another that includes it, name and purpose.
const NEEDED: [(u32, Option<u32>, &str); 4] = [
    (12, None, "CAP_NET_ADMIN (attach the XDP program)"),
    (13, None, "CAP_NET_RAW (open AF_XDP sockets, promiscuous mode)"),
    (39, Some(SYS_ADMIN), "CAP_BPF (load the XDP program)"),
    (38, Some(SYS_ADMIN), "CAP_PERFMON (the verifier refuses packet pointers without)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missing_with_everything() {
        assert!(missing(u64::MAX).is_empty());
    }

    #[test]
    fn each_missing_capability_is_named() {
        let names = missing(1 << 13 | 1 << 39).join(", ");
        assert!(names.contains("CAP_NET_ADMIN") && names.contains("CAP_PERFMON"), "{names}");
        assert!(!names.contains("CAP_NET_RAW") && !names.contains("CAP_BPF"), "{names}");
    }

    #[test]
    fn the_old_administrator_includes_bpf() {
        assert!(missing(1 << 12 | 1 << 13 | 1 << SYS_ADMIN).is_empty());
    }

    #[test]
    fn other_failures_of_a_umem_keep_their_cause() {
        let error = explain_umem("queue 0 of eth1", 1, io::Error::from_raw_os_error(libc::EINVAL));
        assert!(matches!(error, Error::Socket { .. }));
    }
}
