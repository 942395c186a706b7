//! What a clue rests on, and what would take its weight away: the part of the proof that whoever
//! doubts it can check for himself.

use classifiers::Clue;

use crate::verdict::EvidenceItem;

/// One sentence why the clue counts and one when it does not; empty for clues without weight.
pub(crate) fn ground(item: &EvidenceItem) -> Option<(&'static str, &'static str)> {
    let texts = match item.decibans {
        weight if is_flow_label(item) && weight != 0.0 => FLOW_LABEL,
        weight if weight > 0.0 => speaks_for(item.clue),
        weight if weight < 0.0 => speaks_against(item.clue),
        _ => return None,
    };
    (!texts.0.is_empty()).then_some(texts)
}

/// IPv6 has no identification; its flow label takes the place.
pub(crate) fn is_flow_label(item: &EvidenceItem) -> bool {
    item.clue == Clue::IpId && item.expected.as_deref() == Some("a flow label")
}

const FLOW_LABEL: (&str, &str) = (
    "A host writes one label on all packets of a connection; packet filters write none.",
    "if something on the way clears or sets flow labels, or the host changes its own.",
);

/// For the named sender.
const fn speaks_for(clue: Clue) -> (&'static str, &'static str) {
    match clue {
        Clue::Prior => (
            "Some 95 of 100 are genuine in ordinary traffic.",
            "on a path that is known to forge resets.",
        ),
        Clue::Hops => (
            "Every router takes one from the TTL, so a packet from elsewhere arrives with another.",
            "if the device sits at the named host's distance, or copies its TTL.",
        ),
        Clue::IpId => (
            "The number continues what the named host was counting, which only it and whoever sees \
             all its packets knows.",
            "if the device writes into a copy of the host's own packets.",
        ),
        Clue::Timestamps => (
            "The TSval lies on the host's own clock and echoes the other side's latest: both must \
             be known to the millisecond.",
            "if the device copies the option out of a packet of this moment.",
        ),
        Clue::Numbers => (
            "The numbers are those that the host's socket holds.",
            "for every device that sees the connection: it knows them as well.",
        ),
        Clue::Causality => (
            "There was time enough to reach the host and come back.",
            "for a device that waits as long, or is as far away.",
        ),
        Clue::AliveAfter => (
            "Whoever resets is silent from then on, and so was this host.",
            "if its later packets took another way, past the sensor.",
        ),
        Clue::Window => (
            "Stacks have habits of what they write into the window of a reset.",
            "if the device has the same habit.",
        ),
        Clue::SplitStack => (
            "It matches the front end that answered the handshake.",
            "if another device answers for that address.",
        ),
        _ => ("", ""),
    }
}

/// Against the named sender.
const fn speaks_against(clue: Clue) -> (&'static str, &'static str) {
    match clue {
        Clue::Hops => (
            "Every router takes one from the TTL, so packets of one host on one way arrive with one \
             value.",
            "if the host has several machines or ways behind its address, or sets another TTL on \
             its sockets than its kernel has.",
        ),
        Clue::IpId => (
            "A host's socket counts its packets one by one.",
            "if something on the way rewrites identifications (NAT, scrubbing).",
        ),
        Clue::DontFragment => (
            "A host sets this bit on all its packets or on none.",
            "if something on the way clears it.",
        ),
        Clue::Timestamps => (
            "Only the host knows its own timestamp clock.",
            "if a normaliser on the way strips or rewrites TCP options.",
        ),
        Clue::Window => (
            "The named host's stack never writes this into a reset.",
            "if the SYN that told the stack was rewritten on its way.",
        ),
        Clue::Numbers => (
            "A socket knows exactly what it has sent and received; these numbers do not fit.",
            "if the capture missed packets of this connection.",
        ),
        Clue::Causality => (
            "Nobody answers bytes before they can have reached him.",
            "if the clock of the capture jumps, the tap reorders, or an earlier copy of those bytes \
             passed elsewhere.",
        ),
        Clue::AliveAfter => (
            "Whoever has reset a connection knows it no more and cannot go on with it.",
            "if two machines or two stacks share the address.",
        ),
        Clue::Train => (
            "A host resets once, and again only for what still comes in; injectors send several to \
             be sure of one.",
            "if packets of the other side that drew them were not captured.",
        ),
        Clue::Opposite => (
            "Hosts do not reset each other in the same instant, and a reset draws no reset.",
            "if both had given up for reasons of their own.",
        ),
        Clue::Profile => (
            "Known devices build their resets by hand, and no operating system writes these fields \
             so.",
            "if the named host is such a device itself.",
        ),
        Clue::Dscp => (
            "A reply bears the traffic class of what it answers, an abort the socket's own.",
            "if something on the way marks traffic.",
        ),
        Clue::Signature => (
            "Only the two hosts have the key, and only they can make the checksum right.",
            "if the capture was made on the sending host, before its card filled in the checksum.",
        ),
        Clue::Port => (
            "Packets of the named host come in by one cable and from one router.",
            "after a change of routers, or where several take turns.",
        ),
        Clue::IdLine => (
            "One counter behind several senders is one machine.",
            "if they share a NAT that numbers packets itself.",
        ),
        _ => ("", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{ground, speaks_against, speaks_for};
    use crate::verdict::EvidenceItem;
    use classifiers::Clue;

    #[test]
    fn a_ground_is_a_sentence_and_its_exception_half_of_one() {
        for clue in Clue::ALL {
            for (why, unless) in [speaks_for(*clue), speaks_against(*clue)] {
                assert_eq!(why.is_empty(), unless.is_empty(), "{}", clue.name());
                assert!(why.is_empty() || why.ends_with('.'), "{why}");
                assert!(unless.is_empty() || unless.ends_with('.'), "{unless}");
                assert!(unless.chars().next().is_none_or(char::is_lowercase), "{unless}");
            }
        }
    }

    #[test]
    fn a_clue_speaks_by_the_sign_of_its_weight() {
        let item = |decibans| EvidenceItem {
            row: None,
            clue: Clue::Hops,
            e: None,
            observed: None,
            expected: None,
            decibans,
            says: String::new(),
        };
        assert_ne!(ground(&item(5.0)), ground(&item(-5.0)));
        assert_eq!(ground(&item(0.0)), None);
    }
}
