//! Disks that are full, and a spool that is at its limit.

use std::path::Path;

use delivery::{Delivery, Error, Options, SinkOptions, SpoolOptions, Status};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::receiver::{Deed, Receiver, take};
use crate::sensor::{emit_noisy, lines, ndjson, otlp, spool, start, wait};

/// A file system of its own, seen by this thread and its threads only; nothing if that needs more rights.
fn small_disk(directory: &Path, bytes: usize) -> Option<()> {
    let made = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING))
        .and_then(|()| {
            let size = format!("size={bytes}");
            mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
        });
    if let Err(error) = made {
        let why = format!("mount a tmpfs: {error}; this needs root");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SKIPPED in CI: {why}");
        eprintln!("SKIPPED: {why}");
        return None;
    }
    Some(())
}

fn fill(path: &Path, bytes: usize) {
    // What does not fit is not needed.
    let _ = std::fs::write(path, vec![1; bytes]);
}

fn is_empty(status: &Status) -> bool {
    status.sinks.iter().all(|sink| sink.lag_events == 0)
}

#[test]
fn on_a_full_disk_events_wait_in_memory_and_all_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let Some(()) = small_disk(directory.path(), 1 << 20) else { return };
    let mut receiver = Receiver::start(|_, _| take());
    receiver.stop();
    let sinks = vec![SinkOptions::Otlp(otlp(receiver.url()))];
    let delivery = start(&Options { spool: spool(directory.path()), sinks });
    emit_noisy(&delivery, 3000);
    let full = wait(&delivery, "the disk is full", |status| status.spool.error.is_some()).spool;
    assert!(full.error.as_deref().unwrap().contains("No space left on device"), "{full:?}");
    assert!(full.memory_bytes > 1 << 20 && full.bytes > 0 && full.bytes <= 1 << 20, "{full:?}");
    receiver.restart();
    receiver.wait_for(3000);
    let status = wait(&delivery, "all is done", is_empty);
    assert!(status.losses().is_empty(), "{status:?}");
    // There is room again: what was sent was freed.
    emit_noisy(&delivery, 100);
    wait(&delivery, "the disk takes them", |status| {
        status.spool.error.is_none() && status.spool.memory_bytes == 0
    });
    receiver.wait_for(3100);
}

#[test]
fn what_neither_disk_nor_memory_holds_is_counted_and_the_rest_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let Some(()) = small_disk(directory.path(), 1 << 20) else { return };
    let mut receiver = Receiver::start(|_, _| take());
    receiver.stop();
    let sinks = vec![SinkOptions::Otlp(otlp(receiver.url()))];
    let spool = SpoolOptions { memory_bytes_max: 200 << 10, ..spool(directory.path()) };
    let options = Options { spool, sinks };
    let delivery = start(&options);
    emit_noisy(&delivery, 3000);
    let full = wait(&delivery, "the disk is full", |status| status.spool.error.is_some());
    assert!(full.spool.memory_bytes <= 200 << 10, "{full:?}");
    receiver.restart();
    let status = wait(&delivery, "all is done", is_empty);
    let sink = &status.sinks[0];
    assert!(sink.dropped > 0 && sink.sent > 0, "{sink:?}");
    assert_eq!(sink.sent + sink.dropped, 3000);
    assert_eq!(receiver.kept(|kept| kept.records.len()) as u64, sink.sent);
    assert_eq!(status.losses().get("events_dropped_from_spool"), Some(&sink.dropped));
    // The count outlives the process.
    delivery.stop();
    let status = start(&options).status();
    assert_eq!(status.sinks[0].dropped, sink.dropped);
    assert!(status.losses().is_empty(), "nothing was lost since: {status:?}");
}

#[test]
fn files_on_a_full_disk_are_written_whole_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let Some(()) = small_disk(directory.path(), 4 << 20) else { return };
    let filler = directory.path().join("filler");
    let delivery =
        start(&Options { spool: spool(directory.path()), sinks: vec![ndjson(directory.path())] });
    fill(&filler, 3 << 20);
    emit_noisy(&delivery, 800);
    wait(&delivery, "the disk is full", |status| status.sinks[0].last_error.is_some());
    std::fs::remove_file(&filler).unwrap();
    let status = wait(&delivery, "all is done", is_empty);
    assert_eq!((status.sinks[0].sent, status.losses().len()), (800, 0), "{status:?}");
    assert!(lines(directory.path()).into_iter().eq(1..=800));
}

#[test]
fn a_disk_stays_refused_until_it_takes_something_though_nothing_waits() {
    let directory = tempfile::tempdir().unwrap();
    let Some(()) = small_disk(directory.path(), 1 << 20) else { return };
    let filler = directory.path().join("filler");
    let receiver = Receiver::start(|_, _| take());
    let sinks = vec![SinkOptions::Otlp(otlp(receiver.url()))];
    let delivery = start(&Options { spool: spool(directory.path()), sinks });
    emit_noisy(&delivery, 1);
    wait(&delivery, "its files are there", |status| status.sinks[0].sent == 1);
    fill(&filler, 1 << 20);
    emit_noisy(&delivery, 50);
    wait(&delivery, "the sink has all", is_empty);
    // The disk was asked again meanwhile, without anything to write.
    let begun = std::time::Instant::now();
    let asked = std::time::Duration::from_millis(1500);
    let status = wait(&delivery, "it is asked", |status| {
        assert!(status.spool.error.is_some(), "{status:?}");
        begun.elapsed() > asked
    });
    assert_eq!((status.spool.memory_bytes, status.losses().len()), (0, 0), "{status:?}");
    std::fs::remove_file(&filler).unwrap();
    wait(&delivery, "there is room", |status| status.spool.error.is_none());
}

