//! What is told of the resets of captures: each once, in time, and the same however it is read.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

mod support;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;

use events::{Event, EventStatus, Report};
use pipeline::{Options, Sink};
use support::{
    CLIENT, Conversation, MS, SECOND, SERVER, START_NS, Timed, capture, merged, options,
    read_files, read_frames, verdict_with_evidence,
};

/// Forty conversations of five kinds side by side, one reset each.
fn varied() -> Vec<Timed> {
    merged((0..40).map(|number| {
        let talk = Conversation::new(number, START_NS + u64::from(number) * 37 * MS, 10 * MS);
        let open = |talk: Conversation| talk.handshake().data(CLIENT, 100).data(SERVER, 900);
        match number % 5 {
            0 => talk.syn().abort(SERVER),
            1 => open(talk).abort(CLIENT),
            2 => open(talk).fin(SERVER).data(CLIENT, 10).answer(SERVER),
            3 => open(talk).forged(SERVER, 0).pause(50 * MS).data(SERVER, 500),
            _ => open(talk).pause(70 * SECOND).data(CLIENT, 10).answer(SERVER),
        }
    }))
}

/// Segments of other connections, to fill batches with.
fn bystanders(count: u32, start_ns: u64, step_ns: u64) -> Vec<Timed> {
    let talk = |number| {
        Conversation::new(100_000 + number, start_ns + u64::from(number) * step_ns, MS).syn()
    };
    merged((0..count).map(talk))
}

#[test]
fn every_reset_is_told_provisionally_once_and_finally_once() {
    let (kept, report) = read_frames(&varied());
    let mut told: BTreeMap<u64, [u32; 2]> = BTreeMap::new();
    for event in &kept.events {
        let frame = event.frame.unwrap();
        told.entry(frame).or_default()[usize::from(event.status == EventStatus::Final)] += 1;
    }
    assert_eq!(told.len(), 40);
    assert!(told.values().all(|times| *times == [1, 1]), "{told:?}");
    let resets = report.resets;
    assert_eq!(resets.primary + resets.secondary + resets.duplicate, 40);
    assert!(report.losses.is_empty(), "{:?}", report.losses);
}

/// More resets in one connection than are watched: those that are not are counted, and none of
/// them is told provisionally and then forgotten.
#[test]
fn what_is_told_provisionally_is_told_finally() {
    let mut talk = Conversation::new(1, START_NS, MS).handshake().data(CLIENT, 100);
    for _ in 0..40 {
        talk = talk.forged(SERVER, 0);
    }
    let (kept, report) = read_frames(&merged([talk]));
    let finals = kept.finals().count();
    assert_eq!(kept.events.len(), 2 * finals, "a provisional verdict without a final one");
    let beyond = report.losses.get("resets_beyond_flow_share").copied().unwrap_or(0);
    assert_eq!(finals as u64 + beyond, 40);
}

/// Its sink breaks down, and with it the thread that gives empty windows back.
struct Broken;

impl Sink for Broken {
    fn emit(&mut self, _: &Event) -> std::io::Result<()> {
        panic!("a sink that breaks down, as this test wants it");
    }
}

/// A panic where findings are told ends the run: the worker must not wait for windows for ever.
#[test]
#[allow(clippy::result_large_err, reason = "the error is the library's")]
fn a_run_whose_sink_panics_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.pcap");
    let mut frames = varied();
    frames.extend(bystanders(400, START_NS + 100 * SECOND, SECOND));
    std::fs::write(&path, capture(&frames)).unwrap();
    let (paths, stop) = ([path], AtomicBool::new(false));
    let run = || pipeline::read(&paths, &options(), None, &stop, &mut Broken);
    assert!(std::panic::catch_unwind(AssertUnwindSafe(run)).is_err());
}

#[test]
fn a_lone_reset_is_counted_once() {
    let (kept, _) = read_frames(&merged([Conversation::new(1, START_NS, MS)
        .handshake()
        .data(CLIENT, 100)
        .abort(SERVER)]));
    let counts: Vec<u32> = kept.events.iter().map(|event| event.rst_count).collect();
    assert_eq!(counts, [1, 1], "a reset is not its own follower");
}

