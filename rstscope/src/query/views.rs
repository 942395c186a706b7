//! Answers as tables: harm first, and what it is a part of beside it.

use collector::{
    BurstRow, DeviceRow, DisagreementRow, IdleHistogram, IdleTimer, ImpactCounts, NameRow,
    Overview, SensorRow, ServerDetail, ServerSummary,
};
use events::{Connections, Filter, Spread, thousands};

use super::sheet::{Sheet, server, time};
use super::source::Answer;
use super::words::Words;

/// The answer for people.
pub(super) fn text(answer: &Answer, words: &Words, width: usize) -> String {
    let mut text = match answer {
        Answer::Event(detail) => {
            return format!(
                "{}\nSensor {}.\n{}",
                detail.sheet.trim_end(),
                detail.sensor,
                connection(detail, width)
            );
        }
        Answer::Overview(overview) => overview_head(overview, is_of_servers(words)),
        Answer::Sensors(_) => String::new(),
        _ => format!("{} to {} UTC\n", time(words.ask.from), time(words.ask.to)),
    };
    if let Answer::Server(detail) = answer {
        text += &share(&detail.summary.connections, &detail.summary.resets, true);
    }
    let sheets = sheets(answer);
    let is_empty = sheets.iter().all(|sheet| sheet.rows.is_empty());
    for sheet in sheets.iter().filter(|sheet| !sheet.rows.is_empty()) {
        text.push('\n');
        text += &sheet.draw(width);
    }
    if is_empty {
        text += "\nNothing.\n";
    }
    match answer {
        Answer::Servers(list) if list.rows.len() as u64 != list.total => {
            text += &format!("\n{} of {} servers.\n", list.rows.len(), thousands(list.total));
        }
        Answer::Events(list) if list.has_more => {
            text += "\nThere are more: raise --limit or --offset.\n"
        }
        _ => {}
    }
    if is_cut(answer) {
        text += CUT;
    }
    text.trim_start_matches('\n').to_owned()
}

/// Whether the answer is made of the newest events only.
const fn is_cut(answer: &Answer) -> bool {
    match answer {
        Answer::Server(detail) => detail.idle.is_cut,
        Answer::Idle(idle) => idle.is_cut,
        Answer::Bursts(list) => list.is_cut,
        Answer::Devices(list) => list.is_cut,
        Answer::Disagreements(list) => list.is_cut,
        Answer::Overview(_)
        | Answer::Servers(_)
        | Answer::Events(_)
        | Answer::Event(_)
        | Answer::Sensors(_) => false,
    }
}

/// The answer as one table for programs.
///
/// # Errors
/// None that can happen in memory.
pub(super) fn csv(answer: &Answer, words: &Words) -> anyhow::Result<String> {
    match answer {
        Answer::Overview(overview) => series(overview, is_of_servers(words)).csv(),
        _ => sheets(answer).first().map_or_else(|| Ok(String::new()), Sheet::csv),
    }
}

/// Whether only some servers are meant: which connections timed out or were unanswered is not known by
/// server.
fn is_of_servers(words: &Words) -> bool {
    words.ask.filters.iter().any(Filter::is_about_server)
}

fn overview_head(overview: &Overview, is_of_servers: bool) -> String {
    let mut text = format!("{} to {} UTC\n", time(overview.from), time(overview.to));
    text += &share(&overview.connections, &overview.resets, is_of_servers);
    if overview.overflow > 0 {
        let count = thousands(overview.overflow);
        text +=
            &format!("{count} resets were counted in wider rows: there were too many servers.\n");
    }
    for (name, count) in overview.losses.iter().filter(|(_, count)| **count > 0) {
        text += &format!("Lost: {} {}.\n", thousands(*count), name.replace('_', " "));
    }
    text
}

/// Resets and what they are a part of.
fn share(connections: &Connections, resets: &ImpactCounts, is_of_servers: bool) -> String {
    let all = connections.opened + connections.midstream;
    let share = if all == 0 {
        String::new()
    } else {
        format!(" ({:.2} % of connections)", 100.0 * resets.harmful() as f64 / all as f64)
    };
    let silent = if is_of_servers {
        String::new()
    } else {
        let (timed_out, unanswered) = (connections.timed_out, connections.unanswered);
        format!(", {} timed out, {} unanswered", thousands(timed_out), thousands(unanswered))
    };
    format!(
        "{} connections opened, {} closed well{silent}.\n\
         {} resets, {} harmful{share}: {} aborted, {} refused.\n",
        thousands(all),
        thousands(connections.closed_well),
        thousands(resets.total()),
        thousands(resets.harmful()),
        thousands(resets.aborted),
        thousands(resets.refused),
    )
}

