//! Lines of a real HAProxy and a real nginx about real resets, in a network of their own.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
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
    if let Some(why) = missing() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI: {why}");
        println!("SKIPPED: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    play(folder.path());
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

fn events_of(capture: &Path) -> Vec<Event> {
    let options = pipeline::Options { seed: Some(7), flows: 1 << 12, ..Default::default() };
    let mut sink = Collected::default();
    let stop = AtomicBool::new(false);
    pipeline::read(&[capture.to_owned()], &options, None, &stop, &mut sink).unwrap();
    sink.0
}

fn path_with_system_tools() -> String {
    std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin"
}

/// What is missing to play real servers in a network of their own.
fn missing() -> Option<String> {
    let path = path_with_system_tools();
    let is_there = |tool: &str| path.split(':').any(|folder| Path::new(folder).join(tool).exists());
    let tools = ["unshare", "python3", "ip", "tcpdump", "haproxy", "nginx"];
    if let Some(tool) = tools.into_iter().find(|tool| !is_there(tool)) {
        return Some(format!("{tool} is not installed (deploy/prepare.sh test)"));
    }
    let mut trial = Command::new("unshare");
    let trial = trial.args(["-n", "true"]).stderr(Stdio::null());
    let may = trial.status().is_ok_and(|status| status.success());
    (!may).then(|| "no network namespace may be made: not root".to_owned())
}

/// Plays; the folder has capture.pcap and logs.txt then.
fn play(folder: &Path) {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let done = Command::new("unshare")
        .args(["-n", "python3"])
        .arg(here.join("tests/logs/real.py"))
        .arg(folder)
        .arg(here.join("../deploy/config/logs"))
        .env("PATH", path_with_system_tools())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
