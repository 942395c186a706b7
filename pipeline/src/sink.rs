//! Where events go.

use std::io;

use events::{Event, Evidence, Minute, Start, Status};

/// Takes events one by one; the binary's table, NDJSON and CSV are sinks.
pub trait Sink {
    /// Told about once a second in live use while no interface could be opened yet, before
    /// [`Sink::start`].
    ///
    /// # Errors
    /// What the output said; the run ends.
    fn waiting(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Told once, before the first packet.
    ///
    /// # Errors
    /// What the output said; the run ends.
    fn start(&mut self, start: &Start) -> io::Result<()> {
        let _ = start;
        Ok(())
    }

    /// Whether events are wanted at all; a summary alone is counted without making any.
    fn wants_events(&self) -> bool {
        true
    }

    /// Told for every reset.
    ///
    /// # Errors
    /// What the output said; the run ends.
    fn emit(&mut self, event: &Event) -> io::Result<()>;

    /// Told about once a second in live use.
    ///
    /// # Errors
    /// What the output said; the run ends.
    fn status(&mut self, status: &Status) -> io::Result<()> {
        let _ = status;
        Ok(())
    }

    /// Whether minutes are wanted: only then are any counted. Asked once, before the start.
    fn wants_minutes(&self) -> bool {
        false
    }

    /// Told when a minute of packet time is over and what came late for it has had its time.
    ///
    /// # Errors
    /// What the output said; the run ends.
    fn minute(&mut self, minute: &Minute) -> io::Result<()> {
        let _ = minute;
        Ok(())
    }

    /// Told the packets of a final event, right after it, where they were kept.
    ///
    /// # Errors
    /// What the output said; the run ends.
    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        let _ = evidence;
        Ok(())
    }
}
