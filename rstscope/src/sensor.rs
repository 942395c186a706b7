//! The only place that calls `pipeline`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use anyhow::Context as _;
use events::Report;
use pipeline::{
    AttachMode, Capture, Clock, EvidenceOptions, HugePages, KeyScope, Link, NamesKept, Options,
    Others, Ration, RunOptions, Sharding, Sink, Timeouts, Wait, ZeroCopy,
};

use crate::cli::{
    CaptureChoice, ClockChoice, KeyPart, NamesChoice, QueueArguments, SensorArguments, WaitChoice,
    ZeroCopyChoice,
};
use crate::config::{CaptureSection, Config, LinkSection, PagesChoice, SensorSection};

/// Reads captures to their ends or until `stop` is set, merged by time; `progress` grows by the bytes read.
pub(crate) fn read(
    files: &[PathBuf],
    arguments: &SensorArguments,
    provisional: bool,
    progress: Option<Arc<AtomicU64>>,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    let reading = Reading { workers: 1, provisional, evidence: EvidenceOptions::default() };
    read_by(reading, files, arguments, progress, stop, sink)
}

/// How captures are read.
pub(crate) struct Reading {
    /// By so many workers.
    pub(crate) workers: usize,
    /// Provisional verdicts too.
    pub(crate) provisional: bool,
    /// What is kept of packets.
    pub(crate) evidence: EvidenceOptions,
}

/// [`read`] in another way.
pub(crate) fn read_by(
    reading: Reading,
    files: &[PathBuf],
    arguments: &SensorArguments,
    progress: Option<Arc<AtomicU64>>,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    let capture = CaptureSection::of(arguments);
    let Reading { workers, provisional, evidence } = reading;
    let sensor = SensorSection::of(arguments, provisional);
    let options = Options { read_workers: workers, evidence, ..options(&capture, &sensor) };
    pipeline::read(files, &options, progress, stop, sink).context("read captures")
}

/// Watches links until `stop` is set.
pub(crate) fn watch(
    config: &Config,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    pipeline::run(&run_options(config), stop, sink).context("watch interfaces")
}

/// What a live run is told.
fn run_options(config: &Config) -> RunOptions {
    let capture = &config.capture;
    let mut run = RunOptions {
        links: config.link.iter().map(link_of).collect(),
        options: Options {
            minutes: config.minutes.options(),
            evidence: config.evidence.options(),
            ..options(capture, &config.sensor)
        },
        pin: capture.pin,
        wait: wait_of(capture.wait),
        sharding: if capture.symmetric_queues { Sharding::ByQueue } else { Sharding::ByHash },
        wait_for_interfaces: config.service.wait_for_interfaces,
        lock_memory: config.service.lock_memory,
    };
    for interface in run.links.iter_mut().flat_map(Link::ports_mut) {
        set_interface(interface, capture);
    }
    run
}

/// How an interface is attached to.
pub(crate) fn interface_options(name: &str, capture: &CaptureSection) -> xdp::Options {
    let mut options = xdp::Options::new(name);
    set_interface(&mut options, capture);
    options
}

fn link_of(section: &LinkSection) -> Link {
    let link = Link::tap(&section.interfaces.join("+"));
    Link { name: section.name.clone().unwrap_or(link.name), ..link }
}

fn set_interface(interface: &mut xdp::Options, capture: &CaptureSection) {
    interface.host_interface = capture.host_interface;
    interface.queues.clone_from(&capture.queues);
    interface.others = if capture.pass_others { Others::Pass } else { Others::Drop };
    interface.tunnels = capture.tunnels;
    interface.tunnel_ports.clone_from(&capture.tunnel_ports);
    if capture.generic {
        interface.attach_mode = AttachMode::GenericOnly;
    }
    interface.zero_copy = match capture.zero_copy {
        ZeroCopyChoice::Prefer => ZeroCopy::Prefer,
        ZeroCopyChoice::Require => ZeroCopy::Require,
        ZeroCopyChoice::Never => ZeroCopy::Never,
    };
    interface.clock = match capture.clock {
        ClockChoice::System => Clock::System,
        ClockChoice::Card => Clock::Card,
    };
    interface.frames = capture.frames;
    interface.frame_size = capture.frame_size;
    interface.batch = capture.batch;
    interface.huge_pages = match capture.huge_pages {
        PagesChoice::Transparent => HugePages::Transparent,
        PagesChoice::Reserved => HugePages::Reserved,
        PagesChoice::Never => HugePages::Never,
    };
    interface.promiscuous = capture.promiscuous;
    interface.carrier_wait = Duration::from_secs(u64::from(capture.carrier_wait_s));
}

/// What workers shall do while nothing comes.
pub(crate) fn wait_of(wait: WaitChoice) -> Wait {
    match wait {
        WaitChoice::Poll => Wait::Poll,
        WaitChoice::BusyPoll => Wait::BusyPoll,
        WaitChoice::Spin => Wait::Spin,
    }
}

/// Sizes of queues, where they were chosen.
pub(crate) fn set_queue(interface: &mut xdp::Options, queue: &QueueArguments) {
    interface.batch = queue.batch.unwrap_or(interface.batch);
    interface.frames = queue.frames.unwrap_or(interface.frames);
}

fn options(capture: &CaptureSection, sensor: &SensorSection) -> Options {
    let ration = Ration { first_packets: capture.first_packets, connections: sensor.flows };
    Options {
        capture: match capture.packets {
            CaptureChoice::All => Capture::All,
            CaptureChoice::Control => Capture::Control(ration),
        },
        flows: sensor.flows,
        servers: sensor.servers,
        watches: sensor.watches,
        timeouts: Timeouts {
            established_s: sensor.established_s,
            half_open_s: sensor.half_open_s,
            closed_s: sensor.closed_s,
            yield_s: sensor.yield_s,
        },
        key_scope: KeyScope {
            vlan: sensor.key_scope.contains(&KeyPart::Vlan),
            tunnel: sensor.key_scope.contains(&KeyPart::Tunnel),
        },
        community_id_seed: sensor.community_id_seed,
        names: match sensor.names {
            NamesChoice::Off => NamesKept::Off,
            NamesChoice::Hash => NamesKept::Hash,
            NamesChoice::Plain => NamesKept::Plain,
        },
        provisional: sensor.provisional,
        context: sensor.context,
        ..Options::default()
    }
}
