//! Who holds an interface: the XDP program that is on it already, and whose it is.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::interface::Interface;
use crate::shell::quoted;

/// The XDP program on an interface that is not ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The kernel's number of the program.
    pub program_id: u32,
    /// Its name, where the kernel tells us.
    pub program_name: Option<String>,
    /// `native`, `generic` or `offloaded`.
    pub mode: &'static str,
    /// Processes that hold the program or its link open, as `name (pid)`.
    pub processes: Vec<String>,
    /// The interface.
    pub interface: String,
}

impl Holder {
    /// Who holds `name`, if anybody does now.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let (program_id, mode) = Interface::query(name).ok()?.program()?;
        Some(Self {
            program_id,
            program_name: program_name(program_id),
            mode,
            processes: processes(program_id),
            interface: name.to_owned(),
        })
    }
}

impl Holder {
    /// The command that takes the program away, unless a link holds it; it must name the mode.
    #[must_use]
    pub fn removal(&self) -> String {
        let mode = match self.mode {
            "generic" => "xdpgeneric",
            "offloaded" => "xdpoffload",
            _ => "xdpdrv",
        };
        format!("ip link set dev {} {mode} off", quoted(&self.interface))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an XDP program id {}", self.program_id)?;
        if let Some(name) = &self.program_name {
            write!(f, " (\"{name}\")")?;
        }
        write!(f, " is already attached in {} mode", self.mode)?;
        if self.processes.is_empty() {
            write!(
                f,
                " and no running process we can see holds it; \"{}\" \
                 removes it, if it is nobody's any more",
                self.removal()
            )
        } else {
            write!(f, " by process {}; stop that first", self.processes.join(", "))
        }
    }
}

fn program_name(id: u32) -> Option<String> {
    aya::programs::loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
        .filter(|name| !name.is_empty())
}

/// Processes with a program or link of that number among their open files
/// (`prog_id` in `/proc/PID/fdinfo`, Linux 6.18, kernel/bpf/syscall.c).
fn processes(program_id: u32) -> Vec<String> {
    let wanted = format!("prog_id:\t{program_id}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter(|entry| holds(&entry.path(), &wanted))
        .map(|entry| {
            let pid = entry.file_name().to_string_lossy().into_owned();
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            format!("{} (pid {pid})", name.trim())
        })
        .collect()
}

fn holds(process: &Path, wanted: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fdinfo")) else { return false };
    files
        .filter_map(Result::ok)
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .any(|information| information.lines().any(|line| line == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(processes: &[&str]) -> String {
        Holder {
            program_id: 42,
            program_name: Some("rstscope".to_owned()),
            mode: "native",
            processes: processes.iter().map(|name| (*name).to_owned()).collect(),
            interface: "eth1".to_owned(),
        }
        .to_string()
    }

    #[test]
    fn a_holder_is_named_with_its_process() {
        assert_eq!(
            holder(&["sensor (pid 7)"]),
            "an XDP program id 42 (\"rstscope\") is already attached in native mode \
             by process sensor (pid 7); stop that first"
        );
    }

    #[test]
    fn a_program_of_nobody_can_be_removed() {
        assert!(holder(&[]).contains("\"ip link set dev eth1 xdpdrv off\""));
    }

    #[test]
    fn loopback_is_held_by_nobody() {
        assert_eq!(Holder::of("lo"), None);
    }
}
