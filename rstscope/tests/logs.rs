//! `rstscope logs` on files.

use std::process::{Command, Output};

fn rstscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rstscope")).args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn garbage_is_shown_counted_and_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fw.log");
    let good = "logid=\"0000000013\" type=\"traffic\" devname=\"fgt-1\" eventtime=1700000000000000000 srcip=10.1.2.3 \
                srcport=40000 dstip=203.0.113.9 dstport=443 proto=6 action=\"server-rst\" policyid=7 duration=4";
    std::fs::write(&path, format!("{good}\n\x1b[2Jnobody writes so\n{}\n", &good[..90])).unwrap();
    let parsed = rstscope(&["logs", "parse", &path.display().to_string()]);
    let out = text(&parsed.stdout);
    assert_eq!(parsed.status.code(), Some(2), "{out}");
    assert!(out.contains("session  2023-11-14T22:13:20"), "{out}");
    assert!(out.contains("reset_by_server said \"server-rst\" rule \"7\""), "{out}");
    assert_eq!(out.matches("GARBAGE").count(), 3, "two lines and the heading of the column: {out}");
    assert!(!out.contains('\x1b'), "what a stranger writes does not reach the terminal");
}
