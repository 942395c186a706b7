//! What the fuzz targets of `collector/fuzz` drive, with what must hold of any input; here so that nothing becomes
//! public for them. The tests below replay the stored inputs.

use events::UtcTime;

use crate::logs::{Context, Frames, JoinOptions, Joiner, Reader, Reading, Zone};
pub use crate::receive::fuzz::Senders;
use crate::server::ask::asked;
use crate::server::query::question;
use crate::{
    Ask, Incoming, Past, Recent, ServerOrder, Store, read_instant, read_server, read_span_s,
};

/// A stream of log lines, cut into pieces of so many bytes as its first byte says.
///
/// # Panics
/// If a line is kept that is too long, or garbage has no reason.
pub fn log_lines(input: &[u8]) {
    let Some((first, stream)) = input.split_first() else { return };
    let mut frames = Frames::default();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for piece in stream.chunks(usize::from(*first) + 1) {
        frames.push(piece, |line| lines.push(line.to_vec()));
    }
    let mut whole = Frames::default();
    let mut at_once: Vec<Vec<u8>> = Vec::new();
    whole.push(stream, |line| at_once.push(line.to_vec()));
    assert_eq!(lines, at_once, "how a stream is cut does not matter");
    assert_eq!((frames.too_long, frames.is_amid()), (whole.too_long, whole.is_amid()));
    frames.finish(|line| lines.push(line.to_vec()));
    let (mut reader, mut joiner) = (Reader::new(), Joiner::new(JoinOptions::default()));
    for (number, line) in (0..).zip(&lines) {
        let received = UtcTime(1_700_000_000_000_000_000 + number * 1_000_000_000);
        let context = Context { received, zone: Zone { east_s: 3600 }, source: "peer" };
        match reader.read(line, &context) {
            Ok(Reading::Session(session)) => {
                assert!((1..=4).contains(&session.tuples.len()), "{session:?}");
                assert!(session.line.len() <= 1024 && session.source.len() <= 255, "{session:?}");
                drop(joiner.session(received, *session));
            }
            Ok(Reading::Other(what)) => assert!(!what.is_empty()),
            Err(garbage) => assert!(!garbage.why.is_empty()),
        }
    }
    drop(joiner.finish());
}

/// Lines of NDJSON as sensors send them, given twice.
///
/// # Panics
/// If the store cannot go on, does not account for each, or keeps one twice.
pub fn records(input: &[u8], store: &Store) {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let batch: Vec<Incoming<'_>> =
        lines.iter().filter_map(|line| Incoming::read(line).ok()).collect();
    for turn in 0..2 {
        let put = store.put(&batch).expect("what a sensor sends is no trouble of the disk");
        let refused = put.refused.len() as u64;
        assert_eq!(put.new + put.repeated + put.tests + refused, batch.len() as u64, "{put:?}");
        assert!(turn == 0 || put.new == 0, "{put:?}");
    }
}

/// What stands behind `?` in an address of the API, and a server, an event and times; asked of both that answer.
///
/// # Panics
/// If a question that was understood breaks who answers it.
pub fn query(input: &[u8], past: &dyn Past, recent: &Recent) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _ = (read_span_s(text), read_instant(text), text.parse::<events::Filter>());
    let server = read_server(text.split('&').next().unwrap_or(""));
    let pairs: Vec<(String, String)> = text
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |part| percent_encoding::percent_decode_str(part).decode_utf8_lossy();
            (text(name).into_owned(), text(value).into_owned())
        })
        .collect();
    if let Ok(question) = question(&pairs, 50, 1000) {
        drop((recent.snapshot(&question), recent.events(&question)));
    }
    let Ok(asked) = asked(&pairs, NOW, 50, 1000) else { return };
    let ask = asked.ask;
    if let Ok(order) = ServerOrder::read(asked.sort.as_deref(), asked.search) {
        let _ = past.servers(&ask, &order);
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        let _ = (past.event(text), past.evidence(text));
    }
    all(&ask, past);
    let _ = server.map(|server| past.server(server, &ask));
}

fn all(ask: &Ask, past: &dyn Past) {
    let _ = (past.overview(ask), past.idle(ask), past.events(ask));
    let _ = (past.bursts(ask), past.devices(ask), past.disagreements(ask));
}

/// The instant at which is asked.
const NOW: UtcTime = UtcTime(1_800_000_000_000_000_000);

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::{Senders, log_lines, query};
    use crate::{Options, Recent, Sensor, Store, StoreOptions};

    /// Each stored input of a target, and each with its second half gone.
    fn each(target: &str, mut run: impl FnMut(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut count = 0;
        for file in std::fs::read_dir(&folder).unwrap() {
            let input = std::fs::read(file.unwrap().path()).unwrap();
            run(&input);
            run(&input[..input.len() / 2]);
            count += 1;
        }
        assert!(count > 5, "{} holds {count} inputs", folder.display());
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let options =
            StoreOptions { directory: directory.path().to_owned(), ..StoreOptions::default() };
        let store = Store::open(&options).unwrap();
        (directory, store)
    }

    #[test]
    fn stored_log_lines() {
        each("log_lines", log_lines);
    }

    #[test]
    fn stored_bodies() {
        let (_directory, store) = store();
        let senders = Senders::new(Arc::new(store));
        each("otlp", |input| senders.send(input));
    }

    #[test]
    fn stored_queries() {
        let (_directory, store) = store();
        let (name, version) = ("tap".to_owned(), "1".to_owned());
        let sensor = Sensor { name, version, interfaces: Vec::new() };
        let recent = Recent::new(&Options::default(), sensor);
        each("queries", |input| query(input, &store, &recent));
    }

    #[test]
    fn stored_records() {
        let (_directory, store) = store();
        each("records", |input| super::records(input, &store));
    }
}
