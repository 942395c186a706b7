//! The walk from a link layer to TCP, one layer a step.

use crate::field::take;
use crate::{
    LinkType, Packet, Path, Skip, cooked, ethernet, ieee80211, ip, mpls, ppp, tcp, tunnel,
};

/// What the bytes at hand are the start of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layer<'b> {
    /// Ethernet II or 802.3, addresses first.
    Ethernet(&'b [u8]),
    /// What an ether type announces.
    EtherType(u16, &'b [u8]),
    /// An 802.2 LLC header.
    Llc(&'b [u8]),
    /// An MPLS label stack.
    Mpls(&'b [u8]),
    /// PPP, with or without address and control.
    Ppp(&'b [u8]),
    /// An IP header, version by its first nibble.
    Ip(&'b [u8]),
}

/// Steps a frame may take. The deepest honest stack that was met has eleven (QinQ, MPLS,
/// pseudowire, VLAN, IP, GTP-U, IP); beyond twenty somebody is wasting our time.
const LAYERS_MAX: usize = 20;

/// Walks any frame down to its TCP header.
///
/// # Errors
/// [`Skip`] names why no TCP header could be located.
#[inline(never)]
pub(crate) fn walk(link: LinkType, frame: &[u8]) -> Result<Packet<'_>, Skip> {
    walk_by(link, frame, |_| {})
}

/// The same, past `see` with each layer before it is opened.
///
/// # Errors
/// [`Skip`] names why no TCP header could be located.
#[inline(always)]
pub(crate) fn walk_by<'b>(
    link: LinkType,
    frame: &'b [u8],
    mut see: impl FnMut(&Layer<'b>),
) -> Result<Packet<'b>, Skip> {
    let mut path = Path::default();
    let mut layer = first(link, frame, &mut path)?;
    for _ in 0..LAYERS_MAX {
        see(&layer);
        layer = match layer {
            Layer::Ethernet(bytes) => ethernet::open(bytes)?,
            Layer::EtherType(ether_type, bytes) => {
                ethernet::open_type(ether_type, bytes, &mut path)?
            }
            Layer::Llc(bytes) => ethernet::open_llc(bytes)?,
            Layer::Mpls(bytes) => mpls::open(bytes)?,
            Layer::Ppp(bytes) => ppp::open(bytes)?,
            Layer::Ip(bytes) => {
                let datagram = ip::read(bytes)?;
                if datagram.protocol == ip::TCP {
                    return tcp::read(path, &datagram);
                }
                tunnel::open(&datagram, &mut path)?
            }
        };
    }
    Err(Skip::TooDeep)
}

/// The layer a capture's link type begins with; keeps the outermost source address.
fn first<'b>(link: LinkType, frame: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    match link {
        LinkType::Ethernet => {
            let ([_, _, _, _, _, _, source @ ..], _) = take::<12>(frame)?;
            path.source_mac = Some(*source);
            Ok(Layer::Ethernet(frame))
        }
        LinkType::LinuxSll => cooked::open_sll(frame, path),
        LinkType::LinuxSll2 => cooked::open_sll2(frame, path),
        LinkType::RawIp => Ok(Layer::Ip(frame)),
        LinkType::Null => cooked::open_null(frame),
        LinkType::Loop => cooked::open_loop(frame),
        LinkType::Ieee80211 => ieee80211::open(frame, path),
        LinkType::Radiotap => ieee80211::open_radiotap(frame, path),
        LinkType::Nflog => cooked::open_nflog(frame, path),
        LinkType::Ppp => Ok(Layer::Ppp(frame)),
        LinkType::PppHdlc => ppp::open_hdlc(frame),
        LinkType::CiscoHdlc => ppp::open_cisco_hdlc(frame),
        LinkType::Fddi => cooked::open_fddi(frame, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames;

    #[test]
    fn a_hundred_packets_inside_packets_are_too_deep() {
        let mut packet = frames::ipv4(6, &frames::tcp(&[], &[]));
        for _ in 0..100 {
            packet = frames::ipv4(4, &packet);
        }
        assert_eq!(walk(LinkType::RawIp, &packet).unwrap_err(), Skip::TooDeep);
    }

    #[test]
    fn tags_without_end_are_too_deep() {
        let mut frame = frames::MACS.to_vec();
        for id in 0..100u8 {
            frame.extend([0x81, 0x00, 0x00, id]);
        }
        assert_eq!(walk(LinkType::Ethernet, &frame).unwrap_err(), Skip::TooDeep);
    }

    #[test]
    fn an_empty_frame_is_truncated_whatever_its_link() {
        for link in LinkType::ALL {
            assert_eq!(walk(link, &[]).unwrap_err(), Skip::Truncated, "{link:?}");
        }
    }
}
