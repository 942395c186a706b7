//! Metrics of receivers and of the store behind them.

use super::text::{Kind, Text};
use crate::receive::ReceiveState;

pub(super) fn encode(text: &mut Text, state: &ReceiveState) {
    let help = "Requests and batches of senders by what became of them.";
    let mut family = text.family("rst_receive_requests_total", Kind::Counter, help);
    for receiver in &state.receivers {
        for (outcome, count) in &receiver.requests {
            family.sample(&[("receiver", &receiver.name), ("outcome", outcome)], count);
        }
    }
    let help = "Records that were refused for good, by reason: sending them again does not help.";
    let mut family = text.family("rst_receive_refused_total", Kind::Counter, help);
    for receiver in &state.receivers {
        for (reason, count) in &receiver.refused {
            family.sample(&[("receiver", &receiver.name), ("reason", reason)], count);
        }
    }
    let mut family = text.family("rst_receive_up", Kind::Gauge, "1 if the receiver can receive.");
    for receiver in &state.receivers {
        family.sample(&[("receiver", &receiver.name)], u8::from(receiver.is_up));
    }
    let help = "Records that went to the store, by what they say and what became of them.";
    let mut family = text.family("rst_receive_records_total", Kind::Counter, help);
    for row in &state.records {
        family.sample(&[("record", &row.record), ("outcome", &row.outcome)], row.count);
    }
    let help = "Commits of the store by how they went; records of a failed one come again.";
    let mut family = text.family("rst_store_commits_total", Kind::Counter, help);
    family.sample(&[("outcome", "ok")], state.commits);
    family.sample(&[("outcome", "failed")], state.commits_failed);
    let help = "1 if the last commit went well.";
    text.family("rst_store_up", Kind::Gauge, help).sample(&[], u8::from(state.problem.is_none()));
}
