//! `rstscope run`: links to verdicts, until it is told to stop.
//!
//! | file | what |
//! |---|---|
//! | `told.rs` | whoever is told what is found |
//! | `deliver.rs` | events to the sinks |
//! | `corroborate.rs` | events beside logs of firewalls and servers |
//! | `reload.rs` | SIGHUP: the configuration is read anew |
//! | `supervisor.rs` | what a service manager is told |
//! | `privileges.rs` | capabilities given up |

mod corroborate;
mod deliver;
mod privileges;
mod reload;
mod supervisor;
mod told;

use std::sync::Arc;

use anyhow::ensure;
use collector::Past;

use self::corroborate::Corroborate;
use self::deliver::Deliver;
use self::reload::Reload;
use self::supervisor::Supervisor;
use self::told::Told;
use crate::Outcome;
use crate::api::Api;
use crate::cli::RunArguments;
use crate::evidence::Shipping;
use crate::output::Output;
use crate::{config, identity, log, sensor, stop, store};

/// Watches until SIGINT or SIGTERM; a second signal ends the process at once.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<Outcome> {
    let loaded = config::load(arguments.config.as_deref())?;
    let config = config::for_run(loaded.config, arguments);
    config::check(&config)?;
    if !arguments.output.quiet {
        log::set_level(config.service.log);
    }
    ensure!(
        !config.link.is_empty(),
        "no link to watch: name an interface by --interface, or [[link]] in the configuration"
    );
    let stop = stop::upon_signals()?;
    let interfaces = config.link.iter().flat_map(|link| link.interfaces.clone()).collect();
    let named = identity::sensor(&config, interfaces);
    let keeps = !config.service.drop_privileges;
    let store = privileges::without(keeps, || store::open(&config.store, false))?;
    let own = store.iter().map(|kept| store::sink(kept, &config.store.directory)).collect();
    let start = || Corroborate::start(&config.logs, &named.name);
    let corroborate = privileges::without(keeps, start)?;
    let logs = corroborate.as_ref().map(|corroborate| Arc::clone(corroborate.logs()));
    let past = store.map(|store| store as Arc<dyn Past>);
    let shipping = Shipping::of(&config.evidence)?;
    let mut told = Told {
        shipping,
        api: privileges::without(keeps, || Api::offer(&config.api, named.clone(), past, logs))?,
        deliver: Deliver::start(&config, own)?,
        corroborate,
        output: Output::new(&arguments.output, true),
        supervisor: Supervisor::from_environment(),
        reload: Reload::upon_signal(arguments, config.clone())?,
        is_quiet: arguments.output.quiet,
        drops_privileges: !keeps,
    };
    let mut report = sensor::watch(&config, &stop, &mut told)?;
    told.supervisor.stopping();
    told.tell_revised();
    report.losses.extend(told.deliver.stop().losses());
    report.losses.extend(told.corroborate.iter().flat_map(Corroborate::losses));
    told.output.finish(&report)
}
