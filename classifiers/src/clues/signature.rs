//! E14: a reset without the signature its connection uses, or with a wrong checksum.

use flowtable::{Marks, Side};

use crate::case::{Case, hops};
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let marks = case.reset().marks;
    let (row, observed, expected, says) = if case.from().has(Side::SIGNED)
        && !marks.has(Marks::SIGNED)
    {
        let says = "without the MD5/AO signature of this connection";
        (Row::SignatureMissing, "unsigned", "signed", says)
    } else if marks.has(Marks::BAD_CHECKSUM) && case.reset().payload_len >= SEGMENT_LEN {
        // No stack resets with a segment of data: somebody set the bit on its way and could not
        // mend the checksum. All its headers are genuine, so this must outweigh them.
        let says = "a data segment whose RST bit was set on its way";
        (Row::ChecksumOfData, "wrong", "right", says)
    } else if marks.has(Marks::BAD_CHECKSUM) {
        // Captures on the sending host show checksums that its card has yet to fill in.
        let goes_on = case.watch.aftermath.alive.is_some();
        let row = if goes_on { Row::ChecksumWrongAlive } else { Row::ChecksumWrong };
        (row, "wrong", "right", "the TCP checksum is wrong")
    } else if marks.has(Marks::SIGNED) && !case.from().has(Side::SIGNED) && case.from().packets > 0
    {
        let says = "signed, on a connection that is not";
        (Row::SignatureUnexpected, "signed", "unsigned", says)
    } else {
        return None;
    };
    Some(Evidence::of(row, Value::Word(observed), Value::Word(expected), says))
}

/// Texts in resets are shorter than this.
const SEGMENT_LEN: u32 = 256;

/// Whether the receiver has to drop it (RFC 2385, RFC 5925; RFC 9293 for the checksum).
pub(crate) fn must_be_dropped(case: &Case<'_>) -> bool {
    let marks = case.reset().marks;
    // On the sending host itself, cards fill in checksums after the capture.
    let at_sender = hops(case.reset().hop_limit) == 0 || case.reset().hop_limit == 0;
    (marks.has(Marks::BAD_CHECKSUM) && !at_sender)
        || (case.from().packets > 0 && case.from().has(Side::SIGNED) != marks.has(Marks::SIGNED))
}
