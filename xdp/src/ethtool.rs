//! Questions to a driver (`linux/ethtool.h`).

use std::io;

use crate::system::{EthtoolStructure, Plain, ethtool};

/// `struct ethtool_drvinfo`.
#[repr(C)]
#[derive(Clone, Copy)]
struct DriverInformation {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// `struct ethtool_channels`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Channels {
    command: u32,
    maxima: [u32; 4],
    receive: u32,
    transmit: u32,
    other: u32,
    combined: u32,
}

/// `struct ethtool_value` of `ETHTOOL_GFLAGS`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Flags {
    command: u32,
    data: u32,
}

/// `struct ethtool_value` of `ETHTOOL_GGRO`.
#[repr(C)]
#[derive(Clone, Copy)]
struct ReceiveOffload {
    command: u32,
    data: u32,
}

const _: () = assert!(size_of::<DriverInformation>() == 196);
const _: () = assert!(size_of::<Channels>() == 36);

macro_rules! structure {
    ($name:ident, $command:literal) => {
        // SAFETY: integers and bytes only (`Plain`, 1 and 2).
        unsafe impl Plain for $name {}
        // SAFETY: `$name` is the structure of that command, of the length asserted above.
        unsafe impl EthtoolStructure for $name {
            const COMMAND: u32 = $command;
            fn command_mut(&mut self) -> &mut u32 {
                &mut self.command
            }
        }
    };
}

structure!(DriverInformation, 0x03);
structure!(Channels, 0x3c);
structure!(Flags, 0x25);
structure!(ReceiveOffload, 0x2b);

/// The name of the driver.
pub(crate) fn driver(interface: &str) -> io::Result<String> {
    let answer: DriverInformation = ethtool(interface)?;
    let len = answer.driver.iter().position(|byte| *byte == 0).unwrap_or(answer.driver.len());
    Ok(String::from_utf8_lossy(&answer.driver[..len]).into_owned())
}

/// How many receive queues are in use.
pub(crate) fn receive_queues(interface: &str) -> io::Result<u32> {
    let answer: Channels = ethtool(interface)?;
    Ok(answer.receive + answer.combined)
}

/// What is done to packets before we see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Offloads {
    /// VLAN tags are removed.
    pub(crate) vlan: bool,
    /// Packets are merged by the card.
    pub(crate) large_receive: bool,
    /// Packets are merged by the network stack.
    pub(crate) generic_receive: bool,
}

/// The receive offloads; what a driver does not tell counts as off.
pub(crate) fn offloads(interface: &str) -> Offloads {
    const RX_VLAN: u32 = 1 << 8;
    const LRO: u32 = 1 << 15;
    let flags = ethtool::<Flags>(interface).map_or(0, |answer| answer.data);
    Offloads {
        vlan: flags & RX_VLAN != 0,
        large_receive: flags & LRO != 0,
        generic_receive: ethtool::<ReceiveOffload>(interface).is_ok_and(|answer| answer.data != 0),
    }
}
