//! Other addresses in place of the true ones, by a key: neighbours stay neighbours, and one key gives one
//! name to one address in every file.
//!
//! IP addresses are mapped by ipcrypt-pfx (draft-denis-ipcrypt), bit by bit, each by the bits before it:
//! two addresses that share a prefix share one of the same length afterwards. MAC addresses go the same
//! way. Payload is cut off, and so is what may hold addresses that are not known to be any.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipcrypt_rs::IpcryptPfx;
use wire::{Landmark, LinkType, landmarks};

use super::{Evidence, EvidencePacket};
use crate::event::Endpoint;

/// The mapping of one key.
pub struct Pseudonyms(IpcryptPfx);

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// The mapping by a key written as 64 hexadecimal digits; white space around it does not count.
    ///
    /// # Errors
    /// What is wrong with the key, without telling it.
    pub fn by_key(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
        let key = bytes
            .filter(|_| is_hex)
            .and_then(|bytes| <[u8; IpcryptPfx::KEY_BYTES]>::try_from(bytes).ok())
            .ok_or("the key is not 64 hexadecimal digits; make one with: openssl rand -hex 32")?;
        if key[..16] == key[16..] {
            return Err("both halves of the key are the same; make one with: openssl rand -hex 32"
                .to_owned());
        }
        Ok(Self(IpcryptPfx::new(key)))
    }

    /// An address's name.
    #[must_use]
    pub fn address(&self, ip: IpAddr) -> IpAddr {
        match (ip, self.0.encrypt_ipaddr(ip)) {
            // One in 2^96 looks like IPv4 afterwards.
            (IpAddr::V6(_), IpAddr::V4(v4)) => v4.to_ipv6_mapped().into(),
            (_, mapped) => mapped,
        }
    }

    /// The same packets between others.
    #[must_use]
    pub fn evidence(&self, evidence: &Evidence) -> Evidence {
        let end = |end: Endpoint| Endpoint { ip: self.address(end.ip), ..end };
        let packet = |packet: &EvidencePacket| EvidencePacket {
            bytes: self.frame(packet.bytes.clone()),
            ..packet.clone()
        };
        Evidence {
            client: end(evidence.client),
            server: end(evidence.server),
            packets: evidence.packets.iter().map(packet).collect(),
            ..evidence.clone()
        }
    }

    /// A frame with other addresses in all its headers, their checksums as right or wrong as before.
    fn frame(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut found = Vec::new();
        let _ = landmarks(LinkType::Ethernet, &bytes, |what, at| found.push((what, at)));
        let (mut addresses, mut known) = (Change::default(), 0);
        for (what, at) in found {
            match what {
                Landmark::Ethernet => {
                    self.ethernet(&mut bytes, at);
                    known = at + 14;
                }
                Landmark::Ip => match self.ip(&mut bytes, at) {
                    Some((end, change)) => (known, addresses) = (end, change),
                    None => break,
                },
                Landmark::Tcp => tcp(&mut bytes, at, addresses),
                Landmark::Payload => known = at,
            }
        }
        // Behind the last header that was understood anything may stand.
        bytes.truncate(known);
        bytes
    }

    fn ethernet(&self, bytes: &mut [u8], at: usize) {
        let Some(macs) = bytes.get_mut(at..at + 12) else { return };
        for mac in macs.chunks_mut(6).filter(|mac| **mac != [0; 6]) {
            let mut address = [0; 16];
            address[..2].copy_from_slice(&[0x02, 0x6d]);
            address[10..].copy_from_slice(mac);
            let group = mac[0] & 1;
            if let IpAddr::V6(mapped) = self.address(Ipv6Addr::from(address).into()) {
                mac.copy_from_slice(&mapped.octets()[10..]);
            }
            // Nobody's card bears it.
            mac[0] = (mac[0] & !1) | group | 2;
        }
    }

    /// Maps the addresses of the IP header at `at`. Gives its end and what that changed; `None` if there may
    /// be addresses in what comes behind it.
    fn ip(&self, bytes: &mut [u8], at: usize) -> Option<(usize, Change)> {
        let header = bytes.get_mut(at..)?;
        let (header_len, addresses, protocol) = match header.first()? >> 4 {
            4 => (usize::from(header[0] & 0x0f) * 4, 12..20, *header.get(9)?),
            6 => (40, 8..40, *header.get(6)?),
            _ => return None,
        };
        let fixed = header.get_mut(..header_len.max(addresses.end))?;
        let (whole, old) = (sum(fixed), sum(&fixed[addresses.clone()]));
        for address in fixed[addresses.clone()].chunks_exact_mut(addresses.len() / 2) {
            self.rename(address);
        }
        if addresses.len() == 8 {
            // Routes are addresses too: no operation instead.
            fixed[20..].fill(1);
            let change = Change { old: whole, new: sum(fixed) };
            change.apply(fixed, 10);
        }
        let new = sum(&fixed[addresses]);
        if protocol == UDP
            && let Some(checksum) = header.get_mut(header_len + 6..header_len + 8)
        {
            // Of a tunnel: without one.
            checksum.fill(0);
        }
        let is_known = [IPV4, TCP, UDP, IPV6, GRE, L2TP].contains(&protocol);
        is_known.then_some((at + header_len, Change { old, new }))
    }

    /// Writes an address's name over it.
    fn rename(&self, address: &mut [u8]) {
        let ip: IpAddr = match (<[u8; 4]>::try_from(&*address), <[u8; 16]>::try_from(&*address)) {
            (Ok(v4), _) => v4.into(),
            (_, Ok(v6)) => v6.into(),
            _ => return,
        };
        match self.address(ip) {
            IpAddr::V4(v4) => address.copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => address.copy_from_slice(&v6.octets()),
        }
    }
}

