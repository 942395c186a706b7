//! Values and clues in words.

use classifiers::{Clue, Value};

use crate::clue_text::is_flow_label;
use crate::verdict::EvidenceItem;

/// One clue as a sentence: what was seen against what was expected, and what that says.
///
/// ```
/// let item = events::EvidenceItem {
///     clue: classifiers::Clue::Hops,
///     row: None,
///     e: Some("E01".into()),
///     observed: Some("62 (2 hops)".into()),
///     expected: Some("57 (7 hops)".into()),
///     decibans: -20.0,
///     says: "the reset came another way than the sender's packets".into(),
/// };
/// assert_eq!(
///     events::sentence(&item),
///     "TTL 62 (2 hops), expected 57 (7 hops): the reset came another way than the sender's packets"
/// );
/// ```
#[must_use]
pub fn sentence(item: &EvidenceItem) -> String {
    let seen = match (&item.observed, &item.expected) {
        (Some(observed), Some(expected)) if item.clue == Clue::Causality => {
            format!("answered after {observed}, the round trip takes {expected}")
        }
        (Some(observed), Some(_)) if is_flow_label(item) => format!("flow label {observed}"),
        (Some(observed), _) if item.clue == Clue::Company => {
            return format!("other connections show the pattern of {observed}");
        }
        // Their words name the unit.
        (Some(observed), None) if item.clue == Clue::Probes => {
            let says = match observed.as_str() {
                "1" => item.says.replacen("s ", " ", 1),
                _ => item.says.clone(),
            };
            return format!("{observed} {says}");
        }
        (Some(observed), None) if item.clue == Clue::Idle => {
            return format!("{observed} of {}", item.says);
        }
        // A copy equals what it was copied from, which nobody expects.
        (Some(observed), Some(expected)) if observed == expected && item.decibans < 0.0 => {
            format!("{} {observed}", subject(item))
        }
        (Some(observed), Some(expected)) if observed == expected => {
            format!("{} {observed}, as expected", subject(item))
        }
        (Some(observed), Some(expected)) => {
            format!("{} {observed}, expected {expected}", subject(item))
        }
        (Some(observed), None) => format!("{} {observed}", subject(item)),
        (None, Some(expected)) => format!("{}: expected {expected}", subject(item)),
        (None, None) => String::new(),
    };
    let seen = match item.clue {
        // Their words say all that their values do.
        Clue::DontFragment | Clue::Signature if !item.says.is_empty() => "",
        _ => seen.as_str(),
    };
    match (seen, item.says.as_str()) {
        ("", "") => item.clue.meaning().to_owned(),
        ("", says) => says.to_owned(),
        (seen, "") => seen.to_owned(),
        (seen, says) => format!("{seen}: {says}"),
    }
}

/// What a clue's values are values of.
fn subject(item: &EvidenceItem) -> &'static str {
    match item.clue {
        Clue::IpId if is_flow_label(item) => "flow label",
        Clue::Prior => "prior",
        Clue::Hops => "TTL",
        Clue::IpId => "IP ID",
        Clue::Timestamps => "TCP timestamp",
        Clue::Window => "window",
        Clue::Numbers => "sequence number",
        Clue::Causality => "answered after",
        Clue::AliveAfter => "after its reset:",
        Clue::Train => "resets in a row:",
        Clue::Opposite => "reset in the other direction within",
        Clue::Profile => "known injector",
        Clue::Dscp => "traffic class",
        Clue::SplitStack => "second stack",
        Clue::IdLine => "IP-ID line",
        Clue::Signature => "signature",
        Clue::Port => "tap port or MAC",
        Clue::Stage => "stage",
        Clue::Idle => "silence",
        Clue::Probes => "probes",
        Clue::Payload => "payload",
        Clue::Volume => "volume",
        Clue::Declared => "declared reason",
        Clue::DontFragment => "DF bit",
        Clue::HostBaseline => "the host's other connections",
        Clue::Company => "other connections",
    }
}

/// A value with its unit; `None` if there is nothing to show.
pub(crate) fn value_text(value: Value) -> Option<String> {
    Some(match value {
        Value::None => return None,
        Value::Number(number) => number.to_string(),
        Value::HopLimit { raw, hops: 1 } => format!("{raw} (1 hop)"),
        Value::HopLimit { raw, hops } => format!("{raw} ({hops} hops)"),
        Value::Id(id) => id.to_string(),
        Value::Nanoseconds(ns) => span_text(ns as f64 / 1e9),
        Value::Flags(flags) => format!("{flags:?}"),
        Value::Relative(0) => "0".to_owned(),
        Value::Relative(number) => format!("{number:+}"),
        Value::Word(word) => word.to_owned(),
    })
}

/// A number with commas: `1,204`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text with a capital at its beginning, unless that is an address or a name.
pub(crate) fn capitalised(text: &str) -> String {
    let first_word = text.split(' ').next().unwrap_or_default();
    if first_word.contains([':', '.']) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The text with a small letter at its beginning, to go on in a sentence.
pub(crate) fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// `98 %`; never 100 unless it is all of them, never 0 unless it is none.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match (part, whole) {
        (0, _) | (_, 0) => "0 %".to_owned(),
        (part, whole) if part >= whole => "100 %".to_owned(),
        (part, whole) => {
            let share = (part as f64 / whole as f64 * 100.0).round().clamp(1.0, 99.0);
            format!("{share:.0} %")
        }
    }
}

