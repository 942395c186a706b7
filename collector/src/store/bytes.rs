//! Numbers, addresses and sets as few bytes: what rollups are made of.
//!
//! Unsigned numbers are LEB128, signed ones zigzag before it. Every body begins with its version.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use events::{Clients, Connections, Endpoint, ServerRange, Spread};

/// Writes.
#[derive(Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(super) fn float(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => {
                self.byte(4);
                self.0.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                self.byte(16);
                self.0.extend_from_slice(&ip.octets());
            }
        }
    }

    /// Address, port and bits; what is absent is 0 and said so in the first byte.
    pub(super) fn server(&mut self, server: ServerRange) {
        self.byte(u8::from(server.port.is_some()) | u8::from(server.prefix.is_some()) << 1);
        self.ip(server.ip);
        self.0.extend_from_slice(&server.port.unwrap_or(0).to_be_bytes());
        self.byte(server.prefix.unwrap_or(0));
    }

    pub(super) fn connections(&mut self, all: &Connections) {
        for count in [
            all.opened,
            all.midstream,
            all.established,
            all.closed_well,
            all.reset,
            all.timed_out,
            all.unanswered,
            all.still_open,
        ] {
            self.number(count);
        }
    }

    pub(super) fn spread(&mut self, spread: &Spread) {
        self.number(spread.count);
        self.number(spread.zeros);
        self.float(spread.sum);
        self.number(spread.buckets.len() as u64);
        let mut before = 0;
        for (index, count) in &spread.buckets {
            self.signed(i64::from(*index) - before);
            self.number(*count);
            before = i64::from(*index);
        }
    }
}

/// Reads what [`Out`] wrote; `None` of anything else.
#[derive(Clone, Copy)]
pub(super) struct In<'b>(pub(super) &'b [u8]);

impl<'b> In<'b> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        // Most are this short.
        if let Some((first @ ..0x80, rest)) = self.0.split_first() {
            self.0 = rest;
            return Some(u64::from(*first));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number of things of which each takes a byte at least: never more than there are bytes.
    pub(super) fn len(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|len| *len <= self.0.len())
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn float(&mut self) -> Option<f64> {
        self.take(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    pub(super) fn ip(&mut self) -> Option<IpAddr> {
        match self.byte()? {
            4 => {
                let octets: [u8; 4] = self.take(4)?.try_into().ok()?;
                Some(Ipv4Addr::from(octets).into())
            }
            16 => {
                let octets: [u8; 16] = self.take(16)?.try_into().ok()?;
                Some(Ipv6Addr::from(octets).into())
            }
            _ => None,
        }
    }

    pub(super) fn server(&mut self) -> Option<ServerRange> {
        let present = self.byte()?;
        let ip = self.ip()?;
        let port = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        let prefix = self.byte()?;
        Some(ServerRange {
            ip,
            port: (present & 1 != 0).then_some(port),
            prefix: (present & 2 != 0).then_some(prefix),
        })
    }

    pub(super) fn connections(&mut self) -> Option<Connections> {
        Some(Connections {
            opened: self.number()?,
            midstream: self.number()?,
            established: self.number()?,
            closed_well: self.number()?,
            reset: self.number()?,
            timed_out: self.number()?,
            unanswered: self.number()?,
            still_open: self.number()?,
        })
    }

    pub(super) fn spread(&mut self) -> Option<Spread> {
        let (count, zeros, sum) = (self.number()?, self.number()?, self.float()?);
        let mut spread = Spread { count, sum, zeros, ..Spread::default() };
        let mut before = 0;
        for _ in 0..self.len()? {
            before += self.signed()?;
            spread.buckets.insert(i16::try_from(before).ok()?, self.number()?);
        }
        Some(spread)
    }

    pub(super) fn clients(&mut self) -> Option<Clients> {
        Clients::from_bytes(self.bytes()?)
    }
}

/// A server as rollups are sorted by.
pub(super) fn server_key(server: ServerRange) -> Vec<u8> {
    let mut out = Out::default();
    out.server(server);
    out.0
}

/// An endpoint as events keep it: address and port.
pub(super) fn endpoint_key(endpoint: Endpoint) -> Vec<u8> {
    let mut key = match endpoint.ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    key.extend_from_slice(&endpoint.port.to_be_bytes());
    key
}

/// Of what [`endpoint_key`] gave.
pub(super) fn endpoint_of(key: &[u8]) -> Option<Endpoint> {
    let (ip, port) = key.split_at_checked(key.len().checked_sub(2)?)?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    Some(Endpoint { ip, port: u16::from_be_bytes(port.try_into().ok()?) })
}

/// Adds what became of connections.
pub(crate) fn add_connections(sum: &mut Connections, more: &Connections) {
    let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
    add(&mut sum.opened, more.opened);
    add(&mut sum.midstream, more.midstream);
    add(&mut sum.established, more.established);
    add(&mut sum.closed_well, more.closed_well);
    add(&mut sum.reset, more.reset);
    add(&mut sum.timed_out, more.timed_out);
    add(&mut sum.unanswered, more.unanswered);
    add(&mut sum.still_open, more.still_open);
}
