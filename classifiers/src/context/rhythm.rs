//! Who calls by the clock: health checks come at even intervals, say nothing or always the same,
//! and hang up.

use std::num::NonZeroUsize;

use flowtable::{Direction, Endpoint, Ticks, Timestamp};
use wire::Address;

use super::bounded::Bounded;
use super::lesson::Lesson;
use crate::case::Case;
use crate::rules::meets_wrong_ack;
use crate::vocabulary::Origin;

/// The beat that a probe keeps.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rhythm {
    /// Time from one probe to the next of the same checker.
    pub period: Ticks,
    /// Probes that keep it, of those that are remembered.
    pub probes: u32,
    /// Checkers with this period that take turns.
    pub checkers: u8,
}

/// One source and one service that it probes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Checker {
    /// Who probes.
    pub source: Address,
    /// What it probes.
    pub service: Endpoint,
    /// How often.
    pub rhythm: Rhythm,
    /// Probes since the start.
    pub probes: u64,
}

/// Probes by source, service and what was said in them.
#[derive(Debug)]
pub(crate) struct Rhythms {
    probes: Bounded<Key, Probes>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    source: Address,
    service: Endpoint,
    /// Bytes of the source and of the service: a checker always says the same.
    bytes: [u32; 2],
}

/// When the last probes came, in no order.
#[derive(Clone, Copy, Debug)]
struct Probes {
    times: [Timestamp; REMEMBERED],
    next: u8,
    seen: u64,
}

impl Default for Rhythms {
    fn default() -> Self {
        Self { probes: Bounded::new(PAIRS) }
    }
}

impl Rhythms {
    pub(crate) const fn memory_bytes() -> usize {
        Bounded::<Key, Probes>::memory_bytes(PAIRS)
    }

    /// Entries that gave way to others.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.probes.evicted()
    }

    /// Takes in a reset, if it may be the end of a probe, and says whether it may be the first one
    /// of a rhythm that only shows later.
    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) -> bool {
        let (Some(key), time) = (key_of(lesson), lesson.watch.reset.time) else { return false };
        let probes = self.probes.entry(key, Probes::none);
        probes.push(time);
        !key.talks() && probes.rhythm_at(time, false).is_none()
    }

    /// The beat that this reset keeps with others before and after it.
    pub(crate) fn ask(&self, lesson: &Lesson<'_>) -> Option<Rhythm> {
        let key = key_of(lesson)?;
        self.probes.peek(&key)?.rhythm_at(lesson.watch.reset.time, key.talks())
    }

    /// Every checker, the one with most probes first.
    pub(crate) fn checkers(&self) -> Vec<Checker> {
        let mut checkers: Vec<Checker> = self
            .probes
            .iter()
            .filter_map(|(key, probes)| {
                let rhythm = probes.rhythm_at(probes.last(), key.talks())?;
                let Key { source, service, .. } = *key;
                Some(Checker { source, service, rhythm, probes: probes.seen })
            })
            .collect();
        checkers.sort_by_key(|checker| (std::cmp::Reverse(checker.probes), checker.service));
        checkers.truncate(TOLD_MAX);
        checkers
    }
}

/// What may be a probe: the client resets a connection that said little or nothing.
fn key_of(lesson: &Lesson<'_>) -> Option<Key> {
    let Lesson { case, ruling, .. } = lesson;
    let may_be = case.sender_is_client()
        && lesson.is_primary()
        && matches!(ruling.origin, Origin::Client | Origin::Unknown);
    if !may_be {
        return None;
    }
    let before = case.before();
    let (client, server) = (before.client(), before.client().opposite());
    let has_syns = [client, server].iter().all(|&side| has_syn(case, side));
    // Who gives up after a fixed patience and tries again is a beat too, but no checker's.
    let is_prompt = case.since(case.from()).is_some_and(|span| span < PATIENCE)
        && before.retransmissions(client) == 0;
    let bytes = [before.bytes(client), before.bytes(server)];
    let is_probe = has_syns
        && is_prompt
        && !meets_wrong_ack(case)
        && bytes.iter().all(|&bytes| bytes <= BYTES_MAX);
    is_probe.then_some(Key { source: lesson.client.address, service: lesson.server, bytes })
}

