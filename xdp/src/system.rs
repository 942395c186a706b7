//! System calls that the standard library does not wrap, each behind a safe function.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Plain kernel structures: the kernel may write them as bytes.
///
/// # Safety
///
/// 1. Every bit pattern of `size_of::<Self>()` bytes is a valid value, all zeroes included.
/// 2. The type holds no pointer that the kernel would follow beyond the call it is passed to.
pub(crate) unsafe trait Plain: Copy {
    /// The value whose bytes are all zero.
    fn zeroed() -> Self {
        // SAFETY: all zeroes is a valid value (`Plain`, 1).
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

// SAFETY: an integer (`Plain`, 1 and 2).
unsafe impl Plain for u32 {}
// SAFETY: an integer (`Plain`, 1 and 2).
unsafe impl Plain for c_int {}
// SAFETY: integers only (`Plain`, 1 and 2).
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: integers only (`Plain`, 1 and 2).
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: integers only (`Plain`, 1 and 2).
unsafe impl Plain for libc::xdp_options {}
// SAFETY: integers only (`Plain`, 1 and 2).
unsafe impl Plain for libc::sockaddr_xdp {}
// SAFETY: integers only (`Plain`, 1 and 2).
unsafe impl Plain for libc::packet_mreq {}

/// Opens a socket that is closed on exec.
pub(crate) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: takes and returns integers only.
    let fd = check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just opened `fd` for us, nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets a socket option to `value`.
pub(crate) fn set_option<T: Plain>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    let pointer = std::ptr::from_ref(value).cast::<c_void>();
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `pointer` is readable for `len` bytes and not kept by the kernel (`Plain`, 2).
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, len) })?;
    Ok(())
}

/// Registers `len` bytes at `base` as the memory of an AF_XDP socket.
///
/// # Safety
///
/// The memory stays mapped, and is neither read nor written as Rust values while the kernel owns
/// the frame in question, for as long as the socket lives.
pub(crate) unsafe fn register_umem(
    fd: BorrowedFd<'_>,
    base: *mut u8,
    len: u64,
    frame_size: u32,
) -> io::Result<()> {
    let registration = libc::xdp_umem_reg {
        addr: base as u64,
        len,
        chunk_size: frame_size,
        headroom: 0,
        flags: 0,
        tx_metadata_len: 0,
    };
    let pointer = std::ptr::from_ref(&registration).cast::<c_void>();
    let option_len = size_of::<libc::xdp_umem_reg>() as libc::socklen_t;
    let (level, name) = (libc::SOL_XDP, libc::XDP_UMEM_REG);
    // SAFETY: `pointer` is readable for `option_len` bytes; the caller vouches for the memory.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, option_len) })?;
    Ok(())
}

/// Reads a socket option. An older kernel may fill less of it; the rest is zero.
pub(crate) fn option<T: Plain>(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<T> {
    let mut value = T::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    let pointer = std::ptr::from_mut(&mut value).cast::<c_void>();
    // SAFETY: `pointer` is writable for `len` bytes, and any bytes make a `T` (`Plain`, 1).
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, pointer, &raw mut len) })?;
    Ok(value)
}

/// Binds an AF_XDP socket.
pub(crate) fn bind_xdp(fd: BorrowedFd<'_>, address: &libc::sockaddr_xdp) -> io::Result<()> {
    let pointer = std::ptr::from_ref(address).cast::<libc::sockaddr>();
    let len = size_of::<libc::sockaddr_xdp>() as libc::socklen_t;
    // SAFETY: `pointer` is readable for `len` bytes and not kept by the kernel.
    check(unsafe { libc::bind(fd.as_raw_fd(), pointer, len) })?;
    Ok(())
}

