//! One segment as Ethernet bytes. Payload is zeros, so its checksum is that of its length.

/// One TCP segment of Linux' making: DF, DSCP 0, right checksums, payload of zeros.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'o> {
    /// IPv6 instead of IPv4.
    pub is_v6: bool,
    /// Tag of IEEE 802.1Q.
    pub vlan: Option<u16>,
    /// Sender and receiver: the last four bytes of the address, and the port.
    pub hosts: [(u32, u16); 2],
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// IPv4 identification; the flow label of IPv6 is the sender's port.
    pub ip_id: u16,
    /// Control bits, see the constants of [`Frame`].
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment field.
    pub ack: u32,
    /// Window, unscaled.
    pub window: u16,
    /// TCP options, whole words.
    pub options: &'o [u8],
    /// Bytes of payload.
    pub payload_len: usize,
}

impl Frame<'_> {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Opens a connection.
    pub const SYN: u8 = 2;
    /// Resets it.
    pub const RST: u8 = 4;
    /// Push.
    pub const PSH: u8 = 8;
    /// The acknowledgment field counts.
    pub const ACK: u8 = 16;

    /// Replaces the bytes of `frame` by these, padded to the least an Ethernet frame has.
    pub fn write(&self, frame: &mut Vec<u8>) {
        frame.clear();
        for (host, _) in self.hosts.iter().rev() {
            let [_, b, c, d] = host.to_be_bytes();
            frame.extend([2, 0, 0, b, c, d]);
        }
        if let Some(vlan) = self.vlan {
            frame.extend([0x81, 0]);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend(if self.is_v6 { [0x86, 0xdd] } else { [8, 0] });
        let tcp_len = 20 + self.options.len() + self.payload_len;
        let addresses =
            if self.is_v6 { self.ipv6(frame, tcp_len) } else { self.ipv4(frame, tcp_len) };
        self.tcp(frame, addresses, tcp_len);
        frame.resize((frame.len() + self.payload_len).max(LEN_MIN), 0);
    }

    /// Gives the sum of the addresses.
    fn ipv4(&self, frame: &mut Vec<u8>, tcp_len: usize) -> u32 {
        let start = frame.len();
        frame.extend([0x45, 0]);
        frame.extend((20 + tcp_len as u16).to_be_bytes());
        frame.extend(self.ip_id.to_be_bytes());
        frame.extend([0x40, 0, self.hop_limit, 6, 0, 0]);
        for (host, _) in self.hosts {
            frame.extend(host.to_be_bytes());
        }
        let checksum = folded(sum(&frame[start..]));
        frame[start + 10..start + 12].copy_from_slice(&checksum);
        sum(&frame[start + 12..start + 20])
    }

    fn ipv6(&self, frame: &mut Vec<u8>, tcp_len: usize) -> u32 {
        let start = frame.len();
        frame.extend([0x60, 0]);
        frame.extend(self.hosts[0].1.to_be_bytes());
        frame.extend((tcp_len as u16).to_be_bytes());
        frame.extend([6, self.hop_limit]);
        for (host, _) in self.hosts {
            frame.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
            frame.extend(host.to_be_bytes());
        }
        sum(&frame[start + 8..start + 40])
    }

    fn tcp(&self, frame: &mut Vec<u8>, addresses: u32, tcp_len: usize) {
        let start = frame.len();
        for (_, port) in self.hosts {
            frame.extend(port.to_be_bytes());
        }
        frame.extend(self.seq.to_be_bytes());
        frame.extend(self.ack.to_be_bytes());
        frame.extend([(20 + self.options.len() as u8) << 2, self.flags]);
        frame.extend(self.window.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(self.options);
        let checksum = folded(addresses + 6 + tcp_len as u32 + sum(&frame[start..]));
        frame[start + 16..start + 18].copy_from_slice(&checksum);
    }
}

/// Puts `frame` into VXLAN (RFC 7348) between two tunnel ends; UDP checksum 0, as is usual.
pub(crate) fn in_vxlan(frame: &mut Vec<u8>, network: u32) {
    let udp_len = (16 + frame.len()) as u16;
    let mut outer = vec![2, 0, 0, 9, 9, 2, 2, 0, 0, 9, 9, 1, 8, 0, 0x45, 0];
    outer.extend((20 + udp_len).to_be_bytes());
    outer.extend([0, 0, 0x40, 0, 62, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    let checksum = folded(sum(&outer[14..34]));
    outer[24..26].copy_from_slice(&checksum);
    // The source port spreads flows over paths; one path is enough here.
    outer.extend([0xc0, 0, 0x12, 0xb5]);
    outer.extend(udp_len.to_be_bytes());
    outer.extend([0, 0, 8, 0, 0, 0]);
    outer.extend((network << 8).to_be_bytes());
    frame.splice(..0, outer);
}

/// Sum of 16-bit words (RFC 1071) of an even number of bytes.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

fn folded(sum: u32) -> [u8; 2] {
    let once = (sum & 0xffff) + (sum >> 16);
    (!((once & 0xffff) + (once >> 16)) as u16).to_be_bytes()
}

/// A frame on the wire without its check sequence (IEEE 802.3).
const LEN_MIN: usize = 60;
