//! The order in which everything is opened, and what is held for as long as packets are wanted.

use std::error::Error as _;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicBool;

use crate::error::Error;
use crate::interface::{Interface, InterfaceStatistics, wait_for_carrier};
use crate::options::{AttachMode, Capture, Clock, HugePages, Options, ZeroCopy};
use crate::privileges;
use crate::program::{Attached, Counters, Link, Program};
use crate::queue::{BATCH_MAX, Plan, Queue};
use crate::system;
use crate::umem::{Backing, Umem};
use crate::warning::Warning;

/// Our XDP program on an interface, with what belongs to it. Dropping it, or dying, removes all.
///
/// The queues live on their own: once the attachment is gone they receive nothing more.
pub struct Attachment {
    // Dropped in this order: first nothing more is redirected.
    _link: Link,
    program: Program,
    _promiscuous: Option<OwnedFd>,
    interface: Interface,
    native: bool,
    warnings: Vec<Warning>,
}

impl Attachment {
    /// Attaches to an interface and binds its queues, in the order of [`Options::queues`].
    pub fn open(options: &Options) -> Result<(Self, Vec<Queue>), Error> {
        Self::open_until(options, &AtomicBool::new(false))
    }

    /// As [`Attachment::open`], but waits neither for a carrier nor for a busy queue once `stop` is set,
    /// and then fails as if it had waited in vain.
    pub fn open_until(options: &Options, stop: &AtomicBool) -> Result<(Self, Vec<Queue>), Error> {
        check(options)?;
        privileges::check()?;
        let interface = Interface::query(&options.interface)?;
        if !interface.is_up() {
            return Err(Error::InterfaceDown { name: options.interface.clone() });
        }
        if interface.has_address() && !options.host_interface {
            return Err(Error::HostInterface { name: options.interface.clone() });
        }
        let queues = queue_numbers(options, &interface)?;
        check_frames(options, &interface)?;
        // Memory first: it is what most likely fails, and attaching disturbs the link.
        let (frame_size, scatter) = interface.frame_plan(options.frame_size);
        let memories = memories(options, &queues, frame_size)?;

        let Hung { mut program, link, attached, metadata_mark, metadata_refused } =
            hang(options, &interface)?;
        let promiscuous =
            options.promiscuous.then(|| promiscuous(interface.index())).transpose().map_err(
                |source| Error::Promiscuous { interface: interface.name().into(), source },
            )?;
        if interface.has_carrier() {
            wait_for_carrier(interface.name(), options.carrier_wait, stop)?;
        }

        let native = matches!(attached, Attached::Native);
        let plan = |queue| Plan {
            interface_index: interface.index(),
            queue,
            frames: options.frames,
            receive_ring: options.receive_ring.unwrap_or(options.frames),
            batch: options.batch,
            scatter,
            zero_copy: options.zero_copy,
            native,
            busy_poll: options.busy_poll,
            metadata_mark,
        };
        let mut opened = Vec::with_capacity(queues.len());
        for (number, umem) in queues.into_iter().zip(memories) {
            let queue = Queue::open(interface.name(), umem, plan(number), stop)?;
            program.serve(number, queue.socket())?;
            opened.push(queue);
        }
        if interface.has_carrier() {
            // Zero copy may have reset the link once more, and whoever is told that we watch may send.
            wait_for_carrier(interface.name(), options.carrier_wait, stop)?;
        }
        let mut warnings = warnings(options, &interface, &attached, &opened);
        warnings.extend(metadata_refused);
        let attachment =
            Self { _link: link, program, _promiscuous: promiscuous, interface, native, warnings };
        Ok((attachment, opened))
    }

    /// What the XDP program counted.
    pub fn counters(&self) -> Result<Counters, Error> {
        self.program.counters()
    }

    /// What the driver counted since the interface was made: losses before our program.
    pub fn interface_statistics(&self) -> Result<InterfaceStatistics, Error> {
        Ok(Interface::query(self.interface.name())?.statistics())
    }

    /// The interface as it was when we attached.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Whether the driver runs the program, or the network stack.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.native
    }

    /// What works, but not as well as it could.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("interface", &self.interface)
            .field("native", &self.native)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// The program on its interface.
struct Hung {
    program: Program,
    link: Link,
    attached: Attached,
    /// What metadata before each frame bears, if the program writes any.
    metadata_mark: Option<NonZeroU32>,
    metadata_refused: Option<Warning>,
}

