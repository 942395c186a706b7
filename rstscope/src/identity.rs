//! Who we are in everything that leaves this machine.

use collector::Sensor;
use delivery::Identity;

use crate::config::Config;

/// The name of the configuration, or that of this machine.
pub(crate) fn identity(config: &Config) -> Identity {
    let identity = Identity::of_this_machine(env!("CARGO_PKG_VERSION"));
    match &config.sensor.name {
        Some(name) => Identity { sensor: name.clone(), ..identity },
        None => identity,
    }
}

/// The same for the API; `interfaces` are those that shall be watched.
pub(crate) fn sensor(config: &Config, interfaces: Vec<String>) -> Sensor {
    let Identity { sensor: name, version, .. } = identity(config);
    Sensor { name, version, interfaces }
}
