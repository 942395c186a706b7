//! Lines of a real HAProxy and a real nginx about real resets, in a network of their own.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use collector::logs::{Context, JoinOptions, Joiner, Reader, Reading, Zone};
use events::{Agreement, Event, UtcTime};

#[derive(Default)]
struct Collected(Vec<Event>);

impl pipeline::Sink for Collected {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

#[test]
fn lines_of_real_proxies_join_to_the_resets_that_they_speak_of() {
    if is_missing(&["unshare", "python3", "ip", "tcpdump", "haproxy", "nginx"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config/logs");
    play("real.py", &[folder.path(), &configuration]);
    let logs = std::fs::read_to_string(folder.path().join("logs.txt")).unwrap();
    let mut joiner = Joiner::new(JoinOptions::offline(1000, 1000));
    for event in events_of(&folder.path().join("capture.pcap")) {
        assert!(joiner.event(event.ts, "lo", &event).is_empty());
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let received = UtcTime(since.as_nanos() as u64);
    let mut reader = Reader::new();
    let mut told: BTreeMap<String, Event> = BTreeMap::new();
    for line in logs.lines() {
        let context = Context { received, zone: Zone { east_s: 0 }, source: "lo" };
        match reader.read(line.as_bytes(), &context) {
            Ok(Reading::Session(session)) => {
                let revisions = joiner.session(received, *session).into_iter();
                told.extend(revisions.map(|revision| (revision.event.id.clone(), revision.event)));
            }
            Ok(Reading::Other(_)) => {}
            Err(garbage) => panic!("{garbage}: {line}"),
        }
    }
    let revisions = joiner.finish().into_iter();
    told.extend(revisions.map(|revision| (revision.event.id.clone(), revision.event)));
    let said = words(&told);
    println!("{said:?} {:?} {:?}", joiner.counts(), joiner.clocks());
    let of = |product: &str, word: &str| {
        said.get(&(product.to_owned(), word.to_owned())).copied().unwrap_or(0)
    };
    // Eight of each were played.
    assert!(of("haproxy", "SD") >= 8 && of("haproxy", "CD") >= 8, "{said:?}");
    assert!(of("nginx", "408") >= 7 && of("nginx", "499") >= 7, "{said:?}");
}

/// How often each word was joined; each line must name the ports of its event.
fn words(told: &BTreeMap<String, Event>) -> BTreeMap<(String, String), u32> {
    let mut said = BTreeMap::new();
    for event in told.values() {
        for item in &event.corroboration {
            assert_ne!(item.agreement, Agreement::Contradicted, "{}", item.sentence);
            let words: Vec<&str> = item.line.split([' ', '=']).collect();
            for port in [event.client.port, event.server.port] {
                let is_named = words.contains(&port.to_string().as_str());
                assert!(is_named, "{} {} {}", event.client, event.server, item.line);
            }
            let word = item.said.split([' ', ',']).next().unwrap_or("").to_owned();
            *said.entry((item.product.clone(), word)).or_default() += 1;
        }
    }
    said
}

pub(crate) fn events_of(capture: &Path) -> Vec<Event> {
    let options = pipeline::Options { seed: Some(7), flows: 1 << 12, ..Default::default() };
    let mut sink = Collected::default();
    let stop = AtomicBool::new(false);
    pipeline::read(&[capture.to_owned()], &options, None, &stop, &mut sink).unwrap();
    sink.0
}

fn path_with_system_tools() -> String {
    std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin"
}

/// Whether something is missing to play in a network of its own; loudly, and no excuse in CI.
pub(crate) fn is_missing(tools: &[&str]) -> bool {
    let path = path_with_system_tools();
    let is_there = |tool: &str| path.split(':').any(|folder| Path::new(folder).join(tool).exists());
    let mut trial = Command::new("unshare");
    let trial = trial.args(["-n", "true"]).stderr(Stdio::null());
    let why = match tools.iter().find(|tool| !is_there(tool)) {
        Some(tool) => format!("{tool} is not installed (deploy/prepare.sh test)"),
        None if trial.status().is_ok_and(|status| status.success()) => return false,
        None => "no network namespace may be made: not root".to_owned(),
    };
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI: {why}");
    println!("SKIPPED: {why}");
    true
}

/// Plays a script of this folder in a network namespace of its own.
pub(crate) fn play(script: &str, arguments: &[&Path]) {
    let done = Command::new("unshare")
        .args(["-n", "python3"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs").join(script))
        .args(arguments)
        .env("PATH", path_with_system_tools())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
