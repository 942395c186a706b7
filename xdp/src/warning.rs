//! What works, but not as well as it could.

use std::fmt;

use crate::umem::Backing;

/// Something that an operator should know and may want to change. None of these stops capture.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// The driver cannot run XDP programs; the network stack does, slowly.
    NativeRefused {
        /// The interface.
        interface: String,
        /// What the kernel said.
        reason: String,
    },
    /// The driver has no zero copy; the kernel copies every packet.
    ZeroCopyRefused {
        /// The interface.
        interface: String,
        /// The queue.
        queue: u32,
        /// What the kernel said.
        reason: String,
    },
    /// The card was to tell about packets, and does not.
    MetadataRefused {
        /// The interface.
        interface: String,
        /// What was tried, and what the kernel said.
        reason: String,
    },
    /// Huge pages were asked for and not had.
    HugePagesRefused {
        /// The interface.
        interface: String,
        /// The queue.
        queue: u32,
        /// What there is instead.
        backing: Backing,
    },
    /// The network card takes VLAN tags off, so flows of different VLANs look alike.
    VlanStripped {
        /// The interface.
        interface: String,
    },
    /// Received packets are merged into larger ones before we see them.
    ReceiveOffload {
        /// The interface.
        interface: String,
        /// `lro` or `gro`, as ethtool names it.
        offload: &'static str,
    },
    /// There was no carrier even before we attached.
    NoCarrier {
        /// The interface.
        interface: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NativeRefused { interface, reason } => write!(
                f,
                "{interface}: the driver does not run the XDP program ({reason}); \
                 generic mode is several times slower"
            ),
            Self::ZeroCopyRefused { interface, queue, reason } => {
                write!(f, "queue {queue} of {interface}: no zero copy ({reason}); copying packets")
            }
            Self::MetadataRefused { interface, reason } => write!(
                f,
                "{interface}: the card tells nothing about packets ({reason}); they are stamped by \
                 the system's clock, once a batch"
            ),
            Self::HugePagesRefused { interface, queue, backing } => write!(
                f,
                "queue {queue} of {interface}: frames are on {backing}, not on the huge pages asked \
                 for; see vm.nr_hugepages and /sys/kernel/mm/transparent_hugepage/enabled"
            ),
            Self::VlanStripped { interface } => write!(
                f,
                "{interface}: the network card removes VLAN tags; \
                 run \"ethtool -K {interface} rxvlan off\""
            ),
            Self::ReceiveOffload { interface, offload } => write!(
                f,
                "{interface}: {offload} merges packets before they are seen; \
                 run \"ethtool -K {interface} {offload} off\""
            ),
            Self::NoCarrier { interface } => {
                write!(f, "{interface}: no carrier; nothing will arrive until there is a link")
            }
        }
    }
}
