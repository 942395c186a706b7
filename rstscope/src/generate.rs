//! What packages need: completions, the manual page, the version, the schema of events.

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::Outcome;
use crate::cli::Cli;

/// The completion script of `shell`.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rstscope", &mut script);
    print(&script)
}

/// The manual page, one section for each subcommand.
pub(crate) fn manual() -> anyhow::Result<Outcome> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands().filter(|item| item.get_name() != "help") {
        let man = clap_mangen::Man::new(subcommand.clone());
        writeln!(page, ".SH {}", subcommand.get_name().to_uppercase())?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        man.render_extra_section(&mut page)?;
    }
    print(&page)
}

/// Name and version; `json` adds what a fleet wants to know.
pub(crate) fn version(json: bool) -> anyhow::Result<Outcome> {
    let text = if json {
        serde_json::json!({
            "name": "rstscope",
            "version": env!("CARGO_PKG_VERSION"),
            "event_schema": events::SCHEMA,
            "os": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
        })
        .to_string()
    } else {
        format!("rstscope {}", env!("CARGO_PKG_VERSION"))
    };
    print(format!("{text}\n").as_bytes())
}

/// The JSON Schema of what sensors send.
pub(crate) fn schema() -> anyhow::Result<Outcome> {
    let text = serde_json::to_string_pretty(&events::record_schema())?;
    print(format!("{text}\n").as_bytes())
}

fn print(bytes: &[u8]) -> anyhow::Result<Outcome> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(Outcome::Good)
}