fn has_syn(case: &Case<'_>, side: Direction) -> bool {
    case.before().side(side).has(flowtable::Side::SYN)
}

impl Key {
    const fn talks(&self) -> bool {
        self.bytes[0] != 0 || self.bytes[1] != 0
    }
}

impl Probes {
    const fn none() -> Self {
        Self { times: [Timestamp(0); REMEMBERED], next: 0, seen: 0 }
    }

    fn push(&mut self, time: Timestamp) {
        self.times[usize::from(self.next) % REMEMBERED] = time;
        self.next = (self.next + 1) % REMEMBERED as u8;
        self.seen += 1;
    }

    fn last(&self) -> Timestamp {
        self.times[(usize::from(self.next) + REMEMBERED - 1) % REMEMBERED]
    }

    /// The beat of the probe at `time`; conversations need more of them than bare connections.
    fn rhythm_at(&self, time: Timestamp, talks: bool) -> Option<Rhythm> {
        if self.seen < PROBES_MIN as u64 {
            return None;
        }
        let mut times = self.times;
        let count = usize::try_from(self.seen).map_or(REMEMBERED, |seen| seen.min(REMEMBERED));
        let times = &mut times[..count];
        times.sort_unstable();
        let place = times.binary_search(&time).ok()?;
        let enough = if talks { PROBES_MIN_TALKING } else { PROBES_MIN };
        // All of them; then, when something else came in between, those around this one.
        let around = |before: usize| {
            let start = place.saturating_sub(before);
            &times[start..(start + STRETCH).min(times.len())]
        };
        let even = |times: &[Timestamp]| (times.len() >= enough).then(|| evenly(times)).flatten();
        let stretch =
            |times: &[Timestamp]| (times.len() == STRETCH).then(|| evenly(times)).flatten();
        even(times)
            .or_else(|| stretch(around(STRETCH - 1)))
            .or_else(|| stretch(around(STRETCH / 2)))
            .or_else(|| stretch(around(0)))
            .or_else(|| comb(times, place))
    }
}

/// One checker, or a few with one period that take turns at fixed distances.
fn evenly(times: &[Timestamp]) -> Option<Rhythm> {
    (1..=CHECKERS_MAX).find_map(|checkers| {
        // Each needs three intervals of its own.
        if times.len() < checkers * PROBES_MIN {
            return None;
        }
        let spans: Vec<u64> =
            times.iter().zip(&times[checkers..]).map(|(one, next)| next.since_ns(*one)).collect();
        let period_ns = if checkers == 1 {
            // Three intervals are about equal by chance once in a hundred times.
            let is_short = times.len() < PROBES_MIN_TALKING;
            let variation_max = if is_short { VARIATION_MAX / 2.0 } else { VARIATION_MAX };
            steady(&spans, variation_max, MISSED_SHARE)?
        } else {
            // Sums of several intervals are steadier by nature, and a gap breaks the turns.
            steady(&spans, VARIATION_MAX / 2.0, usize::MAX)?
        };
        let (period, checkers) = (Ticks::from_ns(period_ns), checkers as u8);
        Some(Rhythm { period, probes: times.len() as u32, checkers })
    })
}

/// The period of spans that are all about equal; one in `missed_share` may be twice or three times
/// as long, where a probe is missing.
fn steady(spans: &[u64], variation_max: f64, missed_share: usize) -> Option<u64> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let base = *sorted.get((sorted.len().checked_sub(1)?) / 2)? as f64;
    if !(PERIOD_NS_MIN..PERIOD_NS_MAX).contains(&base) {
        return None;
    }
    let mut missed = 0;
    let mut singles = Vec::with_capacity(spans.len());
    for &span in spans {
        let times = (span as f64 / base).round().max(1.0);
        missed += usize::from(times > 1.0);
        if times > 3.0 {
            return None;
        }
        singles.push(span as f64 / times);
    }
    let mean = singles.iter().sum::<f64>() / singles.len() as f64;
    let spread = singles.iter().map(|single| (single - mean).powi(2)).sum::<f64>();
    let variation = (spread / (singles.len() as f64 - 1.0).max(1.0)).sqrt() / mean;
    (variation < variation_max && missed <= spans.len() / missed_share).then_some(mean as u64)
}

