//! The connection to a syslog receiver: TCP, or TLS over it (RFC 5425).

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::options::TlsOptions;

/// Where a receiver listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    is_tls: bool,
    host: String,
    port: u16,
}

impl Target {
    /// Reads `tcp://host:port` or `tls://host:port`; without a port 601 or 6514.
    pub(super) fn read(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
        let (is_tls, usual) = match scheme {
            "tcp" => (false, 601),
            "tls" => (true, 6514),
            _ => return Err(FORM.to_owned()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            // An address of IPv6 has colons of its own, and brackets around them.
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| format!("port {port:?}; {FORM}"))?)
            }
            _ => (rest, usual),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(FORM.to_owned());
        }
        Ok(Self { is_tls, host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "tls" } else { "tcp" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// The connection is of no use any more, and why.
#[derive(Debug)]
pub(super) struct Broken(pub(super) String);

/// An open connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects, and goes through the handshake of TLS.
    pub(super) fn open(
        target: &Target,
        tls: &TlsOptions,
        timeout: Duration,
    ) -> Result<Self, String> {
        let stream = connect(target, timeout)?;
        let failed = |error: io::Error| error.to_string();
        stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        stream.set_write_timeout(Some(timeout)).map_err(failed)?;
        // Bytes that nobody acknowledges break the connection.
        socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(timeout)).map_err(failed)?;
        if !target.is_tls {
            return Ok(Self::Plain(stream));
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| format!("{:?} is no name for TLS", target.host))?;
        let connection = ClientConnection::new(Arc::new(tls.client_config()?), name)
            .map_err(|error| format!("set TLS up: {error}"))?;
        let mut stream = StreamOwned::new(connection, stream);
        let begun = Instant::now();
        while stream.conn.is_handshaking() {
            if begun.elapsed() > timeout {
                return Err("the handshake of TLS takes too long".to_owned());
            }
            stream.conn.complete_io(&mut stream.sock).map_err(failed)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// True while it stands; false after the peer closed it, quietly and having read all.
    pub(super) fn state(&mut self) -> Result<bool, Broken> {
        let broken = |error: io::Error| Broken(error.to_string());
        self.socket().set_nonblocking(true).map_err(broken)?;
        let mut reads = 0;
        let state = loop {
            let mut bytes = [0; 4096];
            let read = match self {
                Self::Plain(stream) => stream.read(&mut bytes),
                Self::Tls(stream) => stream.read(&mut bytes),
            };
            match read {
                Ok(0) => break Ok(false),
                // Syslog has no answers: whatever it is, it is not for us.
                Ok(_) if reads < READS_MAX => reads += 1,
                Ok(_) => break Err(Broken("the receiver talks without end".to_owned())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(true),
                // TLS without a farewell.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break Ok(false),
                Err(error) => break Err(broken(error)),
            }
        };
        self.socket().set_nonblocking(false).map_err(broken)?;
        state
    }

    /// Whether the peer leaves the connection open for so long.
    pub(super) fn stays(&mut self, span: Duration) -> Result<(), String> {
        let begun = Instant::now();
        let failed = |error: io::Error| error.to_string();
        self.socket().set_read_timeout(Some(span)).map_err(failed)?;
        while begun.elapsed() < span {
            let mut bytes = [0; 4096];
            let read = match self {
                Self::Plain(stream) => stream.read(&mut bytes),
                Self::Tls(stream) => stream.read(&mut bytes),
            };
            match read {
                Ok(0) => return Err("the receiver closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Writes all of it, or the connection is broken.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let written = match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        written.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Broken("the receiver takes nothing, or not all in time".to_owned())
            }
            _ => Broken(error.to_string()),
        })
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Self::Tls(stream) = self {
            // A farewell; if it does not go, the connection is gone already.
            stream.conn.send_close_notify();
            let _ = stream.conn.complete_io(&mut stream.sock);
        }
    }
}

fn connect(target: &Target, timeout: Duration) -> Result<TcpStream, String> {
    let addresses = (target.host.as_str(), target.port)
        .to_socket_addrs()
        .map_err(|error| format!("look up {}: {error}", target.host))?;
    let mut last = format!("{} has no address", target.host);
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("connect to {address}: {error}"),
        }
    }
    Err(last)
}

/// Pieces of what a receiver says that are thrown away at a time.
const READS_MAX: u32 = 16;

const FORM: &str = "must be tcp://host:601 or tls://host:6514";

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_target_has_a_scheme_a_host_and_a_usual_port() {
        for (url, whole) in [
            ("tcp://log", Ok("tcp://log:601")),
            ("tls://log.example/", Ok("tls://log.example:6514")),
            ("tcp://127.0.0.1:514", Ok("tcp://127.0.0.1:514")),
            ("tls://[2001:db8::1]:99", Ok("tls://[2001:db8::1]:99")),
            ("tls://[2001:db8::1]", Ok("tls://[2001:db8::1]:6514")),
            ("udp://log", Err(())),
            ("log:514", Err(())),
            ("tcp://", Err(())),
            ("tcp://log:99999", Err(())),
            ("tcp://a b", Err(())),
        ] {
            let read = Target::read(url).map(|target| target.to_string());
            assert_eq!(read.as_deref().map_err(|_| ()), whole, "{url}");
        }
    }
}
