//! E01: did the reset come from as far away as its sender's other packets?
//!
//! Hop limits are compared as distances from the next higher initial value, because a kernel may
//! reset with another initial value than the socket had, over the same path.

use flowtable::{Side, Sight};

use crate::case::{Case, hops, initial_hop_limit};
use crate::clues::split;
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    let observed = case.reset().hop_limit;
    let (expected, trust) = reference(case)?;
    // Anonymised captures carry zeros.
    if observed == 0 || expected == 0 {
        return None;
    }
    let distance = hops(observed).abs_diff(hops(expected));
    let same_class = initial_hop_limit(observed) == initial_hop_limit(expected);
    let (row, says) = match (distance, trust) {
        (0, _) if same_class => (Row::HopsEqual, "as far away as the sender's packets"),
        (0, _) if case.is_bare() => {
            (Row::HopsEqualOtherInitialReply, "as far away, with another initial hop limit")
        }
        (0, _) => (Row::HopsEqualOtherInitial, "as far away, with another initial hop limit"),
        // Unrouted: whoever sent it sits on this link, and a host that answered from afar does not.
        (2.., trust) if hops(observed) == 0 && !case.sender_is_client() => {
            // One packet may have come by another path.
            let few = matches!(trust, Trust::Weak) || case.from().packets == 1;
            let row = if few && case.baseline().is_none_or(|host| host.agreeing < 3) {
                Row::HopsOnLinkFew
            } else {
                Row::HopsOnLink
            };
            (row, "sent from this very link, unlike the sender's packets")
        }
        // A path may be a hop shorter now and then, but not so short that a host behind a router sits
        // before it: this is what a router next to the sensor writes in its neighbour's name.
        (1, Trust::Firm) if hops(observed) == 0 && same_class => {
            (Row::HopsOneOffOnLink, "sent from this very link, the sender is one router further")
        }
        (1, Trust::Weak) => (Row::HopsOneOffWeak, "one hop off"),
        (1, _) => (Row::HopsOneOff, "one hop off the sender's packets"),
        (_, Trust::Firm) => (Row::HopsDiffer, "not as far away as the sender's packets"),
        (_, Trust::Fair) => (Row::HopsDifferFair, "not as far away as the sender's few packets"),
        // Scanners and spoofed sources vary it themselves (captures README).
        (_, Trust::Weak) => {
            (Row::HopsDifferWeak, "not as far away as the sender's only packets, without data")
        }
    };
    Some(Evidence::of(row, value(observed), value(expected), says))
}

/// How much the sender's earlier hop limits are worth as a reference.
#[derive(Clone, Copy)]
enum Trust {
    Firm,
    Fair,
    Weak,
}

/// The hop limit to expect, and how firm it is.
fn reference(case: &Case<'_>) -> Option<(u8, Trust)> {
    let (side, before) = (case.from(), case.before());
    if side.packets == 0 {
        let host = case.baseline()?;
        let trust = match host.agreeing {
            3.. => Trust::Firm,
            2 => Trust::Fair,
            _ => Trust::Weak,
        };
        return Some((host.hop_limit, trust));
    }
    let syn = before.syn_hop_limit(case.sender);
    let closest = |limit: u8| hops(limit).abs_diff(hops(case.reset().hop_limit));
    let expected = if split::is_split_here(case) && closest(syn) < closest(side.hop_limit) {
        syn
    } else {
        side.hop_limit
    };
    // Of a path that flaps, a few packets of many may all show the same.
    let is_sample = case.watch.sight != Sight::Whole && side.packets < SAMPLE_MIN;
    let trust = if side.has(Side::DATA) && side.hop_limit_is_stable() && !is_sample {
        Trust::Firm
    } else if confirmed_by_others(case, expected)
        || (side.hop_spread == 0
            && (side.has(Side::DATA) || (side.packets >= 2 && case.carried_data())))
    {
        Trust::Fair
    } else {
        Trust::Weak
    };
    // Paths that flap by some hops cannot accuse anybody of being that far off.
    let spread = side.hop_flap();
    let within_flap = spread > 0 && closest(expected) <= spread && !split::is_split_here(case);
    if within_flap { None } else { Some((expected, trust)) }
}

/// Whether the server's other connections come from as far away.
fn confirmed_by_others(case: &Case<'_>, expected: u8) -> bool {
    case.baseline().is_some_and(|host| host.is_stable() && host.hop_limit == expected)
}

const fn value(hop_limit: u8) -> Value {
    Value::HopLimit { raw: hop_limit, hops: hops(hop_limit) }
}

/// Where packets were left out, so many show where a side is: if three in ten came by another path,
/// one side in seventeen would show none of them.
const SAMPLE_MIN: u8 = 8;
