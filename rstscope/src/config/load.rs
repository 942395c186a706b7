//! File and environment into a configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize as _;
use toml::{Table, Value};

use super::{Config, default_path};

/// A configuration and where it comes from.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// Environment variables that changed something.
    pub(crate) variables: Vec<String>,
}

/// Reads `path`, or `RSTSCOPE_CONFIG`, or the usual file if there is one, then the environment.
///
/// # Errors
/// The file cannot be read or says something that is not known; a variable does. The place is named.
pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Loaded> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    });
    load_from(path, variables.collect())
}

fn load_from(path: Option<&Path>, variables: Vec<(String, String)>) -> anyhow::Result<Loaded> {
    let named = variables.iter().find(|(name, _)| name == FILE_VARIABLE);
    let asked = path.map(Path::to_owned).or_else(|| named.map(|(_, value)| PathBuf::from(value)));
    let file = asked.or_else(|| Some(default_path()).filter(|path| path.exists()));
    let mut loaded = Loaded { file, ..Loaded::default() };
    let mut table = Table::new();
    if let Some(file) = &loaded.file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("read the configuration {}", file.display()))?;
        let wrong = || format!("configuration {}", file.display());
        // Once for the message, which shows the line, once for what the environment is laid over.
        loaded.config = toml::from_str(&text).with_context(wrong)?;
        table = toml::from_str(&text).with_context(wrong)?;
    }
    for (name, value) in variables {
        let Some(keys) = keys_of(&name) else { continue };
        if keys.len() == 1 && !SECTIONS.contains(&keys[0].as_str()) {
            // Kubernetes, say, names variables after services.
            tracing::warn!("{name} in the environment names no section of the configuration");
            continue;
        }
        let mut alone = Table::new();
        put(&mut alone, &keys, value_of(&value));
        Config::deserialize(Value::Table(alone.clone()))
            .with_context(|| format!("environment variable {name}"))?;
        merge(&mut table, alone);
        loaded.variables.push(name);
    }
    if !loaded.variables.is_empty() {
        let told = loaded.variables.join(", ");
        loaded.config = Config::deserialize(Value::Table(table))
            .with_context(|| format!("configuration with {told}"))?;
    }
    if let Some(link) = loaded.config.link.iter().find(|link| link.interfaces.is_empty()) {
        let name = link.name.as_deref().unwrap_or("without a name");
        bail!("configuration: the link {name} has no interfaces");
    }
    Ok(loaded)
}

/// `RSTSCOPE_CAPTURE__BATCH` is `capture.batch`.
fn keys_of(name: &str) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?;
    let is_ours = name != FILE_VARIABLE;
    is_ours.then(|| rest.split("__").map(str::to_lowercase).collect())
}

/// A value of TOML, or else the text itself: quotes need not survive a shell.
fn value_of(text: &str) -> Value {
    let document: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let parsed = document.ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn put(table: &mut Table, keys: &[String], value: Value) {
    match keys {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let mut inner = Table::new();
            put(&mut inner, rest, value);
            table.insert(key.clone(), Value::Table(inner));
        }
    }
}

/// Lays `over` over `table`; tables are merged, all else is replaced.
fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(known)), Value::Table(more)) => merge(known, more),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// What a variable can name without a key.
const SECTIONS: [&str; 12] = [
    "link", "capture", "sensor", "minutes", "evidence", "service", "api", "store", "spool", "sink",
    "logs", "collect",
];
/// What the names of all our variables begin with.
const PREFIX: &str = "RSTSCOPE_";
/// Names the file.
const FILE_VARIABLE: &str = "RSTSCOPE_CONFIG";

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn with(text: &str, variables: &[(&str, &str)]) -> anyhow::Result<Loaded> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let pair = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        load_from(Some(file.path()), variables.iter().map(pair).collect())
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        assert_eq!(with("", &[]).unwrap().config, Config::default());
    }

    #[test]
    fn the_sample_of_what_is_kept_shows_defaults() {
        let text = include_str!("../../../deploy/config/kept-and-joined.toml");
        for section in ["minutes", "evidence", "store", "logs", "collect"] {
            assert!(text.contains(&format!("\n[{section}]\n")), "{section}");
        }
        assert_eq!(with(text, &[]).unwrap().config, Config::default());
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let text = "[[link]]\ninterfaces = [\"eth1\"]\n[capture]\nbatch = 16\nframes = 4096\n";
        let variables =
            [("RSTSCOPE_CAPTURE__BATCH", "32"), ("RSTSCOPE_CAPTURE__WAIT", "busy-poll")];
        let config = with(text, &variables).unwrap().config;
        assert_eq!((config.capture.batch, config.capture.frames), (32, 4096));
        assert_eq!(config.capture.wait, crate::cli::WaitChoice::BusyPoll);
        assert_eq!(config.link[0].interfaces, ["eth1"]);
    }

    #[test]
    fn lists_are_written_as_in_the_file() {
        let variables = [("RSTSCOPE_LINK", "[{interfaces = [\"east0\", \"west0\"]}]")];
        let config = with("", &variables).unwrap().config;
        assert_eq!(config.link[0].interfaces, ["east0", "west0"]);
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let error = format!("{:#}", with("[capture]\nbatches = 3\n", &[]).unwrap_err());
        assert!(error.contains("line 2") && error.contains("batches"), "{error}");
        let error = with("", &[("RSTSCOPE_CAPTURE__BATCH", "many")]).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("variable RSTSCOPE_CAPTURE__BATCH"), "{error}");
        // The value may be a secret.
        let secret = [("RSTSCOPE_SINK", "[{kind = 'otlp', headers = {a = 'hush'}, bad = 1}]")];
        let error = format!("{:#}", with("", &secret).unwrap_err());
        assert!(!error.contains("hush"), "{error}");
        let error = with("[[link]]\ninterfaces = []\n", &[]).unwrap_err();
        assert!(error.to_string().contains("no interfaces"), "{error}");
    }

    #[test]
    fn other_variables_are_nobodys_business() {
        let variables = [
            ("RSTSCOPE", "1"),
            ("HOME", "/root"),
            ("RUST_LOG", "debug"),
            ("RSTSCOPE_SERVICE_HOST", "10.0.0.1"),
        ];
        assert_eq!(with("", &variables).unwrap().config, Config::default());
    }
}
