//! Pieces that several products share.

use std::collections::HashMap;
use std::net::IpAddr;

use events::Endpoint;

use crate::logs::session::{Garbage, beginning};

/// An address and a port that are written apart.
pub(crate) fn endpoint(ip: &str, port: &str) -> Option<Endpoint> {
    Some(Endpoint { ip: address(ip)?, port: port.trim().parse().ok()? })
}

/// An address; IPv4 inside IPv6 is IPv4, as on the wire.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let ip: IpAddr = text.trim().trim_matches(['[', ']']).parse().ok()?;
    Some(ip.to_canonical())
}

/// What an address was translated to; firewalls write zeros where nothing was.
pub(crate) fn translation(ip: &str, port: &str, untranslated: Endpoint) -> Option<Endpoint> {
    let ip = address(ip).filter(|ip| !ip.is_unspecified())?;
    let port: u16 = port.trim().parse().unwrap_or(0);
    let port = if port == 0 { untranslated.port } else { port };
    Some(Endpoint { ip, port }).filter(|after| *after != untranslated)
}

/// `key=value` and `key="value with spaces"`, at most [`PAIRS_MAX`]; of a repeated key the first.
pub(crate) fn pairs(text: &str) -> HashMap<&str, &str> {
    let mut pairs = HashMap::new();
    let mut rest = text;
    while pairs.len() < PAIRS_MAX {
        let Some((before, after)) = rest.split_once('=') else { break };
        let key = before
            .rsplit(|c: char| c.is_whitespace() || matches!(c, ',' | '>'))
            .next()
            .unwrap_or("");
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => closing_quote(quoted),
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (&after[..end], &after[end..])
            }
        };
        if !key.is_empty() {
            pairs.entry(key).or_insert(value);
        }
        rest = left;
    }
    pairs
}

/// What stands before the quote that no backslash precedes, and what behind it.
fn closing_quote(quoted: &str) -> (&str, &str) {
    let mut is_escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            b'"' if !is_escaped => return (&quoted[..at], &quoted[at + 1..]),
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    (quoted, "")
}

/// The value of a key that must be there.
pub(crate) fn needed<'l>(pairs: &HashMap<&str, &'l str>, key: &str) -> Result<&'l str, Garbage> {
    pairs.get(key).copied().ok_or_else(|| Garbage::new(format!("field {key} is missing")))
}

/// A value worth telling.
pub(crate) fn told(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && !matches!(text, "n/a" | "N/A" | "-" | "None" | "0"))
        .then(|| beginning(text, NAME_BYTES).to_owned())
}

/// What a product says in its own words: one of a short list, unless a stranger made the line.
pub(crate) fn word(text: &str) -> String {
    beginning(text.trim(), WORD_BYTES).to_owned()
}

/// No product writes as many.
const PAIRS_MAX: usize = 256;

/// What is kept of a name: the longest that DNS knows.
pub(crate) const NAME_BYTES: usize = 255;

/// What is kept of a word: nginx's "499, recv() failed (104: Connection reset by peer) while ..." is a long one.
pub(crate) const WORD_BYTES: usize = 255;

/// What is kept of an interface's name; ASA allows 48 characters.
pub(crate) const INTERFACE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::{endpoint, pairs, translation};

    #[test]
    fn pairs_may_be_quoted_and_the_first_of_a_key_counts() {
        let pairs = pairs(r#"<1>x a=1 b="two words" c="q \" q" a=9 broken = d= e="open"#);
        let mut told: Vec<(&str, &str)> = pairs.into_iter().collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [("a", "1"), ("b", "two words"), ("c", r#"q \" q"#), ("d", ""), ("e", "open")]
        );
    }

    #[test]
    fn zeros_are_no_translation() {
        let client = endpoint("10.0.0.1", "4000").unwrap();
        assert_eq!(translation("0.0.0.0", "0", client), None);
        assert_eq!(translation("", "", client), None);
        assert_eq!(translation("10.0.0.1", "4000", client), None);
        assert_eq!(translation("198.51.100.1", "0", client).unwrap().port, 4000);
        assert_eq!(endpoint("::ffff:10.0.0.1", "4000"), Some(client));
        assert_eq!(endpoint("10.0.0.1", "70000"), None);
    }
}