/// One beat among others: times at even distances through `place`, with anything in between.
///
/// By chance such a comb has every tooth with a probability that the density of all times gives;
/// eight teeth at less than a quarter each come by chance once in 2,000 attempts.
fn comb(times: &[Timestamp], place: usize) -> Option<Rhythm> {
    let span_ns = times.last()?.since_ns(*times.first()?);
    let density = times.len() as f64 / (span_ns as f64).max(1.0);
    for (other, &neighbour) in times.iter().enumerate() {
        if other == place {
            continue;
        }
        let period = neighbour.apart_ns(times[place]);
        let chance = density * period as f64 * 2.0 * TOOTH;
        if !(PERIOD_NS_MIN..PERIOD_NS_MAX).contains(&(period as f64)) || chance > TOOTH_CHANCE_MAX {
            continue;
        }
        let probes = 1 + teeth(times, place, period, true) + teeth(times, place, period, false);
        if probes > TEETH_MIN {
            return Some(Rhythm { period: Ticks::from_ns(period), probes, checkers: 1 });
        }
    }
    None
}

/// Times that follow each other at `period` from `place` on, forward or back.
fn teeth(times: &[Timestamp], place: usize, period: u64, forward: bool) -> u32 {
    let slack = (period as f64 * TOOTH) as u64;
    let (mut at, mut found) = (times[place], 0);
    loop {
        // At either end of time nothing is due any more: a due time that stays would be met for ever.
        let due = if forward { at.0.checked_add(period) } else { at.0.checked_sub(period) };
        let Some(due) = due.map(Timestamp) else { return found };
        let apart = |time: &Timestamp| time.apart_ns(due);
        let Some(tooth) = times.iter().min_by_key(|time| apart(time)).filter(|t| apart(t) <= slack)
        else {
            return found;
        };
        (at, found) = (*tooth, found + 1);
    }
}

