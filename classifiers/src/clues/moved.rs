//! A service that moved to another machine resets from there (classification.md, section 5.5, burst).

use crate::case::{Case, hops};
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

/// The hop distance of the reset against the service's SYN/ACKs since the moment it was sent.
pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let burst = case.setting.burst.filter(|burst| burst.is_cut)?;
    let [before, since] = burst.moved?;
    let here = case.reset().hop_limit;
    let value = |raw: u8| Value::HopLimit { raw, hops: hops(raw) };
    let has_moved = hops(before.hop_limit) != hops(since.hop_limit);
    let says = "another machine has answered for this address since, from where the reset came";
    (has_moved && hops(here) == hops(since.hop_limit))
        .then(|| Evidence::of(Row::HostMoved, value(here), value(since.hop_limit), says))
}
