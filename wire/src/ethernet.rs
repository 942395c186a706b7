//! Ethernet II, 802.3 with LLC and SNAP, and the tags that stand before an ether type.

use crate::field::{be16, be16_at, bound, take};
use crate::walk::Layer;
use crate::{Path, Skip, ppp};

/// Ether types that lead to IP (IANA "IEEE 802 Numbers").
pub(crate) const IPV4: u16 = 0x0800;
/// IPv6.
pub(crate) const IPV6: u16 = 0x86dd;
/// Transparent Ethernet bridging: an Ethernet frame follows (RFC 7637, GRE and Geneve).
pub(crate) const BRIDGED: u16 = 0x6558;
/// 802.1Q customer tag.
pub(crate) const VLAN: u16 = 0x8100;
/// 802.1ad service tag.
const SERVICE_VLAN: u16 = 0x88a8;
/// Service tags from before 802.1ad.
const OLD_SERVICE_VLANS: core::ops::RangeInclusive<u16> = 0x9100..=0x9300;
/// MPLS, downstream assigned.
const MPLS: u16 = 0x8847;
/// MPLS, upstream assigned.
const MPLS_UPSTREAM: u16 = 0x8848;
/// PPPoE session stage.
const PPPOE_SESSION: u16 = 0x8864;
/// 802.1ah service instance tag: a whole customer frame follows.
const INSTANCE_TAG: u16 = 0x88e7;
/// 802.1BR tag of a port extender.
const E_TAG: u16 = 0x893f;
/// Cisco's tag of a fabric extender.
const VN_TAG: u16 = 0x8926;
/// 802.1AE.
const MACSEC: u16 = 0x88e5;
/// Below this, an ether type is an 802.3 length.
const TYPE_MIN: u16 = 0x0600;

/// Opens an Ethernet frame behind its addresses.
pub(crate) fn open(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    let (header, rest) = take::<14>(bytes)?;
    Ok(typed(be16(header[12], header[13]), rest))
}

/// Opens what an ether type announces; keeps VLAN identifiers in `path`.
pub(crate) fn open_type<'b>(
    ether_type: u16,
    bytes: &'b [u8],
    path: &mut Path,
) -> Result<Layer<'b>, Skip> {
    match ether_type {
        IPV4 | IPV6 => Ok(Layer::Ip(bytes)),
        VLAN | SERVICE_VLAN => open_tag(bytes, path),
        MPLS | MPLS_UPSTREAM => Ok(Layer::Mpls(bytes)),
        PPPOE_SESSION => ppp::open_pppoe(bytes, path),
        BRIDGED => Ok(Layer::Ethernet(bytes)),
        INSTANCE_TAG => take::<4>(bytes).map(|(_, customer)| Layer::Ethernet(customer)),
        VN_TAG => take::<6>(bytes).map(|(tag, rest)| typed(be16(tag[4], tag[5]), rest)),
        E_TAG => take::<8>(bytes).map(|(tag, rest)| typed(be16(tag[6], tag[7]), rest)),
        MACSEC => Err(Skip::Encrypted),
        // 0x9100, 0x9200 and 0x9300, but nothing between them.
        old if OLD_SERVICE_VLANS.contains(&old) && old & 0xff == 0 => open_tag(bytes, path),
        _ => Err(Skip::NotIp),
    }
}

/// Opens an 802.2 LLC header: SNAP with an ether type, or IP by its own service access point.
pub(crate) fn open_llc(bytes: &[u8]) -> Result<Layer<'_>, Skip> {
    let (access_points, rest) = take::<3>(bytes)?;
    match access_points {
        [0xaa, 0xaa, 0x03] => match take::<5>(rest)? {
            // RFC 1042, and the bridge tunnel of 802.1H that 802.11 uses for a few types.
            ([0, 0, 0 | 0xf8, high, low], rest) => Ok(Layer::EtherType(be16(*high, *low), rest)),
            _ => Err(Skip::NotIp),
        },
        [0x06, 0x06, 0x03] => Ok(Layer::Ip(rest)),
        _ => Err(Skip::NotIp),
    }
}

