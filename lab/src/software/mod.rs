//! Real software on the lab's hosts, and the idle timers it has.
//!
//! Each recipe starts its program from a configuration of its own, plays with it and ends it. A program that is not
//! installed fails the recipe with `Error::ToolMissing`; `deploy/prepare.sh test` installs all of them.
//!
//! Map: `program` starts and ends programs, `caller` is the client's side; the other files hold one program each;
//! `timers` are those without a program of their own.

mod caller;
pub(crate) mod clients;
pub(crate) mod haproxy;
pub(crate) mod nginx;
pub(crate) mod process;
mod program;
pub(crate) mod proxy;
pub(crate) mod ssh;
pub(crate) mod timers;
pub(crate) mod tls;

use std::time::Duration;

use crate::random::Random;

/// Nobody can say what comes first when silence ends this close to a timer.
const TOO_CLOSE: Duration = Duration::from_millis(250);

/// `count` idle times around `timer`, evenly spread from 0.3 to 1.8 of it with a seeded jitter, in seeded order.
fn spread(random: &mut Random, count: usize, timer: Duration) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..count)
        .map(|number| {
            let jitter = random.below(1000) as f64 / 1000.0;
            let share = (number as f64 + jitter) / count as f64;
            let time = timer.mul_f64(0.3 + 1.5 * share);
            if time.abs_diff(timer) < TOO_CLOSE { timer + TOO_CLOSE } else { time }
        })
        .collect();
    for last in (1..times.len()).rev() {
        let other = usize::try_from(random.below(last as u64 + 1)).expect("an index fits");
        times.swap(last, other);
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_times_lie_on_both_sides_of_the_timer_and_never_on_it() {
        let timer = Duration::from_secs(7);
        let times = spread(&mut Random::new(3), 32, timer);
        assert!(times.iter().filter(|time| **time < timer).count() >= 10);
        assert!(times.iter().filter(|time| **time > timer).count() >= 10);
        assert!(times.iter().all(|time| time.abs_diff(timer) >= TOO_CLOSE));
        assert_ne!(times, spread(&mut Random::new(4), 32, timer));
    }
}
