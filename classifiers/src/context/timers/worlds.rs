//! Whole worlds of made-up connections: those with a timer must show it, all others none.

use flowtable::{Endpoint, Happening, Note, Silence, Ticks, Timestamp};
use wire::Address;

use super::Timers;
use super::facts::{TimerKind, TimerOwner};
use super::track::{End, Track};

/// SplitMix64: the same worlds in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// From 0 to 1, neither included.
    fn share(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.share())
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.share().ln() * mean
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.share().ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn ticks(seconds: f64) -> Ticks {
    Ticks::from_ns((seconds * 1e9) as u64)
}

/// How long whoever lives in a world is silent.
#[derive(Clone, Copy, Debug)]
enum Pauses {
    LogUniform(f64, f64),
    Exponential(f64),
    LogNormal {
        median: f64,
        sigma: f64,
    },
    Uniform(f64, f64),
    /// The same pause again and again, within a share of it.
    Poller {
        period: f64,
        jitter: f64,
    },
}

impl Pauses {
    fn any(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Self::LogUniform(0.3, random.log_uniform(20.0, 20_000.0)),
            1 => Self::Exponential(random.log_uniform(0.3, 600.0)),
            2 => Self::LogNormal {
                median: random.log_uniform(1.0, 600.0),
                sigma: random.between(0.3, 2.0),
            },
            3 => {
                let low = random.log_uniform(0.5, 600.0);
                Self::Uniform(low, low * random.between(1.3, 4.0))
            }
            _ => Self::Poller {
                period: random.log_uniform(2.0, 120.0),
                jitter: random.between(0.0, 0.03),
            },
        }
    }

    fn one(self, random: &mut Random) -> f64 {
        match self {
            Self::LogUniform(low, high) => random.log_uniform(low, high),
            Self::Exponential(mean) => random.exponential(mean),
            Self::LogNormal { median, sigma } => median * (sigma * random.normal()).exp(),
            Self::Uniform(low, high) => random.between(low, high),
            Self::Poller { period, jitter } => period * (1.0 + jitter * random.between(-1.0, 1.0)),
        }
    }
}

/// A connection of some pauses; gives the longest that it survived and the one in which it ended.
fn life(pauses: Pauses, random: &mut Random) -> (f64, f64) {
    let exchanges = 2 + random.below(8);
    let survived = (0..exchanges).map(|_| pauses.one(random)).fold(0.0, f64::max);
    // It ends at any moment of a pause, or where the pause would have ended.
    let last = pauses.one(random);
    let ended = if random.below(2) == 0 { last } else { last * random.share() };
    (survived, ended)
}

/// The timer that shows in a track, seconds.
fn shown(track: &Track) -> Vec<(TimerKind, f64)> {
    track.timers().map(|facts| (facts.kind, facts.estimate().seconds())).collect()
}

#[test]
fn worlds_without_a_timer_show_none() {
    let mut random = Random(1);
    let mut false_timers = Vec::new();
    for world in 0..1_000 {
        let (pauses, others) = (Pauses::any(&mut random), Pauses::any(&mut random));
        let mut track = Track::EMPTY;
        let owners = [TimerOwner::Client, TimerOwner::Server, TimerOwner::Device];
        for flow in 0..20 + random.below(400) {
            let (survived, ended) = life(if flow % 3 == 0 { others } else { pauses }, &mut random);
            track.survived(ticks(survived));
            let by = if flow % 2 == 0 { End::Fin } else { reset() };
            track.ended(owners[random.below(3) as usize], ticks(ended), by);
            if flow % 16 == 15 && !shown(&track).is_empty() {
                false_timers.push((world, pauses, others, shown(&track)));
                break;
            }
        }
    }
    assert!(false_timers.is_empty(), "{}: {false_timers:?}", false_timers.len());
}

#[test]
fn hosts_that_restart_now_and_then_have_no_timer() {
    let mut random = Random(2);
    let mut false_timers = Vec::new();
    for world in 0..1_000 {
        let pauses = Pauses::any(&mut random);
        let between_restarts = random.log_uniform(10.0, 36_000.0);
        let mut track = Track::EMPTY;
        for flow in 0..20 + random.below(400) {
            let pause = pauses.one(&mut random);
            if random.exponential(between_restarts) < pause {
                track.died(TimerOwner::Server, ticks(pause), 3);
            } else {
                track.survived(ticks(pause));
            }
            if flow % 16 == 15 && !shown(&track).is_empty() {
                false_timers.push((world, pauses, between_restarts, shown(&track)));
                break;
            }
        }
    }
    assert!(false_timers.is_empty(), "{}: {false_timers:?}", false_timers.len());
}

#[test]
fn a_timer_of_two_seconds_to_two_hours_shows_within_a_second() {
    let mut random = Random(3);
    let mut missed = Vec::new();
    for world in 0..1_000 {
        let timer = random.log_uniform(2.0, 7_200.0);
        let jitter = random.log_uniform(0.000_1, 0.03);
        let pauses = Pauses::LogUniform(0.3, timer * 0.98);
        let mut track = Track::EMPTY;
        for flow in 0..25 {
            track.survived(ticks(pauses.one(&mut random)));
            // Every fifth connection ends for reasons of its own, or outlives the timer.
            let (gap, by) = match flow % 10 {
                0 => (random.log_uniform(0.3, 20_000.0), reset()),
                5 => {
                    track.survived(ticks(timer * random.between(1.1, 3.0)));
                    continue;
                }
                _ => (timer + jitter * random.share(), End::Fin),
            };
            track.ended(TimerOwner::Server, ticks(gap), by);
        }
        let shown = shown(&track);
        let is_right = |(kind, seconds): &(TimerKind, f64)| {
            *kind == TimerKind::Ends && (seconds - timer).abs() <= 1.0
        };
        if shown.len() != 1 || !shown.iter().all(is_right) {
            missed.push((world, timer, jitter, shown));
        }
    }
    assert!(missed.len() <= 5, "{} of 1,000: {missed:?}", missed.len());
}

