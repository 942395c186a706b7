//! Instructions a packet: counted under callgrind, written down, compared.
//!
//! | file | idea |
//! |---|---|
//! | `cases` | the traffic that is measured |
//! | `callgrind` | one run, thread by thread, address by address |
//! | `stages` | from an address to a stage of the road |
//! | `count` | all cases, side by side |
//! | `chapters` | what the counts say, as tables |
//! | `book` | `BUDGETS.md`: written, read, compared |
//!
//! The machine's speed does not matter and the counts repeat to the digit for a worker; for the
//! exporter nearly so, since it shares its queues with the worker.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command tells its outcome")]

mod book;
mod callgrind;
mod cases;
mod chapters;
mod count;
mod stages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use clap::Parser;

use book::Book;
use cases::CASES;

/// Counts instructions a packet and compares them with benches/BUDGETS.md.
#[derive(Parser, Debug)]
enum Arguments {
    /// Fail if anything costs more than its budget by 3 %
    Check,
    /// Write what everything costs now as its budget
    Write,
    /// Show where a case spends its instructions, file by file
    Show {
        /// Name of the case, as in BUDGETS.md
        #[arg(default_value = "small")]
        case: String,
        /// Files to list of each thread
        #[arg(long, default_value_t = 30)]
        lines: usize,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Err(reason) = callgrind::version() {
        eprintln!("SKIPPED: budgets are not checked: {reason}");
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        return Ok(if in_ci { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    let subject = build()?;
    match arguments {
        Arguments::Check => check(&subject),
        Arguments::Write => {
            let book = chapters::book(&count::all(&subject)?)?;
            fs::write(path(), book.to_string()).context("write BUDGETS.md")?;
            println!("{} is written; say in the commit why it changed", path().display());
            Ok(ExitCode::SUCCESS)
        }
        Arguments::Show { case, lines } => {
            let names = CASES.map(|case| case.name).join(", ");
            let Some(case) = CASES.iter().find(|known| known.name == case) else {
                bail!("unknown case {case:?}; known are {names}");
            };
            count::show(case, &subject, lines)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(subject: &Path) -> anyhow::Result<ExitCode> {
    let text = fs::read_to_string(path()).context("read BUDGETS.md")?;
    let now = chapters::book(&count::all(subject)?)?;
    let budgets = Book::parse(&text);
    let verdict = now.compare(&budgets);
    for line in &verdict.cheaper {
        println!("cheaper: {line}");
    }
    if verdict.exceeded.is_empty() {
        println!("{} budgets are kept", verdict.kept);
        return Ok(ExitCode::SUCCESS);
    }
    for line in &verdict.exceeded {
        println!("EXCEEDED: {line}");
    }
    println!(
        "What costs more: `cargo run -p benches --bin budgets -- show CASE`, before and after.\n\
         If it is worth it: `cargo run -p benches --bin budgets -- write`, and say why in the commit."
    );
    if budgets.made_with != now.made_with {
        println!(
            "Perhaps it is not the code: the budgets were counted with {}, this is {}.",
            budgets.made_with, now.made_with
        );
    }
    Ok(ExitCode::FAILURE)
}

/// Builds what is measured, as it is shipped but for a quicker link.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(["build", "--locked", "--profile", PROFILE, "-p", "subject"])
        .current_dir(root())
        .status()
        .context("start cargo")?;
    if !status.success() {
        bail!("the subject could not be built");
    }
    let own = std::env::current_exe().context("find the target folder")?;
    let target = own.ancestors().nth(2).context("find the target folder")?;
    Ok(target.join(PROFILE).join("subject"))
}

/// The workspace.
fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("this crate lies in a folder of the workspace")
}

fn path() -> PathBuf {
    root().join("benches/BUDGETS.md")
}

const PROFILE: &str = "budget";
