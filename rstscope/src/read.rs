//! `rstscope read`: captures to verdicts.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use pipeline::EvidenceOptions;

use crate::Outcome;
use crate::cli::ReadArguments;
use crate::evidence::{self, EvidenceFiles};
use crate::output::Output;
use crate::progress::Progress;
use crate::sensor::{self, Reading};
use crate::{stop, summary};

/// Reads all files, or until it is told to stop, and tells what was found.
pub(crate) fn run(arguments: &ReadArguments) -> anyhow::Result<Outcome> {
    let stop = stop::upon_signals()?;
    let mut output = Output::new(&arguments.output, false).of_minutes(arguments.minutes);
    let rows_on_terminal = std::io::stdout().is_terminal() && !arguments.output.summary;
    let progress = (!arguments.output.quiet)
        .then(|| Progress::start(&arguments.files, rows_on_terminal))
        .flatten();
    let bytes = progress.as_ref().map(Progress::bytes);
    let mut reading = Reading {
        workers: arguments.workers,
        provisional: arguments.output.provisional,
        evidence: EvidenceOptions::default(),
    };
    let (files, how) = (&arguments.files, &arguments.sensor);
    let mut written = None;
    let report = if let Some(folder) = &arguments.evidence {
        reading.evidence = evidence::kept(arguments.payload_bytes);
        let pseudonyms = evidence::pseudonyms(arguments.pseudonymise.as_deref())?;
        let mut sink =
            EvidenceFiles::into_folder(folder, arguments.evidence_max, pseudonyms, &mut output)
                .with_context(|| format!("make the folder {}", folder.display()))?;
        let report = sensor::read_by(reading, files, how, bytes, &stop, &mut sink)?;
        written = Some(sink.summary());
        report
    } else {
        sensor::read_by(reading, files, how, bytes, &stop, &mut output)?
    };
    drop(progress);
    let outcome = output.finish(&report)?;
    if let Some(written) = written.filter(|_| !arguments.output.quiet) {
        writeln!(std::io::stderr().lock(), "{written}")?;
    }
    if arguments.stats {
        summary::write_cost(&mut std::io::stderr().lock(), &report)?;
    }
    Ok(outcome)
}
