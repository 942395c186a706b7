//! The store of a fleet: ClickHouse. Collectors keep nothing themselves; any number of them write to one.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`ClickHouse`]: tables made and migrated, batches kept |
//! | `options.rs` | [`ClickHouseOptions`] |
//! | `client.rs` | statements over HTTP |
//! | `rows.rs`, `rollup.rs` | records as rows; minutes, and what is added up from them |
//! | `revisions.rs` | [`Revisions`]: events that logs told anew |
//! | `sums.rs`, `search.rs` | what is asked of it, [`Past`](crate::Past): counts, single events |
//! | `answers.rs` | rows of answers about counts |
//! | `condition.rs`, `parameters.rs` | what is meant as SQL, and values beside it |
//! | `schema/*.sql` | the tables, one file a version |
//!
//! **Logs and several collectors.** A collector joins the lines that reach it with the events that it was given
//! itself; it does not ask for those of others. So where several share a stream, every one of them must be sent
//! all lines (most writers of syslog take several destinations), and then each event meets its line wherever it
//! came; of two resets of one tuple that two collectors were given, each knows one, and may take a line to mean
//! it. Lines must not be spread over collectors: an event whose line went elsewhere is not joined, and may be said
//! to be `absent` from the log. An event told anew is a later revision; the highest one holds, of two equal ones
//! the last.
//!
//! **Once.** Events are replaced by later tellings of themselves. A minute is looked for by its name before it
//! is inserted; where it is inserted twice after all, because two collectors were given it at the same time or one
//! of them or the server died, it replaces itself, and sums are made anew from what is there: nothing is ever
//! added to a sum (`rollup.rs`).

mod answers;
mod client;
mod condition;
mod options;
mod parameters;
mod revisions;
mod rollup;
mod rows;
mod search;
mod sums;
#[cfg(test)]
mod wire;

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use events::{Event, Evidence, RecordKind};

pub use options::ClickHouseOptions;
pub use revisions::Revisions;

use crate::logs::Revision;
use crate::receive::{Arrival, Keep, KeepError, Kept};
use crate::store::levels::Reach;
use crate::store::{StoreError, StoreOptions, checks, facts};
use client::Client;

/// ClickHouse as a store.
pub struct ClickHouse {
    client: Client,
}

/// Why ClickHouse cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseError {
    /// An option cannot be as it is.
    #[error("section [store.clickhouse]: {0}")]
    Option(String),
    /// A statement failed.
    #[error("{what} at {url}: {why}")]
    Statement {
        /// What was attempted.
        what: String,
        /// Where.
        url: String,
        /// What was said.
        why: String,
    },
    /// The server is older than what the tables need.
    #[error("use ClickHouse {found} at {url}: version {} or newer is needed", VERSION_LEAST)]
    TooOld {
        /// Its version.
        found: String,
        /// Where.
        url: String,
    },
    /// The tables are newer than this program.
    #[error(
        "use the tables at {url}: they are of version {found}, this program knows {known}; upgrade it"
    )]
    Newer {
        /// Theirs.
        found: u32,
        /// Ours.
        known: u32,
        /// Where.
        url: String,
    },
    /// A page lies beyond all that is gone through.
    #[error(transparent)]
    TooFar(StoreError),
}

impl ClickHouseError {
    /// Where it was attempted; "" where nowhere.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Option(_) | Self::TooFar(_) => "",
            Self::Statement { url, .. } | Self::TooOld { url, .. } | Self::Newer { url, .. } => url,
        }
    }
}

