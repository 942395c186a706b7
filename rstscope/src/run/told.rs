//! Whoever is told what a live run finds.

use std::io;

use events::{Event, Start, Status};
use pipeline::Sink;

use super::reload::Reload;
use super::supervisor::Supervisor;
use crate::log;
use crate::output::Output;

/// One sink for everybody: standard output and the service manager.
pub(super) struct Told<'a> {
    pub(super) output: Output<'a>,
    pub(super) supervisor: Supervisor,
    pub(super) reload: Reload<'a>,
    pub(super) is_quiet: bool,
}

impl Told<'_> {
    fn reload(&mut self) {
        self.supervisor.reloading();
        if let Some(change) = self.reload.read() {
            if !self.is_quiet {
                log::set_level(change.config.service.log);
            }
            change.tell();
        }
        self.supervisor.ready();
    }
}

impl Sink for Told<'_> {
    fn start(&mut self, start: &Start) -> io::Result<()> {
        self.output.start(start)?;
        self.supervisor.ready();
        Ok(())
    }

    fn wants_events(&self) -> bool {
        self.output.wants_events()
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.output.emit(event)
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        self.supervisor.beat(status);
        if self.reload.is_wanted() {
            self.reload();
        }
        self.output.status(status)
    }
}