/// A verdict may not depend on how the source cuts its packets into batches.
#[test]
fn the_place_of_a_reset_in_its_batch_changes_nothing() {
    let told = |before: u32, after: u32| {
        let talk = Conversation::new(1, START_NS, 10 * MS)
            .handshake()
            .data(CLIENT, 100)
            .data(SERVER, 900)
            .pause(100 * MS)
            .abort(SERVER)
            .pause(500 * MS)
            // Alive half a second after it is said to have aborted: within the watch.
            .data(SERVER, 800);
        let mut frames = merged([talk]);
        frames.extend(bystanders(before, START_NS - SECOND, MS / 10));
        frames.extend(bystanders(after, START_NS + 300 * MS, MS / 10));
        frames.sort_by_key(|frame| frame.0);
        let (kept, _) = read_frames(&frames);
        kept.finals().map(verdict_with_evidence).collect::<Vec<_>>()
    };
    let alone = told(0, 0);
    assert_eq!(alone.len(), 1);
    for (before, after) in [(0, 200), (50, 200), (70, 200), (500, 0), (500, 500)] {
        assert_eq!(told(before, after), alone, "{before} before, {after} between");
    }
}

/// What comes half a minute later, in the same batch or in another, is no part of the watch.
#[test]
fn what_follows_after_the_watch_is_over_says_nothing() {
    let told = |after: Option<u64>| {
        let mut talk = Conversation::new(1, START_NS, 10 * MS)
            .handshake()
            .data(CLIENT, 100)
            .data(SERVER, 900)
            .abort(SERVER);
        if let Some(pause) = after {
            talk = talk.pause(pause).data(SERVER, 800);
        }
        let (kept, _) = read_frames(&merged([talk]));
        kept.finals().map(verdict_with_evidence).collect::<Vec<_>>()
    };
    assert_eq!(told(Some(30 * SECOND)), told(None));
}

/// The final verdict of a reset is told within five seconds of packet time, which shows in the
/// order of events: not after the provisional one of a reset six seconds younger.
#[test]
fn verdicts_are_final_within_five_seconds_of_packet_time() {
    let talks = (0..30u32).map(|number| {
        let start = START_NS + u64::from(number) * 2 * SECOND;
        Conversation::new(number, start, 10 * MS).handshake().data(CLIENT, 10).abort(SERVER)
    });
    let mut frames = merged(talks);
    frames.extend(bystanders(6_000, START_NS, 10 * MS));
    frames.sort_by_key(|frame| frame.0);
    let (kept, _) = read_frames(&frames);
    let mut open: Vec<u64> = Vec::new();
    for event in &kept.events {
        match event.status {
            EventStatus::Provisional => {
                let late = open.iter().find(|ts| **ts + 6 * SECOND < event.ts.0);
                assert_eq!(late, None, "still open at {}", event.ts.0);
                open.push(event.ts.0);
            }
            EventStatus::Final => open.retain(|ts| *ts != event.ts.0),
        }
    }
    assert!(open.is_empty());
}

/// One frame with a time far in the future does not stop the clock of all that follow.
#[test]
fn one_garbled_time_spoils_only_itself() {
    let wrong: Timed = (START_NS + 3_000 * 24 * 3600 * SECOND, varied()[0].1.clone());
    let mut frames = varied();
    let (whole, _) = read_frames(&frames);
    frames.insert(5, wrong);
    let (kept, report) = read_frames(&frames);
    let told = |kept: &support::Kept| {
        let mut verdicts: Vec<String> = kept.finals().map(verdict_with_evidence).collect();
        verdicts.sort();
        verdicts
    };
    assert_eq!(told(&kept), told(&whole));
    assert!(report.losses.is_empty(), "{:?}", report.losses);
}

