//! What is known of the interfaces while they come and go, for whoever reports it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::{ControlReport, InputReport, Status};
use flowtable::Timestamp;
use xdp::Ration;

use crate::clock;
use crate::exporter::named;
use crate::gauge::Gauge;
use crate::link::{Link, Port};

/// All interfaces of a run. Keeper and workers write, the exporter's thread reads.
#[derive(Debug)]
pub(crate) struct Links {
    ports: Vec<Watched>,
    /// Every queue that is or was watched, in the order of interfaces and numbers.
    gauges: Mutex<Vec<Arc<Gauge>>>,
}

/// One interface.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) port: Port,
    /// Packets for which the XDP programs found no socket.
    no_socket: AtomicU64,
    /// Packets that the XDP programs left out on purpose.
    left_out: AtomicU64,
}

impl Watched {
    /// What its XDP programs have counted since the start; written by the keeper alone.
    pub(crate) fn set(&self, [no_socket, left_out]: [u64; 2]) {
        self.no_socket.store(no_socket, Ordering::Relaxed);
        self.left_out.store(left_out, Ordering::Relaxed);
    }

    /// What was known last.
    pub(crate) fn counts(&self) -> [u64; 2] {
        [&self.no_socket, &self.left_out].map(|cell| cell.load(Ordering::Relaxed))
    }
}

impl Links {
    pub(crate) fn new(links: &[Link]) -> Self {
        let watched = |(port, options): (Port, &xdp::Options)| Watched {
            name: options.interface.clone(),
            port,
            no_socket: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        };
        let ports = Port::all(links).into_iter().map(watched).collect();
        Self { ports, gauges: Mutex::default() }
    }

    /// The interfaces, in the order of [`crate::Receipt::input`].
    pub(crate) fn ports(&self) -> &[Watched] {
        &self.ports
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.ports.iter().map(|port| port.name.clone()).collect()
    }

    fn gauges(&self) -> MutexGuard<'_, Vec<Arc<Gauge>>> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gauge of a queue: the one it had, if it was watched before.
    pub(crate) fn gauge(&self, input: usize, queue: u32) -> Arc<Gauge> {
        let wanted = (input as u16, queue as u16);
        let mut gauges = self.gauges();
        let place = gauges.binary_search_by_key(&wanted, |gauge| (gauge.input, gauge.queue));
        let place = place.unwrap_or_else(|place| {
            let gauge = Gauge::new(wanted.0, self.ports[input].port, wanted.1);
            gauges.insert(place, Arc::new(gauge));
            place
        });
        Arc::clone(&gauges[place])
    }

    /// Adds what only live runs know; the exporter has told all up to `told`, in packet time.
    pub(crate) fn tell(&self, status: &mut Status, told: Timestamp) {
        status.losses.extend(self.losses());
        let gauges = self.gauges();
        // A clock that was set back leaves queues in the future on which nothing has come since.
        let now = clock::now();
        let latest = gauges.iter().map(|gauge| gauge.latest()).filter(|latest| *latest <= now);
        let latest = latest.max().unwrap_or_default();
        status.exporter_lag_s = latest.since_ns(told) as f64 / 1e9;
        let status_of =
            |gauge: &Arc<Gauge>| gauge.status(&self.ports[usize::from(gauge.input)].name);
        status.queues = gauges.iter().map(status_of).collect();
    }

    /// What the kernel and the XDP programs lost, by name.
    pub(crate) fn losses(&self) -> BTreeMap<String, u64> {
        let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
        for gauge in self.gauges().iter() {
            for (name, count) in gauge.losses() {
                *sums.entry(name).or_default() += count;
            }
        }
        let no_socket = self.ports.iter().map(|port| port.counts()[0]).sum();
        sums.insert("xdp_no_socket", no_socket);
        named(sums)
    }

    /// What the XDP programs left out on purpose.
    pub(crate) fn control(&self, ration: &Ration) -> ControlReport {
        let left_out = self.ports.iter().map(|port| port.counts()[1]).sum();
        ControlReport { first_packets: ration.first_packets, left_out }
    }

    /// What came of each interface; `frames` were judged.
    pub(crate) fn reports(&self, frames: &[u64]) -> Vec<InputReport> {
        let gauges = self.gauges();
        let report = |(input, port): (usize, &Watched)| {
            let own = || gauges.iter().filter(|gauge| usize::from(gauge.input) == input);
            let lent: u64 = own().map(|gauge| gauge.received()).sum();
            InputReport {
                name: port.name.clone(),
                mode: own().next().map_or_else(String::new, |gauge| gauge.mode()),
                packets: frames.get(input).copied().unwrap_or(0).max(lent),
                problem: None,
            }
        };
        self.ports.iter().enumerate().map(report).collect()
    }
}
