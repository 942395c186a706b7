//! The two ends of a connection: ordinary kernel sockets, with the settings that provoke resets.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, listen, setsockopt,
    socket, sockopt,
};

use crate::{Error, Namespace};

/// Longest wait for a peer; all paths of the lab are shorter than a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// Opens a listening socket.
pub(crate) fn listen_on(
    host: &Namespace,
    address: SocketAddr,
    backlog: i32,
) -> Result<TcpListener, Error> {
    host.run(|| {
        let failed = |source: Errno| Error::socket(format!("listen on {address}"), source);
        let descriptor = stream_socket(address.ip(), SockFlag::empty()).map_err(failed)?;
        setsockopt(&descriptor, sockopt::ReuseAddr, &true).map_err(failed)?;
        bind(descriptor.as_raw_fd(), &SockaddrStorage::from(address)).map_err(failed)?;
        let backlog = Backlog::new(backlog).map_err(failed)?;
        listen(&descriptor, backlog).map_err(failed)?;
        Ok(TcpListener::from(descriptor))
    })
}

/// A client's socket and what became of its handshake.
pub(crate) struct Attempt {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Its own address; a socket whose handshake failed can no longer be asked.
    pub(crate) address: SocketAddr,
    /// How connect(2) ended.
    pub(crate) outcome: Result<(), Errno>,
}

/// Connects from an address of `host`, with any port if its port is 0, and waits until the handshake has succeeded or failed.
pub(crate) fn connect_from(
    host: &Namespace,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<Attempt, Error> {
    host.run(|| attempt(from, to, SockFlag::empty()))
}

/// Sends `count` SYNs one right after the other and returns at once, usually with `EINPROGRESS`.
pub(crate) fn start_connects(
    host: &Namespace,
    from: SocketAddr,
    to: SocketAddr,
    count: usize,
) -> Result<Vec<Attempt>, Error> {
    host.run(|| (0..count).map(|_| attempt(from, to, SockFlag::SOCK_NONBLOCK)).collect())
}

/// Connects from the namespace of this thread.
fn attempt(from: SocketAddr, to: SocketAddr, flags: SockFlag) -> Result<Attempt, Error> {
    let failed = |source: Errno| Error::socket(format!("open a socket on {from} for {to}"), source);
    let descriptor = stream_socket(from.ip(), flags).map_err(failed)?;
    if from.port() != 0 {
        // It may be taken again while the kernel still remembers an older connection from it.
        setsockopt(&descriptor, sockopt::ReuseAddr, &true).map_err(failed)?;
    }
    bind(descriptor.as_raw_fd(), &SockaddrStorage::from(from)).map_err(failed)?;
    let stream = TcpStream::from(descriptor);
    set_patience(&stream)?;
    let address = stream
        .local_addr()
        .map_err(|source| Error::socket("read the address of a socket", source))?;
    let outcome = connect(stream.as_raw_fd(), &SockaddrStorage::from(to));
    Ok(Attempt { stream, address, outcome })
}

/// Opens a listening socket of Multipath TCP.
pub(crate) fn listen_multipath(
    host: &Namespace,
    address: SocketAddr,
) -> Result<TcpListener, Error> {
    host.run(|| {
        let failed = |source| Error::socket(format!("listen on {address} for MPTCP"), source);
        let socket = multipath_socket(address).map_err(failed)?;
        socket.listen(16).map_err(failed)?;
        Ok(socket.into())
    })
}

/// Connects with Multipath TCP from an address of `host`.
pub(crate) fn connect_multipath(
    host: &Namespace,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<TcpStream, Error> {
    let stream: TcpStream = host.run(|| {
        let failed = |source| Error::socket(format!("connect {from} to {to} by MPTCP"), source);
        let socket = multipath_socket(from).map_err(failed)?;
        socket.connect(&to.into()).map_err(failed)?;
        Ok(socket.into())
    })?;
    set_patience(&stream)?;
    Ok(stream)
}

/// A socket of Multipath TCP on `address`; nix does not know the protocol.
fn multipath_socket(address: SocketAddr) -> std::io::Result<socket2::Socket> {
    let domain = socket2::Domain::for_address(address);
    let protocol = Some(socket2::Protocol::MPTCP);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, protocol)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn stream_socket(address: IpAddr, flags: SockFlag) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket(family, SockType::Stream, flags | SockFlag::SOCK_CLOEXEC, None)
}

fn set_patience(stream: &TcpStream) -> Result<(), Error> {
    let failed = |source| Error::socket("set the time-outs of a connection", source);
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    // This limits connect(2) as well (socket(7), SO_SNDTIMEO).
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)
}

