//! The table: one line a reset, columns of fixed width, written as events come.

use std::io::{self, Write};

use classifiers::{Clue, Origin};
use events::{Endpoint, Event, EventStatus, EvidenceItem, sentence};

use crate::terminal;

/// Writes rows; knows the widths, holds no events.
pub(crate) struct Table {
    columns: Vec<(Column, usize)>,
    colours: bool,
    is_begun: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Impact,
    Time,
    Origin,
    Cause,
    Confidence,
    Client,
    Server,
    Effect,
    Reason,
}

impl Table {
    /// A table that fits into `width` columns.
    pub(crate) fn new(width: usize, colours: bool) -> Self {
        Self { columns: layout(width), colours, is_begun: false }
    }

    /// One line for `event`, after the header if it is the first.
    pub(crate) fn write(&mut self, out: &mut impl Write, event: &Event) -> io::Result<()> {
        if !self.is_begun {
            self.is_begun = true;
            let style = terminal::heading_style(self.colours);
            let header = self.line(|column, _| column.title().to_owned());
            writeln!(out, "{style}{header}{style:#}")?;
        }
        let line = self.line(|column, width| column.text(event, width));
        // The impact is the first column; nothing else is coloured, so that lines stay readable.
        let at = line.char_indices().nth(self.columns[0].1).map_or(line.len(), |(at, _)| at);
        let (impact, rest) = line.split_at(at);
        let style = terminal::impact_style(event.verdict.impact, self.colours);
        writeln!(out, "{style}{impact}{style:#}{rest}")
    }

    fn line(&self, text: impl Fn(Column, usize) -> String) -> String {
        let mut line = String::new();
        for &(column, width) in &self.columns {
            if !line.is_empty() {
                line.push(' ');
            }
            let text = cut(&text(column, width), width);
            let padding = width - text.chars().count();
            line.push_str(&text);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Columns and their widths for a terminal of `width` columns; what decides comes first, what does
/// not fit is left to `explain` and to the other formats.
fn layout(width: usize) -> Vec<(Column, usize)> {
    use Column::{Cause, Client, Confidence, Effect, Impact, Reason, Server, Time};
    let mut columns = match width {
        ..100 => vec![
            (Impact, 8),
            (Time, 8),
            (Column::Origin, 10),
            (Cause, 17),
            (Client, 15),
            (Server, 17),
        ],
        100..120 => vec![
            (Impact, 8),
            (Time, 8),
            (Column::Origin, 11),
            (Cause, 22),
            (Confidence, 4),
            (Client, 20),
            (Server, 20),
        ],
        120..140 => vec![
            (Impact, 8),
            (Time, 8),
            (Column::Origin, 11),
            (Cause, 24),
            (Confidence, 4),
            (Client, 21),
            (Server, 21),
            (Effect, 11),
        ],
        _ => vec![
            (Impact, 8),
            (Time, 12),
            (Column::Origin, 11),
            (Cause, 24),
            (Confidence, 4),
            (Client, 21),
            (Server, 21),
            (Effect, 11),
        ],
    };
    let used: usize = columns.iter().map(|(_, width)| width + 1).sum();
    let left = width.saturating_sub(used);
    if left >= REASON_WIDTH_MIN {
        columns.push((Reason, left));
    }
    columns
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Impact => "IMPACT",
            Self::Time => "TIME UTC",
            Self::Origin => "ORIGIN",
            Self::Cause => "CAUSE",
            Self::Confidence => "SURE",
            Self::Client => "CLIENT",
            Self::Server => "SERVER",
            Self::Effect => "EFFECT",
            Self::Reason => "BECAUSE",
        }
    }

    fn text(self, event: &Event, width: usize) -> String {
        let verdict = &event.verdict;
        match self {
            Self::Impact if event.status == EventStatus::Provisional => {
                format!("{}?", verdict.impact.name())
            }
            Self::Impact => verdict.impact.name().to_owned(),
            Self::Time => time_of_day(event, width),
            Self::Origin => short_origin(verdict.origin).to_owned(),
            Self::Cause => verdict.cause.name().to_owned(),
            Self::Confidence => {
                let confidence = verdict.origin_confidence.min(verdict.cause_confidence);
                // Nothing seen from outside is certain.
                format!("{:.2}", confidence.min(0.99))
            }
            // A client's port is the first thing that can be spared.
            Self::Client if width < IPV4_ENDPOINT_LEN_MIN => {
                cut_middle(&event.client.ip.to_string(), width)
            }
            Self::Client => short_endpoint(event.client, width),
            Self::Server => short_endpoint(event.server, width),
            Self::Effect => match verdict.effect {
                classifiers::Effect::PredictedIneffective => "ineffective".to_owned(),
                classifiers::Effect::Unobservable => "unseen".to_owned(),
                effect => effect.name().to_owned(),
            },
            Self::Reason => reason(event),
        }
    }
}

/// The time of day out of the RFC 3339 text, as exact as `width` allows.
fn time_of_day(event: &Event, width: usize) -> String {
    let text = event.ts.to_string();
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time);
    time.trim_end_matches('Z').chars().take(width).collect()
}