/// `1,204 resets`, `1 reset`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// A span of time in the unit a person would choose, at most three significant digits.
pub(crate) fn span_text(seconds: f64) -> String {
    let (number, unit) = match seconds {
        // Records keep time in ticks of 16 µs.
        0.0 => return "an instant".to_owned(),
        s if s < 1e-6 => return format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => return format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    match number {
        n if n < 10.0 => format!("{n:.2} {unit}"),
        n if n < 100.0 => format!("{n:.1} {unit}"),
        n => format!("{} {unit}", thousands(n.round() as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::{counted, percent, sentence, span_text, value_text};
    use crate::verdict::EvidenceItem;
    use classifiers::{Clue, Value};
    use wire::TcpFlags;

    #[test]
    fn values_bear_their_unit() {
        let cases = [
            (Value::Number(-3), "-3"),
            (Value::HopLimit { raw: 62, hops: 2 }, "62 (2 hops)"),
            (Value::HopLimit { raw: 63, hops: 1 }, "63 (1 hop)"),
            (Value::Id(37152), "37152"),
            (Value::Nanoseconds(210_000), "210 µs"),
            (Value::Flags(TcpFlags(0x14)), "RA"),
            (Value::Relative(1460), "+1460"),
            (Value::Relative(0), "0"),
            (Value::Word("copied"), "copied"),
        ];
        for (value, text) in cases {
            assert_eq!(value_text(value).as_deref(), Some(text));
        }
        assert_eq!(value_text(Value::None), None);
    }

    #[test]
    fn spans_are_told_in_a_fitting_unit() {
        let cases = [
            (0.0, "an instant"),
            (1.64e-5, "16 µs"),
            (2.1e-7, "210 ns"),
            (2.14e-4, "214 µs"),
            (0.001_5, "1.50 ms"),
            (1.0, "1.00 s"),
            (350.4, "350 s"),
            (3604.0, "3,604 s"),
            (1_234_567.0, "1,234,567 s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span_text(seconds), text);
        }
    }

    #[test]
    fn counts_and_shares_are_told_as_they_are() {
        assert_eq!(
            (counted(1, "reset"), counted(1204, "reset")),
            ("1 reset".into(), "1,204 resets".into())
        );
        assert_eq!((percent(999, 1000), percent(1, 1000)), ("99 %".into(), "1 %".into()));
        assert_eq!((percent(0, 9), percent(9, 9)), ("0 %".into(), "100 %".into()));
        assert_eq!(percent(0, 0), "0 %");
    }

    #[test]
    fn addresses_and_names_keep_their_letters() {
        let cases = [
            ("on this link", "On this link"),
            ("fe80::1 tried", "fe80::1 tried"),
            ("blocked.example: 6 reset", "blocked.example: 6 reset"),
        ];
        for (text, said) in cases {
            assert_eq!(super::capitalised(text), said);
        }
    }

    #[test]
    fn what_bears_on_the_cause_is_told_without_stutter() {
        let item = |clue, observed: &str, says: &str| EvidenceItem {
            clue,
            row: None,
            e: None,
            observed: Some(observed.to_owned()),
            expected: None,
            decibans: 0.0,
            says: says.to_owned(),
        };
        let cases = [
            (
                Clue::Company,
                "health_check",
                "",
                "other connections show the pattern of health_check",
            ),
            (
                Clue::Idle,
                "6.01 s",
                "silence before the reset",
                "6.01 s of silence before the reset",
            ),
            (Clue::Probes, "3", "keepalive probes unanswered", "3 keepalive probes unanswered"),
            (Clue::Probes, "1", "keepalive probes unanswered", "1 keepalive probe unanswered"),
        ];
        for (clue, observed, says, text) in cases {
            assert_eq!(sentence(&item(clue, observed, says)), text);
        }
    }

    #[test]
    fn values_that_agree_are_said_once() {
        let mut item = EvidenceItem {
            clue: Clue::AliveAfter,
            row: None,
            e: None,
            observed: Some("silence".to_owned()),
            expected: Some("silence".to_owned()),
            decibans: 6.0,
            says: "silent while the other side still talks".to_owned(),
        };
        let text = "after its reset: silence, as expected: silent while the other side still talks";
        assert_eq!(sentence(&item), text);
        item.clue = Clue::Signature;
        assert_eq!(sentence(&item), item.says);
    }

    #[test]
    fn every_clue_makes_a_sentence_whatever_it_has() {
        for &clue in Clue::ALL {
            for observed in [None, Some("1".to_owned())] {
                for says in ["", "it says so"] {
                    let expected = observed.clone();
                    let (e, says) = (None, says.to_owned());
                    let observed = observed.clone();
                    let item = EvidenceItem {
                        clue,
                        row: None,
                        e,
                        observed,
                        expected,
                        decibans: 0.0,
                        says,
                    };
                    assert!(!sentence(&item).is_empty());
                }
            }
        }
    }
}
