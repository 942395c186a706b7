//! One sink for events: filter, count, write in the chosen form.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use classifiers::Role;
use events::encode::{Encoding, Source};
use events::{Event, EventStatus, Minute, Report, Resets, Start, Status};
use pipeline::Sink;

use crate::Outcome;
use crate::cli::{Format, OutputArguments};
use crate::rows;
use crate::summary;
use crate::table::Table;
use crate::tally::Tally;
use crate::terminal;

/// Tells events on standard output as they come; holds none of them.
pub(crate) struct Output<'a> {
    arguments: &'a OutputArguments,
    tally: Tally,
    stdout: BufWriter<Stdout>,
    form: Form,
    /// No end in sight: each line at once, and now and then how it goes.
    live: bool,
    /// Each line at once: somebody is watching.
    flush_each: bool,
    status_told: Option<Instant>,
    colours: bool,
    /// Minutes are told instead of events.
    minutes: bool,
}

enum Form {
    Nothing,
    Table(Table),
    Json(Encoding),
    Csv { is_begun: bool },
}

impl<'a> Output<'a> {
    /// `live` flushes every line, because the next may be hours away.
    pub(crate) fn new(arguments: &'a OutputArguments, live: bool) -> Self {
        let colours = terminal::colours(arguments.color);
        let form = match arguments.format {
            _ if arguments.summary => Form::Nothing,
            Format::None => Form::Nothing,
            Format::Table => Form::Table(Table::new(terminal::width(), colours)),
            Format::Json => Form::Json(Encoding::Canonical),
            Format::Ecs => Form::Json(Encoding::Ecs),
            Format::Ocsf => Form::Json(Encoding::Ocsf),
            Format::Csv => Form::Csv { is_begun: false },
        };
        Self {
            arguments,
            tally: Tally::new(),
            stdout: BufWriter::with_capacity(BUFFER_LEN, io::stdout()),
            form,
            live,
            flush_each: live || io::stdout().is_terminal(),
            status_told: None,
            colours,
            minutes: false,
        }
    }

    /// Tells minutes instead of events.
    pub(crate) fn of_minutes(mut self, are_wanted: bool) -> Self {
        self.minutes = are_wanted;
        if are_wanted {
            self.form = Form::Nothing;
        }
        self
    }

    /// Ends the output with the summary and says how the run is to be judged.
    pub(crate) fn finish(mut self, report: &Report) -> anyhow::Result<Outcome> {
        self.write_end(report).context("write to standard output")?;
        if self.form_needs_a_word(report) {
            writeln!(io::stderr(), "{}", summary::no_resets_text(report))
                .context("write to standard error")?;
        }
        if self.live && !self.is_summary_told() && !self.arguments.quiet {
            summary::write_end(&mut io::stderr().lock(), report)
                .context("write to standard error")?;
        }
        let is_summary_seen = self.is_summary_told() && io::stdout().is_terminal();
        if !is_summary_seen {
            warn(report);
        }
        let is_failed = self.arguments.fail_on.iter().any(|condition| condition.holds(&self.tally));
        Ok(match (report.has_problems(), is_failed) {
            (true, _) => Outcome::Damaged,
            (false, true) => Outcome::ConditionMet,
            (false, false) => Outcome::Good,
        })
    }

    /// Whether nothing on standard output says that there were no resets.
    fn form_needs_a_word(&self, report: &Report) -> bool {
        let is_read = report.packets > 0 || !report.has_problems();
        let is_none = is_read && report.resets == Resets::default();
        let says_so = self.is_summary_told() || self.arguments.summary;
        is_none && !says_so && !self.arguments.quiet
    }

    fn is_summary_told(&self) -> bool {
        self.arguments.format == Format::Table && !self.arguments.quiet && !self.minutes
    }

    /// The summary, or what the form needs to be complete.
    fn write_end(&mut self, report: &Report) -> io::Result<()> {
        if let Form::Csv { is_begun: false } = self.form {
            rows::write_header(&mut self.stdout)?;
        }
        match (self.arguments.summary, self.arguments.format) {
            (true, Format::Json | Format::Ecs | Format::Ocsf) => {
                serde_json::to_writer(&mut self.stdout, report)?;
                self.stdout.write_all(b"\n")?;
            }
            (true, Format::Csv) => summary::write_csv(&mut self.stdout, report)?,
            (_, Format::Table) if self.is_summary_told() => {
                let told = (!self.arguments.summary).then_some(self.tally.resets);
                summary::write(&mut self.stdout, report, told, self.colours)?;
            }
            _ => {}
        }
        self.stdout.flush()
    }

    fn is_told(&self, event: &Event) -> bool {
        let arguments = self.arguments;
        let any_role = arguments.all || arguments.only.iter().any(|filter| filter.is_about_role());
        (arguments.provisional || event.status == EventStatus::Final)
            && (any_role || event.verdict.role == Role::Primary)
            && arguments.only.iter().all(|filter| filter.passes(event))
    }
}

impl Sink for Output<'_> {
    fn start(&mut self, start: &Start) -> io::Result<()> {
        if self.arguments.quiet {
            return Ok(());
        }
        summary::write_start(&mut io::stderr().lock(), start)
    }

    fn wants_events(&self) -> bool {
        !matches!(self.form, Form::Nothing) || !self.arguments.fail_on.is_empty()
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        if !self.is_told(event) {
            return Ok(());
        }
        self.tally.add(event);
        match &mut self.form {
            Form::Nothing => {}
            Form::Table(table) => table.write(&mut self.stdout, event)?,
            Form::Json(Encoding::Canonical) => {
                serde_json::to_writer(&mut self.stdout, event)?;
                self.stdout.write_all(b"\n")?;
            }
            Form::Json(encoding) => {
                let source = Source { version: env!("CARGO_PKG_VERSION"), ..Source::default() };
                serde_json::to_writer(&mut self.stdout, &encoding.document(event, &source)?)?;
                self.stdout.write_all(b"\n")?;
            }
            Form::Csv { is_begun } => {
                if !*is_begun {
                    rows::write_header(&mut self.stdout)?;
                    *is_begun = true;
                }
                rows::write(&mut self.stdout, event)?;
            }
        }
        if self.flush_each { self.stdout.flush() } else { Ok(()) }
    }

    fn wants_minutes(&self) -> bool {
        self.minutes
    }

    fn minute(&mut self, minute: &Minute) -> io::Result<()> {
        serde_json::to_writer(&mut self.stdout, minute)?;
        self.stdout.write_all(b"\n")?;
        if self.flush_each { self.stdout.flush() } else { Ok(()) }
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        let is_due = self.status_told.is_none_or(|told| told.elapsed() >= STATUS_INTERVAL);
        if self.arguments.quiet || !self.live || !is_due || !io::stderr().is_terminal() {
            return Ok(());
        }
        self.status_told = Some(Instant::now());
        summary::write_status(&mut io::stderr().lock(), status)
    }
}

/// Damage and losses on standard error, for readers of other forms than the table.
pub(crate) fn warn(report: &Report) {
    for problem in report.inputs.iter().filter_map(summary::problem_text) {
        tracing::error!("{problem}");
    }
    for fault in &report.tap.faults {
        tracing::warn!("{}", fault.text);
    }
    for (name, count) in report.losses.iter().filter(|(_, count)| **count > 0) {
        tracing::warn!("lost: {count} {name}");
    }
}

/// Lines are collected up to this before they are written in replay.
const BUFFER_LEN: usize = 64 << 10;

/// How often the status line comes in live use.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);
