//! Comments about packets whose addresses were replaced: the same addresses in the text.

use std::net::{IpAddr, SocketAddr};

use super::Evidence;
use super::comments::Comments;
use crate::community::community_id;
use crate::event::Event;

impl Comments {
    /// The comments for packets between the ends that `evidence` names, if `event` names others.
    pub(super) fn with_names_of(self, evidence: &Evidence, event: &Event) -> Self {
        let true_ends = (event.client, event.server);
        if true_ends == (evidence.client, evidence.server) {
            return self;
        }
        // The seed is not told; without it the ID would be another connection's.
        let id = if community_id(event.client, event.server, 0) == event.community_id {
            community_id(evidence.client, evidence.server, 0)
        } else {
            "not told".to_owned()
        };
        let name = |ip: IpAddr| match ip {
            ip if ip == event.client.ip => evidence.client.ip.to_string(),
            ip if ip == event.server.ip => evidence.server.ip.to_string(),
            _ => "(an address)".to_owned(),
        };
        let text = |text: &str| renamed(&text.replace(&event.community_id, &id), name);
        Self {
            section: text(&self.section),
            packets: self.packets.iter().map(|comment| text(comment)).collect(),
        }
    }
}

/// The text with each address in it replaced, with a port or without.
fn renamed(text: &str, name: impl Fn(IpAddr) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let len = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(len);
        out.push_str(before);
        // A full stop ends a sentence, a colon goes before a port.
        let end = word.trim_end_matches(['.', ':']).len();
        let (word, tail) = word.split_at(end);
        match (word.parse::<IpAddr>(), word.parse::<SocketAddr>()) {
            (Ok(ip), _) => out.push_str(&name(ip)),
            (_, Ok(address)) => {
                out.push_str(&format!("{}:{}", name(address.ip()), address.port()));
            }
            _ => out.push_str(word),
        }
        out.push_str(tail);
        rest = after;
    }
    out.push_str(rest);
    out
}

const fn is_part(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, '.' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_text_are_replaced_and_nothing_else() {
        let name = |ip: IpAddr| if ip.is_ipv4() { "A".to_owned() } else { "B".to_owned() };
        for (text, expected) in [
            ("from 10.0.0.1:443 to [2001:db8::1]:80.", "from A:443 to [B]:80."),
            ("by 10.0.0.1. Cause: added 2.5 s, E01: TTL 62", "by A. Cause: added 2.5 s, E01: TTL 62"),
            ("::1 and 12:03:11 at 1.2.3", "B and 12:03:11 at 1.2.3"),
            ("", ""),
        ] {
            assert_eq!(renamed(text, name), expected);
        }
    }
}
