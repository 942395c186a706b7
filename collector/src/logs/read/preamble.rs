//! What may stand before a record: the header of a message, and nothing else.
//!
//! Programs write into their messages what strangers chose, often without quotes: the name of a user, a
//! captured header. A product's mark in there is nobody's record. So before a mark only the words of a header may
//! stand, as products and relays write it, none of which a stranger chooses:
//!
//! ```text
//! [<PRIORITY>][:] [STAMP [HOST [WORD]]] [STAMP [HOST [WORD]]] [TAG:]
//! ```
//!
//! Whoever begins his messages with a stranger's words can still be made to forge: no program that is known here
//! does.

/// What a header ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Preamble {
    /// With a priority or a tag, or there is none: the message begins.
    Closed,
    /// With a stamp or a name, behind which a word of the message may be taken for another name.
    Open,
}

impl Preamble {
    /// Of what stands before a mark; nothing if that is no header.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\u{feff}');
        let rest = behind_priority(text);
        let has_priority = rest.len() < text.len();
        let words: Vec<&str> = rest.split_ascii_whitespace().take(WORDS_MAX + 1).collect();
        if words.is_empty() {
            return Some(Self::Closed);
        }
        let mut left = words.as_slice();
        for turn in 0..RELAYS_MAX {
            let stamp = stamp_words(left);
            left = &left[stamp..];
            let names_max = match (stamp, turn, has_priority) {
                (1.., ..) => 2,
                // A name alone stands only behind a priority.
                (0, 0, true) => 1,
                _ => 0,
            };
            let is_name = |word: &&&str| is_name(word) && !word.ends_with(':');
            let mut names = 0;
            while names < names_max
                && stamp_words(left) == 0
                && left.first().filter(is_name).is_some()
            {
                left = &left[1..];
                names += 1;
            }
        }
        match left {
            // A stamp may end with a colon, too.
            [] if words.last().is_some_and(|word| word.ends_with(':')) => Some(Self::Closed),
            [] if matches!(words.as_slice(), [.., "stdout" | "stderr", "F" | "P"]) => {
                Some(Self::Closed)
            }
            [] => Some(Self::Open),
            [tag] if tag.ends_with(':') && is_name(tag) => Some(Self::Closed),
            _ => None,
        }
    }
}

/// What follows `<14>`; the text itself where it has none. Some write a colon behind it.
fn behind_priority(text: &str) -> &str {
    let of = |text: &'_ str| -> Option<usize> {
        let digits = text.strip_prefix('<')?.split_once('>')?.0;
        let is_priority =
            (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_priority.then_some(digits.len() + 2)
    };
    of(text).map_or(text, |at| text[at..].strip_prefix(':').unwrap_or(&text[at..]))
}

/// How many words the stamp has with which `words` begin; 0 if they begin with none.
fn stamp_words(words: &[&str]) -> usize {
    let year = |word: &str| shaped(word, "0000");
    let clock = |word: &str| {
        let word = word.trim_end_matches(':');
        let (seconds, part) = word.split_once('.').unwrap_or((word, ""));
        shaped(seconds, "00:00:00") && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let date = |word: &str| shaped(word, "0000/00/00") || shaped(word, "0000-00-00");
    let month = |word: &str| MONTHS.contains(&word.trim_start_matches(['*', '.', ':']));
    let day = |word: &str| shaped(word, "0") || shaped(word, "00");
    match words {
        [word, ..] if is_rfc3339(word) => 1,
        [one, two, ..] if date(one) && clock(two) => 2,
        [one, two, three, ..] if month(one) && day(two) && clock(three) => 3,
        [one, two, three, four, ..] if month(one) && day(two) && year(three) && clock(four) => 4,
        [one, two, three, four, ..] if year(one) && month(two) && day(three) && clock(four) => 4,
        _ => 0,
    }
}

/// `2023-11-14T22:13:20.443+02:00`, with a colon behind it where it closes a header.
fn is_rfc3339(word: &str) -> bool {
    let Some((date, time)) = word.split_once('T') else { return false };
    let is_of_time = |byte: u8| byte.is_ascii_digit() || b":.+-Z".contains(&byte);
    shaped(date, "0000-00-00") && time.len() >= 8 && time.bytes().all(is_of_time)
}

/// Whether a word has this shape, where `0` is any digit.
fn shaped(word: &str, shape: &str) -> bool {
    word.len() == shape.len()
        && word.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            shape => byte == shape,
        })
}

/// A host, a program, a tag: `fw-edge-1`, `haproxy[7]:`, `:`.
fn is_name(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || "-_.:/@[]%".contains(c)) && word != "-"
}

/// Headers of relays around each other.
const RELAYS_MAX: usize = 2;

/// Of two stamps, two names each and a tag.
const WORDS_MAX: usize = 2 * (4 + 2) + 1;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::Preamble::{self, Closed, Open};

    #[test]
    fn headers_of_products_and_relays_are_headers() {
        for (text, ends) in [
            ("", Closed),
            ("<14>", Closed),
            ("\u{feff}", Closed),
            ("<166>:", Closed),
            ("<134>haproxy[7]: ", Closed),
            ("<134>Nov 14 22:13:25 lb-1 haproxy[7]: ", Closed),
            ("Nov 14 22:13:25 lb-1 nginx: ", Closed),
            ("<190>Nov 14 22:13:20 nginx: ", Closed),
            ("<166>Nov 14 2023 22:13:20 asa-1 : ", Closed),
            ("<166>Nov 14 2023 22:13:20: ", Closed),
            ("<166>:Nov 14 22:13:20.123 UTC: ", Closed),
            ("<14>2023-11-14T22:13:20.25+02:00 fw1 app[7]: ", Closed),
            ("2023-11-14T22:13:20Z stdout F ", Closed),
            ("<14>Nov  4 22:13:20 fw-edge-1 ", Open),
            ("<14>fw-edge-1 ", Open),
            ("2023-11-14T22:13:20Z ", Open),
            ("Nov 14 22:13:20 relay Nov 14 22:13:20 fw1 ", Open),
            ("2023-11-14T22:13:20Z relay Nov 14 2023 22:13:20 asa-1 : ", Closed),
        ] {
            assert_eq!(Preamble::of(text), Some(ends), "{text}");
        }
    }

    #[test]
    fn what_strangers_may_have_written_is_no_header() {
        for text in [
            "10.0.0.1 - ",
            "10.0.0.1 ",
            "fw1 ",
            "<190>Nov 14 22:13:20 web-1 nginx: 10.0.0.1 - ",
            "<190>Nov 14 22:13:20 web-1 nginx: user: ",
            "<38>Nov 14 22:13:20 host sshd[7]: Invalid user ",
            "<134>Nov 14 22:13:25 lb-1 haproxy[7]: 10.0.1.2:33317 [14/Nov/2023:22:13:20.443] in b/s {",
            "Nov 14 22:13:20 relay a b c ",
            "Nov 14 22:13:20 a Nov 14 22:13:20 b Nov 14 22:13:20 c ",
            "key=value ",
            "<1234>",
            "<14>a: b: ",
        ] {
            assert_eq!(Preamble::of(text), None, "{text}");
        }
        let long = "Nov 14 22:13:20 ".repeat(1000);
        assert_eq!(Preamble::of(&long), None);
    }
}
