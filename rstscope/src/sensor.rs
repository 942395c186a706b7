//! The only place that calls `pipeline`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::Context as _;
use events::Report;
use pipeline::{AttachMode, KeyScope, NamesKept, Options, Others, RunOptions, Sink, ZeroCopy};

use crate::cli::{KeyPart, LinkArguments, NamesChoice, SensorArguments, ZeroCopyChoice};

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
        ..RunOptions::taps(interfaces)
    };
    for interface in &mut options.interfaces {
        interface.others = if link.pass_others { Others::Pass } else { Others::Drop };
        interface.zero_copy = match link.zero_copy {
            ZeroCopyChoice::Prefer => ZeroCopy::Prefer,
            ZeroCopyChoice::Require => ZeroCopy::Require,
            ZeroCopyChoice::Never => ZeroCopy::Never,
        };
        if link.generic {
            interface.attach_mode = AttachMode::GenericOnly;
        }
    }
    pipeline::run(&options, stop, sink).context("watch interfaces")
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
    Options { community_id_seed, provisional, key_scope, flows, names, ..defaults }
}