/// Accepts the next connection.
pub(crate) fn accept(listener: &TcpListener) -> Result<TcpStream, Error> {
    if !ready(listener, PollFlags::POLLIN)? {
        return Err(Error::socket("wait for a connection", Errno::ETIMEDOUT));
    }
    let (stream, _) =
        listener.accept().map_err(|source| Error::socket("accept a connection", source))?;
    set_patience(&stream)?;
    Ok(stream)
}

/// True if a connection waits to be accepted now.
pub(crate) fn has_called(listener: &TcpListener) -> Result<bool, Error> {
    ready_within(listener, PollFlags::POLLIN, PollTimeout::ZERO)
}

/// Waits for an event on a socket; false after [`PATIENCE`].
fn ready(socket: &impl AsFd, wanted: PollFlags) -> Result<bool, Error> {
    let patience = PollTimeout::try_from(PATIENCE).expect("the patience fits a poll time-out");
    ready_within(socket, wanted, patience)
}

fn ready_within(
    socket: &impl AsFd,
    wanted: PollFlags,
    patience: PollTimeout,
) -> Result<bool, Error> {
    let mut waiting = [PollFd::new(socket.as_fd(), wanted)];
    let count = poll(&mut waiting, patience)
        .map_err(|source| Error::socket("wait for a socket", source))?;
    Ok(count > 0)
}

/// Writes all of `bytes`.
pub(crate) fn say(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), Error> {
    stream.write_all(bytes).map_err(|source| Error::socket("write to a connection", source))
}

/// Reads exactly `len` bytes.
pub(crate) fn hear(stream: &mut TcpStream, len: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; len];
    stream
        .read_exact(&mut bytes)
        .map_err(|source| Error::socket(format!("read {len} bytes from a connection"), source))?;
    Ok(bytes)
}

/// How a connection ended, as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer sent a FIN.
    Finished,
    /// The kernel reports an error: a reset arrived, or a timer ran out.
    Failed,
    /// Nothing happened for [`PATIENCE`].
    StillOpen,
}

/// Reads until the connection ends.
pub(crate) fn wait_for_end(stream: &mut TcpStream) -> End {
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return End::Finished,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return End::StillOpen,
            Err(_) => return End::Failed,
        }
    }
}

/// Request and response, each a whole segment, then both known to be delivered.
pub(crate) fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    request: &[u8],
    response: &[u8],
) -> Result<(), Error> {
    say(client, request)?;
    hear(server, request.len())?;
    say(server, response)?;
    hear(client, response.len()).map(drop)
}

/// Closes at once with a reset: `SO_LINGER` with a time of 0 (`socket(7)`; `tcp_disconnect` in net/ipv4/tcp.c).
pub(crate) fn abort(stream: TcpStream) -> Result<(), Error> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &linger)
        .map_err(|source| Error::socket("set SO_LINGER", source))?;
    drop(stream);
    Ok(())
}

/// Forgets a connection without a word to the peer: `TCP_REPAIR`, then close (`tcp_disconnect`).
pub(crate) fn vanish(stream: TcpStream) {
    // A socket that is closed already cannot be repaired, and has nothing left to say either.
    let _ = setsockopt(&stream, sockopt::TcpRepair, &1);
    drop(stream);
}

/// The connection has failed, as far as its owner could know without reading.
pub(crate) fn was_reset(stream: &TcpStream) -> Result<bool, Error> {
    let error = stream.take_error();
    error.map(|e| e.is_some()).map_err(|source| Error::socket("ask a socket for errors", source))
}

/// Waits until a handshake that was begun without waiting is done.
pub(crate) fn wait_until_connected(stream: &TcpStream) -> Result<(), Error> {
    if !ready(stream, PollFlags::POLLOUT)? {
        return Err(Error::socket("wait for a handshake", Errno::ETIMEDOUT));
    }
    Ok(())
}

/// Waits until data can be read.
pub(crate) fn await_data(stream: &TcpStream) -> Result<(), Error> {
    if !ready(stream, PollFlags::POLLIN)? {
        return Err(Error::socket("wait for data", Errno::ETIMEDOUT));
    }
    Ok(())
}
