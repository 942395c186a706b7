//! Faults of the machine, and of what the process may do there.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::{Diagnosis, WATCHED, diagnosis, program, sh, with_veth};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rstscope");

/// Looks without any interface, with that configuration.
fn with_config(text: &str) -> Diagnosis {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    diagnosis(program(&format!("--json --config {}", file.path().display())).output().unwrap())
}

#[test]
fn missing_capabilities_are_given_to_the_program() {
    with_veth(1, || {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = folder.path().join("rstscope");
        fs::copy(PROGRAM, &copy).unwrap();
        let as_nobody = || {
            let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
            let arguments = ["doctor", "--json", "--watch", "1", "-i", WATCHED];
            let mut command = Command::new("setpriv");
            let command = command.args(nobody).arg(&copy).args(arguments);
            diagnosis(command.env("RSTSCOPE_CAPTURE__FRAMES", "64").output().unwrap())
        };
        let found = as_nobody();
        found.assert("native xdp", "NOT_CHECKED");
        found.mend("capabilities", "FAIL");
        let mended = as_nobody();
        mended.assert("capabilities", "OK");
        mended.assert("memlock", "OK");
        mended.assert("native xdp", "OK");
    });
}

#[test]
fn a_memory_lock_that_is_too_small_is_raised_for_the_shell() {
    with_veth(1, || {
        let results = tempfile::tempdir().unwrap();
        let result = |name: &str| results.path().join(name);
        let look = format!("{PROGRAM} doctor --json --watch 1 -i {WATCHED}");
        let script = format!(
            "prlimit --memlock=65536: --pid $$\n{look} > {}\n{look} --fix --yes > {}\n\
             {look} > {}\ntrue",
            result("before").display(),
            result("mended").display(),
            result("after").display(),
        );
        // Root with the capability has no limit.
        let without = ["--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "sh", "-c", &script];
        let mut shell = Command::new("setpriv");
        let shell = shell.args(without).env("RSTSCOPE_CAPTURE__FRAMES", "64");
        assert!(shell.status().unwrap().success());
        let read = |name: &str, code| Diagnosis {
            code,
            all: serde_json::from_slice(&fs::read(result(name)).unwrap()).unwrap(),
        };
        let before = read("before", 3);
        before.assert("memlock", "FAIL");
        before.assert("attach", "FAIL");
        for name in ["mended", "after"] {
            read(name, 0).assert("memlock", "OK");
            read(name, 0).assert("native xdp", "OK");
        }
    });
}

#[test]
fn huge_pages_that_are_switched_off_are_switched_on() {
    with_veth(1, || {
        // In place of the kernel's own file, which other tests need as it is.
        const REAL: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
        if !Path::new(REAL).exists() {
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "always madvise [never]\n").unwrap();
        sh(&format!("mount --bind {} {REAL}", file.path().display()));
        with_config("").mend("huge pages", "WARN");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "madvise\n");
        with_config("").assert("huge pages", "OK");
    });
}

#[test]
fn a_disk_too_small_for_the_spool_is_made_larger() {
    with_veth(1, || {
        let disk = tempfile::tempdir().unwrap();
        let disk = disk.path().display();
        sh(&format!("mount -t tmpfs -o size=4M tmpfs {disk}"));
        let config = format!(
            "[spool]\ndirectory = \"{disk}/spool\"\nbytes_max = 33554432\nsegment_bytes = 4194304\n\
             [[sink]]\nkind = \"ndjson\"\nname = \"screen\"\n"
        );
        with_config(&config).mend("spool", "FAIL");
        with_config(&config).assert("spool", "OK");
    });
}

#[test]
fn a_sink_that_nobody_listens_for_is_found_until_somebody_does() {
    with_veth(1, || {
        sh("ip link set lo up");
        // The receiver is the remedy.
        let config =
            "[[sink]]\nkind = \"otlp\"\nname = \"central\"\nurl = \"http://127.0.0.1:4318\"\n";
        let found = with_config(config);
        found.assert("sink", "FAIL");
        let says = found.find("sink").unwrap()["says"].as_str().unwrap();
        assert!(says.contains("127.0.0.1:4318") && says.contains("refused"), "{says}");
        let _receiver = TcpListener::bind("127.0.0.1:4318").unwrap();
        with_config(config).assert("sink", "OK");
    });
}
