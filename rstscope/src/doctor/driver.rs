//! What has been reported against a driver, for whoever meets it.

use xdp::Interface;

use super::finding::Finding;

/// Nothing where nothing is known.
pub(super) fn check(interface: &Interface) -> Option<Finding> {
    let name = "driver reports";
    let known = REPORTS.iter().find(|report| report.driver == interface.driver())?;
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
}

const REPORTS: [Report; 3] = [
    Report {
        driver: "ena",
        says: "zero copy has corrupted memory under heavy load (driver 2.13.1, Linux 6.8)",
        source: "amzn/amzn-drivers #330",
        advice: "if the machine misbehaves, run the sensor with --zero-copy never",
    },
    Report {
        driver: "igb",
        says: "packets that native XDP passes on to the host have filled the ring (Linux 6.14)",
        source: "xdp-project/xdp-tutorial #466",
        advice: "leave out --pass-others on this interface",
    },
    Report {
        driver: "ice",
        says: "zero copy has crashed the kernel beside traffic of the host (Linux 7.0)",
        source: "intel/ethernet-linux-ice #59",
        advice: "watch a port that the host does not use itself",
    },
];