/// Lets the driver run the receive side of an AF_XDP socket (the wake-up of its fill ring).
pub(crate) fn wake_receive(fd: BorrowedFd<'_>) -> io::Result<()> {
    let (flags, nothing) = (libc::MSG_DONTWAIT, std::ptr::null_mut());
    let null = std::ptr::null_mut();
    // SAFETY: no buffer and no address are given, so the kernel writes nothing.
    let result =
        unsafe { libc::recvfrom(fd.as_raw_fd(), nothing, 0, flags, null, std::ptr::null_mut()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets the driver run the transmit side of an AF_XDP socket.
pub(crate) fn wake_transmit(fd: BorrowedFd<'_>) -> io::Result<()> {
    let nothing = std::ptr::null();
    // SAFETY: no buffer and no address are given, so the kernel reads nothing.
    let result = unsafe {
        libc::sendto(fd.as_raw_fd(), nothing, 0, libc::MSG_DONTWAIT, std::ptr::null(), 0)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What [`poll_readable`] saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    /// The time ran out, or a signal came.
    Nothing,
    /// There is something to read.
    Readable,
    /// The socket is in error: its interface has gone.
    Broken,
}

/// Waits until `fd` has something to read; longer than 24 days is 24 days (poll(2)).
pub(crate) fn poll_readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<Readiness> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry is given and one entry may be written.
    match check(unsafe { libc::poll(&raw mut entry, 1, timeout_ms(timeout)) }) {
        Ok(_) if entry.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0 => {
            Ok(Readiness::Broken)
        }
        Ok(_) if entry.revents & libc::POLLIN != 0 => Ok(Readiness::Readable),
        Ok(_) => Ok(Readiness::Nothing),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Readiness::Nothing),
        Err(error) => Err(error),
    }
}

/// Descriptors that [`poll_any_readable`] looks at.
pub(crate) const POLLED_MAX: usize = 64;

/// Waits until one of the first [`POLLED_MAX`] descriptors has something to read and none is in error.
pub(crate) fn poll_any_readable<'f>(
    fds: impl Iterator<Item = BorrowedFd<'f>>,
    timeout: Duration,
) -> io::Result<bool> {
    let mut entries = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; POLLED_MAX];
    let mut len = 0;
    for (entry, fd) in entries.iter_mut().zip(fds) {
        entry.fd = fd.as_raw_fd();
        len += 1;
    }
    let pointer = entries.as_mut_ptr();
    // SAFETY: `len` entries at `pointer` are readable and writable, and not kept by the kernel.
    match check(unsafe { libc::poll(pointer, len, timeout_ms(timeout)) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
        Ok(_) => {
            let shown = entries.iter().fold(0, |all, entry| all | entry.revents);
            let is_broken = shown & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
            Ok(shown & libc::POLLIN != 0 && !is_broken)
        }
    }
}

/// As poll(2) wants it, rounded up: a wait of 100 microseconds must not become a busy loop.
fn timeout_ms(timeout: Duration) -> c_int {
    timeout.as_micros().div_ceil(1000).min(i32::MAX as u128) as c_int
}

/// Structures of the ethtool ioctl, with their command in the first word (`linux/ethtool.h`).
///
/// # Safety
///
/// The kernel writes no more than `size_of::<Self>()` bytes for [`Self::COMMAND`].
pub(crate) unsafe trait EthtoolStructure: Plain {
    /// The number of the question.
    const COMMAND: u32;
    /// Where the command word lies.
    fn command_mut(&mut self) -> &mut u32;
}

/// Asks the driver of interface `name` one question; fields of `question` that it reads are set.
pub(crate) fn ethtool<T: EthtoolStructure>(name: &str, question: T) -> io::Result<T> {
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut answer = question;
    *answer.command_mut() = T::COMMAND;
    let mut request = libc::ifreq {
        ifr_name: interface_name(name)?,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut answer).cast() },
    };
    // SAFETY: the request points at a writable `T`, as long as its command says.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) })?;
    Ok(answer)
}

fn interface_name(name: &str) -> io::Result<[libc::c_char; libc::IFNAMSIZ]> {
    let mut bytes = [0; libc::IFNAMSIZ];
    if name.len() >= bytes.len() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(bytes)
}

