//! Running what mends a finding, after asking.

use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::arguments::DoctorArguments;
use super::finding::{Diagnosis, Finding, Level};

/// Runs the commands of each finding that somebody says yes to. Returns whether any succeeded.
///
/// # Errors
/// There is nobody to ask.
pub(super) fn mend(diagnosis: &Diagnosis, arguments: &DoctorArguments) -> anyhow::Result<bool> {
    ensure!(
        arguments.yes || std::io::stdin().is_terminal(),
        "--fix asks before each command, and there is no terminal; --yes asks nothing"
    );
    let mut any = false;
    let is_bad =
        |finding: &&Finding| finding.level >= Level::Warn && !finding.commands().is_empty();
    for finding in diagnosis.findings.iter().filter(is_bad) {
        if is_wanted(finding, arguments)? {
            any |= run(finding)?;
        }
    }
    Ok(any)
}

fn is_wanted(finding: &Finding, arguments: &DoctorArguments) -> anyhow::Result<bool> {
    let mut err = std::io::stderr().lock();
    let takes_away = finding.fix.as_ref().and_then(|fix| fix.takes_away.as_ref());
    writeln!(err, "\n{} {}: {}", finding.subject, finding.name, finding.says)?;
    for command in finding.commands() {
        writeln!(err, "  $ {command}")?;
    }
    if let Some(what) = takes_away {
        writeln!(err, "  takes away: {what}")?;
        if arguments.yes {
            writeln!(err, "  left to you: --yes does not run this")?;
            return Ok(false);
        }
    }
    if arguments.yes {
        return Ok(true);
    }
    write!(err, "Run this? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Each command by a shell, until one fails. What they print goes to standard error.
fn run(finding: &Finding) -> anyhow::Result<bool> {
    let mut any = false;
    for command in finding.commands() {
        let output = Command::new("sh")
            .args(["-c", command])
            .env("PATH", path())
            .output()
            .with_context(|| format!("start a shell for {command}"))?;
        let mut err = std::io::stderr().lock();
        err.write_all(&output.stdout)?;
        err.write_all(&output.stderr)?;
        if !output.status.success() {
            writeln!(err, "  failed ({}): {command}", output.status)?;
            break;
        }
        any = true;
    }
    Ok(any)
}

/// A user's path often lacks the folder of `ip` and `ethtool`, and that of this program.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    let program = std::env::current_exe().ok();
    if let Some(folder) = program.as_deref().and_then(std::path::Path::parent) {
        path.push(":");
        path.push(folder);
    }
    path
}

/// Looks again with a new process, since capabilities and limits belong to processes. Does not return.
///
/// # Errors
/// The program cannot be started again.
pub(super) fn look_again(look: u32) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("find this program")?;
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == LOOK) {
        arguments.drain(at..arguments.len().min(at + 2));
    }
    arguments.extend([LOOK.into(), look.to_string().into()]);
    let error = Command::new(&program).args(arguments).exec();
    bail!("start {} again: {error}", program.display())
}

/// The hidden argument.
const LOOK: &str = "--look";
/// Some faults hide others; what three rounds do not mend, a fourth does not either.
pub(super) const LOOKS_MAX: u32 = 3;
