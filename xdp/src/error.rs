//! What can go wrong, by cause.

use std::io;

use crate::holder::Holder;

/// Why frames cannot be had. Messages say what was attempted and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No interface of that name.
    #[error(
        "interface {name} does not exist in this network namespace (\"ip link\" lists those that do)"
    )]
    NoInterface {
        /// As asked for.
        name: String,
    },
    /// The interface is not up.
    #[error("interface {name} is down; run \"ip link set {name} up\"")]
    InterfaceDown {
        /// The interface.
        name: String,
    },
    /// The host lives on the interface and would be cut off.
    #[error(
        "interface {name} carries the host's own address: captured packets are taken away from the \
         host; watch a tap or mirror port, or \
         pipe a capture of it into \"rstscope read -\""
    )]
    HostInterface {
        /// The interface.
        name: String,
    },
    /// The kernel would not say what an interface is.
    #[error("ask the kernel about interface {name}")]
    Query {
        /// The interface.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The link did not come back after attaching.
    #[error(
        "interface {name} has had no carrier for {waited_s} s since XDP was attached; \
         check the cable, or raise the carrier wait"
    )]
    NoCarrier {
        /// The interface.
        name: String,
        /// How long we waited.
        waited_s: u64,
    },
    /// The process may not do what is needed.
    #[error(
        "missing capabilities: {missing}; run as root, or give them to the service \
         (AmbientCapabilities= in systemd)"
    )]
    MissingCapabilities {
        /// Names, with what each is for.
        missing: String,
    },
    /// The locked-memory limit is too small, and CAP_IPC_LOCK is missing.
    #[error(
        "{queue} needs {needed_kib} KiB of locked memory, the limit (ulimit -l) is {limit_kib} KiB; \
         grant CAP_IPC_LOCK, set LimitMEMLOCK=infinity, or use fewer frames"
    )]
    MemlockTooSmall {
        /// The queue.
        queue: String,
        /// Memory of this queue.
        needed_kib: u64,
        /// What is allowed to the user in all.
        limit_kib: u64,
    },
    /// An option has a value that cannot be.
    #[error("option {option} = {value}: {rule}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A queue that the interface does not have.
    #[error(
        "interface {name} has no receive queue {queue}, it has {queues} (\"ethtool -l {name}\")"
    )]
    NoSuchQueue {
        /// The interface.
        name: String,
        /// As asked for.
        queue: u32,
        /// How many there are.
        queues: u32,
    },
    /// Memory for frames could not be had.
    #[error("map {mib} MiB of frames for {queue}")]
    Memory {
        /// The queue.
        queue: String,
        /// How much.
        mib: u64,
        /// What the kernel said.
        source: io::Error,
    },
    /// The XDP program was refused.
    #[error("load the XDP program (needs Linux 5.18 or later)")]
    Load(#[from] Box<aya::EbpfError>),
    /// The XDP program was refused by the verifier.
    #[error("verify the XDP program (needs Linux 5.18 or later)")]
    Verify(#[from] Box<aya::programs::ProgramError>),
    /// The XDP program could not be loaded for one device.
    #[error("load the XDP program for {interface} alone, to ask its card about packets")]
    Bound {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The card stamps no packets.
    #[error("let the card of {interface} stamp every packet that it receives")]
    Stamps {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A map of the XDP program could not be used.
    #[error("use map {map} of the XDP program")]
    Map {
        /// Its name.
        map: &'static str,
        /// What the kernel said.
        source: Box<aya::maps::MapError>,
    },
    /// Somebody else's XDP program is on the interface.
    #[error("interface {interface} is busy: {holder}")]
    InterfaceBusy {
        /// The interface.
        interface: String,
        /// Who holds it.
        holder: Holder,
    },
    /// The program could not be attached.
    #[error("attach the XDP program to {interface} by a BPF link, {mode} mode{hint}")]
    Attach {
        /// The interface.
        interface: String,
        /// Native or generic.
        mode: &'static str,
        /// What may help, after a colon; or nothing.
        hint: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Promiscuous mode was refused.
    #[error("set {interface} to promiscuous mode")]
    Promiscuous {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A socket or a ring could not be made.
    #[error("set up the AF_XDP socket of {queue}")]
    Socket {
        /// The queue.
        queue: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another AF_XDP socket is bound to the queue.
    #[error(
        "bind {queue}: device busy (another AF_XDP socket holds it; see \"ss --xdp -a -p\" and \
         \"ip link show {interface}\")"
    )]
    QueueBusy {
        /// The queue.
        queue: String,
        /// The interface.
        interface: String,
    },
    /// Zero copy was required and the driver has none.
    #[error("bind {queue} for zero copy: the driver or kernel has none here; allow copying")]
    NoZeroCopy {
        /// The queue.
        queue: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Packets longer than a frame need multi-buffer support.
    #[error(
        "bind {queue} for packets of several frames: refused (needs Linux 6.6, and driver support \
         for zero copy); lower the MTU"
    )]
    NoScatter {
        /// The queue.
        queue: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Binding failed for another reason.
    #[error("bind {queue}")]
    Bind {
        /// The queue.
        queue: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The interface was removed, or moved to another network namespace.
    #[error("{queue} is gone: its interface was removed or shut down")]
    InterfaceGone {
        /// The queue.
        queue: String,
    },
    /// The kernel refused to make packets.
    #[error("make packets on {interface} inside the kernel (needs Linux 5.18 and CAP_SYS_ADMIN)")]
    Flood {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A frame cannot be sent.
    #[error("send {len} bytes on {queue}: a frame holds {frame_size}")]
    TooLong {
        /// The queue.
        queue: String,
        /// What was to be sent.
        len: usize,
        /// What would fit.
        frame_size: u32,
    },
}
