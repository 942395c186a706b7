//! The clock that stamps packets, and who holds it to the true time.

use xdp::Synchronization;

use super::files::Files;
use super::finding::Finding;

/// Clock source and synchronization.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings: Vec<Finding> = source(files).into_iter().collect();
    findings.push(match Synchronization::query() {
        Ok(state) => synchronization(&state, files),
        Err(error) => Finding::not_checked("time", format!("adjtimex: {error}")),
    });
    findings
}

fn source(files: &Files) -> Option<Finding> {
    let name = "clock source";
    let current = files.text(&format!("{SOURCES}/current_clocksource"))?;
    if !SLOW.contains(&current.as_str()) {
        return Some(Finding::ok(name, current));
    }
    let available = files.text(&format!("{SOURCES}/available_clocksource")).unwrap_or_default();
    let better = available.split_ascii_whitespace().find(|source| !SLOW.contains(source));
    let found = Finding::warn(name, format!("{current}, which is slow to read"))
        .because("the time is read once a batch: a slow clock costs as much as the packets");
    Some(match better {
        Some(better) => found.run([format!("echo {better} > /{SOURCES}/current_clocksource")]),
        None => found.advise(
            "the kernel found no better one; see \"dmesg | grep -i tsc\" and the BIOS or hypervisor",
        ),
    })
}

fn synchronization(state: &Synchronization, files: &Files) -> Finding {
    let name = "time";
    let error_ms = state.error_max.as_secs_f64() * 1e3;
    if state.is_synchronized {
        return Finding::ok(name, format!("synchronized, wrong by {error_ms:.1} ms at most"));
    }
    let found = Finding::warn(name, "nobody holds the system's clock to the true time").because(
        "events cannot be compared with logs of firewalls and servers; verdicts do not depend on it",
    );
    let found = found.takes_away("the time may jump for every program on this machine");
    // Nobody runs a daemon in a container: its host has the clock.
    if !files.has("run/systemd/system") {
        return found.advise("run chronyd, or ptp4l and phc2sys, where the clock is: on the host");
    }
    let command = if files.has("usr/sbin/chronyd") {
        "systemctl enable --now chrony"
    } else if files.has("usr/lib/systemd/systemd-timesyncd") {
        "timedatectl set-ntp true"
    } else {
        "apt-get install -y chrony"
    };
    found.run([command]).advise("or ptp4l and phc2sys, where the network has PTP")
}

const SOURCES: &str = "sys/devices/system/clocksource/clocksource0";
/// Each reading leaves the core, or is coarse.
const SLOW: [&str; 4] = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_slow_clock_source_is_exchanged_for_a_better_one() {
        let current = "sys/devices/system/clocksource/clocksource0/current_clocksource";
        let available = "sys/devices/system/clocksource/clocksource0/available_clocksource";
        let (_root, files) =
            Files::made_of(&[(current, "hpet\n"), (available, "hpet tsc acpi_pm\n")]);
        let found = source(&files).unwrap();
        assert_eq!(found.commands(), [format!("echo tsc > /{current}")]);
        let (_root, files) = Files::made_of(&[(current, "hpet\n"), (available, "hpet\n")]);
        assert!(source(&files).unwrap().commands().is_empty());
        let (_root, files) = Files::made_of(&[(current, "kvm-clock\n")]);
        assert_eq!(source(&files).unwrap().level, Level::Ok);
    }

    #[test]
    fn a_clock_that_nobody_holds_is_told_with_what_is_installed() {
        let free = Synchronization { is_synchronized: false, error_max: Duration::from_secs(16) };
        let (_root, files) =
            Files::made_of(&[("usr/sbin/chronyd", ""), ("run/systemd/system/x", "")]);
        let found = synchronization(&free, &files);
        assert_eq!(
            (found.level, found.commands()[0].as_str()),
            (Level::Warn, "systemctl enable --now chrony")
        );
        let held =
            Synchronization { is_synchronized: true, error_max: Duration::from_micros(1500) };
        assert_eq!(synchronization(&held, &files).says, "synchronized, wrong by 1.5 ms at most");
    }
}
