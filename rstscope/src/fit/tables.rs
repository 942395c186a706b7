//! The tables of `classifiers/src/weights/` as source text.

use std::fmt::Write as _;

use classifiers::WEIGHTS;

use super::bases::RuleBase;
use super::model::Weights;
use super::sample::{self, Sample};

/// `table.rs`: every row with its fitted weight and how often it was seen.
pub(crate) fn weights(fitted: &Weights, samples: &[Sample], provenance: &str) -> String {
    let names: Vec<[String; 3]> = WEIGHTS
        .iter()
        .map(|weight| {
            let name = format!("\"{}\"", weight.name);
            [format!("{:?}", weight.row), name, format!("{:?}", weight.clue)]
        })
        .collect();
    let width = |column: usize| names.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (row, name, clue) = (width(0), width(1), width(2));
    let mut text = format!("{HEAD}{}\nrows! {{\n", constant("FIT", provenance));
    line(
        &mut text,
        format_args!(
            "// {:w$} {:name$} {:clue$} hand-set source    used   for against why",
            "row",
            "name",
            "clue",
            w = row - 3
        ),
    );
    for (weight, [variant, quoted, kind]) in WEIGHTS.iter().zip(&names) {
        let (seen_for, seen_against) = sample::seen(samples, weight.row);
        let source = format!("{:?}", weight.source);
        line(
            &mut text,
            format_args!(
                "{variant:row$} {quoted:name$} {kind:clue$} {:8.1} {source:7} {:7.1} {seen_for:5} \
                 {seen_against:7} \"{}\";",
                weight.hand_set,
                fitted.of(weight.row),
                weight.why
            ),
        );
    }
    text.push_str("}\n");
    text
}

/// `bases.rs`: every rule that was counted.
pub(crate) fn bases(rules: &[RuleBase], provenance: &str) -> String {
    let import = if rules.is_empty() { "" } else { "use crate::vocabulary::Cause;\n" };
    let mut text = format!(
        "//! How sure each rule is at best, fitted: written by `rstscope fit`, not by hand.\n\n\
         use super::Base;\n{import}\n\
         /// Where the fitted bases come from: date, command, captures; \"\" if nothing was fitted.\n{}\n\
         /// By rule and cause: hand-set, fitted, rows it was right about, rows it decided.\n\
         pub const BASES: &[Base] = &[\n",
        constant("BASES_FIT", provenance)
    );
    for rule in rules {
        let (name, cause) = (&rule.rule, rule.cause);
        let (by_hand, fitted) = (share(rule.hand_set), share(rule.fitted));
        line(
            &mut text,
            format_args!(
                "Base::new(\"{name}\", Cause::{cause:?}, {by_hand}, {fitted}, {}, {}),",
                rule.right, rule.seen
            ),
        );
    }
    text.push_str("];\n");
    text
}

/// Without the line that says what was fitted on: two fits of the same captures are the same.
pub(crate) fn without_provenance(text: &str) -> String {
    let kept = text.lines().filter(|line| !is_provenance(line));
    kept.collect::<Vec<_>>().join("\n")
}

fn is_provenance(line: &&str) -> bool {
    ["pub const FIT: ", "pub const BASES_FIT: "].iter().any(|start| line.starts_with(start))
}

/// A share as rustfmt writes it: without zeros at its end.
fn share(hundredths: u32) -> String {
    format!("{:?}", f64::from(hundredths) / 100.0)
}

/// On one line, however long: so rustfmt leaves it.
fn constant(name: &str, value: &str) -> String {
    format!("pub const {name}: &str = \"{}\";\n", value.replace(['"', '\\'], "'"))
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "    {content}").expect("a string takes everything");
}

const HEAD: &str = "\
//! What each outcome is worth, in decibans for the named sender: written by `rstscope fit`, edited by
//! hand only in the columns hand-set, source and why (a new row begins with its hand-set weight as used).

use super::{Source, Weight};
use crate::vocabulary::Clue;

/// Where the fitted weights come from: date, command, captures; \"\" if nothing was fitted.
";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use classifiers::{BASES, BASES_FIT, FIT, WEIGHTS};

    use super::super::bases::RuleBase;
    use super::super::model::Weights;
    use super::{bases, weights, without_provenance};

    fn source(name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../classifiers/src/weights");
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn what_is_written_reads_like_the_table_in_the_sources() {
        let written = weights(&Weights::by_hand(), &[], FIT);
        // All but the fitted columns: a fit changes numbers, never lines.
        let shape = |text: &str| -> Vec<String> {
            let is_row = |line: &&str| line.trim_end().ends_with(';') && line.starts_with("    ");
            let first = |line: &str| line.split_whitespace().take(5).collect::<Vec<_>>().join(" ");
            text.lines().filter(is_row).map(first).collect()
        };
        assert_eq!(shape(&written), shape(&source("table.rs")));
        assert!(shape(&written).len() >= WEIGHTS.len());
    }

    #[test]
    fn the_table_of_bases_is_written_as_it_stands() {
        let hundredths = |share: f32| (share * 100.0).round() as u32;
        let rules: Vec<RuleBase> = BASES
            .iter()
            .map(|base| RuleBase {
                rule: base.rule.to_owned(),
                cause: base.cause,
                hand_set: hundredths(base.hand_set),
                fitted: hundredths(base.base),
                right: base.right,
                seen: base.seen,
            })
            .collect();
        let flat = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(
            flat(&bases(&rules, BASES_FIT)).replace(",]", "]"),
            flat(&source("bases.rs")).replace(",]", "]")
        );
    }

    #[test]
    fn provenance_is_no_difference() {
        let one = "a\npub const FIT: &str = \"x\";\nb";
        let other = "a\npub const FIT: &str = \"y\";\nb";
        assert_eq!(without_provenance(one), without_provenance(other));
        assert_ne!(without_provenance(one), without_provenance("a\nc"));
    }
}