#[test]
fn what_comes_after_somebody_emptied_the_spool_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(|_, _| take());
    receiver.stop();
    let sinks = vec![SinkOptions::Otlp(otlp(receiver.url()))];
    let options = Options { spool: spool(directory.path()), sinks };
    let delivery = start(&options);
    emit_noisy(&delivery, 10);
    wait(&delivery, "it is tried", |status| status.sinks[0].last_error.is_some());
    for entry in std::fs::read_dir(&options.spool.directory).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    emit_noisy(&delivery, 10);
    delivery.stop();
    receiver.restart();
    let delivery = start(&options);
    receiver.wait_for(10);
    let status = wait(&delivery, "all is done", is_empty);
    assert_eq!((status.sinks[0].sent, status.sinks[0].damaged), (10, 0), "{status:?}");
    assert!(receiver.kept(|kept| kept.records.values().any(|id| id.ends_with("20"))));
}

#[test]
fn a_part_of_the_disk_is_left_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let Some(()) = small_disk(directory.path(), 1 << 20) else { return };
    let filler = directory.path().join("filler");
    let mut receiver = Receiver::start(|_, _| take());
    receiver.stop();
    let spool = SpoolOptions { free_percent_min: 50.0, ..spool(directory.path()) };
    let sinks = vec![SinkOptions::Otlp(otlp(receiver.url()))];
    let delivery = start(&Options { spool, sinks });
    fill(&filler, 600 << 10);
    emit_noisy(&delivery, 20);
    let status = delivery.status();
    let error = status.spool.error.unwrap();
    assert!(error.contains("50 % shall be left to others (free_percent_min)"), "{error}");
    std::fs::remove_file(&filler).unwrap();
    let status = wait(&delivery, "there is room", |status| {
        status.spool.error.is_none() && status.spool.memory_bytes == 0
    });
    assert!(status.spool.bytes > 0, "{status:?}");
}

#[test]
fn at_its_limit_the_spool_drops_the_oldest_and_each_sink_counts_what_it_missed() {
    let directory = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(|_, _| take());
    receiver.stop();
    let spool = SpoolOptions { bytes_max: 256 << 10, ..spool(directory.path()) };
    let sinks = vec![SinkOptions::Otlp(otlp(receiver.url())), ndjson(directory.path())];
    let delivery = start(&Options { spool, sinks });
    for _ in 0..30 {
        emit_noisy(&delivery, 100);
        wait(&delivery, "the file has them", |status| status.sinks[1].lag_events == 0);
    }
    let status = delivery.status();
    assert!(status.spool.bytes <= 256 << 10, "{status:?}");
    let (stopped, file) = (&status.sinks[0], &status.sinks[1]);
    assert!(stopped.dropped > 0 && stopped.sent == 0, "{stopped:?}");
    assert_eq!((file.sent, file.dropped), (3000, 0));
    receiver.restart();
    let status = wait(&delivery, "all is done", is_empty);
    let sink = &status.sinks[0];
    assert_eq!(sink.sent + sink.dropped, 3000, "{sink:?}");
    assert_eq!(receiver.kept(|kept| kept.records.len()) as u64, sink.sent);
    // The newest are those that are left.
    assert!(receiver.kept(|kept| kept.records.values().any(|id| id.ends_with("3000"))));
}

#[test]
fn a_count_of_dropped_events_never_goes_down() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number, _| match number % 3 {
        0 => take(),
        _ => Deed::Refuse(503, ""),
    });
    let spool = SpoolOptions { bytes_max: 128 << 10, ..spool(directory.path()) };
    let mut sink = otlp(receiver.url());
    sink.send.batch_bytes_max = 100_000;
    let delivery = start(&Options { spool, sinks: vec![SinkOptions::Otlp(sink)] });
    let mut told = 0;
    let mut look = |status: &Status| {
        let dropped = status.sinks[0].dropped;
        assert!(dropped >= told, "{told}, then {dropped}");
        told = dropped;
    };
    for _ in 0..600 {
        emit_noisy(&delivery, 10);
        look(&delivery.status());
    }
    let status = wait(&delivery, "all is done", is_empty);
    look(&status);
    let sink = &status.sinks[0];
    assert!(sink.dropped > 0 && sink.sent > 0, "{sink:?}");
    assert_eq!((sink.sent + sink.dropped, sink.damaged), (6000, 0), "{sink:?}");
}

#[test]
fn a_spool_is_for_one_process_and_says_for_which() {
    let directory = tempfile::tempdir().unwrap();
    let sinks = vec![ndjson(directory.path())];
    let options = Options { spool: spool(directory.path()), sinks };
    let first = start(&options);
    let identity = delivery::Identity::of_this_machine("2");
    let error = Delivery::start(&options, &identity, &[]).unwrap_err();
    assert!(matches!(error, Error::Held { .. }));
    assert!(error.to_string().contains(&format!("process {} has it", std::process::id())));
    first.stop();
    Delivery::start(&options, &identity, &[]).unwrap();
}

const NOTHING: Option<&str> = None;
