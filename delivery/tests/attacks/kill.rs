//! A sensor that is killed at random moments, beside a receiver that is stopped at random moments.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use delivery::{Options, SinkOptions, SpoolOptions};

use crate::receiver::{Deed, Receiver, take};
use crate::sensor::{emit, lines, ndjson, otlp, spool, start, wait};

/// The sensor: a process of its own. It goes on at the first event that is not in the spool; so event n is
/// record n, however often it is killed.
#[test]
#[ignore = "is started and killed by the other test"]
fn sensor() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = PathBuf::from(directory);
    let mut sink = otlp(std::env::var(URL).unwrap());
    sink.send.batch_bytes_max = 256_000;
    let sinks = vec![SinkOptions::Otlp(sink), ndjson(&directory)];
    let spool = SpoolOptions { segment_bytes: 1 << 20, ..spool(&directory) };
    let delivery = start(&Options { spool, sinks });
    emit(&delivery, (EVENTS + 1).saturating_sub(delivery.next_sequence()));
    let is_done = |sink: &delivery::SinkStatus| sink.lag_events == 0;
    let status = wait(&delivery, "all is done", |status| status.sinks.iter().all(is_done));
    assert_eq!(status.losses().len(), 0, "{status:?}");
    delivery.stop();
}

#[test]
fn killed_at_random_moments_it_tells_every_event_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let dies = fastrand::Rng::with_seed(seed ^ 1);
    let mut dies = dies;
    let mut receiver = Receiver::start(move |_, _| match dies.u8(..) {
        0..8 => Deed::KeepAndDie,
        8..12 => Deed::Die,
        _ => take(),
    });
    let mut moments: Vec<usize> = (0..KILLS).map(|_| random.usize(..EVENTS as usize)).collect();
    moments.sort_unstable();
    for moment in moments {
        let mut sensor = run(directory.path(), &receiver.url());
        receiver.wait_for(moment);
        if random.bool() {
            // The other one goes first; what the sensor spools meanwhile waits.
            receiver.stop();
        }
        sensor.kill().unwrap();
        sensor.wait().unwrap();
        if receiver.is_stopped() {
            receiver.restart();
        }
    }
    let output = run(directory.path(), &receiver.url()).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut ids: Vec<u64> =
        receiver.kept(|kept| kept.records.values().map(|id| id.parse().unwrap()).collect());
    ids.sort_unstable();
    assert!(ids.iter().copied().eq(1..=EVENTS), "{} records, seed {seed}", ids.len());
    println!("{} came again and were known by their uid", receiver.kept(|kept| kept.repeats));
    assert!(lines(directory.path()).into_iter().eq(1..=EVENTS), "seed {seed}");
    let seen = delivery::inspect(&directory.path().join("spool")).unwrap();
    assert!(seen.sinks.iter().all(|sink| sink.dropped + sink.damaged + sink.refused == 0));
}

fn run(directory: &Path, url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::sensor", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(URL, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

const DIRECTORY: &str = "DELIVERY_ATTACK_DIRECTORY";
const URL: &str = "DELIVERY_ATTACK_URL";
const EVENTS: u64 = 200_000;
const KILLS: usize = 12;