/// `bpf_attr` as `BPF_LINK_CREATE` reads it for XDP (`linux/bpf.h`).
#[repr(C)]
struct LinkCreate {
    program_fd: u32,
    interface_index: u32,
    attach_type: u32,
    flags: u32,
}

/// Attaches an XDP program to an interface for as long as the returned link is open.
///
/// By hand, because aya falls back to netlink where the kernel answers `EINVAL`, and a program
/// attached by netlink survives its process.
pub(crate) fn create_xdp_link(
    program: BorrowedFd<'_>,
    interface_index: u32,
    flags: u32,
) -> io::Result<OwnedFd> {
    const BPF_LINK_CREATE: libc::c_long = 28;
    const BPF_XDP: u32 = 37;
    let attributes = LinkCreate {
        program_fd: program.as_raw_fd() as u32,
        interface_index,
        attach_type: BPF_XDP,
        flags,
    };
    let pointer = &raw const attributes;
    let len = size_of::<LinkCreate>();
    // SAFETY: `pointer` is readable for `len` bytes and not kept by the kernel.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_CREATE, pointer, len) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened the link for us (close on exec), nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// `bpf_attr` as `BPF_PROG_LOAD` reads it (`linux/bpf.h`).
#[repr(C)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    licence: u64,
    log: [u64; 2],
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface_index: u32,
    attach_type: u32,
}

const _: () = assert!(size_of::<ProgramLoad>() == 72);

/// Loads an XDP program that runs on one device only and may ask its driver (Linux 6.3). Each
/// instruction is a `struct bpf_insn`.
pub(crate) fn load_bound_xdp(instructions: &[u64], interface_index: u32) -> io::Result<OwnedFd> {
    const BPF_PROG_LOAD: libc::c_long = 5;
    const BPF_PROG_TYPE_XDP: u32 = 6;
    const BPF_XDP: u32 = 37;
    const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;
    const BPF_F_XDP_DEV_BOUND_ONLY: u32 = 1 << 6;
    let attributes = ProgramLoad {
        kind: BPF_PROG_TYPE_XDP,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        licence: c"Dual MIT/GPL".as_ptr() as u64,
        log: [0; 2],
        kernel_version: 0,
        flags: BPF_F_XDP_HAS_FRAGS | BPF_F_XDP_DEV_BOUND_ONLY,
        name: *b"rstscope\0\0\0\0\0\0\0\0",
        interface_index,
        attach_type: BPF_XDP,
    };
    let pointer = &raw const attributes;
    let len = size_of::<ProgramLoad>();
    // SAFETY: `pointer` is readable for `len` bytes, `instructions` for as many as are counted, the
    // licence up to its zero; nothing is kept by the kernel.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, pointer, len) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened the program for us (close on exec), nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// `struct hwtstamp_config` of `linux/net_tstamp.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct StampConfig {
    flags: c_int,
    transmit: c_int,
    receive: c_int,
}

// SAFETY: integers only (`Plain`, 1 and 2).
unsafe impl Plain for StampConfig {}

/// Lets the card of interface `name` stamp every packet that it receives; what it does with those it
/// sends stays as it was.
pub(crate) fn stamp_receipts(name: &str) -> io::Result<()> {
    const HWTSTAMP_FILTER_ALL: c_int = 1;
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let ask = |command: libc::c_ulong, config: &mut StampConfig| {
        let mut request = libc::ifreq {
            ifr_name: interface_name(name)?,
            ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut *config).cast() },
        };
        // SAFETY: the request points at a writable `StampConfig`, which both commands take.
        check(unsafe { libc::ioctl(fd.as_raw_fd(), command, &raw mut request) })
    };
    let mut config = StampConfig::zeroed();
    // Not every driver that can be told can also be asked.
    let _unknown = ask(libc::SIOCGHWTSTAMP, &mut config);
    if config.receive != HWTSTAMP_FILTER_ALL {
        config = StampConfig { flags: 0, receive: HWTSTAMP_FILTER_ALL, ..config };
        ask(libc::SIOCSHWTSTAMP, &mut config)?;
    }
    // A driver answers with what it really does: perhaps it stamps PTP's packets only.
    if config.receive == HWTSTAMP_FILTER_ALL {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ERANGE))
    }
}

