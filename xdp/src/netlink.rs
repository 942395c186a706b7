//! One question to rtnetlink: what is this interface? (rtnetlink(7), `linux/if_link.h`)
//!
//! Netlink and not `/sys/class/net`: a mounted sysfs shows the network namespace that it was mounted
//! in, not the one we are in.

use std::fs::File;
use std::io::{self, Read, Write};

use crate::system;

/// What `RTM_GETLINK` says of an interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) mtu: u32,
    pub(crate) carrier: bool,
    /// How many users want packets that are addressed to others.
    pub(crate) promiscuity: u32,
    pub(crate) receive_queues: u32,
    pub(crate) transmit_queues: u32,
    pub(crate) name: String,
    /// The interface at the other end of a veth pair, where it is in this network namespace.
    pub(crate) peer: Option<u32>,
    /// The 64-bit words of `struct rtnl_link_stats64`.
    pub(crate) statistics: Vec<u64>,
    /// The attached XDP program: its number, and how it is attached.
    pub(crate) program: Option<(u32, &'static str)>,
}

/// Asks for the interface of that name; `ENODEV` where there is none.
pub(crate) fn link(name: &str) -> io::Result<Link> {
    ask(&request(0, name))
}

/// Asks for the interface of that number; `ENODEV` where there is none.
pub(crate) fn link_by_index(index: u32) -> io::Result<Link> {
    ask(&request(index, ""))
}

fn ask(question: &[u8]) -> io::Result<Link> {
    let fd = system::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    // A netlink socket that was never bound or connected speaks to the kernel.
    let mut socket = File::from(fd);
    socket.write_all(question)?;
    let mut answer = vec![0; ANSWER_LEN_MAX];
    let len = socket.read(&mut answer)?;
    parse(&answer[..len])
}

/// nlmsghdr, ifinfomsg, and the name as an attribute where there is one.
fn request(index: u32, name: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(64);
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
    message.extend_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&index.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    if !name.is_empty() {
        put_attribute(&mut message, libc::IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat());
    }
    let len = message.len() as u32;
    message[..4].copy_from_slice(&len.to_ne_bytes());
    message
}

/// Appends an attribute, padded to four bytes.
pub(crate) fn put_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&((ATTRIBUTE_HEADER_LEN + value.len()) as u16).to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// What follows the header of the first message; an error that the kernel answered is one here.
pub(crate) fn body(message: &[u8]) -> io::Result<&[u8]> {
    let cut_short = || io::Error::new(io::ErrorKind::InvalidData, "short answer from netlink");
    let header = message.get(..HEADER_LEN).ok_or_else(cut_short)?;
    let len = u32_at(header, 0).ok_or_else(cut_short)? as usize;
    let kind = u16_at(header, 4).ok_or_else(cut_short)?;
    let body = message.get(HEADER_LEN..len).ok_or_else(cut_short)?;
    if i32::from(kind) == libc::NLMSG_ERROR {
        let errno = u32_at(body, 0).ok_or_else(cut_short)? as i32;
        // 0 acknowledges.
        return if errno == 0 {
            Ok(&[])
        } else {
            Err(io::Error::from_raw_os_error(errno.wrapping_neg()))
        };
    }
    Ok(body)
}

fn parse(message: &[u8]) -> io::Result<Link> {
    let cut_short = || io::Error::new(io::ErrorKind::InvalidData, "short answer from rtnetlink");
    let body = body(message)?;
    let attributes_at = body.get(INTERFACE_HEADER_LEN..).ok_or_else(cut_short)?;
    let mut link = Link {
        index: u32_at(body, 4).ok_or_else(cut_short)?,
        flags: u32_at(body, 8).ok_or_else(cut_short)?,
        ..Link::default()
    };
    let mut is_elsewhere = false;
    for (kind, value) in attributes(attributes_at) {
        match kind {
            libc::IFLA_IFNAME => link.name = text(value),
            libc::IFLA_LINK => link.peer = u32_at(value, 0),
            libc::IFLA_LINK_NETNSID => is_elsewhere = true,
            libc::IFLA_NUM_TX_QUEUES => link.transmit_queues = u32_at(value, 0).unwrap_or(0),
            libc::IFLA_MTU => link.mtu = u32_at(value, 0).unwrap_or(0),
            libc::IFLA_CARRIER => link.carrier = value.first() == Some(&1),
            libc::IFLA_PROMISCUITY => link.promiscuity = u32_at(value, 0).unwrap_or(0),
            libc::IFLA_NUM_RX_QUEUES => link.receive_queues = u32_at(value, 0).unwrap_or(0),
            libc::IFLA_STATS64 => {
                let words = value.as_chunks::<8>().0;
                link.statistics = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
            }
            libc::IFLA_XDP => link.program = program(value),
            _ => {}
        }
    }
    if is_elsewhere {
        link.peer = None;
    }
    Ok(link)
}

/// `IFLA_XDP`: an attribute with attributes inside.
fn program(value: &[u8]) -> Option<(u32, &'static str)> {
    const MODES: [(u16, &str); 3] = [(5, "native"), (6, "generic"), (7, "offloaded")];
    MODES.into_iter().find_map(|(mode, name)| {
        let (_, id) = attributes(value).find(|(kind, _)| *kind == mode)?;
        Some((u32_at(id, 0)?, name))
    })
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

/// Kind and value of each attribute; ends at the first that does not fit.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & ATTRIBUTE_KIND_MASK;
        let value = rest.get(ATTRIBUTE_HEADER_LEN..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

pub(crate) const HEADER_LEN: usize = 16;
const INTERFACE_HEADER_LEN: usize = 16;
const ATTRIBUTE_HEADER_LEN: usize = 4;
/// Without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const ATTRIBUTE_KIND_MASK: u16 = 0x3fff;
/// The kernel's own limit for one answer.
pub(crate) const ANSWER_LEN_MAX: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loopback_is_there() {
        let link = link("lo").unwrap();
        assert_eq!(link.index, 1);
        assert!(link.mtu >= 1500);
        assert!(link.statistics.len() >= 24);
        assert_eq!((link.program, link.peer), (None, None));
        let by_index = link_by_index(1).unwrap();
        assert_eq!((by_index.name, by_index.mtu), ("lo".to_owned(), link.mtu));
    }

    #[test]
    fn a_name_that_nobody_has_is_no_device() {
        let error = link("rs-nobody").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }

    proptest! {
        #[test]
        fn any_answer_is_parsed_or_refused(answer in prop::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = parse(&answer);
        }

        #[test]
        fn a_damaged_answer_is_parsed_or_refused(
            flips in prop::collection::vec((0..200_usize, any::<u8>()), 1..8),
        ) {
            let mut answer = request(0, "some-interface");
            for (at, value) in flips {
                let at = at % answer.len();
                answer[at] = value;
            }
            let _outcome = parse(&answer);
        }
    }
}
