//! One run under callgrind, thread by thread, address by address.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// What the measured parts of a run cost.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// By thread; the main thread is 1, the worker 2.
    pub(crate) threads: HashMap<u32, Part>,
    /// What the subject told: a name and a number a line.
    pub(crate) told: HashMap<String, f64>,
}

/// Instructions of one thread between the marks.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// By object file and address in it.
    pub(crate) places: HashMap<(String, u64), u64>,
}

/// The version of valgrind, or why there is none.
pub(crate) fn version() -> Result<String, String> {
    let output = Command::new("valgrind").arg("--version").output().map_err(|error| {
        format!("valgrind cannot be started ({error}); apt-get install valgrind")
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs `subject` with `arguments`; `folder` is empty and takes the counts.
pub(crate) fn run(subject: &Path, arguments: &[String], folder: &Path) -> anyhow::Result<Run> {
    // Nothing of the caller's environment: it lies on the stack and moves what is above it, and
    // GLIBC_TUNABLES would choose other copying functions.
    let output = Command::new("valgrind")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .args(["-q", "--tool=callgrind", "--separate-threads=yes", "--dump-instr=yes"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg("--dump-before=*measured_part_begins*")
        .arg("--dump-before=*measured_part_ends*")
        .arg(format!("--callgrind-out-file={}", folder.join("counts").display()))
        .arg(subject)
        .args(arguments)
        .output()
        .context("start valgrind")?;
    if !output.status.success() {
        bail!("{arguments:?} failed under callgrind: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut run = Run { told: told(&String::from_utf8_lossy(&output.stdout)), ..Run::default() };
    for path in files(folder)? {
        let text = fs::read_to_string(&path)?;
        if let Some((thread, part)) = read(&text) {
            let sum = run.threads.entry(thread).or_default();
            part.places.into_iter().for_each(|(place, cost)| {
                *sum.places.entry(place).or_default() += cost;
            });
        }
        // Each is megabytes of text.
        fs::remove_file(&path)?;
    }
    Ok(run)
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .filter(|path| {
            let is_counts = |path: &PathBuf| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("counts"))
            };
            path.as_ref().map_or(true, is_counts)
        })
        .collect()
}

fn told(text: &str) -> HashMap<String, f64> {
    let number = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(number).collect()
}

/// Thread and counts of a file, if it ends at the mark that ends a measured part.
///
/// The format is that of the Callgrind manual, section "Callgrind Format Specification": lines of
/// address, source line and cost; a line after `calls=` is what the called function cost.
fn read(text: &str) -> Option<(u32, Part)> {
    let is_measured = |line: &str| line.starts_with("desc: Trigger:") && line.contains(ENDS);
    let (mut thread, mut measured, mut part) = (0, false, Part::default());
    let (mut object, mut is_call) = (String::new(), false);
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("thread: ") {
            thread = number.trim().parse().ok()?;
        } else if is_measured(line) {
            measured = true;
        } else if let Some(name) = line.strip_prefix("ob=") {
            name.clone_into(&mut object);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with("0x") && !std::mem::take(&mut is_call) {
            let mut fields = line.split_ascii_whitespace();
            let address = u64::from_str_radix(fields.next()?.trim_start_matches("0x"), 16).ok()?;
            let cost: u64 = fields.nth(1)?.parse().ok()?;
            *part.places.entry((object.clone(), address)).or_default() += cost;
        }
    }
    measured.then_some((thread, part))
}

const ENDS: &str = "measured_part_ends";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
thread: 2
desc: Trigger: --dump-before=subject::measured_part_ends
positions: instr line
events: Ir
ob=/bin/subject
fl=a.rs
fn=one
0x10 1 5
0x14 2 7
cob=/lib/libc.so
cfn=memcpy
calls=3 0x99 0
0x14 2 300
ob=/lib/libc.so
fn=memcpy
0x99 0 300
";

    #[test]
    fn what_a_called_function_costs_is_not_counted_twice() {
        let (thread, part) = read(TEXT).unwrap();
        assert_eq!(thread, 2);
        assert_eq!(part.places.values().sum::<u64>(), 312);
        assert_eq!(part.places[&("/bin/subject".to_owned(), 0x14)], 7);
    }

    #[test]
    fn a_part_that_begins_at_the_mark_is_left_out() {
        assert!(read(&TEXT.replace("part_ends", "part_begins")).is_none());
    }
}
