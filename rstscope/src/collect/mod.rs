//! `rstscope collect`: the collector of a fleet, without a sensor of its own.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the command: store, receivers, API, until it is told to stop |
//! | `kept.rs` | where records are kept |
//! | `heard.rs` | what is kept, told to the page and to the logs |
//! | `joined.rs` | events beside logs of firewalls and servers |
//! | `hourly.rs` | the thread that writes Parquet files |
//! | `notify.rs` | what the service manager is told |

mod heard;
mod hourly;
mod joined;
mod kept;
mod lately;
mod notify;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use collector::{ClickHouse, ClickHouseOptions, ReceiveState, Receivers, StoreKind};
use events::{Status, thousands};
use signal_hook::consts::SIGHUP;

use self::kept::Kept;
use self::notify::Notify;
use crate::api::Api;
use crate::config::{Config, check, load};
use crate::{Outcome, chain_text, identity, log, stop};

/// Arguments of `rstscope collect`.
#[derive(Args, Debug)]
pub(crate) struct CollectArguments {
    /// The configuration; without it what `rstscope run` would take. Sections [collect], [store], [api] and
    /// [service] count here
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where API, page, /metrics and /healthz are offered, or off; 127.0.0.1:9477 if that port is free
    #[arg(long, value_name = "ADDRESS:PORT|off")]
    api: Option<collector::Listen>,
    /// Print the statements that make the tables in ClickHouse, and do nothing else
    #[arg(long)]
    print_ddl: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Receives until SIGINT or SIGTERM; a second signal ends the process at once.
pub(crate) fn run(arguments: &CollectArguments) -> anyhow::Result<Outcome> {
    let config = configured(arguments)?;
    if arguments.print_ddl {
        let ddl = ClickHouse::ddl(&config.store.clickhouse);
        std::io::stdout().lock().write_all(ddl.as_bytes())?;
        return Ok(Outcome::Good);
    }
    ensure!(
        config.store.enabled,
        "store.enabled = false: a collector without a store keeps nothing"
    );
    if !arguments.quiet {
        log::set_level(config.service.log);
    }
    let stop = stop::upon_signals()?;
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&reload)).context("watch for SIGHUP")?;
    let kept = Kept::open(&config)?;
    let named = identity::sensor(&config, Vec::new());
    let api = Api::offer(&config.api, named, kept.past, kept.logs)?;
    if let Some(api) = &api {
        kept.recent.get_or_init(|| Arc::clone(api.recent()));
    }
    let receivers = Receivers::start(&config.collect, kept.keep, kept.gather)?;
    if !arguments.quiet {
        greet(&config, &receivers)?;
    }
    let notify = Notify::from_environment();
    notify.ready();
    while !stop.load(Ordering::Relaxed) {
        let state = receivers.state();
        notify.beat(&text_of(&state));
        if let Some(api) = &api {
            api.recent().receive(state);
            api.recent().status(&Status::default());
        }
        if reload.swap(false, Ordering::Relaxed) {
            read_anew(arguments, &config);
            notify.ready();
        }
        std::thread::park_timeout(BEAT);
    }
    notify.stopping();
    let state = receivers.state();
    drop((receivers, kept.hourly));
    tracing::info!("stopped; {}", text_of(&state));
    Ok(Outcome::Good)
}

fn configured(arguments: &CollectArguments) -> anyhow::Result<Config> {
    let mut config = load(arguments.config.as_deref())?.config;
    if arguments.api.is_some() {
        config.api.listen = arguments.api;
    }
    check(&config)?;
    Ok(config)
}

/// Says where records are taken, and what is kept of them.
fn greet(config: &Config, receivers: &Receivers) -> anyhow::Result<()> {
    let store = &config.store;
    let mut out = std::io::stdout().lock();
    for (name, address) in receivers.addresses() {
        writeln!(out, "Receives {name} on {address}")?;
    }
    if let Some(nats) = &config.collect.nats {
        let (consumer, stream) = (&nats.consumer, &nats.stream);
        writeln!(out, "Receives nats from {} ({stream}, as {consumer})", nats.servers.join(", "))?;
    }
    if store.kind == StoreKind::Clickhouse {
        let ClickHouseOptions { url, database, .. } = &store.clickhouse;
        writeln!(out, "Keeps in ClickHouse at {url}, database {database}")?;
    } else {
        writeln!(
            out,
            "Keeps in {}: counts by minute {} h, by ten minutes {} d, by hour {} d; events {} d or {} GiB; \
             packets {} GiB",
            store.directory.display(),
            store.minutes_h,
            store.tens_d,
            store.hours_d,
            store.events_d,
            store.events_bytes_max >> 30,
            store.evidence_bytes_max >> 30,
        )?;
    }
    if let Some(address) = config.api.address() {
        writeln!(out, "Answers on {address}: /api/v1/..., /metrics, /healthz, /readyz")?;
    }
    out.flush().context("write to standard output")
}

/// SIGHUP: how much is said changes at once, all else waits for the next start.
fn read_anew(arguments: &CollectArguments, old: &Config) {
    match configured(arguments) {
        Ok(config) => {
            if !arguments.quiet {
                log::set_level(config.service.log);
            }
            let is_same = (&config.collect, &config.store, &config.api)
                == (&old.collect, &old.store, &old.api);
            if is_same {
                tracing::info!("configuration read anew");
            } else {
                tracing::warn!("changes in [collect], [store] or [api] wait for the next start");
            }
        }
        Err(error) => {
            tracing::error!("the configuration stays as it was: {}", chain_text(&error));
        }
    }
}

/// How it goes, in a line.
fn text_of(state: &ReceiveState) -> String {
    let of = |outcome: &str| -> u64 {
        state.records.iter().filter(|row| row.outcome == outcome).map(|row| row.count).sum()
    };
    let refused: u64 = state.receivers.iter().flat_map(|receiver| receiver.refused.values()).sum();
    let trouble = match &state.problem {
        Some(why) => format!("; the store takes nothing: {why}"),
        None => String::new(),
    };
    format!("{} records stored, {} refused{trouble}", thousands(of("kept")), thousands(refused))
}

/// How often it is told how it goes.
const BEAT: Duration = Duration::from_secs(1);