/// What changed under a checksum, as sums of words.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    old: u32,
    new: u32,
}

impl Change {
    /// Corrects the checksum at `at`, so that it stays as right or wrong as it was (RFC 1624).
    fn apply(self, bytes: &mut [u8], at: usize) {
        let Some(field) = bytes.get_mut(at..at + 2) else { return };
        let checksum = u16::from_be_bytes([field[0], field[1]]);
        let sum = u32::from(!checksum) + u32::from(!fold(self.old)) + u32::from(fold(self.new));
        field.copy_from_slice(&(!fold(sum)).to_be_bytes());
    }
}

/// Options of the TCP header at `at` that may hold addresses become no operations; the checksum follows
/// them and the addresses below.
fn tcp(bytes: &mut [u8], at: usize, addresses: Change) {
    let Some(header) = bytes.get_mut(at..) else { return };
    let len = header.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4).min(header.len());
    addresses.apply(header, 16);
    let Some(options) = header.get_mut(20..len) else { return };
    let old = sum(options);
    let mut next = 0;
    while let Some(&kind) = options.get(next).filter(|&&kind| kind != 0) {
        let len =
            if kind == 1 { 1 } else { options.get(next + 1).map_or(0, |&len| usize::from(len)) };
        let end = (next + len).min(options.len());
        if kind != 1 && len < 2 {
            options[next..].fill(1);
            break;
        }
        let is_mptcp_join =
            kind == MPTCP && options.get(next + 2).is_some_and(|it| it >> 4 != ADD_ADDR);
        if !HARMLESS.contains(&kind) && !is_mptcp_join {
            options[next..end].fill(1);
        }
        next = end;
    }
    let change = Change { old, new: sum(options) };
    change.apply(header, 16);
}

/// The sum of 16-bit words, the last one padded with zero.
fn sum(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low));
    bytes.chunks(2).map(word).sum()
}

const fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

const IPV4: u8 = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const L2TP: u8 = 115;
/// Options without addresses: MSS, window scale, SACK, timestamps, signatures, Fast Open.
const HARMLESS: [u8; 9] = [1, 2, 3, 4, 5, 8, 19, 29, 34];
const MPTCP: u8 = 30;
/// The MPTCP subtype that tells another address (RFC 8684, section 3.4.1).
const ADD_ADDR: u8 = 3;