/// Whether `bytes` begin like an Ethernet frame that carries something we would open. Pseudowires
/// do not say what is inside them, so this is how they are told apart.
pub(crate) fn is_likely(bytes: &[u8]) -> bool {
    match (be16_at(bytes, 12), bytes.get(14).map(|first| first >> 4)) {
        (Some(IPV4), Some(4)) | (Some(IPV6), Some(6)) => true,
        (Some(PPPOE_SESSION), Some(1)) => true,
        (Some(VLAN | SERVICE_VLAN), _) => {
            matches!(be16_at(bytes, 16), Some(IPV4 | IPV6 | VLAN | PPPOE_SESSION | MPLS))
        }
        (Some(MPLS), Some(_)) => true,
        _ => false,
    }
}

/// Opens the rest of a VLAN tag. A priority tag has no identifier and takes no place; the third
/// identifier and those after it are passed over.
fn open_tag<'b>(bytes: &'b [u8], path: &mut Path) -> Result<Layer<'b>, Skip> {
    let (tag, rest) = take::<4>(bytes)?;
    let id = be16(tag[0], tag[1]) & 0x0fff;
    push_vlan(path, id);
    Ok(typed(be16(tag[2], tag[3]), rest))
}

/// Notes a VLAN identifier in the first free place.
pub(crate) fn push_vlan(path: &mut Path, id: u16) {
    if let Some(free) = path.vlan.iter_mut().find(|place| **place == 0) {
        *free = id;
    }
}

/// An ether type, or an 802.3 length that bounds the LLC header behind it.
fn typed(type_or_len: u16, rest: &[u8]) -> Layer<'_> {
    if type_or_len < TYPE_MIN {
        Layer::Llc(bound(rest, usize::from(type_or_len)))
    } else {
        Layer::EtherType(type_or_len, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkType, frames, parse};

    #[test]
    fn two_vlans_are_kept_outermost_first_and_deeper_ones_passed_over() {
        let packet = frames::ipv4(6, &frames::tcp(&[], b"x"));
        let tags = [0x88, 0xa8, 0x20, 0x64, 0x81, 0, 0, 0, 0x91, 0, 0, 7, 0x81, 0, 0, 8, 8, 0];
        let frame = [&frames::MACS[..], &tags[..], &packet].concat();
        let path = parse(LinkType::Ethernet, &frame).unwrap().path;
        assert_eq!(path.vlan, [100, 7]);
        assert_eq!(path.source_mac, Some([2, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn an_802_3_frame_is_opened_through_snap() {
        let packet = frames::ipv4(6, &frames::tcp(&[], b"x"));
        let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
        let len = (packet.len() + snap.len()) as u16;
        let frame = [&frames::MACS[..], &len.to_be_bytes(), &snap, &packet].concat();
        assert_eq!(parse(LinkType::Ethernet, &frame).unwrap().payload, b"x");
    }

    #[test]
    fn spanning_tree_and_arp_are_not_ip() {
        let bpdu = [&frames::MACS[..], &[0, 7, 0x42, 0x42, 3, 0, 0, 0, 0]].concat();
        assert_eq!(parse(LinkType::Ethernet, &bpdu).unwrap_err(), Skip::NotIp);
        let arp = frames::ethernet(0x0806, &[0; 28]);
        assert_eq!(parse(LinkType::Ethernet, &arp).unwrap_err(), Skip::NotIp);
    }

    #[test]
    fn provider_backbone_and_extender_tags_are_stepped_over() {
        let packet = frames::ipv4(6, &frames::tcp(&[], b"x"));
        let customer = frames::ethernet(IPV4, &packet);
        let shapes = [
            frames::ethernet(INSTANCE_TAG, &[&[0, 0, 0, 1][..], &customer].concat()),
            frames::ethernet(VN_TAG, &[&[0, 0, 0, 1, 8, 0][..], &packet].concat()),
            frames::ethernet(E_TAG, &[&[0, 0, 0, 1, 0, 0, 8, 0][..], &packet].concat()),
        ];
        for frame in shapes {
            assert_eq!(parse(LinkType::Ethernet, &frame).unwrap().payload, b"x");
        }
        let macsec = frames::ethernet(MACSEC, &[0; 40]);
        assert_eq!(parse(LinkType::Ethernet, &macsec).unwrap_err(), Skip::Encrypted);
    }
}
