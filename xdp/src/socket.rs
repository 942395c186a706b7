//! One AF_XDP socket: its options, its rings, its binding.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::mapping::Mapping;
use crate::options::BusyPoll;
use crate::ring::{Consumer, Entry, Offsets, Producer};
use crate::system::{self, Readiness};
use crate::umem::Umem;

/// How packets get from the driver into our memory, as the kernel says after binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The network card writes into our memory.
    ZeroCopy,
    /// The driver runs the XDP program, the kernel copies each packet.
    Copy,
    /// The network stack runs the XDP program on its own buffers and copies each packet: the
    /// slowest way, for drivers without XDP.
    GenericCopy,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroCopy => "native zero-copy",
            Self::Copy => "native copy",
            Self::GenericCopy => "generic copy",
        })
    }
}

/// An AF_XDP socket.
pub(crate) struct Socket {
    fd: OwnedFd,
    offsets: libc::xdp_mmap_offsets,
}

impl Socket {
    /// Opens a socket and registers `umem` with it.
    ///
    /// # Safety
    ///
    /// `umem` outlives the socket, and its frames are read and written only while they are ours.
    pub(crate) unsafe fn new(umem: &Umem) -> io::Result<Self> {
        let fd = system::socket(libc::AF_XDP, libc::SOCK_RAW, 0)?;
        // SAFETY: passed on to our caller.
        unsafe { system::register_umem(fd.as_fd(), umem.base(), umem.len(), umem.frame_size()) }?;
        let offsets = system::option(fd.as_fd(), libc::SOL_XDP, libc::XDP_MMAP_OFFSETS)?;
        Ok(Self { fd, offsets })
    }

    /// Makes and maps the fill ring.
    pub(crate) fn fill_ring(&self, size: u32) -> io::Result<Producer<u64>> {
        let page = libc::XDP_UMEM_PGOFF_FILL_RING as libc::off_t;
        let (mapping, offsets) =
            self.ring::<u64>(libc::XDP_UMEM_FILL_RING, size, page, self.offsets.fr)?;
        Ok(Producer::new(mapping, offsets, size))
    }

    /// Makes and maps the completion ring, which the kernel wants even of who only receives.
    pub(crate) fn completion_ring(&self, size: u32) -> io::Result<Consumer<u64>> {
        let page = libc::XDP_UMEM_PGOFF_COMPLETION_RING as libc::off_t;
        let (mapping, offsets) =
            self.ring::<u64>(libc::XDP_UMEM_COMPLETION_RING, size, page, self.offsets.cr)?;
        Ok(Consumer::new(mapping, offsets, size))
    }

    /// Makes and maps the receive ring.
    pub(crate) fn receive_ring<T: Entry>(&self, size: u32) -> io::Result<Consumer<T>> {
        let page = libc::XDP_PGOFF_RX_RING;
        let (mapping, offsets) = self.ring::<T>(libc::XDP_RX_RING, size, page, self.offsets.rx)?;
        Ok(Consumer::new(mapping, offsets, size))
    }

    /// Makes and maps the transmit ring.
    pub(crate) fn transmit_ring<T: Entry>(&self, size: u32) -> io::Result<Producer<T>> {
        let page = libc::XDP_PGOFF_TX_RING;
        let (mapping, offsets) = self.ring::<T>(libc::XDP_TX_RING, size, page, self.offsets.tx)?;
        Ok(Producer::new(mapping, offsets, size))
    }

    fn ring<T: Entry>(
        &self,
        name: i32,
        size: u32,
        page: libc::off_t,
        offsets: libc::xdp_ring_offset,
    ) -> io::Result<(Mapping, Offsets)> {
        system::set_option(self.fd(), libc::SOL_XDP, name, &size)?;
        let offsets = Offsets::from(offsets);
        let len = offsets.entries + size_of::<T>() * size as usize;
        Ok((Mapping::shared(self.fd(), len, page)?, offsets))
    }

    /// Binds to one queue of an interface, patiently: the socket of a process that has just died
    /// keeps the queue busy for a moment, and so does a driver that resets itself for XDP. Once `stop`
    /// is set nothing is waited for.
    pub(crate) fn bind(
        &self,
        interface_index: u32,
        queue: u32,
        flags: u16,
        stop: &AtomicBool,
    ) -> io::Result<()> {
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: flags,
            sxdp_ifindex: interface_index,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: 0,
        };
        let start = Instant::now();
        loop {
            match system::bind_xdp(self.fd(), &address) {
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::ENETDOWN))
                        && start.elapsed() < BIND_PATIENCE
                        && !stop.load(Ordering::Relaxed) =>
                {
                    sleep(BIND_RETRY);
                }
                result => return result,
            }
        }
    }

    /// Whether the kernel bound it for zero copy: without a flag it may choose to copy, silently.
    pub(crate) fn is_zero_copy(&self) -> io::Result<bool> {
        let options: libc::xdp_options =
            system::option(self.fd(), libc::SOL_XDP, libc::XDP_OPTIONS)?;
        Ok(options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0)
    }

    /// The kernel's counters of this socket.
    pub(crate) fn statistics(&self) -> io::Result<libc::xdp_statistics> {
        system::option(self.fd(), libc::SOL_XDP, libc::XDP_STATISTICS)
    }

    /// Lets our own system calls run the driver's receive loop (Linux 5.11).
    pub(crate) fn set_busy_poll(&self, busy_poll: BusyPoll) -> io::Result<()> {
        let budget = i32::from(busy_poll.budget);
        let duration_us = i32::from(busy_poll.duration_us);
        let set = |name, value: i32| system::set_option(self.fd(), libc::SOL_SOCKET, name, &value);
        set(libc::SO_PREFER_BUSY_POLL, 1)?;
        set(libc::SO_BUSY_POLL, duration_us)?;
        set(libc::SO_BUSY_POLL_BUDGET, budget)
    }

    /// Waits for a packet, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> io::Result<Readiness> {
        system::poll_readable(self.fd(), timeout)
    }

    /// The descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A killed process frees its sockets from a work queue, some milliseconds after its death.
const BIND_PATIENCE: Duration = Duration::from_secs(2);
const BIND_RETRY: Duration = Duration::from_millis(5);