#[test]
fn a_forgetful_device_is_found_out_by_the_living_and_the_dead() {
    let mut random = Random(4);
    let (mut missed, mut wrong) = (0, Vec::new());
    for world in 0..1_000 {
        let timer = random.log_uniform(2.0, 7_200.0);
        // What is tried around it decides how well it can be known.
        let width = random.between(1.2, 3.0);
        let mut track = Track::EMPTY;
        for flow in 0..60 {
            let gap = random.log_uniform(timer / width, timer * width);
            let is_contrary = flow % 10 == 7;
            if (gap > timer) == is_contrary {
                track.survived(ticks(gap));
            } else {
                track.died(TimerOwner::Device, ticks(gap), 3);
            }
        }
        let Some(facts) = track.timers().next() else {
            missed += 1;
            continue;
        };
        // Within what 54 honest silences leave open.
        let reach = (timer * width.ln() * 2.0 / 54.0 * 6.0).max(1.0);
        if (facts.estimate().seconds() - timer).abs() > reach {
            wrong.push((world, timer, width, facts));
        }
    }
    assert!(missed <= 100, "{missed} of 1,000");
    assert!(wrong.len() <= 5, "{} of 1,000: {wrong:?}", wrong.len());
}

#[test]
fn without_contradictions_the_interval_holds_the_timer() {
    let mut random = Random(5);
    for _ in 0..1_000 {
        let timer = random.log_uniform(3.0, 7_200.0);
        let mut track = Track::EMPTY;
        for _ in 0..36 {
            let gap = random.log_uniform(timer / 1.6, timer * 1.6);
            if gap > timer {
                track.died(TimerOwner::Device, ticks(gap), 3);
            } else {
                track.survived(ticks(gap));
            }
        }
        if let Some(facts) = track.timers().next() {
            let (low, high) = (facts.low.seconds(), facts.high.seconds());
            assert!(low <= timer && timer <= high + 1e-3, "{timer} not in {low}..{high}");
        }
    }
}

#[test]
fn a_poller_that_is_killed_is_no_timer() {
    let mut random = Random(6);
    let mut track = Track::EMPTY;
    for _ in 0..200 {
        // It has polled every ten seconds before, and ends as it would have polled again.
        track.survived(ticks(10.0 + random.between(-0.002, 0.002)));
        track.ended(TimerOwner::Client, ticks(10.0 + random.between(-0.002, 0.002)), End::Fin);
    }
    assert_eq!(shown(&track), []);
}

#[test]
fn a_clock_of_whole_seconds_makes_no_timers() {
    let mut random = Random(7);
    let mut track = Track::EMPTY;
    for _ in 0..500 {
        let gap = random.exponential(3.0).round();
        track.ended(TimerOwner::Server, ticks(gap), End::Fin);
    }
    assert_eq!(shown(&track), []);
}

#[test]
fn a_timer_that_was_changed_is_learned_anew() {
    let mut random = Random(8);
    let mut track = Track::EMPTY;
    for timer in [75.0, 30.0] {
        for _ in 0..200 {
            track.survived(ticks(timer * random.between(0.05, 0.95)));
            track.ended(TimerOwner::Server, ticks(timer + 0.01 * random.share()), End::Fin);
        }
    }
    let shown = shown(&track);
    assert!(shown.len() == 1 && (shown[0].1 - 30.0).abs() < 0.1, "{shown:?}");
}

#[test]
fn a_flood_of_servers_takes_no_more_memory_and_invents_nothing() {
    let mut random = Random(9);
    let mut timers = Timers::new();
    for number in 0..1_000_000_u32 {
        let mut note = fin(number, random.log_uniform(0.4, 4_000.0));
        if number % 1_000 < 2 {
            // A real server with a real timer among them, seen often enough to be remembered.
            note = fin(u32::MAX, 75.0 + 0.01 * random.share());
        }
        timers.note(&note);
    }
    assert_eq!(timers.servers.iter().count(), super::SERVERS_MAX.get());
    assert_eq!(timers.ports.iter().count(), super::PORTS_MAX.get());
    assert!(timers.servers.evicted() > 990_000);
    let found = timers.found();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!((found[0].facts.estimate().seconds() - 75.0).abs() < 0.1);
}

fn reset() -> End {
    End::Reset { hops: 3, is_decided: true }
}

/// A server closes a connection after a silence.
fn fin(server: u32, gap_s: f64) -> Note {
    let mut address = [0; 16];
    address[12..].copy_from_slice(&server.to_be_bytes());
    Note {
        time: Timestamp(u64::from(server)),
        flow: u64::from(server),
        client: Endpoint::default(),
        server: Endpoint { address: Address(address), port: server as u16 },
        what: Happening::FirstFin {
            by_client: false,
            silence: Silence {
                idle: ticks(gap_s),
                unused: ticks(gap_s),
                survived: ticks(0.1),
                age_s: gap_s as u32,
                client_spoke_last: false,
                is_disturbed: false,
                is_established: true,
            },
        },
    }
}
