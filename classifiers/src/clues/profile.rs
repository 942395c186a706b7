//! E10: fields that a known injector writes and no endpoint stack does.

use flowtable::Marks;

use crate::case::{Case, hops, initial_hop_limit};
use crate::verdict::{Evidence, Value};
use crate::weights::Row;

pub(super) fn weigh(case: &Case<'_>) -> Option<Evidence> {
    PROFILES.iter().find(|profile| (profile.fits)(case)).map(|profile| {
        let says = "written the way a known device writes resets";
        Evidence::of(profile.row, Value::Word(profile.name), Value::None, says)
    })
}

/// A device known by the headers it writes. Profiles age: see classification.md, section 9.
struct Profile {
    name: &'static str,
    row: Row,
    fits: fn(&Case<'_>) -> bool,
}

const PROFILES: [Profile; 2] = [
    // respond-reject-libnet11.c: RST|ACK, ID 0, no DF, TTL 64, TOS 0, window of the trigger.
    Profile {
        name: "Suricata reject",
        row: Row::ProfileSuricata,
        fits: |case| {
            let reset = case.reset();
            let copied = case.to().packets > 0 && reset.window == case.to().window;
            case.has_ack()
                && !case.is_v6()
                && reset.ip_id == 0
                && !reset.marks.has(Marks::DF)
                && initial_hop_limit(reset.hop_limit) == 64
                && reset.traffic_class == 0
                && reset.window != 0
                && copied
                && case.from().packets > 0
                && reset.window != case.from().window
        },
    },
    // Snort 3 active response: RST|ACK, window 0, no DF, own identification, TTL 255 - trigger's.
    Profile {
        name: "Snort 3 active response",
        row: Row::ProfileSnort,
        fits: |case| {
            let reset = case.reset();
            case.has_ack()
                && !case.is_v6()
                && !reset.marks.has(Marks::DF)
                && reset.window == 0
                && case.to().packets > 0
                && case.from().packets > 0
                && reset.hop_limit == (255 - case.to().hop_limit).max(64)
                && hops(reset.hop_limit).abs_diff(hops(case.from().hop_limit)) >= 2
        },
    },
];
