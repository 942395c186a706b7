//! Whoever is told what a live run finds.

use std::io;

use events::{Event, Evidence, Minute, Start, Status};
use pipeline::Sink;

use super::corroborate::Corroborate;
use super::deliver::{Deliver, state_of};
use super::privileges;
use super::reload::Reload;
use super::supervisor::Supervisor;
use crate::api::Api;
use crate::evidence::Shipping;
use crate::log;
use crate::output::Output;

/// One sink for everybody: standard output, the local API, the sinks, the join with logs and the service
/// manager.
pub(super) struct Told<'a> {
    pub(super) api: Option<Api>,
    pub(super) deliver: Deliver,
    pub(super) corroborate: Option<Corroborate>,
    pub(super) shipping: Shipping,
    pub(super) output: Output<'a>,
    pub(super) supervisor: Supervisor,
    pub(super) reload: Reload<'a>,
    pub(super) is_quiet: bool,
    pub(super) drops_privileges: bool,
}

impl Told<'_> {
    /// Tells events anew that logs have more to say of; they go to sinks and to the page, not to standard output.
    pub(super) fn tell_revised(&mut self) {
        let Some(corroborate) = &self.corroborate else { return };
        for event in corroborate.revised() {
            if let Some(api) = &self.api {
                api.recent().event(&event);
            }
            self.deliver.emit(&event);
        }
    }

    fn reload(&mut self) {
        self.supervisor.reloading();
        if let Some(change) = self.reload.read() {
            if !self.is_quiet {
                log::set_level(change.config.service.log);
            }
            change.tell();
            if self.deliver.differs(&change.config) {
                self.deliver.change(&change.config);
            }
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
        // Everything is bound, workers are yet to be started; who attaches anew has its own thread.
        if self.drops_privileges {
            privileges::give_up();
        }
        self.supervisor.ready();
        Ok(())
    }

    fn waiting(&mut self) -> io::Result<()> {
        self.supervisor.waiting();
        if let Some(api) = &self.api {
            // It lives, and is not ready.
            api.recent().status(&Status::default());
        }
        Ok(())
    }

    fn wants_events(&self) -> bool {
        self.api.is_some()
            || self.corroborate.is_some()
            || self.deliver.is_wanted()
            || self.output.wants_events()
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        if let Some(api) = &self.api {
            api.recent().event(event);
        }
        self.shipping.event(event);
        self.deliver.emit(event);
        if let Some(corroborate) = &self.corroborate {
            corroborate.event(event);
        }
        if self.output.wants_events() { self.output.emit(event) } else { Ok(()) }
    }

    fn wants_minutes(&self) -> bool {
        self.deliver.is_wanted()
    }

    fn minute(&mut self, minute: &Minute) -> io::Result<()> {
        self.deliver.minute(minute);
        Ok(())
    }

    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        let evidence = self.shipping.prepared(evidence);
        if self.shipping.is_sent() {
            self.deliver.evidence(&evidence);
        }
        if let Some(api) = &self.api {
            api.recent().evidence(evidence);
        }
        Ok(())
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        if self.reload.is_wanted() {
            self.reload();
        }
        self.tell_revised();
        let delivery = self.deliver.status();
        let mut status = status.clone();
        status.losses.extend(delivery.losses());
        status.losses.extend(self.corroborate.iter().flat_map(Corroborate::losses));
        self.supervisor.beat(&status);
        if let Some(api) = &self.api {
            api.recent().delivery(state_of(&delivery));
            api.recent().status(&status);
        }
        self.output.status(&status)
    }
}
