//! The kernel, and memory for the sensor.

use super::files::Files;
use super::finding::Finding;

/// Everything about the kernel and its memory; `reserved_bytes` are wanted from the pool of huge pages, if
/// that was configured.
pub(super) fn check(files: &Files, needed_bytes: u64, reserved_bytes: Option<u64>) -> Vec<Finding> {
    let mut findings = vec![kernel(files), btf(files)];
    findings.extend(compiler(files));
    findings.push(huge_pages(files));
    findings.extend(reserved_bytes.and_then(|bytes| pool(files, bytes)));
    findings.extend(memory(files, needed_bytes));
    findings
}

/// The pool of `vm.nr_hugepages`, for `capture.huge_pages = "reserved"`.
fn pool(files: &Files, bytes: u64) -> Option<Finding> {
    let name = "reserved huge pages";
    let wanted = bytes.div_ceil(HUGE_PAGE);
    let free = field(files, "HugePages_Free:")?.parse::<u64>().ok()?;
    let total = field(files, "HugePages_Total:")?.parse::<u64>().ok()?;
    let says = format!("{free} free, the queues need {wanted}");
    if free >= wanted {
        return Some(Finding::ok(name, says));
    }
    Some(
        Finding::warn(name, says)
            .because("frames lie on transparent huge pages instead, or on small ones")
            .run([format!("sysctl -w vm.nr_hugepages={}", total + wanted - free)])
            .advise("for the next boot: the same line in /etc/sysctl.d/rstscope.conf"),
    )
}