#[test]
fn two_files_merged_are_as_good_as_one() {
    let frames = varied();
    let (one, one_report) = read_frames(&frames);
    let (even, odd): (Vec<_>, Vec<_>) =
        frames.iter().cloned().enumerate().partition(|(index, _)| index % 2 == 0);
    let of = |half: Vec<(usize, Timed)>| {
        capture(&half.into_iter().map(|(_, frame)| frame).collect::<Vec<_>>())
    };
    let (two, two_report) = read_files(&[of(even), of(odd)], &options());
    let told = |kept: &support::Kept| {
        kept.events
            .iter()
            .map(|event| (event.ts.0, verdict_with_evidence(event)))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&two), told(&one));
    assert_eq!(two_report.connections, one_report.connections);
    let packets: Vec<u64> = two_report.inputs.iter().map(|input| input.packets).collect();
    assert_eq!(packets.iter().sum::<u64>(), one_report.packets);
}

#[test]
fn a_capture_cut_anywhere_keeps_what_was_read() {
    let frames = varied();
    let whole = capture(&frames);
    for cut in (24..whole.len()).step_by(whole.len() / 60) {
        let (kept, report) = read_files(&[whole[..cut].to_vec()], &options());
        let mut end = 24;
        let complete = frames
            .iter()
            .take_while(|(_, bytes)| {
                end += 16 + bytes.len();
                end <= cut
            })
            .count();
        assert_eq!(report.packets, complete as u64);
        let (expected, _) = read_frames(&frames[..complete]);
        let told = |kept: &support::Kept| {
            kept.events.iter().map(verdict_with_evidence).collect::<Vec<_>>()
        };
        assert_eq!(told(&kept), told(&expected));
        let ends_at_frame =
            24 + frames[..complete].iter().map(|(_, bytes)| 16 + bytes.len()).sum::<usize>() == cut;
        assert_eq!(report.has_problems(), !ends_at_frame, "cut at {cut}");
    }
}

#[test]
fn connections_add_up() {
    let closed = (100..150).map(|number| {
        Conversation::new(number, START_NS + u64::from(number) * MS, MS)
            .handshake()
            .fin(CLIENT)
            .fin(SERVER)
    });
    let open = (200..230)
        .map(|number| Conversation::new(number, START_NS + u64::from(number) * MS, MS).handshake());
    let mut frames = merged(closed.chain(open));
    frames.extend(varied());
    frames.sort_by_key(|frame| frame.0);
    let (_, report) = read_frames(&frames);
    let sums = report.connections;
    assert_eq!((sums.opened, sums.midstream, sums.closed_well, sums.reset), (120, 0, 50, 40));
    assert_eq!(sums.established, 112);
    assert_eq!(sums.still_open + sums.timed_out + sums.unanswered, 30);
}

/// Several workers share the files, each its connections: all that is told and counted is the same.
#[test]
fn several_workers_tell_what_one_tells() {
    let mut frames = varied();
    frames.extend(bystanders(3_000, START_NS, 20 * MS));
    frames.sort_by_key(|frame| frame.0);
    let (front, rest): (Vec<_>, Vec<_>) =
        frames.into_iter().enumerate().partition(|(index, _)| index % 3 == 0);
    let files = [front, rest].map(|part| {
        let frames: Vec<Timed> = part.into_iter().map(|(_, frame)| frame).collect();
        capture(&frames)
    });
    let told = |read_workers| {
        let (kept, report) = read_files(&files, &Options { read_workers, ..options() });
        let mut events: Vec<String> = kept
            .events
            .iter()
            .map(|event| {
                format!("{:?} {:?} {}", event.frame, event.status, verdict_with_evidence(event))
            })
            .collect();
        events.sort_unstable();
        (events, report)
    };
    let (events, alone) = told(1);
    assert_eq!((events.len(), alone.workers), (80, 1));
    for workers in [2, 3, 5] {
        let (events_of_all, report) = told(workers);
        assert_eq!(events_of_all, events);
        assert_eq!(report.workers, workers as u32);
        assert!(report.memory.total_bytes() > alone.memory.total_bytes());
        // What it took is another matter.
        let (memory, cpu) = (alone.memory.clone(), alone.cpu);
        assert_eq!(Report { workers: 1, memory, cpu, ..report }, alone);
    }
}

#[test]
fn what_can_be_read_once_only_is_read_by_one_worker() {
    let whole = capture(&varied());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &whole).unwrap();
    let files = [encoder.finish().unwrap()];
    let (kept, report) = read_files(&files, &Options { read_workers: 4, ..options() });
    assert_eq!((report.workers, kept.events.len()), (1, 80));
}
