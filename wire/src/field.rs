//! Fixed pieces off the front of a slice: the only way this crate moves forward.

use crate::Skip;

/// The first `N` bytes and what follows them.
///
/// # Errors
/// [`Skip::Truncated`] if there are fewer.
#[inline]
pub(crate) fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Skip> {
    bytes.split_first_chunk().ok_or(Skip::Truncated)
}

/// What follows the first `count` bytes.
///
/// # Errors
/// [`Skip::Truncated`] if there are fewer.
#[inline]
pub(crate) fn skip(bytes: &[u8], count: usize) -> Result<&[u8], Skip> {
    bytes.get(count..).ok_or(Skip::Truncated)
}

/// At most the first `count` bytes: the bound that an outer length sets for what is inside.
#[inline]
pub(crate) fn bound(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(..count).unwrap_or(bytes)
}

/// Two bytes in network byte order.
#[inline]
pub(crate) const fn be16(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low])
}

/// The 16 bits at `at`, network byte order, if they were captured.
#[inline]
pub(crate) fn be16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_where_the_slice_ends() {
        assert_eq!(take::<2>(&[1, 2, 3]).unwrap(), (&[1, 2], &[3][..]));
        assert_eq!(take::<4>(&[1, 2, 3]), Err(Skip::Truncated));
        assert_eq!(skip(&[1, 2], 2).unwrap(), &[] as &[u8]);
        assert_eq!(skip(&[1, 2], 3), Err(Skip::Truncated));
        assert_eq!(bound(&[1, 2], 9), &[1, 2]);
        assert_eq!(be16_at(&[1, 2], 0), Some(0x0102));
        assert_eq!(be16_at(&[1, 2], usize::MAX), None);
    }
}
