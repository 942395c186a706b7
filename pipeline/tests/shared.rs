//! Real captures read by several workers: the same verdicts as one worker's.
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not their helpers")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use pipeline::Options;
use support::{Kept, options, verdict};

/// Every verdict on a capture, in the order of its frames.
fn verdicts(path: &Path, options: &Options) -> Vec<(Option<u64>, String)> {
    let (mut kept, stop) = (Kept::default(), AtomicBool::new(false));
    let report = pipeline::read(&[path.to_owned()], options, None, &stop, &mut kept).unwrap();
    assert_eq!(report.workers, options.read_workers as u32);
    let mut verdicts: Vec<_> =
        kept.events.iter().map(|event| (event.frame, verdict(event))).collect();
    verdicts.sort();
    verdicts
}

/// How sure a verdict is may differ a little: the step of the clock is learned from a worker's own
/// connections.
#[test]
fn verdicts_on_real_captures_do_not_depend_on_the_number_of_workers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rstscope/tests/captures");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let captures: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "pcap" || it == "pcapng"))
        .collect();
    assert!(captures.len() > 10, "the captures are there");
    let mut differences = Vec::new();
    for path in &captures {
        let with = |read_workers, seed| Options {
            read_workers,
            seed: Some(seed),
            provisional: false,
            ..options()
        };
        let alone = verdicts(path, &with(1, 1));
        for (workers, seed) in [(2, 1), (2, 2), (3, 3)] {
            let shared = verdicts(path, &with(workers, seed));
            assert_eq!(shared.len(), alone.len(), "{}", path.display());
            let both = alone.iter().zip(&shared).filter(|(alone, shared)| alone != shared);
            differences.extend(both.map(|(alone, shared)| {
                format!("{} {workers} {seed}\n- {alone:?}\n+ {shared:?}", path.display())
            }));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
