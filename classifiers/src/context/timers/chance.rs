//! How probable it is that chance alone made what looks like a timer; natural logarithms throughout.

use std::sync::LazyLock;

/// Probability that of `of` independent silences at least `hits` fall where one falls with
/// probability `share`: the upper tail of the binomial distribution.
pub(super) fn ln_at_least(hits: usize, of: usize, share: f64) -> f64 {
    if hits == 0 || share >= 1.0 || hits as f64 <= of as f64 * share {
        return 0.0;
    }
    let (ln_share, ln_rest) = (share.ln(), (-share).ln_1p());
    let first = ln_choose(of, hits) + hits as f64 * ln_share + (of - hits) as f64 * ln_rest;
    // Above the mean the terms fall; their sum in units of the first.
    let odds = share / (1.0 - share);
    let (mut term, mut sum) = (1.0, 1.0);
    for hit in hits..of {
        term *= (of - hit) as f64 / (hit + 1) as f64 * odds;
        sum += term;
    }
    first + f64::ln(sum)
}

/// Probability that of `above.0 + above.1` silences drawn from all, at least `above.0` are of the
/// first kind (which died), if dying had nothing to do with their length: the upper tail of the
/// hypergeometric distribution. Pairs are (died, lived).
pub(super) fn ln_separated(above: (usize, usize), below: (usize, usize)) -> f64 {
    let died = above.0 + below.0;
    let drawn = above.0 + above.1;
    let all = drawn + below.0 + below.1;
    let of = |hits: usize| {
        ln_choose(died, hits) + ln_choose(all - died, drawn - hits) - ln_choose(all, drawn)
    };
    let sum: f64 = (above.0..=died.min(drawn)).map(|hits| of(hits).exp()).sum();
    sum.max(f64::MIN_POSITIVE).ln().min(0.0)
}

fn ln_choose(of: usize, chosen: usize) -> f64 {
    LN_FACTORIAL[of] - LN_FACTORIAL[chosen] - LN_FACTORIAL[of - chosen]
}

/// All that two full tables can ask for.
static LN_FACTORIAL: LazyLock<[f64; FACTORIALS]> = LazyLock::new(|| {
    let mut table = [0.0; FACTORIALS];
    for number in 1..FACTORIALS {
        table[number] = table[number - 1] + (number as f64).ln();
    }
    table
});
const FACTORIALS: usize = 2 * super::samples::Recent::MAX + 1;

#[cfg(test)]
mod tests {
    use super::{ln_at_least, ln_separated};

    #[test]
    fn tails_are_those_of_the_text_book() {
        let near = |ln: f64, expected: f64| (ln.exp() - expected).abs() < expected * 1e-9;
        assert!(near(ln_at_least(3, 3, 0.5), 0.125));
        assert!(near(ln_at_least(8, 10, 0.5), 56.0 / 1024.0));
        assert_eq!(ln_at_least(5, 10, 0.5), 0.0, "not above the mean");
        assert!(ln_at_least(64, 64, 1e-7) < -1_000.0, "no underflow");
        // All ten of twenty: one of C(20, 10).
        assert!(near(ln_separated((10, 0), (0, 10)), 1.0 / 184_756.0));
        assert!(near(ln_separated((2, 1), (1, 2)), 0.5));
        assert!(near(ln_separated((0, 64), (64, 0)), 1.0));
    }
}
