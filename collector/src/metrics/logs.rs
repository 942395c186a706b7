//! Metrics of logs of firewalls and servers: what came, what was joined, what was lost.
//!
//! Summed over machines, whose names may be addresses; `/api/v1/logs` tells of each.

use std::collections::BTreeMap;

use super::text::{Kind, Text};
use crate::history::{LogList, LogSourceRow};

pub(super) fn encode(text: &mut Text, list: &LogList) {
    for (name, help, of) in FAMILIES {
        let mut family = text.family(name, Kind::Counter, help);
        for (via, count) in by_way(&list.sources, *of) {
            family.sample(&[("via", via)], count);
        }
    }
    // A clock, and what was joined by it, is a machine's, by however many ways it writes.
    let joined: BTreeMap<&str, u64> =
        list.sources.iter().map(|row| (row.source.as_str(), row.joined)).collect();
    let help = "Pairs of a session of logs and a reset that were joined.";
    let mut family = text.family("rst_log_joined_total", Kind::Counter, help);
    family.sample(&[], joined.values().sum::<u64>());
    let help = "What was not joined with a reset for want of something, by what it wanted; names as in `losses` of \
                /api/v1/logs.";
    let mut family = text.family("rst_log_lost_total", Kind::Counter, help);
    for (reason, count) in &list.losses {
        family.sample(&[("reason", reason)], count);
    }
}

fn by_way(sources: &[LogSourceRow], of: impl Fn(&LogSourceRow) -> u64) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for source in sources {
        *sums.entry(source.via.as_str()).or_default() += of(source);
    }
    sums
}

/// Name, help, and what is added up.
type Family = (&'static str, &'static str, fn(&LogSourceRow) -> u64);

const FAMILIES: &[Family] = &[
    ("rst_log_lines_total", "Lines of logs that came, by the way they came.", |row| row.lines),
    ("rst_log_sessions_total", "Lines that tell the end of a TCP session.", |row| row.sessions),
    ("rst_log_garbage_total", "Lines of logs that could not be read.", |row| row.garbage),
];
