//! A capture file for each primary reset that `rstscope read` tells.

use std::io;
use std::path::{Path, PathBuf};

use events::{Event, EventStatus, Evidence, Minute, Pseudonyms, Start, Status, thousands};
use pipeline::Sink;

/// Passes everything on, and writes packets into a folder; at most so many files.
pub(crate) struct EvidenceFiles<'s> {
    sink: &'s mut dyn Sink,
    folder: PathBuf,
    pseudonyms: Option<Pseudonyms>,
    files_max: u64,
    written: u64,
    left_out: u64,
    last: Option<Event>,
}

impl<'s> EvidenceFiles<'s> {
    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn into_folder(
        folder: &Path,
        files_max: u64,
        pseudonyms: Option<Pseudonyms>,
        sink: &'s mut dyn Sink,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.to_owned();
        let (written, left_out, last) = (0, 0, None);
        Ok(Self { sink, folder, pseudonyms, files_max, written, left_out, last })
    }

    /// How many were written and left out, in a sentence.
    pub(crate) fn summary(&self) -> String {
        let left_out = match self.left_out {
            0 => String::new(),
            count => format!(
                "; {} more were left out, since --evidence-max is {}",
                thousands(count),
                thousands(self.files_max)
            ),
        };
        let plural = if self.written == 1 { "" } else { "s" };
        let written = thousands(self.written);
        format!("{written} capture file{plural} written to {}{left_out}", self.folder.display())
    }
}

impl Sink for EvidenceFiles<'_> {
    fn start(&mut self, start: &Start) -> io::Result<()> {
        self.sink.start(start)
    }

    fn wants_minutes(&self) -> bool {
        self.sink.wants_minutes()
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.last = (event.status == EventStatus::Final).then(|| event.clone());
        if self.sink.wants_events() { self.sink.emit(event) } else { Ok(()) }
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        self.sink.status(status)
    }

    fn minute(&mut self, minute: &Minute) -> io::Result<()> {
        self.sink.minute(minute)
    }

    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        let Some(event) = self.last.take().filter(|event| event.id == evidence.event) else {
            return Ok(());
        };
        if self.written >= self.files_max {
            self.left_out += 1;
            return Ok(());
        }
        self.written += 1;
        let file = match &self.pseudonyms {
            Some(pseudonyms) => pseudonyms.evidence(evidence).to_pcapng(Some(&event)),
            None => evidence.to_pcapng(Some(&event)),
        };
        let path = self.folder.join(format!("{}.pcapng", event.id));
        std::fs::write(&path, file)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}
