//! The XDP program: loaded, attached by a link, and its counters.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{MapError, PerCpuArray, XskMap};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};

use crate::error::Error;
use crate::holder::Holder;
use crate::interface::Interface;
use crate::metadata::load_bound;
use crate::options::{AttachMode, Capture, Options, Others, Ration};
use crate::socket::Socket;
use crate::system;

/// The object that `bpf/build.sh` builds; the ELF reader wants it aligned.
#[repr(align(8))]
pub(crate) struct Aligned<T: ?Sized>(pub(crate) T);

static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!("../bpf/rstscope.bpf.o"));

/// What the XDP program counted since it was loaded, on all processors; units: packets.
///
/// Redirected is not delivered: what a socket lost is in [`crate::Statistics`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// TCP, handed to a socket.
    pub tcp_redirected: u64,
    /// Tunnels and the like that may carry TCP, handed to a socket.
    pub maybe_tcp_redirected: u64,
    /// Not TCP and dropped ([`Others::Drop`]).
    pub not_tcp_dropped: u64,
    /// Not TCP and passed to the host ([`Others::Pass`]).
    pub not_tcp_passed: u64,
    /// TCP beyond the ration of [`Capture::Control`]: left out on purpose.
    pub left_out: u64,
    /// Ended within a header.
    pub too_short: u64,
    /// To be captured, but its queue has no socket.
    pub no_socket: u64,
}

impl Counters {
    /// Packets handed to sockets.
    #[must_use]
    pub fn redirected(&self) -> u64 {
        self.tcp_redirected + self.maybe_tcp_redirected
    }

    /// All packets that the program saw.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.redirected()
            + self.not_tcp_dropped
            + self.not_tcp_passed
            + self.left_out
            + self.too_short
            + self.no_socket
    }
}

/// The loaded program with its maps.
pub(crate) struct Program {
    ebpf: Ebpf,
    others: Others,
    /// The same program, loaded for one device to ask its driver; then the one in `ebpf` is not.
    bound: Option<OwnedFd>,
}

impl Program {
    /// Loads the program as `options` want it, with room for sockets of `queues` queues.
    pub(crate) fn load(options: &Options, queues: u32) -> Result<Self, Error> {
        // `RandomState` draws its keys from the operating system.
        let seed = RandomState::new().hash_one(PROGRAM);
        Self::load_with(options, queues, seed, Ticking::Kernel)
    }

    /// Loads it for one interface, to hand on what the card knows of each packet behind `mark`.
    pub(crate) fn load_bound(
        options: &Options,
        interface: &Interface,
        mark: NonZeroU32,
    ) -> Result<Self, Error> {
        let seed = RandomState::new().hash_one(PROGRAM);
        let queues = interface.receive_queues();
        let ebpf = maps(options, queues, seed, Ticking::Kernel, mark.get())?;
        let bound = load_bound(&OBJECT.0, PROGRAM, &ebpf, interface.index())
            .map_err(|source| Error::Bound { interface: interface.name().to_owned(), source })?;
        Ok(Self { ebpf, others: options.others, bound: Some(bound) })
    }

    /// The same with the secret of the budgets' hash given; `clock` is where time comes from.
    pub(crate) fn load_with(
        options: &Options,
        queues: u32,
        seed: u64,
        clock: Ticking,
    ) -> Result<Self, Error> {
        let mut ebpf = maps(options, queues, seed, clock, 0)?;
        xdp(&mut ebpf).load().map_err(Box::new)?;
        Ok(Self { ebpf, others: options.others, bound: None })
    }

    /// Attaches by a link; returns it and why native mode was refused, if it was.
    pub(crate) fn attach(
        &mut self,
        interface: &Interface,
        mode: AttachMode,
    ) -> Result<(Link, Attached), Error> {
        let mut refused = None;
        if mode != AttachMode::GenericOnly {
            match self.link(interface, XDP_FLAGS_DRV_MODE) {
                Ok(link) => return Ok((link, Attached::Native)),
                Err(source) if mode == AttachMode::NativeOnly || is_final(&source) => {
                    return Err(explain_attach(interface, "native", source));
                }
                Err(source) => refused = Some(source),
            }
        }
        match self.link(interface, XDP_FLAGS_SKB_MODE) {
            Ok(link) => Ok((link, Attached::Generic { native_refused: refused })),
            Err(source) => Err(explain_attach(interface, "generic", source)),
        }
    }

    fn link(&mut self, interface: &Interface, flags: u32) -> io::Result<Link> {
        let program = match &self.bound {
            Some(bound) => bound.as_fd(),
            None => xdp(&mut self.ebpf).fd().expect("the program was loaded").as_fd(),
        };
        system::create_xdp_link(program, interface.index(), flags).map(Link)
    }

    /// Sends the packets of `queue` to `socket` from now on, until the socket is closed.
    pub(crate) fn serve(&mut self, queue: u32, socket: &Socket) -> Result<(), Error> {
        let fail = |source| Error::Map { map: XSKS, source: Box::new(source) };
        let map = self.ebpf.map_mut(XSKS).expect("the object has this map");
        let mut sockets = XskMap::try_from(map).map_err(fail)?;
        sockets.set(queue, std::os::fd::AsRawFd::as_raw_fd(&socket.fd()), 0).map_err(fail)
    }

    /// Runs the program on one frame that goes nowhere, at a time of the caller's ([`Ticking::Metadata`]).
    #[cfg(test)]
    pub(crate) fn try_on(&self, frame: &[u8], now_ns: u64) -> io::Result<()> {
        let program = self.ebpf.program(PROGRAM).expect("the object has this program");
        let program: &Xdp = program.try_into().expect("it is an XDP program");
        let fd = program.fd().expect("the program was loaded");
        system::run_with_metadata(fd.as_fd(), &now_ns.to_ne_bytes(), frame)
    }

