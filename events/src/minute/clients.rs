//! How many different clients there were, in a kilobyte at most.

use std::borrow::Cow;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A HyperLogLog of addresses (Flajolet and others, 2007) with 1024 registers: 3.3 % standard error. Two
/// of them, of whichever sensors, can be merged. In JSON a base64 string: the registers, or `index
/// high, index low, rank` of those above 0 while they are few.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Clients {
    /// Empty while nobody was added.
    registers: Vec<u8>,
}

impl Clients {
    /// Registers.
    pub const REGISTERS: usize = 1024;

    /// Adds one.
    pub fn add(&mut self, client: IpAddr) {
        let (index, rank) = Self::register(client);
        self.raise(usize::from(index), rank);
    }

    /// The register that a client bears on, and what it is at least with him.
    #[must_use]
    pub fn register(client: IpAddr) -> (u16, u8) {
        let hash = hash(client);
        let index = (hash >> (64 - INDEX_BITS)) as u16;
        let rank = ((hash << INDEX_BITS) | 1 << (INDEX_BITS - 1)).leading_zeros() as u8 + 1;
        (index, rank)
    }

    /// Of what [`Clients::register`] gave.
    #[must_use]
    pub fn of_few(few: impl IntoIterator<Item = (u16, u8)>) -> Self {
        let mut clients = Self::default();
        few.into_iter().for_each(|(index, rank)| clients.raise(usize::from(index), rank));
        clients
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.registers.is_empty() {
            self.registers.clone_from(&other.registers);
            return;
        }
        for (register, rank) in self.registers.iter_mut().zip(&other.registers) {
            *register = (*register).max(*rank);
        }
    }

    /// How many, about.
    #[must_use]
    pub fn count(&self) -> u64 {
        if self.registers.is_empty() {
            return 0;
        }
        let m = Self::REGISTERS as f64;
        let sum: f64 = self.registers.iter().map(|rank| HALVES[usize::from(*rank) % 64]).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let zeros = self.registers.iter().filter(|rank| **rank == 0).count();
        let estimate = if raw <= 2.5 * m && zeros > 0 { m * (m / zeros as f64).ln() } else { raw };
        estimate.round() as u64
    }

    /// The registers, for stores that merge them by themselves: the greatest of each. Empty or 1024.
    #[must_use]
    pub fn registers(&self) -> &[u8] {
        &self.registers
    }

    /// Of what [`Clients::registers`] gave.
    #[must_use]
    pub fn of_registers(registers: &[u8]) -> Option<Self> {
        let fits = registers.is_empty() || registers.len() == Self::REGISTERS;
        (fits && registers.iter().all(|rank| *rank <= RANK_MAX))
            .then(|| Self { registers: registers.to_vec() })
    }

    fn raise(&mut self, index: usize, rank: u8) {
        if rank == 0 {
            return;
        }
        if self.registers.is_empty() {
            self.registers = vec![0; Self::REGISTERS];
        }
        let register = &mut self.registers[index];
        *register = (*register).max(rank);
    }

    /// As bytes: see the type.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let set = self.registers.iter().enumerate().filter(|(_, rank)| **rank > 0);
        let sparse: Vec<u8> =
            set.flat_map(|(index, rank)| [(index >> 8) as u8, index as u8, *rank]).collect();
        if sparse.len() < Self::REGISTERS { sparse } else { self.registers.clone() }
    }

    /// Of what [`Clients::to_bytes`] gave; `None` of anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut clients = Self::default();
        clients.add_bytes(bytes).then_some(clients)
    }

    /// Adds those of what [`Clients::to_bytes`] gave; false, and perhaps some of them added, of anything else.
    #[must_use]
    pub fn add_bytes(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() == Self::REGISTERS {
            let all = Self::of_registers(bytes);
            return all.map(|all| self.merge(&all)).is_some();
        }
        let entries = bytes.chunks_exact(3);
        if !entries.remainder().is_empty() || bytes.len() > Self::REGISTERS {
            return false;
        }
        for entry in entries {
            let index = usize::from(entry[0]) << 8 | usize::from(entry[1]);
            if index >= Self::REGISTERS || !(1..=RANK_MAX).contains(&entry[2]) {
                return false;
            }
            self.raise(index, entry[2]);
        }
        true
    }
}

impl JsonSchema for Clients {
    fn schema_name() -> Cow<'static, str> {
        "Clients".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "A HyperLogLog of addresses with 1024 registers: all of them, or those above 0 as \
                            index high, index low, rank.",
        })
    }
}

impl Serialize for Clients {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Clients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(D::Error::custom)?;
        Self::from_bytes(&bytes).ok_or_else(|| D::Error::custom("no registers of clients"))
    }
}

/// The same on every machine: sensors' counts are merged. Not keyed: who picks addresses can make himself
/// look like fewer clients or more.
fn hash(client: IpAddr) -> u64 {
    let bits = match client {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    mix(mix(bits as u64).wrapping_add((bits >> 64) as u64 ^ client.is_ipv6() as u64))
}

/// The finalizer of SplitMix64 (Steele and others, 2014).
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const INDEX_BITS: u32 = 10;
/// A half to the power of each rank.
const HALVES: [f64; 64] = {
    let mut halves = [1.0; 64];
    let mut rank = 1;
    while rank < 64 {
        halves[rank] = halves[rank - 1] / 2.0;
        rank += 1;
    }
    halves
};
/// Zeros in the other bits, and one.
const RANK_MAX: u8 = (64 - INDEX_BITS + 1) as u8;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::Clients;

    fn clients(range: std::ops::Range<u32>) -> Clients {
        let mut clients = Clients::default();
        for bits in range {
            clients.add(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + bits)));
        }
        clients
    }

    #[test]
    fn counts_are_near_the_truth() {
        assert_eq!(Clients::default().count(), 0);
        for (truth, slack) in [(1, 0), (8, 1), (100, 6), (1000, 100), (100_000, 10_000)] {
            let count = clients(0..truth).count();
            assert!(count.abs_diff(u64::from(truth)) <= slack, "{count} of {truth}");
        }
    }

    #[test]
    fn merging_counts_each_once_and_bytes_come_back() {
        let mut both = clients(0..600);
        both.merge(&clients(300..900));
        assert_eq!(both, clients(0..900));
        for some in [clients(0..0), clients(0..5), both] {
            assert_eq!(Clients::from_bytes(&some.to_bytes()), Some(some));
        }
        assert_eq!(Clients::from_bytes(&[1, 2]), None);
        assert_eq!(Clients::from_bytes(&[255, 2, 3]), None);
    }
}
