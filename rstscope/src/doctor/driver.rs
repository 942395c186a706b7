//! What is known against a driver, from reports that are open.

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

const REPORTS: [Report; 4] = [
    Report {
        driver: "ena",
        says: "zero copy has corrupted packets",
        source: "amzn/amzn-drivers #330",
        advice: "run the sensor with --zero-copy never",
    },
    Report {
        driver: "igb",
        says: "native XDP has stalled queues",
        source: "xdp-project/xdp-tutorial #466",
        advice: "if a queue stands still, run the sensor with --zero-copy never, then with --generic",
    },
    Report {
        driver: "ice",
        says: "zero copy has crashed the kernel on E810",
        source: "intel/ethernet-linux-ice #59",
        advice: "use the driver of a current kernel, not one built apart",
    },
    Report {
        driver: "bnxt_en",
        says: "receive rings may not be a power of two",
        source: "anza-xyz/agave #14401",
        advice: "set them with \"ethtool -G IF rx 1024\" or another power of two",
    },
];