/// An origin in eleven columns.
const fn short_origin(origin: Origin) -> &'static str {
    match origin {
        Origin::MiddleboxToClient => "box>client",
        Origin::MiddleboxToServer => "box>server",
        Origin::MiddleboxBoth => "box>both",
        Origin::BlindAttacker => "attacker",
        other => other.name(),
    }
}

/// An endpoint in `width` columns; the port is kept, the address is cut in its middle.
pub(crate) fn short_endpoint(endpoint: Endpoint, width: usize) -> String {
    let text = endpoint.to_string();
    let surplus = text.chars().count().saturating_sub(width);
    if surplus == 0 {
        return text;
    }
    let port = format!(":{}", endpoint.port);
    let address = text.strip_suffix(&port).unwrap_or(&text);
    format!("{}{port}", cut_middle(address, width.saturating_sub(port.len())))
}

/// `address` in at most `width` columns; its two ends say more than its middle.
fn cut_middle(address: &str, width: usize) -> String {
    if address.len() <= width {
        return address.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    // Addresses are ASCII, so every byte is a place to cut.
    format!("{}…{}", &address[..head], &address[address.len() - tail..])
}

/// The one fact that says most for the verdict.
pub(crate) fn reason(event: &Event) -> String {
    let verdict = &event.verdict;
    let weighed = verdict.evidence.iter().filter(|item| item.clue != Clue::Prior);
    let is_forged = verdict.origin.is_device() || verdict.origin == Origin::BlindAttacker;
    let weight = |item: &EvidenceItem| (item.decibans * 10.0) as i64;
    let best = if is_forged {
        weighed.min_by_key(|item| weight(item)).filter(|item| item.decibans < 0.0)
    } else {
        // The origin is the named endpoint, as usual: what bears on the cause is news.
        if let Some(text) = of_others(event) {
            return text;
        }
        let mut clues = weighed.clone().filter(|item| {
            item.decibans == 0.0 && !item.says.is_empty() && item.clue != Clue::Company
        });
        if let Some(clue) = clues.next_back() {
            return sentence(clue);
        }
        // What was as expected is told by what follows from it, the values last.
        let best = weighed.max_by_key(|item| weight(item)).filter(|item| !item.says.is_empty());
        return best.map_or_else(|| verdict.cause.meaning().to_owned(), |item| item.says.clone());
    };
    best.map_or_else(|| verdict.cause.meaning().to_owned(), sentence)
}

/// What other connections tell of the cause, if they decided it.
fn of_others(event: &Event) -> Option<String> {
    let is_decisive = event.verdict.evidence.iter().any(|item| item.clue == Clue::Company);
    let sentences = event.context.as_ref().filter(|_| is_decisive)?.sentences(event.server);
    Some(sentences.into_iter().next()?.trim_end_matches('.').to_owned())
}

/// `text` in at most `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// In fewer columns an address and a port of five digits are seldom whole.
const IPV4_ENDPOINT_LEN_MIN: usize = 18;

/// A reason in fewer columns says nothing.
const REASON_WIDTH_MIN: usize = 24;

#[cfg(test)]
mod tests {
    use events::Endpoint;

    use super::{cut, layout, short_endpoint};

    #[test]
    fn every_layout_fits_its_width() {
        for width in 80..250 {
            let used: usize = layout(width).iter().map(|(_, width)| width + 1).sum();
            assert!(used - 1 <= width, "{width}: {used}");
        }
    }

    #[test]
    fn a_long_endpoint_keeps_its_port_and_both_ends_of_its_address() {
        let endpoint = Endpoint { ip: "192.168.100.200".parse().unwrap(), port: 40000 };
        assert_eq!(short_endpoint(endpoint, 21), "192.168.100.200:40000");
        assert_eq!(short_endpoint(endpoint, 15), "192.….200:40000");
        let endpoint = Endpoint { ip: "2001:db8:1:2:3:4:5:6".parse().unwrap(), port: 443 };
        for width in 12..30 {
            let text = short_endpoint(endpoint, width);
            assert!(text.chars().count() <= width && text.ends_with(":443"), "{text}");
        }
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
