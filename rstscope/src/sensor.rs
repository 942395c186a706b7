//! The only place that calls `pipeline`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::Context as _;
use events::Report;
use pipeline::{
    AttachMode, Capture, KeyScope, Link, NamesKept, Options, Others, Ration, RunOptions, Sharding,
    Sink, Wait, ZeroCopy,
};

use crate::cli::{
    CaptureChoice, KeyPart, LinkArguments, NamesChoice, QueueArguments, SensorArguments,
    WaitChoice, ZeroCopyChoice,
};

/// Reads captures to their ends or until `stop` is set, merged by time; `progress` grows by the bytes read.
pub(crate) fn read(
    files: &[PathBuf],
    arguments: &SensorArguments,
    provisional: bool,
    progress: Option<Arc<AtomicU64>>,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    read_by(1, files, arguments, provisional, progress, stop, sink)
}

/// [`read`] by so many workers.
pub(crate) fn read_by(
    workers: usize,
    files: &[PathBuf],
    arguments: &SensorArguments,
    provisional: bool,
    progress: Option<Arc<AtomicU64>>,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    let options = Options { read_workers: workers, ..options(arguments, provisional) };
    pipeline::read(files, &options, progress, stop, sink).context("read captures")
}

/// Watches interfaces until `stop` is set.
pub(crate) fn watch(
    interfaces: &[String],
    link: &LinkArguments,
    arguments: &SensorArguments,
    provisional: bool,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    let mut options = RunOptions {
        options: options(arguments, provisional),
        pin: !link.no_pin,
        wait: wait_of(&link.queue),
        sharding: if link.symmetric_queues { Sharding::ByQueue } else { Sharding::ByHash },
        ..RunOptions::taps(interfaces)
    };
    for interface in options.links.iter_mut().flat_map(Link::ports_mut) {
        interface.others = if link.pass_others { Others::Pass } else { Others::Drop };
        interface.zero_copy = match link.zero_copy {
            ZeroCopyChoice::Prefer => ZeroCopy::Prefer,
            ZeroCopyChoice::Require => ZeroCopy::Require,
            ZeroCopyChoice::Never => ZeroCopy::Never,
        };
        set_queue(interface, &link.queue);
        if link.generic {
            interface.attach_mode = AttachMode::GenericOnly;
        }
    }
    pipeline::run(&options, stop, sink).context("watch interfaces")
}

/// What workers shall do while nothing comes.
pub(crate) fn wait_of(queue: &QueueArguments) -> Wait {
    match queue.wait {
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

fn options(arguments: &SensorArguments, provisional: bool) -> Options {
    let community_id_seed = arguments.community_id_seed;
    let key_scope = KeyScope {
        vlan: arguments.key_scope.contains(&KeyPart::Vlan),
        tunnel: arguments.key_scope.contains(&KeyPart::Tunnel),
    };
    let defaults = Options::default();
    let flows = arguments.flows.unwrap_or(defaults.flows);
    let names = match arguments.names {
        NamesChoice::Off => NamesKept::Off,
        NamesChoice::Hash => NamesKept::Hash,
        NamesChoice::Plain => NamesKept::Plain,
    };
    let ration = Ration { first_packets: arguments.first_packets, connections: flows };
    let capture = match arguments.capture {
        CaptureChoice::All => Capture::All,
        CaptureChoice::Control => Capture::Control(ration),
    };
    Options { capture, community_id_seed, provisional, key_scope, flows, names, ..defaults }
}
