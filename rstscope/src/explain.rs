//! `rstscope explain`: the proof sheets of the resets that are meant.
//!
//! A scan or a restart resets thousands of connections for one reason. The first
//! [`SHEETS_OF_A_KIND`] of a kind get a sheet, the others a line at the end.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Stdout, Write as _};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use classifiers::{Cause, Impact, Origin, Role};
use events::{Endpoint, Event, EventStatus, Evidence, explain, ladder_text};
use pipeline::Sink;

use crate::Outcome;
use crate::cli::ExplainArguments;
use crate::output::warn;
use crate::sensor::{self, Reading};
use crate::{evidence, summary, terminal};

/// Prints one proof sheet for each reset that is meant, as they come.
pub(crate) fn run(arguments: &ExplainArguments) -> anyhow::Result<Outcome> {
    let mut sheets = Sheets {
        arguments,
        stdout: BufWriter::new(io::stdout()),
        width: terminal::width().min(WIDTH_MAX),
        told: 0,
        last: None,
        others: 0,
        kinds: BTreeMap::new(),
    };
    let reading = Reading { workers: 1, provisional: false, evidence: evidence::kept(0) };
    let (files, sensor) = (&arguments.files, &arguments.sensor);
    let never = AtomicBool::new(false);
    let report = sensor::read_by(reading, files, sensor, None, &never, &mut sheets)?;
    sheets.write_alike().context("write to standard output")?;
    warn(&report);
    if sheets.told == 0 && sheets.others > 0 {
        bail!(
            "none of {} resets is meant by --flow or --frame; \"rstscope read --all\" lists them",
            sheets.others
        );
    }
    if sheets.told == 0 {
        println_to(&mut sheets.stdout, &summary::no_resets_text(&report))
            .context("write to standard output")?;
    }
    Ok(if report.has_problems() { Outcome::Damaged } else { Outcome::Good })
}

struct Sheets<'a> {
    arguments: &'a ExplainArguments,
    stdout: BufWriter<Stdout>,
    width: usize,
    told: u64,
    /// The event whose sheet was written last, while its packets may follow.
    last: Option<String>,
    others: u64,
    kinds: BTreeMap<Kind, Alike>,
}

/// What resets of one kind share, by the index of each in its list; as many as there are names.
type Kind = (usize, usize, usize);

/// Resets of one kind.
struct Alike {
    impact: Impact,
    origin: Origin,
    cause: Cause,
    count: u64,
    /// Where some of those without a sheet are.
    frames: Vec<u64>,
}

impl Sheets<'_> {
    fn is_meant(&self, event: &Event) -> bool {
        let arguments = self.arguments;
        // Whoever names a frame wants that one, whatever its role.
        (arguments.all || arguments.frame.is_some() || event.verdict.role == Role::Primary)
            && arguments.frame.is_none_or(|frame| event.frame == Some(frame))
            && arguments.flow.as_ref().is_none_or(|flow| flow.is_of(event))
    }
}

impl Sheets<'_> {
    /// Counts `event` among its kind; whether it shall have a sheet.
    fn deserves_sheet(&mut self, event: &Event) -> bool {
        let verdict = &event.verdict;
        let (impact, origin, cause) = (verdict.impact, verdict.origin, verdict.cause);
        let kind = (impact as usize, origin as usize, cause as usize);
        let alike = self.kinds.entry(kind).or_insert_with(|| Alike {
            impact,
            origin,
            cause,
            count: 0,
            frames: Vec::with_capacity(FRAMES_NAMED),
        });
        alike.count += 1;
        let arguments = self.arguments;
        let is_named = arguments.frame.is_some() || arguments.flow.is_some();
        let deserves = arguments.each || is_named || alike.count <= SHEETS_OF_A_KIND;
        if let (false, Some(frame)) = (deserves, event.frame)
            && alike.frames.len() < FRAMES_NAMED
        {
            alike.frames.push(frame);
        }
        deserves
    }

    /// One line for each kind of which not every reset got a sheet.
    fn write_alike(&mut self) -> io::Result<()> {
        let left = |alike: &Alike| alike.count.saturating_sub(SHEETS_OF_A_KIND);
        let hidden: Vec<&Alike> =
            self.kinds.values().filter(|alike| !alike.frames.is_empty()).collect();
        if !hidden.is_empty() {
            writeln!(self.stdout, "\n{}\n", "─".repeat(self.width))?;
            writeln!(
                self.stdout,
                "More of the kinds above; --each or --frame N tells them in full:"
            )?;
        }
        for alike in hidden {
            let frames: Vec<String> = alike.frames.iter().map(u64::to_string).collect();
            let more = if left(alike) > frames.len() as u64 { ", …" } else { "" };
            let text = format!(
                "{:>7} {}, {}, {}: frames {}{more}",
                left(alike),
                alike.impact.name(),
                alike.origin.name(),
                alike.cause.name(),
                frames.join(", ")
            );
            let options = textwrap::Options::new(self.width).subsequent_indent("        ");
            writeln!(self.stdout, "{}", textwrap::fill(&text, options))?;
        }
        self.stdout.flush()
    }
}

