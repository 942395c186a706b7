//! The longest packet against the frames that packets arrive in.

use xdp::{Interface, quoted};

use super::files::Files;
use super::finding::Finding;
use super::machine::is_kernel;

/// Compares them; `wanted` is the frame size that was configured, if any.
pub(super) fn check(interface: &Interface, wanted: Option<u32>, files: &Files) -> Finding {
    let facts = Facts {
        name: interface.name(),
        driver: interface.driver(),
        mtu: interface.mtu(),
        plan: interface.frame_plan(wanted),
        knows_scatter: is_kernel(files, (6, 6)),
    };
    facts.judge()
}

struct Facts<'n> {
    name: &'n str,
    driver: &'n str,
    mtu: u32,
    /// Bytes of a frame, and whether packets may need several.
    plan: (u32, bool),
    knows_scatter: bool,
}

impl Facts<'_> {
    fn judge(&self) -> Finding {
        let name = "frame size";
        let &Self { name: interface, driver, mtu, plan: (frame_size, scatter), .. } = self;
        let says = format!("MTU {mtu}, frames of {frame_size} bytes");
        let interface = quoted(interface);
        if matches!(driver, "igb" | "igc") && frame_size < 4096 {
            return Finding::fail(name, format!("{says} on {driver}"))
                .because(
                    "this driver cuts longer packets in two and does not say so: what lies in the \
                     second half of an innocent packet passes for a packet",
                )
                .advise("leave frame_size out of the configuration, or set it to 4096");
        }
        if scatter && !self.knows_scatter {
            return Finding::fail(
                name,
                format!("{says}: packets of several frames need Linux 6.6"),
            )
            .because("the socket is refused")
            .run([format!("ip link set dev {interface} mtu {MTU_SINGLE_MAX}")])
            .advise("longer packets are lost then; a kernel from 6.6 on takes them whole");
        }
        if mtu < MTU_USUAL {
            return Finding::warn(name, format!("MTU {mtu}, less than what Ethernet carries"))
                .because("cards drop what is longer: full packets never reach the sensor")
                .run([format!("ip link set dev {interface} mtu {MTU_USUAL}")]);
        }
        let several = if scatter { ", several for a long packet" } else { "" };
        Finding::ok(name, format!("{says}{several}"))
    }
}

/// What XDP programs for single frames are attached with, less two VLAN tags.
const MTU_SINGLE_MAX: u32 = 3498;
const MTU_USUAL: u32 = 1500;

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn facts(driver: &'static str, mtu: u32, plan: (u32, bool)) -> Facts<'static> {
        Facts { name: "eth1", driver, mtu, plan, knows_scatter: true }
    }

    #[test]
    fn small_frames_on_igb_are_a_fault() {
        assert_eq!(facts("igb", 1500, (2048, false)).judge().level, Level::Fail);
        assert_eq!(facts("igb", 1500, (4096, false)).judge().level, Level::Ok);
        assert_eq!(facts("ice", 1500, (2048, false)).judge().level, Level::Ok);
    }

    #[test]
    fn jumbo_packets_need_a_kernel_that_takes_several_frames() {
        assert_eq!(facts("ice", 9000, (4096, true)).judge().level, Level::Ok);
        let old = Facts { knows_scatter: false, ..facts("ice", 9000, (4096, true)) };
        assert_eq!(old.judge().commands(), ["ip link set dev eth1 mtu 3498"]);
    }

    #[test]
    fn an_mtu_below_ethernets_loses_full_packets() {
        let found = facts("ice", 1400, (2048, false)).judge();
        assert_eq!(
            (found.level, found.commands()),
            (Level::Warn, &["ip link set dev eth1 mtu 1500".to_owned()][..])
        );
    }
}
