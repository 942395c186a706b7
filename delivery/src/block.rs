//! A block: some records, compressed together and sealed with a checksum; a segment file is a row of them.
//!
//! ```text
//!  0 magic "RSB1"   4 CRC-32 of all that follows   8 packed length   12 raw length
//! 16 first sequence 24 session   32 time, ms   40 records   44 zero   48 packed records (zstd)
//! raw: for each record  u32 length, u8 kind, JSON
//! ```
//! All numbers are little-endian.
//!
//! Why not plain NDJSON: events compress six to ten times, so the same disk bridges a longer outage; and
//! the checksum tells a torn or damaged place from a whole one, with the number of events it held.

use std::sync::Arc;

use crate::record::{Kind, Record, Uid};

/// Records, sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    pub(crate) header: Header,
    /// The whole block, header included.
    pub(crate) bytes: Vec<u8>,
}

/// What stands before a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    checksum: u32,
    packed_len: u32,
    raw_len: u32,
    /// Sequence of its first record.
    pub(crate) first: u64,
    pub(crate) session: u64,
    /// When it was sealed, milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
    records: u32,
}

impl Header {
    /// Reads a header; nothing if it cannot be one. The checksum is not looked at.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header = Self {
            checksum: u32_at(bytes, 4)?,
            packed_len: u32_at(bytes, 8)?,
            raw_len: u32_at(bytes, 12)?,
            first: u64_at(bytes, 16)?,
            session: u64_at(bytes, 24)?,
            time_ms: u64_at(bytes, 32)?,
            records: u32_at(bytes, 40)?,
        };
        let is_plausible = bytes.starts_with(&MAGIC)
            && (1..=LEN_MAX).contains(&header.packed_len)
            && (1..=LEN_MAX).contains(&header.raw_len)
            && header.records >= 1
            && header.first.checked_add(u64::from(header.records)).is_some();
        is_plausible.then_some(header)
    }

    /// The sequence behind its last record.
    pub(crate) const fn end(&self) -> u64 {
        self.first + self.records as u64
    }

    /// Bytes of the whole block.
    pub(crate) const fn block_len(&self) -> u64 {
        HEADER_LEN as u64 + self.packed_len as u64
    }
}

impl Block {
    /// Seals records; `records` is not empty and no longer than [`fits`](Self::fits) allows.
    pub(crate) fn seal(first: Uid, time_ms: u64, records: &[(Kind, Vec<u8>)]) -> Self {
        let raw_len = records.iter().map(|(_, json)| RECORD_HEAD_LEN + json.len()).sum();
        let mut raw = Vec::with_capacity(raw_len);
        for (kind, json) in records {
            raw.extend_from_slice(&(json.len() as u32).to_le_bytes());
            raw.push(kind.to_byte());
            raw.extend_from_slice(json);
        }
        let packed = zstd::bulk::compress(&raw, ZSTD_LEVEL).expect("memory can be compressed");
        let mut bytes = Vec::with_capacity(HEADER_LEN + packed.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&first.sequence.to_le_bytes());
        bytes.extend_from_slice(&first.session.to_le_bytes());
        bytes.extend_from_slice(&time_ms.to_le_bytes());
        bytes.extend_from_slice(&(records.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&packed);
        let checksum = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        let header = Header::read(&bytes).expect("a sealed block has a plausible header");
        Self { header, bytes }
    }

    /// Whether a record of so many bytes may be spooled at all.
    pub(crate) const fn fits(json_len: usize) -> bool {
        json_len <= RECORD_LEN_MAX
    }

    /// The block that `bytes` begin with; nothing if it is cut or damaged.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header = Header::read(bytes)?;
        let bytes = bytes.get(..usize::try_from(header.block_len()).ok()?)?;
        (crc32fast::hash(&bytes[8..]) == header.checksum)
            .then(|| Self { header, bytes: bytes.to_vec() })
    }

    /// The first whole block in `bytes` and where it begins.
    pub(crate) fn find(bytes: &[u8]) -> Option<(usize, Self)> {
        let mut from = 0;
        loop {
            let at = from + bytes.get(from..)?.windows(MAGIC.len()).position(|w| w == MAGIC)?;
            if let Some(block) = Self::read(&bytes[at..]) {
                return Some((at, block));
            }
            from = at + 1;
        }
    }

