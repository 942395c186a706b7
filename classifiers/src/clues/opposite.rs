//! E09: a reset in the other direction at the same moment.

use flowtable::Ticks;

use crate::case::Case;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

/// Counts only beside another anomaly: crossing aborts are innocent (37 of 883 flows).
pub(super) fn weigh(case: &Case<'_>, has_anomaly: bool) -> Option<Evidence> {
    let span = unprovoked(case)?;
    let row = if has_anomaly { Row::OppositeUnprovoked } else { Row::OppositeAlone };
    let says = "a reset in the other direction that nothing provoked";
    Some(Evidence::of(row, Value::Nanoseconds(span.ns()), Value::None, says))
}

/// Time between this reset and one of the other direction that neither host's packets explain.
pub(crate) fn unprovoked(case: &Case<'_>) -> Option<Ticks> {
    let before = case.before();
    let round_trip = before.round_trip(case.sender).unwrap_or(Ticks(0));
    let near = Ticks(round_trip.0 / 2).max(Ticks::from_ms(2));
    if let Some(opposite) = case.watch.aftermath.opposite {
        return (!opposite.provoked && opposite.after <= near).then_some(opposite.after);
    }
    let earlier = case.watch.earlier.as_ref()?;
    let span = case.reset().time.tick().since(earlier.reset.time.tick());
    let other_way = earlier.direction != case.sender && earlier.answered_between == 0;
    (other_way && span <= near).then_some(span)
}
