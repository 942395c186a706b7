//! A short run of the sensor on the interfaces in question: what their traffic tells.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use events::{Event, Status};
use pipeline::Sink;
use xdp::{Interface, InterfaceStatistics};

use crate::config::Config;
use crate::sensor;

/// What was seen.
pub(super) struct Watched {
    /// How long.
    pub(super) seconds: u32,
    /// The last that the sensor said.
    pub(super) status: Status,
    /// What each interface counted meanwhile.
    pub(super) counted: BTreeMap<String, InterfaceStatistics>,
}

/// Watches the links of `config` for so many seconds, with little memory and nothing pinned.
///
/// # Errors
/// The sensor could not start, or its interface went away.
pub(super) fn watch(config: &Config, seconds: u32) -> anyhow::Result<Watched> {
    let mut config = config.clone();
    config.service.lock_memory = false;
    config.service.wait_for_interfaces = false;
    config.capture.pin = false;
    config.sensor.flows = FLOWS.min(config.sensor.flows);
    config.sensor.watches = WATCHES.min(config.sensor.watches);
    config.sensor.context = false;
    let names: Vec<&String> = config.link.iter().flat_map(|link| &link.interfaces).collect();
    let counted = || -> BTreeMap<String, InterfaceStatistics> {
        let count =
            |name: &&String| Some(((*name).clone(), Interface::query(name).ok()?.statistics()));
        names.iter().filter_map(count).collect()
    };
    let before = counted();
    let stop = AtomicBool::new(false);
    let mut sink = LastStatus::default();
    let (ended, end) = channel();
    let outcome = std::thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            // Whichever comes first: the time, or the end of a run that failed.
            let wait = end.recv_timeout(Duration::from_secs(seconds.into()) + LAST_STATUS);
            if wait == Err(RecvTimeoutError::Timeout) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        let outcome = sensor::watch(&config, stop, &mut sink);
        let _ = ended.send(());
        outcome
    });
    // The status tells of what has been looked at long enough, the report of all.
    sink.status.tap = outcome?.tap;
    let counted = counted();
    let counted = counted.into_iter().map(|(name, after)| {
        let since = before.get(&name).map_or(after, |before| difference(&after, before));
        (name, since)
    });
    Ok(Watched { seconds, status: sink.status, counted: counted.collect() })
}

fn difference(after: &InterfaceStatistics, before: &InterfaceStatistics) -> InterfaceStatistics {
    InterfaceStatistics {
        packets: after.packets.saturating_sub(before.packets),
        bytes: after.bytes.saturating_sub(before.bytes),
        errors: after.errors.saturating_sub(before.errors),
        dropped: after.dropped.saturating_sub(before.dropped),
        fifo_errors: after.fifo_errors.saturating_sub(before.fifo_errors),
        missed: after.missed.saturating_sub(before.missed),
    }
}

#[derive(Default)]
struct LastStatus {
    status: Status,
}

impl Sink for LastStatus {
    fn wants_events(&self) -> bool {
        false
    }

    fn emit(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }

    fn status(&mut self, status: &Status) -> io::Result<()> {
        self.status.clone_from(status);
        Ok(())
    }
}

/// A sample suffices to tell how a tap is.
const FLOWS: usize = 1 << 16;
const WATCHES: usize = 1 << 10;
/// The status is told once a second: the last one shall cover the whole time.
const LAST_STATUS: Duration = Duration::from_millis(500);