    /// Its records, of `sensor`; nothing if what the checksum sealed does not hold what the header says.
    pub(crate) fn records(&self, sensor: &Arc<str>) -> Option<Vec<Record>> {
        let header = &self.header;
        let raw =
            zstd::bulk::decompress(&self.bytes[HEADER_LEN..], header.raw_len as usize).ok()?;
        let mut rest = raw.as_slice();
        let mut records = Vec::with_capacity(header.records as usize);
        for sequence in header.first..header.end() {
            let json_len = u32_at(rest, 0)? as usize;
            let kind = Kind::from_byte(*rest.get(4)?)?;
            let json = rest.get(RECORD_HEAD_LEN..RECORD_HEAD_LEN + json_len)?.to_vec();
            rest = &rest[RECORD_HEAD_LEN + json_len..];
            let uid = Uid { session: header.session, sequence };
            let (sensor, time_ms) = (sensor.clone(), header.time_ms);
            records.push(Record { uid, kind, sensor, is_test: false, time_ms, json });
        }
        rest.is_empty().then_some(records)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// What every block begins with; the digit is the version of the format.
const MAGIC: [u8; 4] = *b"RSB1";

/// Bytes before the packed records.
pub(crate) const HEADER_LEN: usize = 48;

/// Bytes before the JSON of each record.
const RECORD_HEAD_LEN: usize = 5;

/// No record is longer; one that is is counted as not spooled.
const RECORD_LEN_MAX: usize = 4 << 20;

/// Raw bytes at which a block is full.
pub(crate) const BLOCK_RAW_LEN: usize = 128 << 10;

/// No part of a block is longer: bounds what a damaged header can make us allocate.
const LEN_MAX: u32 = 16 << 20;

/// The quickest level: an event in about 4 µs, and near the size of level 3.
const ZSTD_LEVEL: i32 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Block;
    use crate::record::{Kind, Uid};

    fn block(first: u64, count: usize) -> Block {
        let records: Vec<(Kind, Vec<u8>)> = (0..count)
            .map(|n| {
                let kind =
                    Kind { provisional: n % 2 == 0, secondary: n % 3 == 0, ..Kind::default() };
                (kind, format!("{{\"n\":{n}}}").into_bytes())
            })
            .collect();
        Block::seal(Uid { session: 7, sequence: first }, 9, &records)
    }

    #[test]
    fn what_is_sealed_is_read_again() {
        let block = block(5, 40);
        let records = Block::read(&block.bytes).unwrap().records(&"s".into()).unwrap();
        assert_eq!(records.len(), 40);
        assert_eq!(records[3].uid.to_string(), "0000000000000007-8");
        assert_eq!(records[3].kind, Kind { secondary: true, ..Kind::default() });
        assert_eq!(records[39].json, b"{\"n\":39}");
    }

    #[test]
    fn a_line_names_its_record_before_the_fields() {
        let record = &block(5, 1).records(&"s".into()).unwrap()[0];
        let line = String::from_utf8(record.line()).unwrap();
        assert_eq!(
            line,
            "{\"uid\":\"0000000000000007-5\",\"sequence\":5,\"sensor\":\"s\",\"record\":\"event\",\"n\":0}\n"
        );
    }

    proptest! {
        #[test]
        fn a_changed_or_cut_block_is_never_taken(at in 0usize..2000, flip in 1u8.., cut in 0usize..2000) {
            let whole = block(1, 30);
            let mut bytes = whole.bytes.clone();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert_eq!(Block::read(&bytes), None);
            prop_assert_eq!(Block::read(&whole.bytes[..cut % whole.bytes.len()]), None);
        }

        #[test]
        fn any_bytes_are_searched_without_a_panic(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
            let whole = block(1, 3);
            let bytes = [noise.as_slice(), b"RSB1", &whole.bytes].concat();
            let (at, found) = Block::find(&bytes).unwrap();
            prop_assert_eq!((at, found), (noise.len() + 4, whole));
        }
    }
}
