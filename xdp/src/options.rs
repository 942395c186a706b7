//! What [`crate::Attachment::open`] can be asked for.

use std::time::Duration;

/// How to attach to an interface. [`Options::new`] gives what suits a tap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The name of the interface.
    pub interface: String,
    /// Attach even where the host itself has an address: it will then no longer hear any TCP on
    /// that interface, and with [`Others::Drop`] nothing at all.
    pub host_interface: bool,
    /// The receive queues to bind; `None` for all of them.
    pub queues: Option<Vec<u32>>,
    /// What becomes of packets that are not captured.
    pub others: Others,
    /// Which TCP packets are captured.
    pub capture: Capture,
    /// Whether packets that may carry TCP further inside are captured too: tunnels (GRE, IP in IP,
    /// MPLS, PPPoE, the UDP ports below), and more than two VLAN tags.
    pub tunnels: bool,
    /// UDP ports, either source or destination, that mean a tunnel; at most [`Options::PORTS_MAX`].
    pub tunnel_ports: Vec<u16>,
    /// Where in the receive path the program runs.
    pub attach_mode: AttachMode,
    /// Whether the network card writes into our memory.
    pub zero_copy: ZeroCopy,
    /// Frames of each queue: a power of two from 64 to 2^20. More absorb longer pauses of the
    /// worker, fewer stay in the processor's cache.
    pub frames: u32,
    /// Bytes of a frame, 2048 or 4096; `None` to choose by driver and MTU.
    pub frame_size: Option<u32>,
    /// Entries of the receive ring, a power of two from 64 up to `frames`; `None` for as many as
    /// there are frames, so that only a lack of frames can lose packets.
    pub receive_ring: Option<u32>,
    /// Packets lent at a time, 1 to [`crate::BATCH_MAX`]: enough to hide a cache miss behind the
    /// next packets, few enough that their headers stay in the first-level cache.
    pub batch: u32,
    /// What pages the frames are made of.
    pub huge_pages: HugePages,
    /// Run the driver's receive loop from our own thread.
    pub busy_poll: Option<BusyPoll>,
    /// Let the interface receive packets that are addressed to others.
    pub promiscuous: bool,
    /// Whose clock stamps packets.
    pub clock: Clock,
    /// Hand on the card's receive hash with each packet ([`crate::Queue::metadata`]), where the driver
    /// tells it.
    pub receive_hash: bool,
    /// How long to wait for a link that attaching has reset (several Intel drivers).
    pub carrier_wait: Duration,
}

impl Options {
    /// Most [`Options::tunnel_ports`].
    pub const PORTS_MAX: usize = 8;

    /// VXLAN (RFC 7348, and Linux before it), Geneve (RFC 8926), GTP-U (3GPP TS 29.281), L2TP
    /// (RFC 2661), Teredo (RFC 4380).
    const TUNNEL_PORTS: [u16; 6] = [4789, 8472, 6081, 2152, 1701, 3544];

    /// A tap: everything TCP on all queues, best mode first, the rest dropped.
    #[must_use]
    pub fn new(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            host_interface: false,
            queues: None,
            others: Others::Drop,
            capture: Capture::All,
            tunnels: true,
            tunnel_ports: Self::TUNNEL_PORTS.to_vec(),
            attach_mode: AttachMode::NativeFirst,
            zero_copy: ZeroCopy::Prefer,
            // 8 MiB of 2 KiB frames: 4,096 lost 0.3 to 3 % on a busy machine, 16,384 fall out of
            // the second-level cache.
            frames: 8192,
            frame_size: None,
            receive_ring: None,
            batch: 64,
            huge_pages: HugePages::Transparent,
            busy_poll: None,
            promiscuous: true,
            clock: Clock::default(),
            receive_hash: false,
            carrier_wait: Duration::from_secs(10),
        }
    }
}

/// What becomes of packets that are not captured.
///
/// A captured packet is gone from the host in either case: XDP cannot both redirect and pass. So
/// an interface over which the host itself speaks TCP cannot be watched this way; watch a tap or
/// a mirror port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// Dropped at once: a tap or mirror port, where nobody else listens.
    Drop,
    /// Passed to the host: for ports that also carry, say, LLDP or the host's own UDP.
    Pass,
}

/// Which TCP packets are captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capture {
    /// All of them.
    All,
    /// Every SYN, FIN and RST, and of all other segments a ration; tunnels, fragments and whatever
    /// the program cannot read come whole. For links too fast to be looked at packet by packet.
    Control(Ration),
}

/// How many segments with ACK and none of SYN, FIN and RST are captured in control mode.
///
/// A direction has a budget of [`Ration::first_packets`]; it grows by one every 1.07 s (2^30 ns) up to
/// as many again. A SYN fills it. A FIN or RST lifts it for both directions for at least 5.3 s.
/// `bpf/budget.h` says how that is kept in bounded memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ration {
    /// Segments of a direction that are taken at once; 1 to 255.
    pub first_packets: u8,
    /// Connections whose budgets are remembered; those beyond get more than their ration.
    pub connections: usize,
}

impl Ration {
    /// What [`Ration::first_packets`] is unless somebody chooses: a TLS handshake and a request.
    pub const FIRST_PACKETS: u8 = 8;

    /// The usual ration of so many connections.
    #[must_use]
    pub const fn of(connections: usize) -> Self {
        Self { first_packets: Self::FIRST_PACKETS, connections }
    }

    /// Bytes of the table of budgets.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.buckets() as usize * BUCKET_LEN
    }

    /// Buckets of eight budgets, a power of two: twice as many budgets as directions, since buckets
    /// fill unevenly.
    pub(crate) fn buckets(&self) -> u32 {
        let wanted = self.connections.div_ceil(2).clamp(1, BUCKETS_MAX as usize);
        (wanted as u32).next_power_of_two()
    }
}

/// Where in the receive path the program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachMode {
    /// In the driver; where the driver cannot, in the network stack, with a warning.
    NativeFirst,
    /// In the driver or not at all.
    NativeOnly,
    /// In the network stack.
    GenericOnly,
}

/// Whether the network card writes into our memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ZeroCopy {
    /// If the driver can; else the kernel copies, with a warning.
    Prefer,
    /// Or fail.
    Require,
    /// Always let the kernel copy (for drivers whose zero copy is broken).
    Never,
}

/// Whose clock stamps packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Clock {
    /// The host's, read when packets are taken from the queue.
    #[default]
    System,
    /// The card's, told with each packet ([`crate::Queue::metadata`]); where it cannot, the host's,
    /// with a warning. The card is set to stamp every packet, and stays so.
    Card,
}

/// What pages the frames are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HugePages {
    /// Transparent huge pages: no configuration needed.
    Transparent,
    /// The pool of `vm.nr_hugepages`; where it is too small, as `Transparent`, with a warning.
    Reserved,
    /// Ordinary pages, for measurements.
    Never,
}

/// Busy polling (Linux 5.11, Documentation/networking/af_xdp.rst): pays off when worker and
/// interrupt share a core. Wants `napi_defer_hard_irqs` (2) and `gro_flush_timeout` (200000) set
/// in `/sys/class/net/INTERFACE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusyPoll {
    /// How long one call may poll.
    pub duration_us: u16,
    /// Packets that one call takes at most.
    pub budget: u16,
}

/// `struct bucket` of `bpf/budget.h`.
const BUCKET_LEN: usize = 64;
/// 1 GiB.
const BUCKETS_MAX: u32 = 1 << 24;