    /// What the program counted so far.
    pub(crate) fn counters(&self) -> Result<Counters, Error> {
        let values =
            self.sums().map_err(|source| Error::Map { map: COUNTERS, source: Box::new(source) })?;
        let [tcp_redirected, maybe_tcp_redirected, not_tcp, left_out, too_short, no_socket] =
            values;
        let (not_tcp_dropped, not_tcp_passed) = match self.others {
            Others::Drop => (not_tcp, 0),
            Others::Pass => (0, not_tcp),
        };
        Ok(Counters {
            tcp_redirected,
            maybe_tcp_redirected,
            not_tcp_dropped,
            not_tcp_passed,
            left_out,
            too_short,
            no_socket,
        })
    }

    fn sums(&self) -> Result<[u64; COUNTERS_LEN], MapError> {
        let map = self.ebpf.map(COUNTERS).expect("the object has this map");
        let counters = PerCpuArray::<_, u64>::try_from(map)?;
        let mut sums = [0; COUNTERS_LEN];
        for (index, sum) in (0..).zip(&mut sums) {
            *sum = counters.get(&index, 0)?.iter().sum();
        }
        Ok(sums)
    }
}

/// Where the program takes the time from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ticking {
    /// The kernel.
    Kernel,
    /// The eight bytes before the frame: for tests.
    Metadata,
}

/// What keeps the program on the interface; dropped or closed by death, it goes.
pub(crate) struct Link(OwnedFd);

impl Drop for Link {
    fn drop(&mut self) {
        // Said aloud, because closing is not enough while a child of another thread, forked and not
        // yet executing its program, has a copy. Fails where the interface has gone: fine.
        let _detached = system::detach_link(self.0.as_fd());
    }
}

/// Where the program runs now.
#[derive(Debug)]
pub(crate) enum Attached {
    /// In the driver.
    Native,
    /// In the network stack; the driver refused for this reason, if it was asked.
    Generic { native_refused: Option<io::Error> },
}

/// Makes the maps of the program and writes the choices that it was built for; loads no program yet.
fn maps(
    options: &Options,
    queues: u32,
    seed: u64,
    clock: Ticking,
    mark: u32,
) -> Result<Ebpf, Error> {
    const XDP_DROP: u32 = 1;
    const XDP_PASS: u32 = 2;
    let others = match options.others {
        Others::Drop => XDP_DROP,
        Others::Pass => XDP_PASS,
    };
    let tunnels = u32::from(options.tunnels);
    let (control_only, ration) = match options.capture {
        Capture::All => (0_u32, Ration { first_packets: 1, connections: 1 }),
        Capture::Control(ration) => (1, ration),
    };
    let (buckets, first_packets) = (ration.buckets(), u32::from(ration.first_packets));
    let bucket_mask = buckets - 1;
    let clock_in_metadata = u32::from(clock == Ticking::Metadata);
    let mut ports = [0_u16; Options::PORTS_MAX];
    for (to, from) in ports.iter_mut().zip(&options.tunnel_ports) {
        *to = from.to_be();
    }
    let ebpf = EbpfLoader::new()
        // No relocation against the kernel's own types: the program touches none.
        .btf(None)
        .override_global("others", &others, true)
        .override_global("tunnels", &tunnels, true)
        .override_global("control_only", &control_only, true)
        .override_global("tunnel_ports", &ports, true)
        .override_global("clock_in_metadata", &clock_in_metadata, true)
        .override_global("metadata_mark", &mark, true)
        .override_global("seed", &seed, true)
        .override_global("bucket_mask", &bucket_mask, true)
        .override_global("first_packets", &first_packets, true)
        .map_max_entries(XSKS, queues)
        .map_max_entries(BUDGETS, buckets)
        .load(&OBJECT.0)
        .map_err(Box::new)?;
    Ok(ebpf)
}

fn xdp(ebpf: &mut Ebpf) -> &mut Xdp {
    ebpf.program_mut(PROGRAM)
        .and_then(|program| program.try_into().ok())
        .expect("the object has this XDP program")
}

/// Failures that generic mode would not cure.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::EACCES | libc::ENODEV)
    )
}

fn explain_attach(interface: &Interface, mode: &'static str, source: io::Error) -> Error {
    let name = interface.name().to_owned();
    if matches!(source.raw_os_error(), Some(libc::EBUSY | libc::EEXIST))
        && let Some(holder) = Holder::of(&name)
    {
        return Error::InterfaceBusy { interface: name, holder };
    }
    let hint = match source.raw_os_error() {
        Some(libc::EINVAL) => ": BPF links for XDP need Linux 5.9",
        Some(libc::ERANGE) => ": the driver wants a smaller MTU",
        Some(libc::ENOSPC) => {
            ": too few receive queues (on veth: fewer than the peer's transmit queues)"
        }
        Some(libc::EOPNOTSUPP) => ": the driver does not run XDP programs",
        Some(libc::EPERM | libc::EACCES) => ": CAP_NET_ADMIN and CAP_BPF are needed",
        _ => "",
    };
    Error::Attach { interface: name, mode, hint, source }
}

const XSKS: &str = "xsks";
const COUNTERS: &str = "counters";
const BUDGETS: &str = "budgets";
const PROGRAM: &str = "rstscope";
/// `COUNTERS` of `enum counter` in `bpf/rstscope.bpf.c`.
const COUNTERS_LEN: usize = 6;
/// `linux/if_link.h`.
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
