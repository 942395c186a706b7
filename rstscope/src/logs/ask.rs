//! Questions to whoever runs.

use std::io::Write as _;

use anyhow::Context as _;
use collector::{DisagreementRow, LogList, RowList};
use comfy_table::{Table, presets};
use events::{Agreement, thousands};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AskArguments;
use crate::Outcome;
use crate::client::Client;

/// Sessions whose logged culprit is wrong.
pub(super) fn disagreements(last: &str, ask: &AskArguments) -> anyhow::Result<Outcome> {
    let list: RowList<DisagreementRow> =
        asked(ask, "/api/v1/disagreements", &[("last", last.to_owned())])?;
    if ask.json {
        return json(&list);
    }
    let rows = &list.rows;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["SOURCE", "RULE", "LOG SAYS", "PACKETS SAY", "", "SESSIONS", "LAST"]);
    for row in rows {
        let agreement = match row.agreement {
            Agreement::Contradicted => "contradicted",
            Agreement::Refined => "refined",
            Agreement::Confirmed | Agreement::Neutral => "",
        };
        table.add_row([
            &row.source,
            &row.rule,
            &row.said,
            &row.origin,
            agreement,
            &thousands(row.count),
            &row.example,
        ]);
    }
    let mut out = std::io::stdout().lock();
    let mut write = || -> std::io::Result<()> {
        if rows.is_empty() {
            return writeln!(
                out,
                "No log of the last {last} names a culprit that the packets do not."
            );
        }
        writeln!(out, "{table}\n")?;
        for row in rows {
            writeln!(out, "{}: {}", row.example, row.item.sentence)?;
        }
        if list.is_cut {
            writeln!(out, "\nMade of the newest 20,000 events only: ask for less with --last.")?;
        }
        Ok(())
    };
    write().context("write to standard output")?;
    Ok(Outcome::Good)
}

/// Who writes logs, and what was lost.
pub(super) fn sources(ask: &AskArguments) -> anyhow::Result<Outcome> {
    let list: LogList = asked(ask, "/api/v1/logs", &[])?;
    if ask.json {
        return json(&list);
    }
    let mut out = std::io::stdout().lock();
    super::lines::write_sources(&mut out, &list.sources)
        .and_then(|()| super::lines::write_losses(&mut out, &list.losses))
        .context("write to standard output")?;
    Ok(Outcome::Good)
}

fn asked<T: DeserializeOwned>(
    ask: &AskArguments,
    path: &str,
    pairs: &[(&str, String)],
) -> anyhow::Result<T> {
    Client::new(&ask.api, &ask.client)?.get(path, pairs).map_err(anyhow::Error::msg)
}

fn json<T: Serialize>(answer: &T) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer).context("write to standard output")?;
    writeln!(out).context("write to standard output")?;
    Ok(Outcome::Good)
}
