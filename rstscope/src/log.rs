//! What is said on standard error besides results: warnings and errors, or what was asked for.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::LogLevel;
use crate::terminal;

/// Begins to say things; `RUST_LOG` asks for more or less than `level`.
pub(crate) fn to_stderr(level: LogLevel) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let layer = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !terminal::colours_refused())
        .with_target(false)
        .without_time();
    tracing_subscriber::registry().with(filter).with(layer).init();
    let _ = FILTER.set(handle);
}

/// Says more or less from now on, unless `RUST_LOG` has decided it.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(handle) = FILTER.get() {
        // Fails only when the subscriber is gone, and with it whoever could be told.
        let _ = handle.reload(filter(level));
    }
}

fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level.name()))
}

static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();
