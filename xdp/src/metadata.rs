//! What the network card knows of a packet: when it came, by the card's own clock, and what its receive
//! hash was.
//!
//! The driver tells an XDP program that is loaded for its device alone, through functions of the kernel
//! (Linux 6.3, Documentation/networking/xdp-rx-metadata.rst); the program writes it right before the
//! frame. aya 0.14 neither calls kernel functions nor binds programs to devices, so that program is put
//! together here, from the same object and over the same maps, and loaded by hand.

use std::collections::HashSet;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use aya::maps::Map;
use aya::{Btf, Ebpf};
use aya_obj::Object;
use aya_obj::btf::BtfKind;
use aya_obj::generated::bpf_insn;

use crate::system;

/// What the card says of one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// Nanoseconds of the card's clock, which counts from anywhere; nothing where it did not look.
    pub stamp_ns: Option<NonZeroU64>,
    /// By what the card chose the queue; nothing where it computed none.
    pub hash: Option<u32>,
}

impl Metadata {
    /// Bytes before a frame: `struct metadata` of `bpf/rstscope.bpf.c`.
    pub(crate) const LEN: u32 = 16;

    /// Reads them. Nothing where `mark` is missing: the driver had no room for metadata.
    pub(crate) fn read(bytes: &[u8], mark: u32) -> Self {
        let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
        let [Some(low), Some(high), Some(hash), Some(found)] = [0, 4, 8, 12].map(word) else {
            return Self::default();
        };
        if u32::from_ne_bytes(found) != mark {
            return Self::default();
        }
        let [low, high] = [low, high].map(|half| u64::from(u32::from_le_bytes(half)));
        let hash = u32::from_ne_bytes(hash);
        Self { stamp_ns: NonZeroU64::new(high << 32 | low), hash: (hash != 0).then_some(hash) }
    }
}

/// Loads the program of `object` for one device, over the maps of `ebpf`.
///
/// Fails with `Unsupported` where the kernel knows no such functions; else as BPF_PROG_LOAD does:
/// `EOPNOTSUPP` where the driver tells nothing.
pub(crate) fn load_bound(
    object: &[u8],
    program: &str,
    ebpf: &Ebpf,
    interface_index: u32,
) -> io::Result<OwnedFd> {
    let mut instructions = relocated(object, program, ebpf).map_err(io::Error::other)?;
    call_kernel(&mut instructions)?;
    // `bpf_insn` is eight bytes of integers: written out, since it is not ours to call plain.
    let code: Vec<u64> = instructions.iter().map(word_of).collect();
    system::load_bound_xdp(&code, interface_index)
}

/// The instructions of `program` with the maps' descriptors in them.
fn relocated(object: &[u8], program: &str, ebpf: &Ebpf) -> Result<Vec<bpf_insn>, String> {
    let mut object = Object::parse(object).map_err(|error| error.to_string())?;
    let maps = std::mem::take(&mut object.maps);
    let known = maps.iter().filter_map(|(name, map)| {
        let fd = ebpf.map(name).and_then(descriptor_of)?;
        Some((name.as_str(), fd, map))
    });
    let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    object.relocate_maps(known, &sections).map_err(|error| error.to_string())?;
    let mut functions = object.functions.into_values();
    let function = functions.find(|function| function.name == program);
    function.map(|function| function.instructions).ok_or_else(|| format!("no program {program}"))
}

/// The descriptor of a map of the kinds that the program has.
fn descriptor_of(map: &Map) -> Option<RawFd> {
    match map {
        Map::Array(map) | Map::PerCpuArray(map) | Map::XskMap(map) => {
            Some(map.fd().as_fd().as_raw_fd())
        }
        _ => None,
    }
}

/// Turns calls of numbers that stand for kernel functions into calls of these.
fn call_kernel(instructions: &mut [bpf_insn]) -> io::Result<()> {
    let kernel = Btf::from_sys_fs().map_err(io::Error::other)?;
    for (number, name) in KERNEL_FUNCTIONS {
        let is_call = |insn: &&mut bpf_insn| insn.code == CALL && insn.imm == number;
        for insn in instructions.iter_mut().filter(is_call) {
            let id = kernel.id_by_type_name_kind(name, BtfKind::Func).map_err(|_| {
                io::Error::new(io::ErrorKind::Unsupported, format!("the kernel has no {name}"))
            })?;
            insn.set_src_reg(PSEUDO_KFUNC_CALL);
            insn.imm = id as i32;
        }
    }
    Ok(())
}

/// An instruction as the kernel reads it (`struct bpf_insn`), on a little-endian machine.
fn word_of(insn: &bpf_insn) -> u64 {
    u64::from(insn.code)
        | u64::from(insn.dst_reg() | insn.src_reg() << 4) << 8
        | u64::from(insn.off as u16) << 16
        | u64::from(insn.imm as u32) << 32
}

/// The numbers of `bpf/kernel.h`.
const KERNEL_FUNCTIONS: [(i32, &str); 2] =
    [(0x7e57_0001, "bpf_xdp_metadata_rx_timestamp"), (0x7e57_0002, "bpf_xdp_metadata_rx_hash")];
/// `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
const PSEUDO_KFUNC_CALL: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(stamp_ns: u64, hash: u32, mark: u32) -> Vec<u8> {
        [&stamp_ns.to_le_bytes()[..], &hash.to_ne_bytes(), &mark.to_ne_bytes()].concat()
    }

    #[test]
    fn what_the_program_wrote_is_read() {
        let read = Metadata::read(&written(5 << 40, 7, 0xbeef), 0xbeef);
        assert_eq!(read, Metadata { stamp_ns: NonZeroU64::new(5 << 40), hash: Some(7) });
    }

    #[test]
    fn nothing_is_read_without_the_mark_or_where_the_card_said_nothing() {
        assert_eq!(Metadata::read(&written(5, 7, 0xdead), 0xbeef), Metadata::default());
        assert_eq!(Metadata::read(&written(0, 0, 0xbeef), 0xbeef), Metadata::default());
        assert_eq!(Metadata::read(&[], 0xbeef), Metadata::default());
    }
}
