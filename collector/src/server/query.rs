//! What is asked for in the address: `?impact=aborted&only=port=443,80&after=17&limit=100`.

use crate::recent::Question;
use crate::server::refusal::{Refused, wrong};

/// A question from the pairs of an address; `limit` is `limit_default` unless said, and at most `limit_max`.
///
/// `only` takes a filter as `--only` of the command does, any other name is the key of one.
///
/// # Errors
/// A key or a value that cannot be meant, with the choices there are.
pub(crate) fn question(
    pairs: &[(String, String)],
    limit_default: usize,
    limit_max: usize,
) -> Result<Question, Refused> {
    let mut question = Question { limit: limit_default, ..Question::default() };
    if pairs.len() > PAIRS_MAX {
        return Err(wrong(format!("more than {PAIRS_MAX} conditions")));
    }
    for (name, value) in pairs {
        let number = || {
            value.parse::<u64>().map_err(|_| wrong(format!("{name}={value:?} is no whole number")))
        };
        match name.as_str() {
            "after" => question.after = Some(number()?),
            "limit" => {
                let limit = number()?;
                if !(1..=limit_max as u64).contains(&limit) {
                    return Err(wrong(format!("limit={limit} is not from 1 to {limit_max}")));
                }
                question.limit = limit as usize;
            }
            "only" => question.filters.push(value.parse().map_err(wrong)?),
            key => question.filters.push(format!("{key}={value}").parse().map_err(wrong)?),
        }
    }
    Ok(question)
}

/// More conditions than anybody types.
const PAIRS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::question;

    fn ask(pairs: &[(&str, &str)]) -> Result<crate::Question, String> {
        let owned: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        question(&owned, 50, 1000).map_err(|(_, text)| text.0.error)
    }

    #[test]
    fn keys_and_filters_mean_the_same() {
        let by_key = ask(&[("impact", "aborted,refused"), ("port", "443")]).unwrap();
        let by_only = ask(&[("only", "impact=aborted,refused"), ("only", "port=443")]).unwrap();
        assert_eq!(by_key, by_only);
        assert_eq!((by_key.limit, by_key.after), (50, None));
        let follows = ask(&[("after", "17"), ("limit", "1000")]).unwrap();
        assert_eq!((follows.after, follows.limit), (Some(17), 1000));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_choices() {
        let cases = [
            (("impact", "lost"), "aborted, refused"),
            (("colour", "red"), "no key \"colour\""),
            (("after", "-1"), "no whole number"),
            (("limit", "0"), "from 1 to 1000"),
            (("limit", "1001"), "from 1 to 1000"),
            (("only", "impact"), "has no \"=\""),
        ];
        for (pair, expected) in cases {
            let error = ask(&[pair]).unwrap_err();
            assert!(error.contains(expected), "{pair:?}: {error}");
        }
        assert!(ask(&[("port", "443"); 33]).unwrap_err().contains("more than 32"));
    }
}