/// Loads the program and hangs it on the interface: the one that asks the card if that is wanted and
/// can be had, else the plain one.
fn hang(options: &Options, interface: &Interface) -> Result<Hung, Error> {
    let mut metadata_refused = None;
    if options.clock == Clock::Card || options.receive_hash {
        match hang_bound(options, interface) {
            Ok(hung) => return Ok(hung),
            Err(error @ Error::InterfaceBusy { .. }) => return Err(error),
            Err(error) => {
                let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
                let (interface, reason) = (interface.name().to_owned(), format!("{error}{cause}"));
                metadata_refused = Some(Warning::MetadataRefused { interface, reason });
            }
        }
    }
    let mut program = Program::load(options, interface.receive_queues())?;
    let (link, attached) = program.attach(interface, options.attach_mode)?;
    Ok(Hung { program, link, attached, metadata_mark: None, metadata_refused })
}

fn hang_bound(options: &Options, interface: &Interface) -> Result<Hung, Error> {
    let name = || interface.name().to_owned();
    if options.clock == Clock::Card {
        system::stamp_receipts(interface.name())
            .map_err(|source| Error::Stamps { interface: name(), source })?;
    }
    // A secret, so that nothing a sender wrote can pass for it.
    let mark =
        NonZeroU32::new(RandomState::new().hash_one("metadata") as u32).unwrap_or(NonZeroU32::MIN);
    let mut program = Program::load_bound(options, interface, mark)?;
    let mode = match options.attach_mode {
        AttachMode::NativeFirst => AttachMode::NativeOnly,
        mode => mode,
    };
    let (link, attached) = program.attach(interface, mode)?;
    let metadata_mark = Some(mark);
    Ok(Hung { program, link, attached, metadata_mark, metadata_refused: None })
}

/// Refuses values that the kernel would refuse with a bare `EINVAL`, or that make no sense.
fn check(options: &Options) -> Result<(), Error> {
    let bad =
        |option, value: u64, rule| Err(Error::BadOption { option, value: value.to_string(), rule });
    if !options.frames.is_power_of_two() || !(64..=1 << 20).contains(&options.frames) {
        return bad("frames", options.frames.into(), "a power of two from 64 to 1048576");
    }
    if let Some(size) = options.frame_size
        && !matches!(size, 2048 | 4096)
    {
        return bad("frame_size", size.into(), "2048 or 4096");
    }
    if let Some(ring) = options.receive_ring
        && (!ring.is_power_of_two() || ring < 64 || ring > options.frames)
    {
        return bad("receive_ring", ring.into(), "a power of two from 64 up to the frames");
    }
    if let Capture::Control(ration) = options.capture
        && ration.first_packets == 0
    {
        return bad("first_packets", 0, "at least 1");
    }
    if options.batch == 0 || options.batch as usize > BATCH_MAX {
        return bad("batch", options.batch.into(), "1 to 256 packets");
    }
    if options.tunnel_ports.len() > Options::PORTS_MAX {
        return bad("tunnel_ports", options.tunnel_ports.len() as u64, "at most 8 ports");
    }
    Ok(())
}

/// Refuses small frames where zero copy would cut or lose packets in them.
fn check_frames(options: &Options, interface: &Interface) -> Result<(), Error> {
    let copies =
        options.zero_copy == ZeroCopy::Never || options.attach_mode == AttachMode::GenericOnly;
    match options.frame_size {
        Some(size @ 2048) if interface.uses_whole_kib() && !copies => Err(Error::BadOption {
            option: "frame_size",
            value: size.to_string(),
            rule: "4096 on igb, igc and ixgbe, which with zero copy take packets of more than 1024 bytes \
                   apart or drop them; or no zero copy",
        }),
        _ => Ok(()),
    }
}

fn queue_numbers(options: &Options, interface: &Interface) -> Result<Vec<u32>, Error> {
    let queues = interface.receive_queues();
    let Some(wanted) = &options.queues else { return Ok((0..queues).collect()) };
    if let Some(&queue) = wanted.iter().find(|queue| **queue >= queues) {
        return Err(Error::NoSuchQueue { name: interface.name().to_owned(), queue, queues });
    }
    let has_twice = wanted.iter().enumerate().any(|(at, queue)| wanted[..at].contains(queue));
    if wanted.is_empty() || has_twice {
        let value = format!("{wanted:?}");
        return Err(Error::BadOption { option: "queues", value, rule: "one or more, each once" });
    }
    Ok(wanted.clone())
}

