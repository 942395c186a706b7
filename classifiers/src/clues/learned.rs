//! E10, learned: written the way a device writes that is proved by other resets.

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

/// Found across connections, see [`crate::context::StyleFacts`].
///
/// Less than the ordinary evidence for the named sender, so that it never accuses alone.
pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let style = case.setting.style?;
    let row = if style.proven >= 10 { Row::ProfileLearned } else { Row::ProfileLearnedFew };
    let says = "written as, and from as far away as, resets that a device is proved to have sent; \
                no host here writes so";
    Some(Evidence::of(row, Value::Word("a device seen here before"), Value::None, says))
}
