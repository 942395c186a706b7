//! Flags over a configuration.

use super::{CaptureSection, Config, LinkSection, SensorSection};
use crate::cli::{LinkArguments, QueueArguments, RunArguments, SensorArguments};

/// What `rstscope run` shall do: the configuration with everything that flags say laid over it.
pub(crate) fn for_run(mut config: Config, arguments: &RunArguments) -> Config {
    if !arguments.interface.is_empty() {
        config.link = arguments.interface.iter().map(|link| LinkSection::parse(link)).collect();
    }
    config.capture.lay_over(&arguments.sensor);
    config.capture.lay_over_link(&arguments.link);
    config.api.listen = arguments.api.or(config.api.listen);
    if let Some(store) = &arguments.store {
        store.apply(&mut config.store);
    }
    config.sensor.provisional |= arguments.output.provisional;
    config.sensor.lay_over(&arguments.sensor);
    // A sink that takes them needs somebody who makes them.
    config.sensor.provisional |= config.sink.iter().any(|sink| sink.send().provisional);
    config
}

impl LinkSection {
    /// `eth1`, or `east0+west0` for the two ports of an optical tap.
    pub(crate) fn parse(text: &str) -> Self {
        Self { name: None, interfaces: text.split('+').map(str::to_owned).collect() }
    }
}

impl CaptureSection {
    /// What `rstscope read` and its kin shall do: the defaults but for flags.
    pub(crate) fn of(arguments: &SensorArguments) -> Self {
        let mut section = Self::default();
        section.lay_over(arguments);
        section
    }

    fn lay_over(&mut self, arguments: &SensorArguments) {
        self.packets = arguments.capture.unwrap_or(self.packets);
        self.first_packets = arguments.first_packets.unwrap_or(self.first_packets);
    }

    fn lay_over_link(&mut self, link: &LinkArguments) {
        self.zero_copy = link.zero_copy.unwrap_or(self.zero_copy);
        self.clock = link.clock.unwrap_or(self.clock);
        self.generic |= link.generic;
        self.pass_others |= link.pass_others;
        self.symmetric_queues |= link.symmetric_queues;
        self.pin &= !link.no_pin;
        let QueueArguments { wait, batch, frames } = link.queue;
        self.wait = wait.unwrap_or(self.wait);
        self.batch = batch.unwrap_or(self.batch);
        self.frames = frames.unwrap_or(self.frames);
    }
}

impl SensorSection {
    /// What `rstscope read` and its kin shall do: the defaults but for flags.
    pub(crate) fn of(arguments: &SensorArguments, provisional: bool) -> Self {
        let mut section = Self { provisional, ..Self::default() };
        section.lay_over(arguments);
        section
    }

    fn lay_over(&mut self, arguments: &SensorArguments) {
        self.community_id_seed = arguments.community_id_seed.unwrap_or(self.community_id_seed);
        self.flows = arguments.flows.unwrap_or(self.flows);
        if !arguments.key_scope.is_empty() {
            self.key_scope.clone_from(&arguments.key_scope);
        }
        self.names = arguments.names.unwrap_or(self.names);
    }
}
