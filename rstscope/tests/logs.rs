//! `rstscope logs` with lines of a real HAProxy and a real nginx about real resets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use events::{Agreement, Event};

fn rstscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rstscope")).args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is missing to play real servers in a network of their own.
fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_there = |tool: &str| path.split(':').any(|folder| Path::new(folder).join(tool).exists());
    ["unshare", "python3", "ip", "tcpdump", "haproxy", "nginx"]
        .into_iter()
        .find(|tool| !is_there(tool))
        .map(|tool| format!("{tool} is not installed (deploy/prepare.sh test)"))
}

/// Plays; the folder has capture.pcap and logs.txt then.
fn play(folder: &Path) {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let done = Command::new("unshare")
        .args(["-n", "python3"])
        .arg(here.join("tests/logs/real.py"))
        .arg(folder)
        .arg(here.join("../deploy/config/logs"))
        .env("PATH", path)
        .output()
        .expect("unshare runs");
    assert!(done.status.success(), "{}", text(&done.stderr));
}

#[test]
fn lines_of_real_proxies_join_to_the_resets_that_they_speak_of() {
    if let Some(why) = missing() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI: {why}");
        println!("SKIPPED: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    play(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let read = rstscope(&["read", &path("capture.pcap"), "--format", "json"]);
    assert!(read.status.success(), "{}", text(&read.stderr));
    std::fs::write(path("events"), &read.stdout).unwrap();
    let parsed = rstscope(&["logs", "parse", &path("logs.txt")]);
    assert!(!text(&parsed.stdout).contains("GARBAGE"), "{}", text(&parsed.stdout));
    let joined = rstscope(&["logs", "join", "--events", &path("events"), &path("logs.txt")]);
    assert!(joined.status.success(), "{}", text(&joined.stderr));
    let mut said: BTreeMap<(String, String), u32> = BTreeMap::new();
    for line in text(&joined.stdout).lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        for item in &event.corroboration {
            assert_ne!(item.agreement, Agreement::Contradicted, "{}", item.sentence);
            is_of_this_connection(&event, &item.line);
            let word = item.said.split([' ', ',']).next().unwrap_or("").to_owned();
            *said.entry((item.product.clone(), word)).or_default() += 1;
        }
    }
    // Eight of each were played.
    let of = |product: &str, word: &str| {
        said.get(&(product.to_owned(), word.to_owned())).copied().unwrap_or(0)
    };
    println!("{said:?}\n{}", text(&joined.stderr));
    assert!(of("haproxy", "SD") >= 8, "{said:?}");
    assert!(of("haproxy", "CD") >= 8, "{said:?}");
    assert!(of("nginx", "408") >= 7 && of("nginx", "499") >= 7, "{said:?}");
}

/// Ports of loopback name a connection: all of an event's must stand in its line.
fn is_of_this_connection(event: &Event, line: &str) {
    let words: Vec<&str> = line.split([' ', '=']).collect();
    for port in [event.client.port, event.server.port] {
        assert!(
            words.contains(&port.to_string().as_str()),
            "{} {} {line}",
            event.client,
            event.server
        );
    }
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