/// A value of `/proc/meminfo`.
fn field(files: &Files, name: &str) -> Option<String> {
    let information = files.text("proc/meminfo")?;
    let line = information.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

fn kernel(files: &Files) -> Finding {
    let Some(release) = files.text("proc/sys/kernel/osrelease") else {
        return Finding::not_checked("kernel", "/proc/sys/kernel/osrelease cannot be read");
    };
    match version(&release) {
        Some(version) if version < KERNEL_MIN => {
            Finding::fail("kernel", format!("Linux {release}"))
                .because("the XDP program needs Linux 5.18 or later")
                .advise("boot a newer kernel: Debian 12 has 6.1")
        }
        Some(version) if version < KERNEL_SCATTER => {
            Finding::ok("kernel", format!("Linux {release}; packets of several frames need 6.6"))
        }
        Some(_) => Finding::ok("kernel", format!("Linux {release}")),
        None => Finding::not_checked("kernel", format!("{release:?} is no version")),
    }
}

/// Whether the running kernel is that version or later; a kernel that does not say counts as older.
pub(super) fn is_kernel(files: &Files, wanted: (u32, u32)) -> bool {
    let release = files.text("proc/sys/kernel/osrelease");
    release.and_then(|release| version(&release)).is_some_and(|version| version >= wanted)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn btf(files: &Files) -> Finding {
    if files.has("sys/kernel/btf/vmlinux") {
        return Finding::ok("btf", "the kernel describes its types");
    }
    if !files.has("sys/kernel") {
        return Finding::not_checked("btf", "/sys is not mounted");
    }
    Finding::warn("btf", "the kernel does not describe its types (/sys/kernel/btf/vmlinux)")
        .because("hardware timestamps by XDP metadata cannot be had; all else works")
        .advise("boot a kernel with CONFIG_DEBUG_INFO_BTF; those of Debian have it")
}

/// Kernels that always compile do not show the switch elsewhere than in the first namespace.
fn compiler(files: &Files) -> Option<Finding> {
    let is_on = files.number::<u32>("proc/sys/net/core/bpf_jit_enable")? != 0;
    Some(if is_on {
        Finding::ok("bpf compiler", "on")
    } else {
        Finding::warn("bpf compiler", "off: XDP programs are interpreted")
            .because("each packet costs several times as much in the kernel")
            .run(["sysctl -w net.core.bpf_jit_enable=1"])
    })
}

fn huge_pages(files: &Files) -> Finding {
    const TRANSPARENT: &str = "sys/kernel/mm/transparent_hugepage/enabled";
    let name = "huge pages";
    let Some(modes) = files.text(TRANSPARENT) else {
        return Finding::warn(name, "this kernel has no transparent huge pages")
            .because("frames and flow table lie on small pages: up to 40 % slower")
            .advise("boot a kernel with CONFIG_TRANSPARENT_HUGEPAGE; those of Debian have it");
    };
    if modes.contains("[never]") {
        return Finding::warn(name, "transparent huge pages are switched off")
            .because("frames and flow table lie on small pages: up to 40 % slower")
            .run([format!("echo madvise > /{TRANSPARENT}")])
            .advise(
                "for the next boot: transparent_hugepage=madvise on the kernel's command line",
            );
    }
    let chosen = modes.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    let chosen = chosen.map_or(modes.as_str(), |(chosen, _)| chosen);
    Finding::ok(name, format!("transparent, {chosen}"))
}

fn memory(files: &Files, needed_bytes: u64) -> Option<Finding> {
    let available = field(files, "MemAvailable:")?;
    let available = available.strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10;
    let says =
        format!("{} MiB free of {} MiB that are wanted", available >> 20, needed_bytes >> 20);
    Some(if available < needed_bytes {
        Finding::fail("memory", says)
            .because("the sensor takes all its memory at the start, and would not start")
            .advise("give it fewer --flows (132 bytes each), or the machine more memory")
    } else {
        let wanted = needed_bytes >> 20;
        Finding::ok("memory", format!("{wanted} MiB are wanted, {} MiB free", available >> 20))
    })
}

/// What frames are laid on.
const HUGE_PAGE: u64 = 2 << 20;
/// Programs for packets of several frames.
const KERNEL_MIN: (u32, u32) = (5, 18);
/// `XDP_USE_SG`.
const KERNEL_SCATTER: (u32, u32) = (6, 6);

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn levels(files: &[(&str, &str)]) -> Vec<(&'static str, Level)> {
        let (_root, files) = Files::made_of(files);
        check(&files, 1 << 30, None).iter().map(|finding| (finding.name, finding.level)).collect()
    }

    #[test]
    fn a_good_machine_has_nothing_to_mend() {
        let levels = levels(&[
            ("proc/sys/kernel/osrelease", "6.12.48+deb13-amd64\n"),
            ("proc/sys/net/core/bpf_jit_enable", "1\n"),
            ("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:    2000000 kB\n"),
            ("sys/kernel/btf/vmlinux", ""),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ]);
        assert!(levels.len() == 5 && levels.iter().all(|(_, level)| *level == Level::Ok));
    }

    #[test]
    fn an_old_machine_is_told_each_fault() {
        let levels = levels(&[
            ("proc/sys/kernel/osrelease", "5.10.0-30-amd64\n"),
            ("proc/sys/net/core/bpf_jit_enable", "0\n"),
            ("proc/meminfo", "MemAvailable:    1000 kB\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n"),
        ]);
        assert_eq!(
            levels,
            [
                ("kernel", Level::Fail),
                ("btf", Level::Warn),
                ("bpf compiler", Level::Warn),
                ("huge pages", Level::Warn),
                ("memory", Level::Fail),
            ]
        );
    }

    #[test]
    fn what_a_machine_does_not_tell_is_no_fault() {
        let (_root, files) = Files::made_of(&[]);
        let found = check(&files, 0, Some(1 << 30));
        assert!(found.iter().all(|finding| finding.level != Level::Fail), "{found:?}");
    }

    #[test]
    fn a_pool_of_huge_pages_that_is_too_small_is_enlarged() {
        let (_root, files) = Files::made_of(&[(
            "proc/meminfo",
            "HugePages_Total:       4\nHugePages_Free:        1\nHugepagesize:       2048 kB\n",
        )]);
        let found = pool(&files, 16 << 20).unwrap();
        assert_eq!(found.commands(), ["sysctl -w vm.nr_hugepages=11"]);
        assert_eq!(pool(&files, 2 << 20).unwrap().level, Level::Ok);
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version("6.18.44-fc-v657"), Some((6, 18)));
        assert!(version("6.9") < version("6.10"));
        assert_eq!(version("none"), None);
    }
}
