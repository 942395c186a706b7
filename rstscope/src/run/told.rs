//! Whoever is told what a live run finds.

use std::io;

use events::{Event, Start, Status};
use pipeline::Sink;

use super::reload::Reload;
use super::supervisor::Supervisor;
use crate::api::Api;
use crate::log;
use crate::output::Output;

/// One sink for everybody: standard output, the local API and the service manager.
pub(super) struct Told<'a> {
    pub(super) api: Option<Api>,
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
        match &self.api {
            Some(api) => self.output.start(&api.start(start))?,
            None => self.output.start(start)?,
        }
        self.supervisor.ready();
        Ok(())
    }

    fn wants_events(&self) -> bool {
        self.api.is_some() || self.output.wants_events()
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        if let Some(api) = &self.api {
            api.recent().event(event);
        }
        if self.output.wants_events() { self.output.emit(event) } else { Ok(()) }
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        self.supervisor.beat(status);
        if let Some(api) = &self.api {
            api.recent().status(status);
        }
        if self.reload.is_wanted() {
            self.reload();
        }
        self.output.status(status)
    }
}
