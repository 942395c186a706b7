//! `--fail-on EXPR`: when a run counts as failed.

use std::str::FromStr;

use classifiers::{Cause, Effect, Impact, Origin};
use events::Filter;

use crate::tally::Tally;

/// A count compared with a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Condition {
    what: What,
    comparison: Comparison,
    number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Resets,
    Middlebox,
    Impact(Impact),
    Origin(Origin),
    Cause(Cause),
    Effect(Effect),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    Different,
}

impl Condition {
    /// Whether it holds for what was counted.
    pub(crate) fn holds(self, tally: &Tally) -> bool {
        let count = match self.what {
            What::Resets => tally.resets,
            What::Middlebox => {
                let middleboxes = Origin::ALL.iter().filter(|origin| origin.is_device());
                middleboxes.map(|origin| tally.origin(*origin)).sum()
            }
            What::Impact(impact) => tally.impact(impact),
            What::Origin(origin) => tally.origin(origin),
            What::Cause(cause) => tally.cause(cause),
            What::Effect(effect) => tally.effect(effect),
        };
        match self.comparison {
            Comparison::Above => count > self.number,
            Comparison::AtLeast => count >= self.number,
            Comparison::Below => count < self.number,
            Comparison::AtMost => count <= self.number,
            Comparison::Equal => count == self.number,
            Comparison::Different => count != self.number,
        }
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = text
            .find(['<', '>', '=', '!'])
            .ok_or_else(|| format!("{text:?} compares nothing; write for example aborted>0"))?;
        let (name, rest) = text.split_at(at);
        let (comparison, number) = COMPARISONS
            .iter()
            .find_map(|(sign, comparison)| Some((*comparison, rest.strip_prefix(sign)?)))
            .ok_or_else(|| format!("no comparison in {rest:?}; there are > >= < <= = !="))?;
        let number = number
            .trim()
            .parse()
            .map_err(|_| format!("{number:?} is no whole number; write for example aborted>0"))?;
        Ok(Self { what: What::named(name.trim())?, comparison, number })
    }
}

impl What {
    fn named(name: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "nothing is counted as {name:?}; there are resets, middlebox, aborted, refused, \
                 benign, unknown, and cause:NAME, origin:NAME, effect:NAME"
            )
        };
        if let Some((list, name)) = name.split_once(':') {
            return match list {
                "cause" => Cause::from_name(name).map(Self::Cause),
                "origin" => Origin::from_name(name).map(Self::Origin),
                "effect" => Effect::from_name(name).map(Self::Effect),
                "impact" => Impact::from_name(name).map(Self::Impact),
                _ => None,
            }
            .ok_or_else(unknown);
        }
        match name {
            "resets" => Ok(Self::Resets),
            Filter::MIDDLEBOX => Ok(Self::Middlebox),
            _ => Impact::from_name(name).map(Self::Impact).ok_or_else(unknown),
        }
    }
}

/// Longer signs first, so that `>=` is not read as `>`.
const COMPARISONS: [(&str, Comparison); 7] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("!=", Comparison::Different),
    ("==", Comparison::Equal),
    (">", Comparison::Above),
    ("<", Comparison::Below),
    ("=", Comparison::Equal),
];

#[cfg(test)]
mod tests {
    use super::Condition;
    use crate::tally::Tally;

    #[test]
    fn conditions_are_read_and_hold_or_not() {
        let nothing = Tally::new();
        let cases = [
            ("aborted>0", false),
            ("aborted >= 0", true),
            ("middlebox<1", true),
            ("cause:app_abort!=0", false),
            ("origin:blind_attacker==0", true),
            ("resets=0", true),
            ("effect:ignored<=0", true),
        ];
        for (text, holds) in cases {
            assert_eq!(text.parse::<Condition>().unwrap().holds(&nothing), holds, "{text}");
        }
    }

    #[test]
    fn a_condition_that_cannot_be_meant_is_refused() {
        for text in ["aborted", "aborted>", "aborted>many", "abort>0", "cause:rain>0", "aborted!0"]
        {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }
}
