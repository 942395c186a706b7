//! How fast and how awake the cores are.

use super::files::Files;
use super::finding::Finding;

/// Governor and sleep states; what a virtual machine does not have is not shown.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    [governor(files), sleep(files)].into_iter().flatten().collect()
}

fn governor(files: &Files) -> Option<Finding> {
    let name = "governor";
    let governors: Vec<String> = cores(files)
        .iter()
        .filter_map(|core| files.text(&format!("{CORES}/{core}/cpufreq/scaling_governor")))
        .collect();
    let slow: Vec<&String> =
        governors.iter().filter(|governor| governor.as_str() != "performance").collect();
    let first = slow.first();
    if governors.is_empty() {
        return None;
    }
    let Some(first) = first else { return Some(Finding::ok(name, "performance on all cores")) };
    Some(
        Finding::warn(name, format!("{first} on {} of {} cores", slow.len(), governors.len()))
            .because(
                "after a pause the first packets of a burst meet a slow core, and some are lost",
            )
            .run([format!(
                "for file in /{CORES}/cpu[0-9]*/cpufreq/scaling_governor; do \
                 echo performance > $file; done"
            )]),
    )
}

/// Deep states are those that take longer to wake from than a receive ring can wait.
fn sleep(files: &Files) -> Option<Finding> {
    let name = "sleep states";
    let mut deep = 0_u32;
    let mut slowest = None;
    let mut states_len = 0;
    for core in cores(files) {
        let folder = format!("{CORES}/{core}/cpuidle");
        for (_, state) in files.numbered(&folder, "state") {
            let is_off = files.number::<u32>(&format!("{folder}/{state}/disable")) == Some(1);
            let Some(latency_us) = files.number::<u64>(&format!("{folder}/{state}/latency")) else {
                continue;
            };
            states_len += 1;
            if !is_off && latency_us > LATENCY_US_MAX {
                deep += 1;
                let label = files.text(&format!("{folder}/{state}/name")).unwrap_or(state);
                slowest = slowest.max(Some((latency_us, label)));
            }
        }
    }
    if states_len == 0 {
        return None;
    }
    let Some((latency_us, label)) = slowest else {
        return Some(Finding::ok(name, format!("all wake within {LATENCY_US_MAX} us")));
    };
    let says =
        format!("{deep} take longer than {LATENCY_US_MAX} us to wake, {label} {latency_us} us");
    Some(
        Finding::warn(name, says)
            .because("the first packets after a silence wait in the card, which has little room")
            .run([format!(
                "for state in /{CORES}/cpu[0-9]*/cpuidle/state[0-9]*; do \
                 [ $(cat $state/latency) -le {LATENCY_US_MAX} ] || echo 1 > $state/disable; done"
            )])
            .advise("costs power; leave it where losses of single packets do not matter"),
    )
}

fn cores(files: &Files) -> Vec<String> {
    files.numbered(CORES, "cpu").into_iter().map(|(_, name)| name).collect()
}

const CORES: &str = "sys/devices/system/cpu";
/// At 10 Gbit/s a ring of 512 short packets fills in 34 us, one of 4,096 in 275 us.
const LATENCY_US_MAX: u64 = 100;

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_virtual_machine_without_either_is_not_reproached() {
        let (_root, files) = Files::made_of(&[("sys/devices/system/cpu/cpu0/online", "1")]);
        assert_eq!(check(&files), []);
    }

    #[test]
    fn slow_governors_and_deep_states_are_found_and_their_commands_mend_them() {
        let (root, files) = Files::made_of(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "2\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state0/disable", "0\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state3/latency", "133\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state3/disable", "0\n"),
            ("sys/devices/system/cpu/cpu0/cpuidle/state3/name", "C6\n"),
        ]);
        let found = check(&files);
        assert_eq!(found[0].says, "powersave on 1 of 2 cores");
        assert_eq!(found[1].says, "1 take longer than 100 us to wake, C6 133 us");
        for command in found.iter().flat_map(Finding::commands) {
            let here = command.replace("/sys/", &format!("{}/sys/", root.path().display()));
            let done = std::process::Command::new("sh").args(["-c", &here]).status().unwrap();
            assert!(done.success(), "{here}");
        }
        let found = check(&files);
        assert!(found.iter().all(|finding| finding.level == Level::Ok), "{found:?}");
    }
}
