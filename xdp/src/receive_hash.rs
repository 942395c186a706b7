//! How a card spreads packets over its queues, read and set by ethtool netlink
//! (Linux Documentation/networking/ethtool-netlink.rst; `linux/ethtool_netlink_generated.h`).
//!
//! Reading by netlink is as old as Linux 6.3, setting as Linux 6.17; `ethtool -X` sets the key on older
//! kernels.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use crate::netlink::u32_at;
use crate::netlink::{ANSWER_LEN_MAX, HEADER_LEN, attributes, body, put_attribute, u16_at};
use crate::system;

/// What `ETHTOOL_MSG_RSS_GET` says of an interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReceiveHash {
    /// Bits of `ETH_RSS_HASH_*`: 1 Toeplitz, 2 xor, 4 CRC-32; 0 where the driver does not tell.
    pub function: u32,
    /// The hash key; empty where there is none to set.
    pub key: Vec<u8>,
    /// The receive queue of each of the lowest bits of the hash.
    pub table: Vec<u32>,
    /// Bits of `RXH_XFRM_*`: the card itself makes both directions look alike.
    pub transformation: u32,
}

/// How both directions of a connection were made to look alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symmetry {
    /// The card xors the addresses, and the ports, before it hashes (`symmetric-xor`).
    Xor,
    /// As [`Symmetry::Xor`], and hashes their OR as well (`symmetric-or-xor`).
    OrXor,
    /// A key that repeats after 16 bits.
    Key,
}

impl ReceiveHash {
    /// Asks the driver.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the driver does not spread by hash, or the kernel is older than 6.3.
    pub fn query(interface: &str) -> io::Result<Self> {
        let mut ethtool = Ethtool::open()?;
        let answer = ethtool.ask(RSS_GET, interface, |_| {})?;
        Ok(Self::parse(&answer))
    }

    /// Whether both directions of a connection have one hash, given that the hash looks at both
    /// addresses and both ports.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        let repeats =
            self.key.len() >= 4 && self.key.chunks(2).all(|pair| pair == &self.key[..pair.len()]);
        self.transformation != 0 || repeats
    }

    /// Gives both directions of a connection one hash, by the best means that the card has.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the card takes none of them, or the kernel is older than 6.17; else what the driver
    /// said to the last means, the key.
    pub fn make_symmetric(interface: &str) -> io::Result<Symmetry> {
        let mut ethtool = Ethtool::open()?;
        for (symmetry, bit) in [(Symmetry::Xor, 1_u32), (Symmetry::OrXor, 2)] {
            let transformation = |message: &mut Vec<u8>| {
                put_attribute(message, INPUT_TRANSFORMATION, &bit.to_ne_bytes());
            };
            if ethtool.ask(RSS_SET, interface, transformation).is_ok() {
                return Ok(symmetry);
            }
        }
        let key = symmetric_key(Self::query(interface)?.key.len());
        if key.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        ethtool.ask(RSS_SET, interface, |message| put_attribute(message, KEY, &key))?;
        Ok(Symmetry::Key)
    }

    fn parse(answer: &[u8]) -> Self {
        let mut hash = Self::default();
        for (kind, value) in attributes(answer) {
            match kind {
                FUNCTION => hash.function = u32_at(value, 0).unwrap_or(0),
                TABLE => {
                    let words = value.as_chunks::<4>().0;
                    hash.table = words.iter().map(|word| u32::from_ne_bytes(*word)).collect();
                }
                KEY => hash.key = value.to_vec(),
                INPUT_TRANSFORMATION => hash.transformation = u32_at(value, 0).unwrap_or(0),
                _ => {}
            }
        }
        hash
    }
}

/// A Toeplitz key under which both directions of a connection have one hash: it repeats after 16 bits
/// (Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling").
pub(crate) fn symmetric_key(len: usize) -> Vec<u8> {
    [0x6d, 0x5a].into_iter().cycle().take(len).collect()
}

/// A socket that speaks to the generic netlink family `ethtool`.
struct Ethtool {
    socket: File,
    family: u16,
}

impl Ethtool {
    fn open() -> io::Result<Self> {
        let fd = system::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC)?;
        let mut socket = File::from(fd);
        let mut question = message(libc::GENL_ID_CTRL as u16, libc::CTRL_CMD_GETFAMILY as u8, 0);
        put_attribute(&mut question, libc::CTRL_ATTR_FAMILY_NAME as u16, b"ethtool\0");
        let answer = exchange(&mut socket, question)?;
        let family = attributes(&answer)
            .find(|(kind, _)| *kind == libc::CTRL_ATTR_FAMILY_ID as u16)
            .and_then(|(_, value)| u16_at(value, 0));
        let missing = || io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        Ok(Self { socket, family: family.ok_or_else(missing)? })
    }

    /// The attributes of the answer.
    fn ask(
        &mut self,
        command: u8,
        interface: &str,
        attributes: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<Vec<u8>> {
        // A question is answered by itself, an order must ask for it.
        let flags = if command == RSS_SET { libc::NLM_F_ACK as u16 } else { 0 };
        let mut question = message(self.family, command, flags);
        let mut header = Vec::new();
        put_attribute(&mut header, DEVICE_NAME, &[interface.as_bytes(), b"\0"].concat());
        put_attribute(&mut question, DEVICE | libc::NLA_F_NESTED as u16, &header);
        attributes(&mut question);
        exchange(&mut self.socket, question)
    }
}

