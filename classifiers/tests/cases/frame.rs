//! Headers to bytes: Ethernet, VLAN, IPv4 or IPv6, TCP, with checksums that are right.

use std::net::IpAddr;

/// Everything that is on the wire of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) time_ns: u64,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ports: [u16; 2],
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) ip_id: u16,
    pub(crate) df: bool,
    pub(crate) label: u32,
    /// Last byte of the source MAC address.
    pub(crate) mac: u8,
    pub(crate) vlan: Option<u16>,
    pub(crate) bad_checksum: bool,
    /// Not IP at all: what else is on a link.
    pub(crate) is_noise: bool,
}

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// The control bits by name.
pub(crate) const FLAGS: [(&str, u8); 8] = [
    ("FIN", FIN),
    ("SYN", SYN),
    ("RST", RST),
    ("PSH", 8),
    ("ACK", ACK),
    ("URG", 32),
    ("ECE", 64),
    ("CWR", 128),
];

impl Packet {
    /// A segment with nothing in it.
    pub(crate) fn blank() -> Self {
        let nobody = IpAddr::from([0, 0, 0, 0]);
        Self {
            time_ns: 0,
            source: nobody,
            destination: nobody,
            ports: [0; 2],
            seq: 0,
            ack: 0,
            flags: 0,
            window: 0,
            options: Vec::new(),
            payload: Vec::new(),
            ttl: 64,
            tos: 0,
            ip_id: 0,
            df: true,
            label: 0,
            mac: 1,
            vlan: None,
            bad_checksum: false,
            is_noise: false,
        }
    }

    /// A frame of somebody else, at this time.
    pub(crate) fn noise(time_ns: u64) -> Self {
        Self { time_ns, is_noise: true, ..Self::blank() }
    }

    /// Whether it is a reset.
    pub(crate) const fn is_reset(&self) -> bool {
        self.flags & RST != 0 && !self.is_noise
    }

    /// The frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, self.mac];
        if self.is_noise {
            frame.extend([0x08, 0x06]);
            frame.resize(60, 0);
            return frame;
        }
        if let Some(vlan) = self.vlan {
            frame.extend([0x81, 0x00]);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend(if self.source.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] });
        let tcp = self.tcp();
        frame.extend(self.ip(tcp.len()));
        frame.extend(tcp);
        frame
    }

    fn ip(&self, len: usize) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let total = u16::try_from(20 + len).expect("a script's segment fits into a packet");
                let mut header = vec![0x45, self.tos];
                header.extend(total.to_be_bytes());
                header.extend(self.ip_id.to_be_bytes());
                header.extend([if self.df { 0x40 } else { 0 }, 0, self.ttl, 6, 0, 0]);
                header.extend(source.octets());
                header.extend(destination.octets());
                let sum = checksum(&header);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                header
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let first = 6 << 28 | u32::from(self.tos) << 20 | self.label & 0xf_ffff;
                let mut header = first.to_be_bytes().to_vec();
                let len = u16::try_from(len).expect("a script's segment fits into a packet");
                header.extend(len.to_be_bytes());
                header.extend([6, self.ttl]);
                header.extend(source.octets());
                header.extend(destination.octets());
                header
            }
            _ => panic!("both ends of a flow are of one family"),
        }
    }

    fn tcp(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 0);
        assert!(options.len() <= 40, "more options than a TCP header holds");
        let offset = ((20 + options.len()) / 4) as u8;
        let mut tcp = Vec::with_capacity(20 + options.len() + self.payload.len());
        tcp.extend(self.ports[0].to_be_bytes());
        tcp.extend(self.ports[1].to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([offset << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(&self.payload);
        let mut pseudo = Vec::new();
        for address in [self.source, self.destination] {
            match address {
                IpAddr::V4(address) => pseudo.extend(address.octets()),
                IpAddr::V6(address) => pseudo.extend(address.octets()),
            }
        }
        pseudo.extend((tcp.len() as u32).to_be_bytes());
        pseudo.extend([0, 0, 0, 6]);
        pseudo.extend(&tcp);
        let sum = checksum(&pseudo) ^ if self.bad_checksum { 0x5555 } else { 0 };
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        tcp
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
