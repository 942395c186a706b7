//! E10, learned: written the way a device writes that is proved by other resets.

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::vocabulary::Clue;

/// Found across connections, see [`crate::context::StyleFacts`].
///
/// Less than the ordinary evidence for the named sender, so that it never accuses alone.
pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let style = case.setting.style?;
    Some(Evidence {
        clue: Clue::Profile,
        observed: Value::Word("a device seen here before"),
        expected: Value::None,
        decibans: if style.proven >= 10 { -14.0 } else { -10.0 },
        says: "written as, and from as far away as, resets that a device is proved to have sent; \
               no host here writes so",
    })
}