fn connection(detail: &collector::EventDetail, width: usize) -> String {
    if detail.same_connection.is_empty() {
        return String::new();
    }
    let mut sheet = events_sheet(&detail.same_connection);
    sheet.title = "Other resets between the same addresses and ports".to_owned();
    format!("\n{}", sheet.draw(width))
}

fn sheets(answer: &Answer) -> Vec<Sheet> {
    match answer {
        Answer::Overview(overview) => vec![
            names("Causes", &overview.by_cause),
            names("Origins", &overview.by_origin),
            names("Stages", &overview.by_stage),
            servers("Servers", &overview.servers),
        ],
        Answer::Servers(list) => vec![servers("", &list.rows)],
        Answer::Server(detail) => of_server(detail),
        Answer::Events(list) => vec![events_sheet(&list.rows)],
        Answer::Event(detail) => vec![events_sheet(&detail.same_connection)],
        Answer::Idle(idle) => {
            vec![timers(idle), spread("Silence before the reset, seconds", &idle.spread)]
        }
        Answer::Bursts(list) => vec![bursts(&list.rows)],
        Answer::Devices(list) => vec![devices(&list.rows)],
        Answer::Sensors(rows) => vec![sensors(rows)],
        Answer::Disagreements(list) => vec![disagreements(&list.rows)],
    }
}

fn timers(idle: &IdleHistogram) -> Sheet {
    let mut sheet = Sheet::new("Well-known timers", &["seconds", "resets", "products"]);
    let row = |timer: &IdleTimer| {
        vec![timer.seconds.to_string(), timer.count.to_string(), timer.products.clone()]
    };
    sheet.rows = idle.timers.iter().map(row).collect();
    sheet
}

