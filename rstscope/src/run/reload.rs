//! SIGHUP: the configuration is read anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use signal_hook::consts::SIGHUP;
use toml::Table;

use crate::cli::RunArguments;
use crate::config::{self, Config};

/// Looks now and then whether the configuration shall be read anew.
#[derive(Debug)]
pub(super) struct Reload<'a> {
    arguments: &'a RunArguments,
    wanted: Arc<AtomicBool>,
    /// What is in force.
    config: Config,
}

/// What has changed in the configuration.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Change {
    pub(super) config: Config,
    /// Keys with other values than before, as `section.key`.
    pub(super) keys: Vec<String>,
}

impl<'a> Reload<'a> {
    pub(super) fn upon_signal(arguments: &'a RunArguments, config: Config) -> anyhow::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, Arc::clone(&wanted)).context("watch for SIGHUP")?;
        Ok(Self { arguments, wanted, config })
    }

    /// Whether somebody asked for it since the last time.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Reads everything anew. What is wrong is said and changes nothing.
    pub(super) fn read(&mut self) -> Option<Change> {
        let path: Option<&PathBuf> = self.arguments.config.as_ref();
        let read = config::load(path.map(PathBuf::as_path)).and_then(|loaded| {
            let config = config::for_run(loaded.config, self.arguments);
            config::check(&config).map(|()| config)
        });
        match read {
            Ok(config) => {
                let keys = changed(&self.config, &config);
                self.config = config.clone();
                Some(Change { config, keys })
            }
            Err(error) => {
                let error = crate::chain_text(&error);
                tracing::error!("the configuration stays as it was: {error}");
                None
            }
        }
    }
}

impl Change {
    /// Says what now holds and what waits for the next start.
    pub(super) fn tell(&self) {
        let (now, later): (Vec<&String>, Vec<&String>) =
            self.keys.iter().partition(|key| LIVE.iter().any(|live| key.starts_with(live)));
        let list =
            |keys: &[&String]| keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", ");
        match self.keys.len() {
            0 => tracing::info!("configuration read anew: nothing has changed"),
            _ => tracing::info!("configuration read anew; now in force: {}", list(&now)),
        }
        if !later.is_empty() {
            tracing::warn!("these changes wait for the next start: {}", list(&later));
        }
    }
}

fn changed(old: &Config, new: &Config) -> Vec<String> {
    let flat = |config: &Config| {
        let mut keys = Vec::new();
        if let Ok(table) = Table::try_from(config) {
            flatten(&table, "", &mut keys);
        }
        keys
    };
    let (old, new) = (flat(old), flat(new));
    let differs = |(key, value): &&(String, String)| {
        !old.iter().any(|(other, known)| other == key && known == value)
    };
    let gone = old.iter().filter(|(key, _)| !new.iter().any(|(other, _)| other == key));
    let mut keys: Vec<String> =
        new.iter().filter(differs).chain(gone).map(|(key, _)| key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys
}

fn flatten(table: &Table, prefix: &str, keys: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(inner, &path, keys),
            value => keys.push((path, value.to_string())),
        }
    }
}

/// What can change while packets flow.
const LIVE: [&str; 3] = ["service.log", "spool", "sink"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_named_by_section_and_key() {
        let old: Config = toml::from_str("[capture]\nbatch = 16").unwrap();
        let new: Config =
            toml::from_str("[service]\nlog = 'debug'\n[capture]\nframe_size = 4096").unwrap();
        let keys = changed(&old, &new);
        assert_eq!(keys, ["capture.batch", "capture.frame_size", "service.log"]);
        assert_eq!(changed(&old, &old), Vec::<String>::new());
    }
}
