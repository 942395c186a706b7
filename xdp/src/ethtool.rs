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

/// `struct ethtool_rxfh` without what follows it.
#[repr(C)]
#[derive(Clone, Copy)]
struct HashKey {
    command: u32,
    context: u32,
    table_len: u32,
    key_len: u32,
    function: u32,
    reserved: u32,
}

/// `struct ethtool_rxnfc`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Classification<const COMMAND: u32> {
    command: u32,
    flow_type: u32,
    data: u64,
    rule: [u64; 21],
    rule_count: u32,
    padding: u32,
}

/// `struct ethtool_value` of `ETHTOOL_GTXCSUM`.
#[repr(C)]
#[derive(Clone, Copy)]
struct TransmitChecksums {
    command: u32,
    data: u32,
}

/// `struct ethtool_ringparam`.
#[repr(C)]
#[derive(Clone, Copy)]
struct RingSizes {
    command: u32,
    receive_max: u32,
    other_maxima: [u32; 3],
    receive: u32,
    others: [u32; 3],
}

/// `struct ethtool_ts_info`.
#[repr(C)]
#[derive(Clone, Copy)]
struct TimestampInformation {
    command: u32,
    capabilities: u32,
    hardware_clock: i32,
    transmit_types: [u32; 4],
    receive_filters: u32,
    reserved: [u32; 3],
}

const _: () = assert!(size_of::<RingSizes>() == 36);
const _: () = assert!(size_of::<TimestampInformation>() == 44);
const _: () = assert!(size_of::<DriverInformation>() == 196);
const _: () = assert!(size_of::<Channels>() == 36);
const _: () = assert!(size_of::<HashKey>() == 24);
const _: () = assert!(size_of::<Classification<0>>() == 192);

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
structure!(HashKey, 0x46);
structure!(TransmitChecksums, 0x16);
structure!(RingSizes, 0x10);
structure!(TimestampInformation, 0x41);

/// `ETHTOOL_GRXFH`: which fields are hashed.
type HashFields = Classification<0x29>;
/// `ETHTOOL_GRXCLSRLCNT`: how many rules there are.
type RuleCount = Classification<0x2e>;

// SAFETY: integers only (`Plain`, 1 and 2).
unsafe impl<const COMMAND: u32> Plain for Classification<COMMAND> {}
// SAFETY: the structure of both commands, of the length asserted above; neither writes more.
unsafe impl<const COMMAND: u32> EthtoolStructure for Classification<COMMAND> {
    const COMMAND: u32 = COMMAND;
    fn command_mut(&mut self) -> &mut u32 {
        &mut self.command
    }
}

/// The name of the driver.
pub(crate) fn driver(interface: &str) -> io::Result<String> {
    let answer = ethtool(interface, DriverInformation::zeroed())?;
    let len = answer.driver.iter().position(|byte| *byte == 0).unwrap_or(answer.driver.len());
    Ok(String::from_utf8_lossy(&answer.driver[..len]).into_owned())
}

/// How many receive queues are in use.
pub(crate) fn receive_queues(interface: &str) -> io::Result<u32> {
    let answer = ethtool(interface, Channels::zeroed())?;
    Ok(answer.receive + answer.combined)
}

/// How many transmit queues are in use.
pub(crate) fn transmit_queues(interface: &str) -> io::Result<u32> {
    let answer = ethtool(interface, Channels::zeroed())?;
    Ok(answer.transmit + answer.combined)
}

/// What is done to packets before we see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offloads {
    /// VLAN tags are removed.
    pub vlan: bool,
    /// Packets are merged by the card.
    pub large_receive: bool,
    /// Packets are merged by the network stack.
    pub generic_receive: bool,
}

/// The receive offloads; what a driver does not tell counts as off.
pub(crate) fn offloads(interface: &str) -> Offloads {
    const RX_VLAN: u32 = 1 << 8;
    const LRO: u32 = 1 << 15;
    let flags = ethtool(interface, Flags::zeroed()).map_or(0, |answer| answer.data);
    Offloads {
        vlan: flags & RX_VLAN != 0,
        large_receive: flags & LRO != 0,
        generic_receive: ethtool(interface, ReceiveOffload::zeroed())
            .is_ok_and(|answer| answer.data != 0),
    }
}

/// What a card can be told about the spreading of packets over its queues; what a driver does not
/// tell, it cannot be told either.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spreading {
    /// Most queues for both ways; 0 where they cannot be set.
    pub combined_max: u32,
    /// Most queues for receiving alone; 0 where they cannot be set.
    pub receive_max: u32,
    /// Bytes of the hash key; 0 where it cannot be set.
    pub key_len: u32,
    /// Whether both addresses and both ports of TCP over IPv4 are hashed, and nothing else.
    pub by_connection: bool,
    /// Whether it takes rules (`ntuple`).
    pub rules: bool,
}

/// How many packets the receive ring of each queue holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ring {
    /// As set.
    pub packets: u32,
    /// At most.
    pub packets_max: u32,
}

/// The receive ring; nothing where the driver does not tell.
pub(crate) fn ring(interface: &str) -> Option<Ring> {
    let answer = ethtool(interface, RingSizes::zeroed()).ok()?;
    let ring = Ring { packets: answer.receive, packets_max: answer.receive_max };
    (ring.packets_max > 0).then_some(ring)
}

/// The number of the card's own clock (`/dev/ptpN`), where it has one.
pub(crate) fn hardware_clock(interface: &str) -> Option<u32> {
    let answer = ethtool(interface, TimestampInformation::zeroed()).ok()?;
    u32::try_from(answer.hardware_clock).ok()
}

/// Whether checksums of packets that the host sends here are left to the card.
pub(crate) fn leaves_checksums(interface: &str) -> bool {
    ethtool(interface, TransmitChecksums::zeroed()).is_ok_and(|answer| answer.data != 0)
}

/// Asks for [`Spreading`].
pub(crate) fn spreading(interface: &str) -> Spreading {
    const TCP_V4_FLOW: u32 = 1;
    /// `RXH_IP_SRC`, `RXH_IP_DST`, `RXH_L4_B_0_1`, `RXH_L4_B_2_3`.
    const CONNECTION: u64 = 0xf0;
    let channels = ethtool(interface, Channels::zeroed()).unwrap_or(Channels::zeroed());
    let [receive_max, _, _, combined_max] = channels.maxima;
    let key = ethtool(interface, HashKey::zeroed());
    let fields = HashFields { flow_type: TCP_V4_FLOW, ..HashFields::zeroed() };
    Spreading {
        combined_max,
        receive_max,
        key_len: key.map_or(0, |answer| answer.key_len),
        by_connection: ethtool(interface, fields).is_ok_and(|answer| answer.data == CONNECTION),
        rules: ethtool(interface, RuleCount::zeroed()).is_ok(),
    }
}
