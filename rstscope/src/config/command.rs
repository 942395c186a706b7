//! `rstscope config check | show | schema`.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{Config, Loaded, check, commented, default_path, load};
use crate::Outcome;

/// Arguments of `rstscope config`.
#[derive(Args, Debug)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Read the configuration and the environment and say what is wrong with them; exits with 1 then
    Check {
        /// The file; without it what `rstscope run` would take
        file: Option<PathBuf>,
    },
    /// Print what is in force: defaults, then the file, then the environment
    Show {
        /// The file; without it what `rstscope run` would take
        file: Option<PathBuf>,
        /// Say above each value what it means
        #[arg(long)]
        docs: bool,
    },
    /// Print the JSON Schema of the file, for editors
    Schema,
}

/// Does what was asked.
pub(crate) fn run(arguments: &ConfigArguments) -> anyhow::Result<Outcome> {
    let text = match &arguments.what {
        What::Check { file } => checked(file.as_deref())?,
        What::Show { file, docs } => shown(file.as_deref(), *docs)?,
        What::Schema => serde_json::to_string_pretty(&schemars::schema_for!(Config))?,
    };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())
        .context("write to standard output")?;
    Ok(Outcome::Good)
}

fn checked(file: Option<&Path>) -> anyhow::Result<String> {
    let loaded = load(file)?;
    check(&loaded.config)?;
    for interface in loaded.config.link.iter().flat_map(|link| &link.interfaces) {
        if !Path::new("/sys/class/net").join(interface).exists() {
            tracing::warn!("this machine has no interface {interface} now");
        }
    }
    let links = match loaded.config.link.len() {
        0 => "no link: name one by [[link]] or by --interface".to_owned(),
        1 => "1 link".to_owned(),
        links => format!("{links} links"),
    };
    Ok(format!("{}: good; {links}", source_of(&loaded)))
}

fn shown(file: Option<&Path>, docs: bool) -> anyhow::Result<String> {
    let loaded = load(file)?;
    let text = toml::to_string(&loaded.config).context("write the configuration as TOML")?;
    let text =
        if docs { commented::with_docs(&text, &schemars::schema_for!(Config)) } else { text };
    let head = format!("# {}\n", source_of(&loaded));
    // Whoever redirects this into a file keeps where it comes from as well.
    let gap = if std::io::stdout().is_terminal() { "\n" } else { "" };
    Ok(format!("{head}{gap}{text}"))
}

/// Where a configuration comes from, in words.
fn source_of(loaded: &Loaded) -> String {
    let file = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => format!("defaults (there is no {})", default_path().display()),
    };
    match loaded.variables.as_slice() {
        [] => file,
        variables => format!("{file}, and {}", variables.join(", ")),
    }
}
