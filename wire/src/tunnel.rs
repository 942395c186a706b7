//! Packets inside packets: what an IP protocol other than TCP may carry.

use crate::ip::{self, Datagram};
use crate::packet::{Path, Tunnel, TunnelKind};
use crate::walk::Layer;
use crate::{Skip, gre, l2tp, udp};

/// Opens what a datagram carries, if it is a tunnel; keeps the innermost one in `path`.
///
/// # Errors
/// [`Skip::NotTcp`] if it is none, [`Skip::Encrypted`] for ESP.
pub(crate) fn open<'b>(datagram: &Datagram<'b>, path: &mut Path) -> Result<Layer<'b>, Skip> {
    let bytes = datagram.bytes;
    let wire_len = datagram.len as usize;
    let (kind, id, layer) = match datagram.protocol {
        ip::IPV4 | ip::IPV6 => (TunnelKind::IpInIp, 0, Layer::Ip(bytes)),
        ip::GRE => gre::open(bytes, path)?,
        ip::UDP => udp::open(bytes)?,
        ip::L2TP => l2tp::open_over_ip(bytes, wire_len)?,
        ip::ESP => return Err(Skip::Encrypted),
        _ => return Err(Skip::NotTcp),
    };
    path.tunnel = Some(Tunnel { kind, id });
    Ok(layer)
}

/// A tunnel that was recognised: which, its identifier, and what it carries.
pub(crate) type Opened<'b> = (TunnelKind, u32, Layer<'b>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    #[test]
    fn ip_in_ip_is_opened_in_all_four_pairs() {
        let segment = frames::tcp(&[], b"x");
        let inner = [(4, frames::ipv4(6, &segment)), (41, frames::ipv6(6, &segment))];
        for (protocol, packet) in inner {
            for outer in [frames::ipv4(protocol, &packet), frames::ipv6(protocol, &packet)] {
                let packet = parse(LinkType::RawIp, &outer).unwrap();
                let expected = Tunnel { kind: TunnelKind::IpInIp, id: 0 };
                assert_eq!((packet.path.tunnel, packet.payload), (Some(expected), &b"x"[..]));
            }
        }
    }

    #[test]
    fn the_outer_length_bounds_the_inner_packet() {
        let inner = frames::ipv4(6, &frames::tcp(&[], b"abcdef"));
        let mut outer = frames::ipv4(4, &inner);
        let total = (outer.len() - 2) as u16;
        outer[2..4].copy_from_slice(&total.to_be_bytes());
        let packet = parse(LinkType::RawIp, &outer).unwrap();
        assert_eq!((packet.payload, packet.payload_len), (&b"abcd"[..], 6));
    }
}
