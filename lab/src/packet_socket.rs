//! A raw Ethernet socket on one interface of one namespace (`packet(7)`).

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind,
    recvmsg, send, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::{Error, Namespace};

/// Longest frame the lab reads: more than any MTU it configures.
pub(crate) const FRAME_LEN_MAX: usize = 9216;

/// Bytes the kernel may queue for one socket; a burst of a scenario is far below it.
const RECEIVE_BUFFER_LEN: usize = 8 << 20;

/// A bound, non-blocking `AF_PACKET` socket.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    descriptor: OwnedFd,
    interface_index: usize,
}

/// What is known about a received frame besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reception {
    /// Bytes of the frame, Ethernet header included.
    pub(crate) len: usize,
    /// This host sent the frame; it did not arrive here.
    pub(crate) outgoing: bool,
    /// Kernel time of the frame since the epoch, if time stamps are on.
    pub(crate) time: Option<Duration>,
}

impl PacketSocket {
    /// Opens a socket on `interface` of `host`.
    pub(crate) fn open(host: &Namespace, interface: &str) -> Result<Self, Error> {
        host.run(|| {
            let failed = |what: &str, source: Errno| {
                Error::socket(format!("{what} {interface} on {}", host.name()), source)
            };
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let descriptor =
                socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
                    .map_err(|source| failed("open a packet socket for", source))?;
            let address = link_address(host, interface)?;
            // The address has protocol 0: the kernel then keeps the one given to socket(2).
            bind(descriptor.as_raw_fd(), &address)
                .map_err(|source| failed("bind a packet socket to", source))?;
            setsockopt(&descriptor, sockopt::RcvBufForce, &RECEIVE_BUFFER_LEN)
                .map_err(|source| failed("size the buffer of", source))?;
            setsockopt(&descriptor, sockopt::ReceiveTimestampns, &true)
                .map_err(|source| failed("ask for time stamps on", source))?;
            Ok(Self { descriptor, interface_index: address.ifindex() })
        })
    }

    /// Takes the next frame; `None` if there is none now.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Option<Reception>, Error> {
        loop {
            let mut control = nix::cmsg_space!(TimeSpec);
            let mut parts = [IoSliceMut::new(buffer)];
            let message = match recvmsg::<LinkAddr>(
                self.descriptor.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::empty(),
            ) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                // The interface went down: the lab is being taken apart.
                Err(Errno::EINTR | Errno::ENETDOWN) => continue,
                Err(source) => return Err(Error::socket("receive a frame", source)),
            };
            let from = message.address;
            // Between socket(2) and bind(2) frames of every interface arrive.
            if from.is_some_and(|address| address.ifindex() != self.interface_index) {
                continue;
            }
            let time = message.cmsgs().ok().and_then(|mut messages| {
                messages.find_map(|control| match control {
                    ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                    _ => None,
                })
            });
            let outgoing = from.is_some_and(|address| address.pkttype() == libc::PACKET_OUTGOING);
            return Ok(Some(Reception { len: message.bytes, outgoing, time }));
        }
    }

    /// Sends a whole frame; false if the interface could not take it now.
    pub(crate) fn send(&self, frame: &[u8]) -> Result<bool, Error> {
        match send(self.descriptor.as_raw_fd(), frame, MsgFlags::empty()) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENETDOWN | Errno::EINTR) => Ok(false),
            Err(source) => Err(Error::socket("send a frame", source)),
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The link-level address of an interface of the namespace this thread is in.
fn link_address(host: &Namespace, interface: &str) -> Result<LinkAddr, Error> {
    let addresses = nix::ifaddrs::getifaddrs()
        .map_err(|source| Error::socket(format!("list interfaces of {}", host.name()), source))?;
    addresses
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address.as_ref().and_then(|a| a.as_link_addr().copied()))
        .ok_or_else(|| Error::NoInterface {
            interface: interface.to_owned(),
            host: host.name().to_owned(),
        })
}
