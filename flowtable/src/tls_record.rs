//! How much of its last TLS record a payload leaves open.

use crate::payload::PayloadClass;

/// Bytes of a TLS record that are still to come, or that this is not known.
///
/// Only a payload that *begins* with a record header tells: its records are walked header by
/// header. Where records end in the middle of later segments nothing is known until one begins with
/// a header again, which the first segment of every write of an application does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenRecord(u16);

impl OpenRecord {
    /// Not known, or not TLS.
    pub const UNKNOWN: Self = Self(u16::MAX);
    /// Between two records.
    pub const CLOSED: Self = Self(0);

    /// The class of a payload, and what it leaves open.
    #[inline]
    #[must_use]
    pub(crate) fn with_class(payload: &[u8], wire_len: u32) -> (PayloadClass, Self) {
        let class = PayloadClass::of(payload, wire_len);
        let open = if class.is_tls() { Self::after(payload, wire_len) } else { Self::UNKNOWN };
        (class, open)
    }

    /// What `payload` leaves open, of which `wire_len` bytes were on the wire.
    ///
    /// Unknown for whatever does not begin with a record header (RFC 8446, section 5.1), where a
    /// header was not captured, and after [`RECORDS_MAX`] records.
    #[must_use]
    pub fn after(payload: &[u8], wire_len: u32) -> Self {
        let mut at = 0;
        for _ in 0..RECORDS_MAX {
            let Some(&[20..=23, 3, 0..=4, high, low]) = payload.get(at..at + HEADER_LEN) else {
                return Self::UNKNOWN;
            };
            let len = u16::from_be_bytes([high, low]);
            if len > RECORD_LEN_MAX {
                return Self::UNKNOWN;
            }
            at += HEADER_LEN + usize::from(len);
            if at >= wire_len as usize {
                return Self((at - wire_len as usize) as u16);
            }
        }
        Self::UNKNOWN
    }

    /// After a segment that carried the stream on by `bytes` and whose own payload leaves `tail`
    /// open.
    #[must_use]
    pub(crate) const fn advanced(self, bytes: u32, tail: Self) -> Self {
        if self.0 != Self::UNKNOWN.0 && bytes <= self.0 as u32 {
            Self(self.0 - bytes as u16)
        } else {
            tail
        }
    }

    /// Bytes that are still to come; 0 between two records.
    #[must_use]
    pub const fn missing(self) -> Option<u16> {
        if self.0 == Self::UNKNOWN.0 { None } else { Some(self.0) }
    }
}

/// Content type, version, length.
const HEADER_LEN: usize = 5;
/// 2^14 + 2048 (RFC 5246, section 6.2.3); TLS 1.3 allows less.
const RECORD_LEN_MAX: u16 = (1 << 14) + 2048;
/// A handshake flight is some four records; more small ones in a segment are no one's habit.
const RECORDS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::OpenRecord;

    /// A record of `len` bytes with its header.
    fn record(len: u16) -> Vec<u8> {
        let [high, low] = len.to_be_bytes();
        let mut bytes = vec![23, 3, 3, high, low];
        bytes.resize(bytes.len() + usize::from(len), 0xaa);
        bytes
    }

    fn missing(payload: &[u8], wire_len: usize) -> Option<u16> {
        OpenRecord::after(payload, wire_len as u32).missing()
    }

    #[test]
    fn records_are_walked_to_the_last() {
        let two = [record(100), record(1000)].concat();
        assert_eq!(missing(&two, two.len()), Some(0));
        assert_eq!(missing(&two[..400], 400), Some(710));
        assert_eq!(missing(&record(100)[..5], 5), Some(100));
    }

    #[test]
    fn what_cannot_be_walked_is_unknown() {
        let two = [record(100), record(1000)].concat();
        assert_eq!(missing(&two[..60], two.len()), None, "the second header was not captured");
        assert_eq!(missing(&two[..108], 108), None, "half a header");
        assert_eq!(missing(b"GET / HTTP/1.1\r\n", 16), None);
        assert_eq!(missing(&[23, 3, 3, 0xff, 0xff], 5), None, "longer than any record");
        assert_eq!(missing(&[], 0), None);
        assert_eq!(missing(&record(1).repeat(9), 54), None, "too many to walk");
    }

    #[test]
    fn a_record_is_counted_down_over_segments_and_lost_sight_of_where_it_ends_inside_one() {
        let open = OpenRecord::after(&record(4000)[..1400], 1400);
        assert_eq!(open.missing(), Some(2605));
        let open = open.advanced(1400, OpenRecord::UNKNOWN);
        assert_eq!(open.missing(), Some(1205));
        assert_eq!(open.advanced(1205, OpenRecord::UNKNOWN).missing(), Some(0));
        assert_eq!(open.advanced(1206, OpenRecord::UNKNOWN).missing(), None);
        let next = OpenRecord::after(&record(50), 55);
        assert_eq!(OpenRecord::UNKNOWN.advanced(55, next).missing(), Some(0));
    }
}