const PAIRS: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");
const REMEMBERED: usize = 24;
/// classification.md, section 5.3, R08.
const PROBES_MIN: usize = 4;
/// Where something is said, an application at work may look even for a while.
const PROBES_MIN_TALKING: usize = 6;
/// classification.md, section 5.3, R08: standard deviation of the intervals by their mean.
const VARIATION_MAX: f64 = 0.1;
/// Probes in a row that stand for themselves whatever came before.
const STRETCH: usize = 7;
/// One in so many intervals may lack its probe.
const MISSED_SHARE: usize = 3;
const CHECKERS_MAX: usize = 4;
/// A loop that calls as fast as it can keeps a beat too.
const PERIOD_NS_MIN: f64 = 0.2e9;
const PERIOD_NS_MAX: f64 = 3_600e9;
/// Half width of a tooth, of the period.
const TOOTH: f64 = 0.05;
const TOOTH_CHANCE_MAX: f64 = 0.25;
/// Teeth beside the probe itself.
const TEETH_MIN: u32 = 8;
/// A request line, a short answer: more than that each way is somebody's work.
const BYTES_MAX: u32 = 512;
/// A checker hangs up when it has its answer.
const PATIENCE: Ticks = Ticks::from_ms(1_000);
/// Checkers that the report lists.
const TOLD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use flowtable::Timestamp;
    use proptest::prelude::*;

    use super::{Probes, Rhythm};

    fn probes(times_ms: impl IntoIterator<Item = u64>) -> Probes {
        let mut probes = Probes::none();
        for ms in times_ms {
            probes.push(Timestamp((1_700_000_000_000 + ms) * 1_000_000));
        }
        probes
    }

    fn rhythm(times_ms: &[u64]) -> Option<Rhythm> {
        let probes = probes(times_ms.iter().copied());
        probes.rhythm_at(probes.last(), false)
    }

    fn period_ms(times_ms: &[u64]) -> Option<u64> {
        rhythm(times_ms).map(|rhythm| (rhythm.period.ns() + 500_000) / 1_000_000)
    }

    #[test]
    fn four_even_probes_are_a_rhythm_and_three_are_none() {
        assert_eq!(period_ms(&[0, 2_000, 4_000]), None);
        assert_eq!(period_ms(&[0, 2_000, 4_000, 6_000]), Some(2_000));
        assert_eq!(period_ms(&[0, 2_000, 4_000, 7_000]), None);
    }

    #[test]
    fn jitter_and_missed_probes_do_not_hide_it() {
        let jittery = [0, 2_080, 3_950, 6_100, 8_020, 9_900, 12_050];
        assert!(period_ms(&jittery).is_some_and(|ms| (1_950..2_050).contains(&ms)));
        assert_eq!(period_ms(&[0, 2_000, 4_000, 8_000, 10_000, 12_000, 14_000]), Some(2_000));
    }

    #[test]
    fn two_checkers_that_take_turns_have_one_period() {
        let times: Vec<u64> = (0..6).flat_map(|turn| [turn * 2_000, turn * 2_000 + 700]).collect();
        let rhythm = rhythm(&times).expect("two checkers");
        assert_eq!((rhythm.checkers, rhythm.period.ns() / 1_000_000), (2, 1_999));
    }

    #[test]
    fn two_checkers_of_different_periods_are_told_apart() {
        let mut times: Vec<u64> = (0..12).map(|turn| turn * 2_000).collect();
        times.extend((0..5).map(|turn| turn * 5_000 + 830));
        times.sort_unstable();
        let probes = probes(times.iter().copied());
        let at = |ms: u64| Timestamp((1_700_000_000_000 + ms) * 1_000_000);
        let of_the_faster = probes.rhythm_at(at(10_000), false).expect("a comb of twelve teeth");
        assert!((1_900..2_100).contains(&(of_the_faster.period.ns() / 1_000_000)));
        assert_eq!(probes.rhythm_at(at(5_830), false), None, "too few teeth to be sure");
    }

    #[test]
    fn a_stretch_of_even_probes_counts_after_something_else() {
        let mut times = vec![0, 300, 1_150];
        times.extend((0..9).map(|turn| 20_000 + turn * 3_000));
        assert_eq!(period_ms(&times), Some(3_000));
    }

    #[test]
    fn a_loop_as_fast_as_it_can_is_no_checker() {
        let times: Vec<u64> = (0..24).map(|turn| turn * 5).collect();
        assert_eq!(rhythm(&times), None);
    }

    proptest! {
        #[test]
        fn chance_seldom_keeps_a_beat(seed in proptest::collection::vec(0.0001f64..1.0, 24)) {
            // Exponential intervals; counted over all runs by the next test, here: no panic.
            let mut now = 0.0;
            let times: Vec<u64> = seed.iter().map(|chance| {
                now -= chance.ln() * 2_000.0;
                now as u64
            }).collect();
            let _ = rhythm(&times);
        }
    }

    #[test]
    fn beats_end_at_both_ends_of_time() {
        // Two checkers whose turns only a comb tells apart, from the first and up to the last
        // moment there is.
        let mut times_ns: Vec<u64> =
            (0..12).map(|turn| 50_000_000 + turn * 2_000_000_000).collect();
        times_ns.extend((0..5).map(|turn| 880_000_000 + turn * 5_000_000_000));
        times_ns.sort_unstable();
        for end in [false, true] {
            let mut probes = Probes::none();
            let time = |ns: u64| Timestamp(if end { u64::MAX - ns } else { ns });
            times_ns.iter().for_each(|&ns| probes.push(time(ns)));
            let rhythm = probes.rhythm_at(time(10_050_000_000), false).expect("a comb of twelve");
            assert!((1_900..2_100).contains(&(rhythm.period.ns() / 1_000_000)));
        }
    }

    #[test]
    fn random_calls_are_taken_for_a_rhythm_once_in_hundreds_of_times() {
        // A fixed generator (Knuth's MMIX), so that the share is the same on every machine.
        let mut state = 1u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 1.0) / (1u64 << 53) as f64
        };
        let mut wrong = 0;
        for world in 0..4_000u64 {
            let count = 4 + (world % 20) as usize;
            let mut now = 0.0;
            let times: Vec<u64> = (0..count)
                .map(|_| {
                    now -= random().ln() * 3_000.0;
                    now as u64
                })
                .collect();
            wrong += u32::from(rhythm(&times).is_some());
        }
        assert!(wrong <= 12, "{wrong} of 4,000");
    }
}
