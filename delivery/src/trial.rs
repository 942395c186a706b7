//! A sink tried without the spool, and what a spool's directory tells while somebody else has it.

use std::path::Path;

use events::{Event, UtcTime, event_id};

use crate::cursor::{self, Progress};
use crate::error::Error;
use crate::index::{Index, Shared, segment_path, segments_in};
use crate::options::SinkOptions;
use crate::reader::Reader;
use crate::record::{Kind, Record, Uid};
use crate::recover::{sealed, walk};
use crate::sink::{Answer, Identity, make};
use crate::status::{SinkStatus, SpoolStatus, Status};
use crate::store::now_ms;

/// Whether a sink can be reached and lets us in, without sending an event; says what it answered.
///
/// # Errors
/// An option cannot be as it is, or the sink does not take events now.
pub fn check(options: &SinkOptions) -> Result<String, Error> {
    let mut sink = make(options, &Identity::of_this_machine(env!("CARGO_PKG_VERSION")))?;
    verdict(options, sink.check())
}

/// Sends one event that is marked as a test (`test`, `rst.test`) and is about addresses for documentation;
/// says what the receiver answered.
///
/// # Errors
/// An option cannot be as it is, or the sink did not take it.
pub fn test(options: &SinkOptions, identity: &Identity) -> Result<String, Error> {
    let mut sink = make(options, identity)?;
    let time_ms = now_ms();
    let mut event: Event = serde_json::from_str(TEST_EVENT).expect("the test event is an event");
    event.ts = UtcTime(time_ms * 1_000_000);
    event.id = event_id("test", 0, u64::from(std::process::id()), event.ts);
    let record = Record {
        uid: Uid { session: 0, sequence: time_ms },
        kind: Kind::default(),
        sensor: identity.sensor.as_str().into(),
        is_test: true,
        time_ms,
        json: serde_json::to_vec(&event).expect("an event is JSON"),
    };
    verdict(options, sink.test(&record))
}

fn verdict(options: &SinkOptions, answer: Answer) -> Result<String, Error> {
    match answer {
        Answer::Taken { refused: 0, said } => Ok(said),
        Answer::Taken { said: why, .. } | Answer::Later { why, .. } | Answer::Never { why } => {
            Err(Error::Sink { name: options.name().to_owned(), why })
        }
    }
}

/// What a spool's directory tells of it and of every sink that ever had a place in it, while a sensor may
/// be at work there: nothing is locked or changed. Kinds and targets of sinks are not in it.
///
/// # Errors
/// The directory cannot be read.
pub fn inspect(directory: &Path) -> Result<Status, Error> {
    let failed = || Error::file("read the spool", directory);
    let index = found(directory).map_err(failed())?;
    let now_ms = now_ms();
    let (next, oldest) = (index.next, index.oldest());
    let oldest_ms = index.oldest_ms();
    let age_s = |time_ms: u64| now_ms.saturating_sub(time_ms) as f64 / 1e3;
    let spool = SpoolStatus {
        bytes: index.disk_bytes(),
        events: next - oldest,
        oldest_s: oldest_ms.map_or(0.0, age_s),
        ..SpoolStatus::default()
    };
    let shared = Shared::new(directory, index);
    let sinks = cursor::all(directory).map_err(failed())?;
    let sink = |(name, progress): (String, Progress)| {
        let mut reader = Reader::new(shared.clone(), "".into(), progress.position);
        let portion = reader.next().ok().flatten().unwrap_or_default();
        SinkStatus {
            name,
            sent: progress.sent,
            retried: progress.retried,
            refused: progress.refused,
            dropped: progress.dropped + portion.dropped,
            damaged: progress.damaged,
            lag_events: next.saturating_sub(progress.position + portion.dropped),
            lag_s: portion.records.first().map_or(0.0, |record| age_s(record.time_ms)),
            ..SinkStatus::default()
        }
    };
    let sinks = sinks.into_iter().map(sink).collect();
    Ok(Status { spool, sinks, ..Status::default() })
}

/// The segments that are there now.
fn found(directory: &Path) -> std::io::Result<Index> {
    let mut index = Index { next: 1, ..Index::default() };
    let firsts = segments_in(directory)?;
    for (at, first) in firsts.iter().enumerate() {
        let path = segment_path(directory, *first);
        let segment = match firsts.get(at + 1) {
            Some(end) => sealed(&path, *first, *end).ok(),
            None => walk(&std::fs::read(&path)?, *first),
        };
        index.next = segment.map_or(index.next, |segment| segment.end).max(*first);
        index.segments.extend(segment);
    }
    Ok(index)
}

/// A reset as it was seen once, between other addresses.
const TEST_EVENT: &str = include_str!("test_event.json");

#[cfg(test)]
mod tests {
    use events::Event;

    use super::{TEST_EVENT, check, test};
    use crate::options::{NdjsonOptions, SinkOptions};
    use crate::sink::Identity;

    #[test]
    fn the_test_event_is_about_nobody() {
        let event: Event = serde_json::from_str(TEST_EVENT).unwrap();
        assert_eq!(event.client.ip.to_string(), "192.0.2.10");
        assert_eq!(event.server.ip.to_string(), "198.51.100.20");
    }

    #[test]
    fn a_directory_is_checked_and_tried_without_touching_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let options = NdjsonOptions {
            directory: Some(directory.path().join("new")),
            ..NdjsonOptions::default()
        };
        let sink = SinkOptions::Ndjson(options);
        assert!(check(&sink).unwrap().ends_with("can be written"));
        let said = test(&sink, &Identity::of_this_machine("1")).unwrap();
        assert!(said.ends_with("sink-test.ndjson"), "{said}");
        let text = std::fs::read_to_string(directory.path().join("new/sink-test.ndjson")).unwrap();
        assert!(text.contains("\"test\":true,"), "{text}");
        assert_eq!(std::fs::read_dir(directory.path().join("new")).unwrap().count(), 1);
    }
}
