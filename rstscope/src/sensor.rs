//! The only place that calls `pipeline`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::Context as _;
use events::Report;
use pipeline::{Options, RunOptions, Sink};

use crate::cli::SensorArguments;

/// Reads captures to their ends or until `stop` is set, merged by time; `progress` grows by the bytes read.
pub(crate) fn read(
    files: &[PathBuf],
    arguments: &SensorArguments,
    provisional: bool,
    progress: Option<Arc<AtomicU64>>,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    pipeline::read(files, &options(arguments, provisional), progress, stop, sink)
        .context("read captures")
}

/// Watches interfaces until `stop` is set.
pub(crate) fn watch(
    interfaces: &[String],
    arguments: &SensorArguments,
    provisional: bool,
    stop: &AtomicBool,
    sink: &mut dyn Sink,
) -> anyhow::Result<Report> {
    let options =
        RunOptions { options: options(arguments, provisional), ..RunOptions::taps(interfaces) };
    pipeline::run(&options, stop, sink).context("watch interfaces")
}

fn options(arguments: &SensorArguments, provisional: bool) -> Options {
    let community_id_seed = arguments.community_id_seed;
    Options { community_id_seed, provisional, ..Options::default() }
}
