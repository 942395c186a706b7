//! How a quantity is spread, whatever its size.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An exponential histogram of base 2^(1/4), as OpenTelemetry calls scale 2: bucket `i` holds what is
/// above `2^(i/4)` and at most `2^((i+1)/4)`, so that a value is known to 19 %. Two can be merged.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Values of 0 and below.
    #[serde(default)]
    pub zeros: u64,
    /// How many in each bucket that holds any.
    #[serde(deserialize_with = "crate::keyed::deserialize")]
    pub buckets: BTreeMap<i16, u64>,
}

impl Spread {
    /// Scale in the words of OpenTelemetry: a bucket is 2^(1/2^scale) wide.
    pub const SCALE: i32 = 2;

    /// Adds a value; what is no number is left out.
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.count += 1;
        self.sum += value;
        if value <= 0.0 {
            self.zeros += 1;
        } else {
            *self.buckets.entry(Self::bucket(value)).or_default() += 1;
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.zeros += other.zeros;
        for (index, count) in &other.buckets {
            *self.buckets.entry(*index).or_default() += count;
        }
    }

    /// The upper bound of the bucket below which a share of the values is, `share` from 0 to 1; `None` of
    /// no values.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let wanted = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut below = self.zeros;
        if below >= wanted {
            return Some(0.0);
        }
        for (index, count) in &self.buckets {
            below += count;
            if below >= wanted {
                return Some(Self::bounds(*index).1);
            }
        }
        self.buckets.last_key_value().map(|(index, _)| Self::bounds(*index).1)
    }

    /// The bucket of a value above 0.
    #[must_use]
    pub fn bucket(value: f64) -> i16 {
        let steps = 2_f64.powi(Self::SCALE);
        ((value.log2() * steps).ceil() - 1.0).clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    }

    /// What a bucket holds: above the first, at most the second.
    #[must_use]
    pub fn bounds(index: i16) -> (f64, f64) {
        let width = 2_f64.powi(-Self::SCALE);
        ((f64::from(index) * width).exp2(), ((f64::from(index) + 1.0) * width).exp2())
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in [1e-6, 0.0003, 0.999, 1.0, 1.1, 2.0, 60.0, 3600.0, 1e12] {
            let (low, high) = Spread::bounds(Spread::bucket(value));
            assert!(low < value * (1.0 + 1e-9) && value <= high * (1.0 + 1e-9), "{value}");
        }
    }

    #[test]
    fn quantiles_are_known_to_a_bucket_and_merging_adds() {
        let mut low = Spread::default();
        let mut high = Spread::default();
        for _ in 0..9 {
            low.add(1.0);
        }
        low.add(0.0);
        low.add(f64::NAN);
        high.add(350.0);
        low.merge(&high);
        assert_eq!((low.count, low.zeros), (11, 1));
        assert_eq!(low.quantile(0.5), Some(1.0));
        let top = low.quantile(1.0).unwrap();
        assert!((350.0..350.0 * 1.19).contains(&top), "{top}");
        assert_eq!(Spread::default().quantile(0.5), None);
    }
}
