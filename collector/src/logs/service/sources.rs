//! Who writes to us, and how well that can be read.

use std::collections::{BTreeMap, HashMap};

use events::UtcTime;

use crate::history::LogSourceRow;
use crate::logs::join::ClockRow;
use crate::logs::session::{Garbage, Reading, beginning};

/// Counts lines by writer, at most [`SOURCES_MAX`] of them.
#[derive(Debug, Default)]
pub struct Sources {
    rows: HashMap<(String, &'static str), Row>,
    /// The only name by which the lines of a peer are known; nothing if there are several.
    names: HashMap<(String, &'static str), Option<String>>,
    beyond: u64,
}

#[derive(Clone, Debug, Default)]
struct Row {
    product: &'static str,
    lines: u64,
    sessions: u64,
    garbage: u64,
    last_garbage: Option<String>,
    last: UtcTime,
}

impl Row {
    /// Takes in what was counted of the same writer elsewhere.
    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.sessions += other.sessions;
        self.garbage += other.garbage;
        if other.last >= self.last {
            self.last = other.last;
            self.last_garbage = other.last_garbage.or(self.last_garbage.take());
        }
        if self.product.is_empty() {
            self.product = other.product;
        }
    }
}

impl Sources {
    /// Counts a line of `peer` that came by `via`; whose it is.
    pub fn count(
        &mut self,
        peer: &str,
        via: &'static str,
        line: &[u8],
        reading: &Result<Reading, Garbage>,
        now: UtcTime,
    ) -> String {
        let name = self.name(peer, via, reading);
        if self.rows.len() >= SOURCES_MAX && !self.rows.contains_key(&(name.clone(), via)) {
            self.beyond += 1;
            return name;
        }
        let row = self.rows.entry((name.clone(), via)).or_default();
        row.lines += 1;
        row.last = now;
        match reading {
            Ok(Reading::Session(session)) => {
                row.sessions += 1;
                row.product = session.product.name();
            }
            Ok(Reading::Other(_)) => {}
            Err(garbage) => {
                row.garbage += 1;
                row.last_garbage = Some(shown(garbage, line));
            }
        }
        name
    }

    /// Lines of writers beyond those that are counted.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// All rows, with what the join knows of each.
    #[must_use]
    pub fn rows(&self, clocks: &BTreeMap<String, ClockRow>) -> Vec<LogSourceRow> {
        let mut rows: Vec<LogSourceRow> = self
            .rows
            .iter()
            .map(|((source, via), row)| {
                let clock = clocks.get(source);
                LogSourceRow {
                    source: source.clone(),
                    via: (*via).to_owned(),
                    product: row.product.to_owned(),
                    lines: row.lines,
                    sessions: row.sessions,
                    joined: clock.map_or(0, |clock| clock.joined),
                    garbage: row.garbage,
                    last_garbage: row.last_garbage.clone(),
                    clock_offset_s: clock.and_then(|clock| clock.ahead_s),
                    clock_zone: clock.and_then(|clock| clock.zone.clone()),
                    last: row.last,
                }
            })
            .collect();
        rows.sort_by(|a, b| (&a.source, &a.via).cmp(&(&b.source, &b.via)));
        rows
    }

    /// Whose a line is: what it says itself, else what the other lines of that peer say, else the peer.
    fn name(
        &mut self,
        peer: &str,
        via: &'static str,
        reading: &Result<Reading, Garbage>,
    ) -> String {
        let key = (peer.to_owned(), via);
        if let Ok(Reading::Session(session)) = reading {
            let name = session.source.clone();
            match self.names.get(&key) {
                None if self.names.len() < SOURCES_MAX => {
                    self.adopt(&key, &name);
                    self.names.insert(key, Some(name.clone()));
                }
                Some(Some(known)) if *known != name => {
                    self.names.insert(key, None);
                }
                _ => {}
            }
            return name;
        }
        self.names.get(&key).cloned().flatten().unwrap_or_else(|| peer.to_owned())
    }

    /// What was counted under the peer's address belongs to the name that it now has.
    fn adopt(&mut self, key: &(String, &'static str), name: &str) {
        if let Some(row) = self.rows.remove(key) {
            self.rows.entry((name.to_owned(), key.1)).or_default().add(row);
        }
    }
}

/// Why, and how the line begins; what cannot be shown is escaped.
fn shown(garbage: &Garbage, line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(GARBAGE_SHOWN)]);
    let why = beginning(&garbage.why, GARBAGE_SHOWN);
    format!("{}: {}", why.escape_debug(), text.escape_debug())
}

const SOURCES_MAX: usize = 4096;
const GARBAGE_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use events::UtcTime;

    use super::Sources;
    use crate::logs::read::{Context, Reader, Zone};

    #[test]
    fn garbage_is_shown_with_its_reason_and_belongs_to_who_sent_it() {
        let mut sources = Sources::default();
        let mut reader = Reader::new();
        let context =
            Context { received: UtcTime(9), zone: Zone { east_s: 0 }, source: "192.0.2.1" };
        let good = b"rstscope_haproxy ci=10.1.2.3 cp=1 fi=10.0.0.1 fp=2 ts=SD t0=1700000000 tt=7";
        let named = [b"<134>Nov 14 22:13:25 lb-1 haproxy[7]: ".as_slice(), good].concat();
        for line in [b"\x1b[31mnothing".as_slice(), &named, b"rstscope_haproxy ci=x"] {
            let reading = reader.read(line, &context);
            sources.count("192.0.2.1", "udp", line, &reading, UtcTime(9));
        }
        let rows = sources.rows(&BTreeMap::new());
        assert_eq!(rows.len(), 1, "{rows:?}");
        let row = &rows[0];
        assert_eq!((row.source.as_str(), row.lines, row.sessions, row.garbage), ("lb-1", 3, 1, 2));
        let shown = row.last_garbage.as_deref().unwrap();
        assert!(
            shown.contains("field ci or cp") && shown.contains("rstscope_haproxy ci=x"),
            "{shown}"
        );
    }
}
