//! What the process may do: capabilities and locked memory.

use std::path::Path;

use nix::unistd::{Uid, getpid, getppid};
use xdp::{Privileges, quoted};

use super::finding::Finding;

/// Both, for queues that need so much locked memory in all.
pub(super) fn check(queue_bytes: u64) -> Vec<Finding> {
    let Some(privileges) = Privileges::here() else {
        return vec![Finding::not_checked(
            "capabilities",
            "/proc/thread-self/status cannot be read",
        )];
    };
    let program = std::env::current_exe().unwrap_or_else(|_| "/usr/bin/rstscope".into());
    let is_root = Uid::effective().is_root();
    vec![capabilities(&privileges, &program, is_root), memlock(&privileges, queue_bytes)]
}

fn capabilities(privileges: &Privileges, program: &Path, is_root: bool) -> Finding {
    let name = "capabilities";
    if privileges.missing.is_empty() {
        return Finding::ok(name, "all that are needed");
    }
    let found = Finding::fail(name, format!("missing {}", privileges.missing.join(", ")))
        .because("neither the XDP program nor AF_XDP sockets can be had");
    let wanted = Privileges::WANTED.join(",");
    if is_root {
        // Capabilities of the file beyond what root was left would keep it from starting at all.
        return found.advise(format!(
            "whatever started this root took them away: give the container or unit {wanted}"
        ));
    }
    let wanted = wanted.to_lowercase();
    found
        .run([format!("setcap {wanted}=ep {}", quoted(&program.to_string_lossy()))])
        .advise("run it as root; the unit of the package needs no such thing")
}

fn memlock(privileges: &Privileges, queue_bytes: u64) -> Finding {
    let name = "memlock";
    let needed_kib = queue_bytes.div_ceil(1024);
    let limit = match (privileges.locks_all_memory, privileges.memlock_limit) {
        (true, _) => return Finding::ok(name, "no limit (CAP_IPC_LOCK)"),
        (_, None) => return Finding::ok(name, "no limit"),
        (_, Some(limit)) => limit,
    };
    let says = format!("limit {} KiB, the queues need {needed_kib} KiB", limit / 1024);
    if limit >= queue_bytes {
        return Finding::ok(name, says);
    }
    // Of the shell that started us, and of us, since we shall look again.
    // Within the hard limit anybody may; beyond it, who has CAP_SYS_RESOURCE.
    let raise = |process| {
        format!(
            "prlimit --memlock={}: --pid {process} || \
             prlimit --memlock=unlimited:unlimited --pid {process}",
            2 * queue_bytes
        )
    };
    Finding::fail(name, says)
        .because("sockets are refused their memory (ENOBUFS)")
        .run([raise(getppid()), raise(getpid())])
        .advise("this shell only; for the service: LimitMEMLOCK=infinity, or CAP_IPC_LOCK")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn what_root_was_left_without_is_not_set_on_the_file() {
        let lacking = Privileges {
            missing: vec!["CAP_BPF (load the XDP program)"],
            locks_all_memory: false,
            memlock_limit: Some(8 << 20),
        };
        let program = Path::new("/usr/bin/rstscope");
        assert!(capabilities(&lacking, program, true).commands().is_empty());
        let user = capabilities(&lacking, program, false);
        let command = "setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon,cap_ipc_lock=ep /usr/bin/rstscope";
        assert_eq!(user.commands(), [command]);
    }

    #[test]
    fn a_limit_counts_only_where_it_is_too_small() {
        let limited =
            Privileges { missing: vec![], locks_all_memory: false, memlock_limit: Some(8 << 20) };
        assert_eq!(memlock(&limited, 8 << 20).level, Level::Ok);
        let found = memlock(&limited, 16 << 20);
        assert_eq!((found.level, found.commands().len()), (Level::Fail, 2));
        let root = Privileges { locks_all_memory: true, ..limited };
        assert_eq!(memlock(&root, 1 << 40).level, Level::Ok);
    }
}
