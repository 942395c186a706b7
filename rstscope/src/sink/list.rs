//! What the spool's directory tells of every sink.

use std::io::Write as _;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};
use delivery::{SinkOptions, SinkStatus, Status};
use events::thousands;

use crate::Outcome;
use crate::config::Config;
use crate::store;

/// Prints the spool and all sinks, configured or known from earlier.
pub(super) fn run(config: &Config, json: bool) -> anyhow::Result<Outcome> {
    let directory = &config.spool.directory;
    let mut status = match directory.exists() {
        true => delivery::inspect(directory)?,
        // Nothing was ever spooled.
        false => Status::default(),
    };
    status.spool.bytes_max = config.spool.bytes_max;
    status.sinks = all(&config.sink, status.sinks);
    name_store(config, &mut status.sinks);
    let mut out = std::io::stdout().lock();
    let written = if json {
        serde_json::to_writer(&mut out, &status).map_err(Into::into).and_then(|()| writeln!(out))
    } else {
        writeln!(out, "{}\n{}", spool_text(config, &status), table(&status.sinks))
    };
    written.context("write to standard output")?;
    Ok(Outcome::Good)
}

/// The configured sinks in their order, then those that only have a place in the spool.
fn all(configured: &[SinkOptions], mut known: Vec<SinkStatus>) -> Vec<SinkStatus> {
    let mut sinks = Vec::new();
    for options in configured {
        let at = known.iter().position(|sink| sink.name == options.name());
        let mut sink = at.map(|at| known.remove(at)).unwrap_or_default();
        sink.name = options.name().to_owned();
        sink.kind = options.kind().to_owned();
        sink.target = options.target();
        sinks.push(sink);
    }
    sinks.extend(known);
    sinks
}

/// The embedded store has a place in the spool too, and no section `[[sink]]`.
fn name_store(config: &Config, sinks: &mut [SinkStatus]) {
    let is_store = |sink: &&mut SinkStatus| sink.name == store::NAME && sink.kind.is_empty();
    if let Some(sink) = sinks.iter_mut().find(is_store).filter(|_| config.store.enabled) {
        sink.kind = "store".to_owned();
        sink.target = config.store.directory.display().to_string();
    }
}

fn spool_text(config: &Config, status: &Status) -> String {
    let spool = &status.spool;
    format!(
        "Spool {}: {} events in {:.1} of {} MiB, the oldest of them {:.0} s old",
        config.spool.directory.display(),
        thousands(spool.events),
        spool.bytes as f64 / f64::from(1 << 20),
        spool.bytes_max >> 20,
        spool.oldest_s
    )
}

fn table(sinks: &[SinkStatus]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "SINK", "WAITING", "SINCE", "SENT", "RETRIED", "REFUSED", "DROPPED", "DAMAGED", "TARGET",
    ]);
    for sink in sinks {
        let target = match sink.kind.as_str() {
            "" => "(not configured)".to_owned(),
            kind => format!("{kind} {}", sink.target),
        };
        table.add_row([
            sink.name.clone(),
            thousands(sink.lag_events),
            format!("{:.0} s", sink.lag_s),
            thousands(sink.sent),
            thousands(sink.retried),
            thousands(sink.refused),
            thousands(sink.dropped),
            thousands(sink.damaged),
            target,
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use delivery::{NdjsonOptions, SinkOptions, SinkStatus};

    use super::{all, name_store, table};
    use crate::config::Config;

    #[test]
    fn sinks_are_told_in_the_order_of_the_configuration_and_forgotten_ones_last() {
        let configured: Vec<SinkOptions> = ["b", "a"]
            .map(|name| NdjsonOptions { name: name.to_owned(), ..NdjsonOptions::default() })
            .map(SinkOptions::Ndjson)
            .into();
        let known = ["a", "old"].map(|name| SinkStatus {
            name: name.to_owned(),
            sent: 1234,
            ..SinkStatus::default()
        });
        let sinks = all(&configured, known.into());
        let told: Vec<(&str, u64, &str)> =
            sinks.iter().map(|s| (s.name.as_str(), s.sent, s.kind.as_str())).collect();
        assert_eq!(told, [("b", 0, "ndjson"), ("a", 1234, "ndjson"), ("old", 1234, "")]);
        let text = table(&sinks).to_string();
        let mut embedded = [SinkStatus { name: "store".to_owned(), ..SinkStatus::default() }];
        name_store(&Config::default(), &mut embedded);
        assert_eq!(embedded[0].kind, "store");
        assert!(text.contains("1,234") && text.contains("(not configured)"), "{text}");
    }
}