/// nlmsghdr, genlmsghdr; its length is set by [`exchange`].
fn message(family: u16, command: u8, flags: u16) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend_from_slice(&family.to_ne_bytes());
    message.extend_from_slice(&(libc::NLM_F_REQUEST as u16 | flags).to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[command, 1, 0, 0]);
    message
}

fn exchange(socket: &mut File, mut question: Vec<u8>) -> io::Result<Vec<u8>> {
    let len = question.len() as u32;
    question[..4].copy_from_slice(&len.to_ne_bytes());
    socket.write_all(&question)?;
    let mut answer = vec![0; ANSWER_LEN_MAX];
    let len = socket.read(&mut answer)?;
    Ok(body(&answer[..len])?.get(GENERIC_HEADER_LEN..).unwrap_or(&[]).to_vec())
}

const _: () = assert!(HEADER_LEN == 16);
const GENERIC_HEADER_LEN: usize = 4;
/// `ETHTOOL_MSG_RSS_GET`.
const RSS_GET: u8 = 38;
/// `ETHTOOL_MSG_RSS_SET`, Linux 6.17.
const RSS_SET: u8 = 48;
/// `ETHTOOL_A_RSS_HEADER`.
const DEVICE: u16 = 1;
/// `ETHTOOL_A_HEADER_DEV_NAME`.
const DEVICE_NAME: u16 = 2;
/// `ETHTOOL_A_RSS_HFUNC`.
const FUNCTION: u16 = 3;
/// `ETHTOOL_A_RSS_INDIR`.
const TABLE: u16 = 4;
/// `ETHTOOL_A_RSS_HKEY`.
const KEY: u16 = 5;
/// `ETHTOOL_A_RSS_INPUT_XFRM`.
const INPUT_TRANSFORMATION: u16 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_no_hash_and_a_name_that_nobody_has_is_no_device() {
        let error = ReceiveHash::query("lo").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        let error = ReceiveHash::query("rs-nobody").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }

    #[test]
    fn an_answer_is_read_by_its_attributes() {
        let mut answer = Vec::new();
        put_attribute(&mut answer, FUNCTION, &1_u32.to_ne_bytes());
        put_attribute(&mut answer, TABLE, &[0_u32, 1, 0, 1].map(u32::to_ne_bytes).concat());
        put_attribute(&mut answer, KEY, &[1, 2, 3, 4, 5, 6]);
        let mut hash = ReceiveHash::parse(&answer);
        assert_eq!((hash.function, hash.table.as_slice()), (1, &[0, 1, 0, 1][..]));
        assert!(!hash.is_symmetric());
        hash.key = symmetric_key(40);
        assert!(hash.is_symmetric());
        put_attribute(&mut answer, INPUT_TRANSFORMATION, &2_u32.to_ne_bytes());
        assert!(ReceiveHash::parse(&answer).is_symmetric());
    }

    #[test]
    fn an_interface_without_a_hash_cannot_be_made_symmetric() {
        // EPERM without CAP_NET_ADMIN, which comes first.
        let error = ReceiveHash::make_symmetric("lo").unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EPERM)), "{error}");
    }

    #[test]
    fn the_key_gives_both_directions_of_a_connection_one_hash() {
        // Microsoft's definition of the Toeplitz hash.
        let toeplitz = |key: &[u8], input: &[u8]| {
            let mut hash = 0_u32;
            for bit in 0..input.len() * 8 {
                if input[bit / 8] & (0x80 >> (bit % 8)) != 0 {
                    let window = (0..32).fold(0_u32, |window, at| {
                        let at = bit + at;
                        window << 1 | u32::from(key[at / 8] & (0x80 >> (at % 8)) != 0)
                    });
                    hash ^= window;
                }
            }
            hash
        };
        let there = [10, 0, 0, 1, 192, 168, 7, 9, 0x9c, 0x40, 0x01, 0xbb];
        let back = [192, 168, 7, 9, 10, 0, 0, 1, 0x01, 0xbb, 0x9c, 0x40];
        let key = symmetric_key(40);
        assert_eq!(toeplitz(&key, &there), toeplitz(&key, &back));
        let usual: Vec<u8> = (1..41).map(|at: u8| at.wrapping_mul(101)).collect();
        assert_ne!(toeplitz(&usual, &there), toeplitz(&usual, &back));
    }
}
