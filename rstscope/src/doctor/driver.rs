//! What has been reported against a driver, for whoever meets it.

use xdp::Interface;

use super::finding::Finding;

/// Nothing where nothing is known that matters; `passes_others` says that packets go on to the host.
pub(super) fn check(interface: &Interface, passes_others: bool) -> Option<Finding> {
    let name = "driver reports";
    let matters = |report: &&Report| passes_others || !report.is_of_passing;
    let known =
        REPORTS.iter().filter(matters).find(|report| report.driver == interface.driver())?;
    Some(
        Finding::warn(name, format!("{}: {}", known.driver, known.says))
            .because(format!("reported in {}", known.source))
            .advise(known.advice),
    )
}

struct Report {
    driver: &'static str,
    says: &'static str,
    source: &'static str,
    advice: &'static str,
    /// Only packets that are passed on to the host do it.
    is_of_passing: bool,
}

const REPORTS: [Report; 3] = [
    Report {
        driver: "ena",
        says: "zero copy has corrupted memory under heavy load (driver 2.13.1, Linux 6.8)",
        source: "amzn/amzn-drivers #330",
        advice: "if the machine misbehaves, run the sensor with --zero-copy never",
        is_of_passing: false,
    },
    Report {
        driver: "igb",
        says: "packets that native XDP passes on to the host have filled the ring (Linux 6.14)",
        source: "xdp-project/xdp-tutorial #466",
        advice: "leave out --pass-others on this interface",
        is_of_passing: true,
    },
    Report {
        driver: "ice",
        says: "zero copy has crashed the kernel beside traffic of the host (Linux 7.0)",
        source: "intel/ethernet-linux-ice #59",
        advice: "watch a port that the host does not use itself",
        is_of_passing: false,
    },
];