#[cfg(test)]
mod tests {
    use super::super::ladder::tests::evidence;
    use super::*;

    const KEY: &str = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";

    fn pseudonyms() -> Pseudonyms {
        Pseudonyms::by_key(KEY).unwrap()
    }

    /// The draft's vectors.
    #[test]
    fn addresses_are_mapped_as_the_draft_says() {
        for (address, name) in [
            ("0.0.0.0", "151.82.155.134"),
            ("255.255.255.255", "94.185.169.89"),
            ("192.0.2.1", "100.115.72.131"),
            ("2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
        ] {
            let mapped = pseudonyms().address(address.parse().unwrap());
            assert_eq!(mapped, name.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    #[test]
    fn a_bad_key_is_refused_without_being_told() {
        for key in ["", "zz", &KEY[..62], &"0".repeat(64), &format!("{KEY}00"), "ä"] {
            let error = Pseudonyms::by_key(key).unwrap_err();
            assert!(error.contains("key") && (key.is_empty() || !error.contains(key)), "{error}");
        }
    }

    #[test]
    fn checksums_stay_right_and_neighbours_stay_neighbours() {
        let mut evidence = evidence();
        for packet in &mut evidence.packets {
            packet.bytes[24..26].fill(0);
            let checksum = !fold(sum(&packet.bytes[14..34]));
            packet.bytes[24..26].copy_from_slice(&checksum.to_be_bytes());
            let addresses = Change { old: 0, new: sum(&packet.bytes[26..34]) };
            // As if the sum of all else were zero.
            packet.bytes[50..52].fill(0xff);
            addresses.apply(&mut packet.bytes, 50);
        }
        let mapped = pseudonyms().evidence(&evidence);
        for (before, packet) in evidence.packets.iter().zip(&mapped.packets) {
            let bytes = &packet.bytes;
            assert_eq!(fold(sum(&bytes[14..34])), 0xffff, "the header's checksum is right");
            let tcp = |bytes: &[u8]| {
                let checksum = u32::from(bytes[50]) << 8 | u32::from(bytes[51]);
                fold(checksum + sum(&bytes[26..34]))
            };
            assert_eq!(tcp(bytes), tcp(&before.bytes), "TCP's follows the addresses");
            assert_ne!(bytes[..6], before.bytes[..6]);
            assert_eq!(bytes[6] & 3, 2, "a card's address of nobody");
        }
        assert_ne!(mapped.client.ip, evidence.client.ip);
        assert_eq!(mapped.ladder(), evidence.ladder());
    }

    #[test]
    fn inner_and_outer_addresses_are_mapped_and_nothing_else_is_left() {
        let inner = &evidence().packets[3].bytes[14..];
        let mut outer = evidence().packets[0].bytes[..34].to_vec();
        outer[23] = IPV4;
        outer[16..18].copy_from_slice(&(20 + 240_u16).to_be_bytes());
        let mut frame = [&outer[..], inner].concat();
        frame.extend([7; 50]);
        let mapped = pseudonyms().frame(frame.clone());
        assert_eq!(mapped.len(), 34 + 40, "cut behind the TCP header");
        let name = |at: usize| <[u8; 4]>::try_from(&mapped[at..at + 4]).unwrap();
        let IpAddr::V4(client) = pseudonyms().address([10, 1, 2, 3].into()) else { panic!() };
        assert_eq!((name(26), name(46)), (client.octets(), client.octets()));
    }

    #[test]
    fn any_bytes_do_no_harm() {
        let whole = evidence().packets[3].bytes.clone();
        for len in 0..whole.len() {
            let _ = pseudonyms().frame(whole[..len].to_vec());
            for value in [0, 0x41, 0x45, 0x60, 0xff] {
                let mut changed = whole.clone();
                changed[len] = value;
                let _ = pseudonyms().frame(changed);
            }
        }
    }
}
