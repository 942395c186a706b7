//! What machine this is: a throughput means nothing without it.

use std::fs;

use serde::Serialize;

/// The facts that decide how fast a core is.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    /// Name of the processor.
    pub(super) processor: String,
    /// Its clock when asked, MHz; virtual machines often tell a nominal one.
    pub(super) clock_mhz: Option<f64>,
    /// Cores that this process may use.
    pub(super) cores: usize,
    /// The last-level cache, as the kernel writes it (`32768K`).
    pub(super) cache: Option<String>,
    /// Whether a hypervisor is beneath.
    pub(super) is_virtual: bool,
    /// Release of the kernel.
    pub(super) kernel: String,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub(super) huge_pages: Option<String>,
    /// Processes that wanted to run in the last minute, all together.
    pub(super) load: Option<f64>,
}

impl Machine {
    /// Asks the kernel; what it does not tell stays unknown.
    pub(super) fn here() -> Self {
        let info = text("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let load = text("/proc/loadavg");
        Self {
            processor: field("model name").unwrap_or_else(|| "unknown processor".to_owned()),
            clock_mhz: field("cpu MHz").and_then(|mhz| mhz.parse().ok()),
            cores: cores().len(),
            cache: last_level_cache(),
            is_virtual: field("flags").is_some_and(|flags| flags.contains(" hypervisor")),
            kernel: text("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
            huge_pages: text("/sys/kernel/mm/transparent_hugepage/enabled").and_then(|modes| {
                let (_, chosen) = modes.split_once('[')?;
                Some(chosen.split_once(']')?.0.to_owned())
            }),
            load: load.and_then(|load| load.split(' ').next()?.parse().ok()),
        }
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let mut line = self.processor.clone();
        if let Some(mhz) = self.clock_mhz {
            line += &format!(" at {:.2} GHz", mhz / 1000.0);
        }
        line += &format!(", {} cores", self.cores);
        if self.is_virtual {
            line += " (virtual)";
        }
        if let Some(cache) = &self.cache {
            line += &format!(", last cache {cache}");
        }
        line += &format!(", Linux {}", self.kernel);
        if let Some(mode) = &self.huge_pages {
            line += &format!(", huge pages {mode}");
        }
        if let Some(load) = self.load {
            line += &format!(", load {load}");
        }
        line
    }
}

/// The cores that this process may use.
pub(super) fn cores() -> Vec<usize> {
    use nix::sched::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(nix::unistd::Pid::from_raw(0));
    let is_allowed =
        |core: &usize| allowed.as_ref().is_ok_and(|set| set.is_set(*core).unwrap_or(false));
    (0..CpuSet::count()).filter(is_allowed).collect()
}

/// Huge pages of this process, bytes (proc_pid_smaps(5)); 0 where the kernel does not tell.
pub(super) fn huge_bytes() -> u64 {
    kib_of(&text("/proc/self/smaps_rollup").unwrap_or_default(), "AnonHugePages:") << 10
}

/// Memory that can be had without swapping, bytes.
pub(super) fn available_bytes() -> u64 {
    kib_of(&text("/proc/meminfo").unwrap_or_default(), "MemAvailable:") << 10
}

fn kib_of(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.trim().strip_suffix("kB"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

fn last_level_cache() -> Option<String> {
    let size = |level: u32| text(&format!("/sys/devices/system/cpu/cpu0/cache/index{level}/size"));
    size(3).or_else(|| size(2))
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_are_read_by_name() {
        let list = "MemTotal:   100 kB\nMemAvailable:    17 kB\n";
        assert_eq!((kib_of(list, "MemAvailable:"), kib_of(list, "Missing:")), (17, 0));
    }

    #[test]
    fn this_machine_has_a_core_and_memory() {
        assert!(!cores().is_empty() && available_bytes() > 0);
        assert!(Machine::here().line().contains("Linux"));
    }
}