impl ClickHouse {
    /// Reaches the server, and makes or migrates the tables.
    ///
    /// # Errors
    /// It cannot be reached, is too old, or the tables are newer than this program.
    pub fn open(options: &ClickHouseOptions) -> Result<Self, ClickHouseError> {
        let client = Client::new(options)?;
        let version = client.text("ask for the version", "SELECT version()", false)?;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < VERSION_LEAST) {
            return Err(ClickHouseError::TooOld { found: version, url: options.url.clone() });
        }
        let store = Self { client };
        store.migrate()?;
        Ok(store)
    }

    /// All statements that make the tables, in their order.
    #[must_use]
    pub fn ddl(options: &ClickHouseOptions) -> String {
        let database = &options.database;
        let begin = format!("CREATE DATABASE IF NOT EXISTS {database};\nUSE {database};\n\n");
        begin + VERSIONS + ";\n\n" + &SCHEMA.join("\n")
    }

    fn migrate(&self) -> Result<(), ClickHouseError> {
        let create = format!("CREATE DATABASE IF NOT EXISTS {}", self.client.database());
        self.client.text("make the database", &create, false)?;
        self.client.execute("make the table of versions", VERSIONS)?;
        let found = self.client.text(
            "ask for the tables' version",
            "SELECT max(version) FROM schema_version",
            true,
        )?;
        let found: u32 = found.parse().unwrap_or(0);
        let known = SCHEMA.len() as u32;
        if found > known {
            let url = self.client.url().to_owned();
            return Err(ClickHouseError::Newer { found, known, url });
        }
        for (schema, version) in SCHEMA.iter().zip(1_u32..).skip(found as usize) {
            for statement in statements(schema) {
                self.client.execute(&format!("make tables of version {version}"), statement)?;
            }
            let note = format!("INSERT INTO schema_version VALUES ({version}, now())");
            self.client.execute("note the tables' version", &note)?;
        }
        Ok(())
    }

    fn insert_events(&self, events: &[(&Arrival, Event)]) -> Result<(), ClickHouseError> {
        if events.is_empty() {
            return Ok(());
        }
        let rows: String =
            events.iter().map(|(arrival, event)| rows::event(arrival, event)).collect();
        self.client.insert("events", &rows)
    }

    /// Takes events that were told anew, because logs had more to say: whichever telling is the latest holds.
    /// Those of a time that is no longer kept are left out.
    ///
    /// # Errors
    /// They could not be written.
    pub fn revise(&self, revisions: &[Revision]) -> Result<(), ClickHouseError> {
        let mut rows = String::new();
        for Revision { sensor, event } in revisions {
            let line = facts::line_of(sensor, event).unwrap_or_default();
            let Ok(read) = checks::event(&line, now_s(), EVENTS_D) else { continue };
            let arrival = Arrival {
                // No record of the sensor says it.
                session: 0,
                sequence: 0,
                sensor: sensor.clone(),
                kind: RecordKind::Event,
                is_test: false,
                json: line.into(),
            };
            rows.push_str(&rows::event(&arrival, &read));
        }
        match rows.as_str() {
            "" => Ok(()),
            rows => self.client.insert("events", rows),
        }
    }

    fn insert_evidence(&self, all: &[(&Arrival, Evidence)]) -> Result<(), ClickHouseError> {
        if all.is_empty() {
            return Ok(());
        }
        let rows: String =
            all.iter().map(|(arrival, evidence)| rows::evidence(arrival, evidence)).collect();
        self.client.insert("evidence", &rows)
    }

    /// Notes the numbers of what came.
    fn note(&self, batch: &[Arrival], kept: &Kept) -> Result<(), ClickHouseError> {
        let refused: HashSet<usize> = kept.refused.iter().map(|(place, _)| *place).collect();
        let came = batch.iter().enumerate().filter(|(place, _)| !refused.contains(place));
        let rows: String = came.map(|(_, arrival)| rows::number(arrival)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.client.insert("came", &rows)
    }
}

impl Keep for ClickHouse {
    fn keep(&self, batch: &[Arrival]) -> Result<Kept, KeepError> {
        let (mut kept, now_s) = (Kept::default(), now_s());
        let (mut events, mut minutes, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
        for (place, arrival) in batch.iter().enumerate() {
            let json = arrival.json.as_ref();
            // What the tables would refuse would come again for ever, and all others with it.
            let read = match arrival.kind {
                RecordKind::Event => {
                    checks::event(json, now_s, EVENTS_D).map(|event| events.push((arrival, event)))
                }
                RecordKind::Minute => checks::minute(json, now_s, MINUTES_S)
                    .map(|minute| minutes.push((arrival, minute))),
                RecordKind::Evidence => checks::evidence(json, now_s, EVIDENCE_D)
                    .map(|packets| evidence.push((arrival, packets))),
            };
            if let Err(why) = read {
                kept.refused.push((place, why.0.to_owned()));
            }
        }
        let failed = |error: ClickHouseError| KeepError(error.to_string());
        self.insert_events(&events).map_err(failed)?;
        self.insert_evidence(&evidence).map_err(failed)?;
        kept.repeated = self.insert_minutes(minutes, now_s).map_err(failed)?;
        self.note(batch, &kept).map_err(failed)?;
        kept.new = (batch.len() - kept.refused.len()) as u64 - kept.repeated;
        Ok(kept)
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How far back the tables' counts reach, by their time to live.
fn reach() -> Reach {
    let kept = StoreOptions { minutes_h: 48, tens_d: 14, hours_d: 400, ..StoreOptions::default() };
    Reach::of(&kept, now_s())
}

/// The statements of a file, without comments.
fn statements(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split(";\n")
        .map(|statement| {
            let is_comment = |line: &&str| line.starts_with("--") || line.trim().is_empty();
            let skipped: usize =
                statement.split_inclusive('\n').take_while(is_comment).map(str::len).sum();
            statement[skipped..].trim()
        })
        .filter(|statement| !statement.is_empty())
}

/// How long the tables keep records; a day is a partition, and an insert may touch a hundred.
const EVENTS_D: u32 = 90;
const EVIDENCE_D: u32 = 30;
const MINUTES_S: u64 = 400 * 86_400;

/// One file a version.
const SCHEMA: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_version (version UInt32, made DateTime) \
                        ENGINE = MergeTree ORDER BY version";
/// The year of the oldest versions that know all that is asked.
const VERSION_LEAST: u32 = 23;

#[cfg(test)]
mod tests {
    use super::{ClickHouse, ClickHouseOptions, SCHEMA, statements};

    #[test]
    fn statements_are_told_apart_and_comments_left_out() {
        let all: Vec<&str> = statements(SCHEMA[0]).collect();
        assert!(all.iter().all(|statement| statement.starts_with("CREATE TABLE ")), "{all:?}");
        assert_eq!(all.len(), 9);
        let ddl = ClickHouse::ddl(&ClickHouseOptions::default());
        assert!(ddl.contains("schema_version") && ddl.contains("USE rstscope;"));
    }
}
