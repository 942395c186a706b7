//! Whether the sensor works, and if not, why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::receive::ReceiveState;

/// Answers two questions that supervisors ask.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// The exporter beats: what arrives is judged and told. If not, start the process anew.
    pub is_alive: bool,
    /// Packets can come: every interface is bound and at least one queue is up.
    pub is_ready: bool,
    /// Why not, one sentence each.
    pub problems: Vec<String>,
}

/// What health is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs<'s> {
    /// Seconds since the last beat of the exporter, or since the start.
    pub(crate) silence_s: f64,
    /// Interfaces that shall be watched.
    pub(crate) interfaces: &'s [String],
    /// Those with a queue, and whether that is up.
    pub(crate) bound: &'s [(&'s str, bool)],
}

impl Health {
    pub(crate) fn of(signs: &Signs<'_>) -> Self {
        let mut problems = Vec::new();
        let is_alive = signs.silence_s < SILENCE_S_MAX;
        if !is_alive {
            problems.push(format!(
                "the exporter has told nothing for {:.0} s: it hangs, or waits for whoever reads its output",
                signs.silence_s
            ));
        }
        let unbound = |name: &&String| !signs.bound.iter().any(|(bound, _)| bound == name);
        let missing: Vec<&str> =
            signs.interfaces.iter().filter(unbound).map(String::as_str).collect();
        if !missing.is_empty() {
            problems.push(format!("not bound: {}", missing.join(", ")));
        }
        let is_up = signs.bound.iter().any(|(_, is_up)| *is_up);
        if !is_up {
            problems.push("no receive queue is up: no packet can come".to_owned());
        }
        Self { is_alive, is_ready: is_alive && missing.is_empty() && is_up, problems }
    }
}

impl Health {
    /// Of a collector without a sensor: it is ready if records can come and be stored.
    pub(crate) fn of_receivers(silence_s: f64, state: &ReceiveState) -> Self {
        let mut problems = Vec::new();
        let is_alive = silence_s < SILENCE_S_MAX;
        if !is_alive {
            problems.push(format!("the collector has told nothing for {silence_s:.0} s: it hangs"));
        }
        for receiver in state.receivers.iter().filter(|receiver| !receiver.is_up) {
            let why = receiver.problem.as_deref().unwrap_or("it is down");
            problems.push(format!("{} receives nothing: {why}", receiver.name));
        }
        if let Some(why) = &state.problem {
            problems.push(format!("the store takes nothing: {why}"));
        }
        let is_up = state.receivers.iter().any(|receiver| receiver.is_up);
        Self { is_alive, is_ready: is_alive && is_up && state.problem.is_none(), problems }
    }
}

/// The exporter beats once a second; this much longer and something holds it.
const SILENCE_S_MAX: f64 = 5.0;

#[cfg(test)]
mod tests {
    use super::{Health, Signs};

    #[test]
    fn each_thing_that_is_wrong_is_said() {
        let interfaces = ["eth1".to_owned(), "eth2".to_owned()];
        let signs = |silence_s, bound| Signs { silence_s, interfaces: &interfaces, bound };
        let good = Health::of(&signs(0.5, &[("eth1", false), ("eth2", true)]));
        assert_eq!(good, Health { is_alive: true, is_ready: true, problems: vec![] });
        let one_missing = Health::of(&signs(0.5, &[("eth1", true)]));
        assert!(one_missing.is_alive && !one_missing.is_ready);
        assert_eq!(one_missing.problems, ["not bound: eth2"]);
        let down = Health::of(&signs(0.5, &[("eth1", false), ("eth2", false)]));
        assert!(down.is_alive && !down.is_ready && down.problems[0].contains("no receive queue"));
        let hangs = Health::of(&signs(7.4, &[("eth1", true), ("eth2", true)]));
        assert!(!hangs.is_alive && !hangs.is_ready && hangs.problems[0].contains("for 7 s"));
    }
}
