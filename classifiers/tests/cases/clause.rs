//! One clause of an expectation: `origin >= 0.9`, `cause not port_closed`, `clue hops -20`.

use classifiers::{
    Cause, Clue, Effect, Impact, Origin, Reaction, Reception, Role, Row, Shape, Stage, Terminator,
};
use events::Event;

use crate::words::Words;

/// Something that must hold of an event.
#[derive(Debug)]
pub(crate) struct Clause {
    /// As written.
    pub(crate) text: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A field has, or has not, one of these names.
    Named {
        field: Field,
        names: Vec<String>,
        is_negated: bool,
    },
    /// A number compares so.
    Number {
        field: NumberField,
        comparison: Comparison,
    },
    /// A clue was weighed, or was not; with a weight.
    Clue {
        name: String,
        weight: Weight,
    },
    /// Some other reading names this cause or origin.
    Alternative(String),
    /// A declared reason, by carrier and code.
    Declared(Option<(String, Option<u16>)>),
    /// Whether the declared reason agrees with the evidence.
    Consistent(bool),
    HasCaveat,
    /// A fact that may be unknown.
    Fact(Fact, Option<bool>),
    /// What was in flight cannot be known.
    UnackedUnknown {
        of_client: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fact {
    RecordCut,
    UnreadPossible,
    Contradiction,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Role,
    Origin,
    Cause,
    Effect,
    Stage,
    Impact,
    Shape,
    Terminator,
    Rule,
    Expected,
    Seen,
}

#[derive(Clone, Copy, Debug)]
enum NumberField {
    Origin,
    Cause,
    Decibans,
    UnackedClient,
    UnackedServer,
}

#[derive(Clone, Copy, Debug)]
struct Comparison {
    sign: Sign,
    value: f64,
}

#[derive(Clone, Copy, Debug)]
enum Sign {
    AtLeast,
    AtMost,
    Exactly,
}

#[derive(Debug)]
enum Weight {
    Any,
    Absent,
    Positive,
    Negative,
    Compared(Comparison),
}

impl Clause {
    /// Reads one clause.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_owned();
        let mut words = Words::of(&text)?;
        let first = words.expect("a clause")?;
        let kind = Self::kind(&first, &mut words)?;
        if let Some(word) = words.take() {
            return Err(format!("{word:?} is too much in {text:?}"));
        }
        Ok(Self { text, kind })
    }

    fn kind(first: &str, words: &mut Words) -> Result<Kind, String> {
        Ok(match first {
            "clue" => {
                let name = clue_name(words)?;
                let weight = weight(words)?;
                Kind::Clue { name, weight }
            }
            "no" => match words.expect("a word after \"no\"")?.as_str() {
                "clue" => Kind::Clue { name: clue_name(words)?, weight: Weight::Absent },
                "declared" => Kind::Declared(None),
                word => return Err(format!("\"no {word}\" is no clause")),
            },
            "alternative" => Kind::Alternative(words.expect("a cause or an origin")?),
            "declared" => match words.expect("a carrier")?.as_str() {
                "consistent" => Kind::Consistent(true),
                "inconsistent" => Kind::Consistent(false),
                carrier => {
                    let code = words.peek().is_some().then(|| words.number("code")).transpose()?;
                    Kind::Declared(Some((carrier.to_owned(), code)))
                }
            },
            "caveat" => Kind::HasCaveat,
            "record" => Kind::Fact(Fact::RecordCut, fact(words, ["cut", "whole"])?),
            "unread" => Kind::Fact(Fact::UnreadPossible, fact(words, ["possible", "excluded"])?),
            "contradiction" => Kind::Fact(Fact::Contradiction, Some(true)),
            "consent" => Kind::Fact(Fact::Contradiction, Some(false)),
            "decibans" => {
                Kind::Number { field: NumberField::Decibans, comparison: comparison(words)? }
            }
            "unacked" => {
                let field = match words.expect("a side")?.as_str() {
                    "client" => NumberField::UnackedClient,
                    "server" => NumberField::UnackedServer,
                    word => return Err(format!("{word:?} is no side")),
                };
                if words.peek() == Some("unknown") {
                    words.take();
                    let of_client = matches!(field, NumberField::UnackedClient);
                    return Ok(Kind::UnackedUnknown { of_client });
                }
                Kind::Number { field, comparison: comparison(words)? }
            }
            word => Self::field(word, words)?,
        })
    }

    /// `origin client|unknown`, `origin >= 0.9`, `not client`, or a bare name.
    fn field(word: &str, words: &mut Words) -> Result<Kind, String> {
        let field = match word {
            "role" => Some(Field::Role),
            "origin" => Some(Field::Origin),
            "cause" => Some(Field::Cause),
            "effect" => Some(Field::Effect),
            "stage" => Some(Field::Stage),
            "impact" => Some(Field::Impact),
            "shape" => Some(Field::Shape),
            "terminator" => Some(Field::Terminator),
            "rule" => Some(Field::Rule),
            "expected" => Some(Field::Expected),
            "seen" => Some(Field::Seen),
            _ => None,
        };
        let Some(field) = field else { return bare(word, words) };
        let number = match field {
            Field::Origin => Some(NumberField::Origin),
            Field::Cause => Some(NumberField::Cause),
            _ => None,
        };
        if let Some(field) = number
            && words.peek().is_some_and(|word| word.contains(['<', '>']))
        {
            return Ok(Kind::Number { field, comparison: comparison(words)? });
        }
        let is_negated = words.peek() == Some("not");
        if is_negated {
            words.take();
        }
        let names = names_of(field, &words.expect("a name")?)?;
        Ok(Kind::Named { field, names, is_negated })
    }

    /// What came instead, if the clause does not hold.
    pub(crate) fn problem(&self, event: &Event) -> Option<String> {
        let verdict = &event.verdict;
        match &self.kind {
            Kind::Named { field, names, is_negated } => {
                let came = name_in(*field, event);
                (names.contains(&came) == *is_negated).then_some(came)
            }
            Kind::Number { field, comparison } => {
                let came = match field {
                    NumberField::Origin => verdict.origin_confidence,
                    NumberField::Cause => verdict.cause_confidence,
                    NumberField::Decibans => verdict.origin_decibans,
                    NumberField::UnackedClient => bytes(verdict.bytes_unacked.client),
                    NumberField::UnackedServer => bytes(verdict.bytes_unacked.server),
                };
                (!comparison.holds(came)).then(|| came.to_string())
            }
            Kind::Clue { name, weight } => {
                let found = verdict.evidence.iter().find(|item| item.clue.name() == name);
                let came = found.map(hand_set);
                (!weight.holds(came))
                    .then(|| came.map_or("no such clue".to_owned(), |came| came.to_string()))
            }
            Kind::Alternative(name) => {
                let named = |item: &events::AlternativeItem| {
                    item.cause.name() == name || item.origin.name() == name
                };
                (!verdict.alternatives.iter().any(named)).then(|| "other readings".to_owned())
            }
            Kind::Declared(expected) => declared_problem(expected.as_ref(), event),
            Kind::Consistent(expected) => {
                let came = verdict.declared.as_ref().map(|declared| declared.consistent);
                (came != Some(*expected)).then(|| format!("consistent: {came:?}"))
            }
            Kind::Fact(fact, expected) => {
                let came = match fact {
                    Fact::RecordCut => verdict.mid_record,
                    Fact::UnreadPossible => verdict.unread_possible,
                    Fact::Contradiction => Some(verdict.effect_contradiction),
                };
                (came != *expected).then(|| format!("{fact:?} {came:?}"))
            }
            Kind::UnackedUnknown { of_client } => {
                let bytes = &verdict.bytes_unacked;
                let came = if *of_client { bytes.client } else { bytes.server };
                came.map(|bytes| bytes.to_string())
            }
            Kind::HasCaveat => verdict.caveat.is_none().then(|| "no caveat".to_owned()),
        }
    }
}

/// Bytes; what is not known compares with nothing.
fn bytes(known: Option<u32>) -> f64 {
    known.map_or(f64::NAN, f64::from)
}

/// The word for yes, the word for no, or `unknown`.
fn fact(words: &mut Words, [yes, no]: [&str; 2]) -> Result<Option<bool>, String> {
    match words.expect("a word")?.as_str() {
        word if word == yes => Ok(Some(true)),
        word if word == no => Ok(Some(false)),
        "unknown" => Ok(None),
        word => Err(format!("{word:?} is neither {yes}, {no} nor unknown")),
    }
}

/// What the outcome is worth by hand: scripts pin which outcome holds, not how it was fitted.
fn hand_set(item: &events::EvidenceItem) -> f64 {
    let row = item.row.as_deref().and_then(Row::from_name);
    row.map_or(item.decibans, |row| f64::from(row.weight().hand_set))
}

fn declared_problem(expected: Option<&(String, Option<u16>)>, event: &Event) -> Option<String> {
    let came = event.verdict.declared.as_ref();
    let holds = match (expected, came) {
        (None, None) => true,
        (Some((carrier, code)), Some(came)) => {
            *carrier == came.carrier && code.is_none_or(|code| code == came.code)
        }
        _ => false,
    };
    (!holds).then(|| came.map_or("no declared reason".to_owned(), |came| format!("{came:?}")))
}

/// A name that stands alone: roles and whatever belongs to one list only.
fn bare(word: &str, words: &mut Words) -> Result<Kind, String> {
    let is_negated = word == "not";
    let word = if is_negated { words.expect("a name")? } else { word.to_owned() };
    let fields = [
        Field::Role,
        Field::Origin,
        Field::Cause,
        Field::Effect,
        Field::Impact,
        Field::Stage,
        Field::Shape,
    ];
    let mut fits = fields.iter().filter_map(|&field| Some((field, names_of(field, &word).ok()?)));
    match (fits.next(), fits.next()) {
        (Some((field, names)), None) => Ok(Kind::Named { field, names, is_negated }),
        (None, _) => Err(format!("{word:?} is no name of a verdict")),
        _ => Err(format!("{word:?} is in two lists: write \"origin {word}\" or the like")),
    }
}

/// The names of `a|b`; `middlebox` stands for every sender that is not an end of the connection.
fn names_of(field: Field, words: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for word in words.split('|') {
        if field == Field::Origin && word == "middlebox" {
            let devices = [Origin::MiddleboxToClient, Origin::MiddleboxToServer];
            let others = [Origin::MiddleboxBoth, Origin::BlindAttacker];
            names.extend(devices.iter().chain(&others).map(|origin| origin.name().to_owned()));
            continue;
        }
        let is_known = match field {
            Field::Role => Role::from_name(word).is_some(),
            Field::Origin => Origin::from_name(word).is_some(),
            Field::Cause => Cause::from_name(word).is_some(),
            Field::Effect => Effect::from_name(word).is_some(),
            Field::Stage => Stage::from_name(word).is_some(),
            Field::Impact => Impact::from_name(word).is_some(),
            Field::Shape => Shape::from_name(word).is_some(),
            Field::Terminator => Terminator::from_name(word).is_some(),
            Field::Rule => word.starts_with(['R', 'P']),
            Field::Expected => Reception::from_name(word).is_some(),
            Field::Seen => Reaction::from_name(word).is_some(),
        };
        if !is_known {
            return Err(format!("{word:?} is no {field:?}"));
        }
        names.push(word.to_owned());
    }
    Ok(names)
}

fn name_in(field: Field, event: &Event) -> String {
    let verdict = &event.verdict;
    match field {
        Field::Role => verdict.role.name(),
        Field::Origin => verdict.origin.name(),
        Field::Cause => verdict.cause.name(),
        Field::Effect => verdict.effect.name(),
        Field::Stage => verdict.stage.name(),
        Field::Impact => verdict.impact.name(),
        Field::Shape => verdict.shape.name(),
        Field::Terminator => verdict.terminator.name(),
        Field::Rule => &verdict.rule,
        Field::Expected => verdict.effect_expected.name(),
        Field::Seen => verdict.effect_seen.name(),
    }
    .to_owned()
}

fn clue_name(words: &mut Words) -> Result<String, String> {
    let name = words.expect("a clue")?;
    Clue::from_name(&name).ok_or_else(|| format!("{name:?} is no clue")).map(|_| name)
}

fn weight(words: &mut Words) -> Result<Weight, String> {
    Ok(match words.peek() {
        None => Weight::Any,
        Some("+") => words.take().map(|_| Weight::Positive).expect("it was there"),
        Some("-") => words.take().map(|_| Weight::Negative).expect("it was there"),
        Some(_) => Weight::Compared(comparison(words)?),
    })
}

/// `>= 0.9`, `<= 0.7`, `-20`.
fn comparison(words: &mut Words) -> Result<Comparison, String> {
    let sign = match words.peek() {
        Some(">=") => Sign::AtLeast,
        Some("<=") => Sign::AtMost,
        _ => Sign::Exactly,
    };
    if !matches!(sign, Sign::Exactly) {
        words.take();
    }
    Ok(Comparison { sign, value: words.parsed("number")? })
}

impl Comparison {
    fn holds(self, came: f64) -> bool {
        match self.sign {
            Sign::AtLeast => came >= self.value,
            Sign::AtMost => came <= self.value,
            Sign::Exactly => (came - self.value).abs() < 0.05,
        }
    }
}

impl Weight {
    fn holds(&self, came: Option<f64>) -> bool {
        match (self, came) {
            (Self::Any, came) => came.is_some(),
            (Self::Absent, came) => came.is_none(),
            (_, None) => false,
            (Self::Positive, Some(came)) => came > 0.0,
            (Self::Negative, Some(came)) => came < 0.0,
            (Self::Compared(comparison), Some(came)) => comparison.holds(came),
        }
    }
}