/// Detaches what a link attached, whoever else still holds the link open.
pub(crate) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    const BPF_LINK_DETACH: libc::c_long = 34;
    let link = link.as_raw_fd() as u32;
    let pointer = &raw const link;
    // SAFETY: `pointer` is readable for four bytes and not kept by the kernel.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_DETACH, pointer, size_of::<u32>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `bpf_attr` as `BPF_PROG_TEST_RUN` reads it (`linux/bpf.h`).
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program_fd: u32,
    return_value: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    processor: u32,
    batch_size: u32,
    padding: u32,
}

/// Runs an XDP program on `repeat` copies of `frame` that really go where it sends them.
pub(crate) fn run_live_frames(
    program: BorrowedFd<'_>,
    frame: &[u8],
    repeat: u32,
) -> io::Result<()> {
    const BPF_PROG_TEST_RUN: libc::c_long = 10;
    const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 1 << 1;
    let mut attributes = TestRun {
        program_fd: program.as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat,
        flags: BPF_F_TEST_XDP_LIVE_FRAMES,
        batch_size: 64,
        ..TestRun::default()
    };
    let pointer = &raw mut attributes;
    let len = size_of::<TestRun>();
    // SAFETY: `pointer` is readable and writable for `len` bytes, and `data_in` for the length
    // given; with live frames no data come back.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_TEST_RUN, pointer, len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `struct xdp_md` of `linux/bpf.h`.
#[cfg(test)]
#[repr(C)]
#[derive(Default)]
struct XdpContext {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_interface: u32,
    receive_queue: u32,
    egress_interface: u32,
}

/// Runs an XDP program on one frame with `metadata` before it; the frame goes nowhere.
#[cfg(test)]
pub(crate) fn run_with_metadata(
    program: BorrowedFd<'_>,
    metadata: &[u8; 8],
    frame: &[u8],
) -> io::Result<()> {
    const BPF_PROG_TEST_RUN: libc::c_long = 10;
    let data = [&metadata[..], frame].concat();
    let context = XdpContext {
        data: metadata.len() as u32,
        data_end: data.len() as u32,
        ..XdpContext::default()
    };
    let mut attributes = TestRun {
        program_fd: program.as_raw_fd() as u32,
        data_size_in: data.len() as u32,
        data_in: data.as_ptr() as u64,
        context_size_in: size_of::<XdpContext>() as u32,
        context_in: &raw const context as u64,
        repeat: 1,
        ..TestRun::default()
    };
    let pointer = &raw mut attributes;
    let len = size_of::<TestRun>();
    // SAFETY: `pointer` is readable and writable for `len` bytes, `data_in` and `context_in` for the
    // lengths given; no buffer for what comes out is given.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_TEST_RUN, pointer, len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The soft limit of locked memory in bytes; `None` where there is none.
pub(crate) fn memlock_limit() -> io::Result<Option<u64>> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit`.
    check(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) })?;
    Ok((limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur))
}

/// How the kernel's clock is disciplined (adjtimex(2)); nothing is changed.
pub(crate) fn clock_state() -> io::Result<libc::timex> {
    let mut state = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: all zeroes is a valid `timex`, and its `modes` 0 means that nothing is set; the kernel
    // writes one.
    check(unsafe { libc::adjtimex(state.as_mut_ptr()) })?;
    // SAFETY: integers only, zeroed above.
    Ok(unsafe { state.assume_init() })
}

/// The size of a page in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: takes and returns integers only.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every Linux has a page size")
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