fn memories(options: &Options, queues: &[u32], frame_size: u32) -> Result<Vec<Umem>, Error> {
    queues
        .iter()
        .map(|queue| {
            Umem::new(frame_size, options.frames, options.huge_pages).map_err(|source| {
                Error::Memory {
                    queue: format!("queue {queue} of {}", options.interface),
                    mib: (u64::from(frame_size) * u64::from(options.frames)).div_ceil(1 << 20),
                    source,
                }
            })
        })
        .collect()
}

/// Keeps the interface promiscuous while the returned socket is open (packet(7)). It has protocol
/// 0, so it receives nothing itself.
fn promiscuous(interface_index: u32) -> io::Result<OwnedFd> {
    let socket = system::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    let membership = libc::packet_mreq {
        mr_ifindex: interface_index as i32,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    let (level, name) = (libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP);
    system::set_option(socket.as_fd(), level, name, &membership)?;
    Ok(socket)
}

fn warnings(
    options: &Options,
    interface: &Interface,
    attached: &Attached,
    queues: &[Queue],
) -> Vec<Warning> {
    let name = || interface.name().to_owned();
    let mut warnings = Vec::new();
    if let Attached::Generic { native_refused: Some(reason) } = attached {
        let reason = reason.to_string();
        warnings.push(Warning::NativeRefused { interface: name(), reason });
    }
    for queue in queues {
        if let Some(reason) = queue.zero_copy_refused() {
            let reason = reason.to_string();
            let queue = queue.id();
            warnings.push(Warning::ZeroCopyRefused { interface: name(), queue, reason });
        }
        let wanted = match options.huge_pages {
            HugePages::Transparent => Backing::Transparent,
            HugePages::Reserved => Backing::HugeTlb,
            HugePages::Never => Backing::Plain,
        };
        let backing = queue.backing();
        if backing != wanted && options.huge_pages != HugePages::Never {
            let queue = queue.id();
            warnings.push(Warning::HugePagesRefused { interface: name(), queue, backing });
        }
    }
    let offloads = interface.offloads();
    if offloads.vlan {
        warnings.push(Warning::VlanStripped { interface: name() });
    }
    if offloads.large_receive {
        warnings.push(Warning::ReceiveOffload { interface: name(), offload: "lro" });
    }
    // Native programs run before GRO; generic ones may see what it made.
    if offloads.generic_receive && matches!(attached, Attached::Generic { .. }) {
        warnings.push(Warning::ReceiveOffload { interface: name(), offload: "gro" });
    }
    if !interface.has_carrier() {
        warnings.push(Warning::NoCarrier { interface: name() });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tests::interface;
    use crate::options::Ration;

    fn refused(change: impl FnOnce(&mut Options)) -> String {
        let mut options = Options::new("eth1");
        change(&mut options);
        check(&options).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_allowed() {
        check(&Options::new("eth1")).unwrap();
    }

    #[test]
    fn impossible_options_are_named_with_their_rule() {
        assert_eq!(
            refused(|options| options.frames = 100),
            "option frames = 100: a power of two from 64 to 1048576"
        );
        assert!(refused(|options| options.frame_size = Some(1024)).contains("2048 or 4096"));
        assert!(refused(|options| options.receive_ring = Some(16384)).contains("receive_ring"));
        assert!(refused(|options| options.batch = 257).contains("1 to 256 packets"));
        assert!(refused(|options| options.tunnel_ports = vec![1; 9]).contains("at most 8"));
        let nothing = Capture::Control(Ration { first_packets: 0, connections: 1 });
        assert!(refused(|options| options.capture = nothing).contains("at least 1"));
    }

    #[test]
    fn frames_that_a_card_would_cut_packets_into_are_refused_unless_the_kernel_copies() {
        let small = Options { frame_size: Some(2048), ..Options::new("test") };
        let error = check_frames(&small, &interface("igb", 1500)).unwrap_err().to_string();
        assert!(error.contains("frame_size = 2048: 4096 on igb"), "{error}");
        check_frames(&small, &interface("ice", 1500)).unwrap();
        check_frames(&Options::new("test"), &interface("igb", 1500)).unwrap();
        let copied = Options { zero_copy: ZeroCopy::Never, ..small };
        check_frames(&copied, &interface("igb", 1500)).unwrap();
    }
}