fn bursts(rows: &[BurstRow]) -> Sheet {
    let mut sheet = Sheet::new("", &["first", "server", "events", "what", "example"]);
    let row = |row: &BurstRow| {
        let (at, events) = (row.server.to_string(), row.events.to_string());
        vec![time(row.first), at, events, row.sentence.clone(), row.example.clone()]
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}

fn devices(rows: &[DeviceRow]) -> Sheet {
    let columns =
        &["sensor", "device", "hops", "harmful", "resets", "servers", "cause", "last", "example"];
    let mut sheet = Sheet::new("", columns);
    let row = |row: &DeviceRow| {
        vec![
            row.sensor.clone(),
            row.device.clone(),
            row.hops.map_or_else(String::new, |hops| hops.to_string()),
            row.resets.harmful().to_string(),
            row.resets.total().to_string(),
            row.servers.to_string(),
            row.causes.first().map_or_else(String::new, |cause| cause.name.clone()),
            time(row.last),
            row.example.clone(),
        ]
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}

fn sensors(rows: &[SensorRow]) -> Sheet {
    let columns = &["sensor", "last minute", "packets", "lost", "records", "repeated", "missing"];
    let mut sheet = Sheet::new("", columns);
    let row = |row: &SensorRow| {
        let lost: u64 = row.status.losses.values().sum();
        let last = if row.last.0 == 0 { String::new() } else { time(row.last) };
        let counts = [row.status.packets, lost, row.records, row.repeated, row.missing];
        let head = [row.sensor.clone(), last];
        head.into_iter().chain(counts.map(|count| count.to_string())).collect()
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}

fn disagreements(rows: &[DisagreementRow]) -> Sheet {
    let columns = &["source", "rule", "said", "packets say", "agreement", "sessions", "example"];
    let mut sheet = Sheet::new("", columns);
    let row = |row: &DisagreementRow| {
        let agreement = serde_json::to_value(row.agreement).unwrap_or_default();
        vec![
            row.source.clone(),
            row.rule.clone(),
            row.said.clone(),
            row.origin.clone(),
            agreement.as_str().unwrap_or_default().to_owned(),
            row.count.to_string(),
            row.example.clone(),
        ]
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}

fn of_server(detail: &ServerDetail) -> Vec<Sheet> {
    let mut clients = Sheet::new("Clients reset most", &["client", "resets"]);
    clients.rows = detail
        .top_clients
        .iter()
        .map(|client| vec![client.ip.to_string(), client.count.to_string()])
        .collect();
    vec![
        names("Causes", &detail.by_cause),
        names("Origins", &detail.by_origin),
        names("Stages", &detail.by_stage),
        clients,
        spread("Silence before the reset, seconds", &detail.idle.spread),
        events_sheet(&detail.events),
    ]
}

fn names(title: &str, rows: &[NameRow]) -> Sheet {
    let mut sheet =
        Sheet::new(title, &["name", "harmful", "aborted", "refused", "benign", "unknown"]);
    sheet.rows = rows
        .iter()
        .map(|row| {
            let counts = row.counts;
            let counts =
                [counts.harmful(), counts.aborted, counts.refused, counts.benign, counts.unknown];
            let counts = counts.into_iter().map(|count| count.to_string());
            std::iter::once(row.name.clone()).chain(counts).collect()
        })
        .collect();
    sheet
}

fn servers(title: &str, rows: &[ServerSummary]) -> Sheet {
    let columns =
        &["server", "opened", "harmful", "aborted", "refused", "resets", "clients", "cause"];
    let mut sheet = Sheet::new(title, columns);
    sheet.rows = rows
        .iter()
        .map(|row| {
            let (opened, resets) = (row.connections.opened, row.resets);
            let counts = [
                opened,
                resets.harmful(),
                resets.aborted,
                resets.refused,
                resets.total(),
                row.clients,
            ];
            let cause = row.causes.first().map_or_else(String::new, |cause| cause.name.clone());
            let counts = counts.into_iter().map(|count| count.to_string());
            std::iter::once(server(row.server)).chain(counts).chain([cause]).collect()
        })
        .collect();
    sheet
}

fn events_sheet(rows: &[collector::EventRow]) -> Sheet {
    let columns = &["time", "impact", "origin", "cause", "client", "server", "id"];
    let mut sheet = Sheet::new("", columns);
    sheet.rows = rows
        .iter()
        .map(|row| {
            vec![
                time(row.ts),
                row.impact.clone(),
                row.origin.clone(),
                row.cause.clone(),
                row.client.to_string(),
                row.server.to_string(),
                row.id.clone(),
            ]
        })
        .collect();
    sheet
}

fn spread(title: &str, spread: &Spread) -> Sheet {
    let mut sheet = Sheet::new(title, &["share", "at most"]);
    for share in [0.1, 0.5, 0.9, 0.99, 1.0] {
        if let Some(bound) = spread.quantile(share) {
            sheet.rows.push(vec![format!("{:.0} %", share * 100.0), format!("{bound:.3}")]);
        }
    }
    sheet
}

/// Empty where it is not known how many timed out.
fn series(overview: &Overview, is_of_servers: bool) -> Sheet {
    let columns =
        &["time", "opened", "closed_well", "timed_out", "aborted", "refused", "benign", "unknown"];
    let mut sheet = Sheet::new("", columns);
    sheet.rows = overview
        .series
        .iter()
        .map(|step| {
            let (all, resets) = (step.connections, step.resets);
            let timed_out = (!is_of_servers).then_some(all.timed_out);
            let known = [Some(all.opened), Some(all.closed_well), timed_out];
            let resets = [resets.aborted, resets.refused, resets.benign, resets.unknown].map(Some);
            let counts = known.into_iter().chain(resets);
            let counts =
                counts.map(|count| count.map_or_else(String::new, |count| count.to_string()));
            std::iter::once(step.time.to_string()).chain(counts).collect()
        })
        .collect();
    sheet
}

const CUT: &str =
    "\nMade of the newest 20,000 events only, there are more: ask for a shorter time.\n";

#[cfg(test)]
mod tests {
    use collector::{RowList, Step};

    use super::*;

    fn said(words: &str) -> (String, String) {
        let words = Words::read(words, events::UtcTime(86_400_000_000_000)).unwrap();
        let overview = Overview { series: vec![Step::default()], ..Overview::default() };
        let answer = Answer::Overview(overview);
        (text(&answer, &words, 80), csv(&answer, &words).unwrap())
    }

    #[test]
    fn what_is_not_known_by_server_is_not_told_as_none() {
        let (text, csv) = said("overview");
        assert!(text.contains("closed well, 0 timed out, 0 unanswered."), "{text}");
        assert!(csv.contains(",0,0,0,0,0,0,0"), "{csv}");
        let (text, csv) = said("overview port=443");
        assert!(text.contains("0 closed well.") && !text.contains("timed out"), "{text}");
        assert!(csv.contains(",0,0,,0,0,0,0"), "{csv}");
    }

    #[test]
    fn an_answer_that_is_not_made_of_all_events_says_so() {
        let words = Words::read("bursts", events::UtcTime(86_400_000_000_000)).unwrap();
        let said = |is_cut| {
            let list = RowList { rows: Vec::new(), is_cut };
            text(&Answer::Bursts(list), &words, 80)
        };
        assert!(said(true).contains("newest 20,000 events only") && !said(false).contains("only"));
    }
}