fn println_to(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    writeln!(out, "{text}")?;
    out.flush()
}

impl Sink for Sheets<'_> {
    fn emit(&mut self, event: &Event) -> io::Result<()> {
        if event.status == EventStatus::Provisional {
            return Ok(());
        }
        self.last = None;
        if !self.is_meant(event) {
            self.others += 1;
            return Ok(());
        }
        if !self.deserves_sheet(event) {
            return Ok(());
        }
        if self.told > 0 {
            writeln!(self.stdout, "\n{}\n", "─".repeat(self.width))?;
        }
        self.told += 1;
        self.last = Some(event.id.clone());
        self.stdout.write_all(explain::proof_sheet(event, self.width).as_bytes())
    }

    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        if self.last.take().is_none_or(|event| event != evidence.event) {
            return Ok(());
        }
        let ladder = ladder_text(&evidence.ladder(), evidence.client, evidence.server);
        if ladder.is_empty() {
            return Ok(());
        }
        write!(self.stdout, "\nPackets.\n{ladder}")
    }
}

/// A connection as users name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FlowName {
    /// Both ends, in either order.
    Ends(Endpoint, Endpoint),
    /// Community ID version 1.
    CommunityId(String),
}

impl FlowName {
    fn is_of(&self, event: &Event) -> bool {
        match self {
            Self::CommunityId(id) => event.community_id == *id,
            Self::Ends(one, other) => {
                let ends = (event.client, event.server);
                ends == (*one, *other) || ends == (*other, *one)
            }
        }
    }
}

impl FromStr for FlowName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("1:") && text.len() == COMMUNITY_ID_LEN {
            return Ok(Self::CommunityId(text.to_owned()));
        }
        let endpoint = |text: &str| {
            text.parse::<SocketAddr>()
                .map(|address| Endpoint { ip: address.ip(), port: address.port() })
                .map_err(|_| {
                    format!("{text:?} is no address with a port; write IP:PORT or [IPv6]:PORT")
                })
        };
        let (one, other) = text.split_once('-').ok_or_else(|| {
            format!("{text:?} is neither CLIENT:PORT-SERVER:PORT nor a Community ID (1:...)")
        })?;
        Ok(Self::Ends(endpoint(one)?, endpoint(other)?))
    }
}

/// `1:` and the base64 of 20 bytes.
const COMMUNITY_ID_LEN: usize = 30;

/// So many show what a kind is like.
const SHEETS_OF_A_KIND: u64 = 3;

/// So many frames of a kind are named.
const FRAMES_NAMED: usize = 8;

/// Longer lines are hard to read.
const WIDTH_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::FlowName;

    #[test]
    fn a_flow_is_named_by_its_ends_or_its_community_id() {
        assert!("10.0.0.1:1-10.0.0.2:2".parse::<FlowName>().is_ok());
        assert!("[2001:db8::1]:1-[2001:db8::2]:2".parse::<FlowName>().is_ok());
        let id = "1:bqZIDEl2CZq193P9+QSck0FwjrQ=".parse::<FlowName>().unwrap();
        assert!(matches!(id, FlowName::CommunityId(_)));
        for text in ["", "10.0.0.1:1", "10.0.0.1-10.0.0.2", "1:short"] {
            assert!(text.parse::<FlowName>().is_err(), "{text}");
        }
    }
}
