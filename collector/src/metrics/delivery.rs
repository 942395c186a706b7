//! Metrics of sinks and of the spool before them.

use super::text::{Kind, Text};
use crate::delivery_state::{SinkState, SpoolState};
use crate::recent::Facts;

pub(super) fn encode(text: &mut Text, facts: &Facts) {
    if let Some(spool) = &facts.delivery.spool {
        encode_spool(text, spool);
    }
    if !facts.delivery.sinks.is_empty() {
        encode_sinks(text, &facts.delivery.sinks);
    }
}

fn encode_spool(text: &mut Text, spool: &SpoolState) {
    let gauges: [(&'static str, &str, f64); 5] = [
        ("rst_spool_events", "Events in the spool.", spool.events as f64),
        ("rst_spool_bytes", "Bytes of the spool on disk.", spool.bytes as f64),
        (
            "rst_spool_max_bytes",
            "Bytes that the spool may have; beyond, the oldest events are dropped.",
            spool.bytes_max as f64,
        ),
        ("rst_spool_oldest_seconds", "Age of the oldest event in the spool.", spool.oldest_s),
        (
            "rst_spool_up",
            "1 if the disk takes what is spooled.",
            f64::from(u8::from(spool.problem.is_none())),
        ),
    ];
    for (name, help, value) in gauges {
        text.family(name, Kind::Gauge, help).sample(&[], value);
    }
    let help = "Events that found no way into the spool.";
    text.family("rst_spool_lost_total", Kind::Counter, help).sample(&[], spool.not_spooled);
}

fn encode_sinks(text: &mut Text, sinks: &[SinkState]) {
    let help = "Events by what became of them on their way to a sink.";
    let mut family = text.family("rst_sink_events_total", Kind::Counter, help);
    for sink in sinks {
        for (outcome, count) in &sink.events {
            family.sample(&[("sink", &sink.name), ("outcome", outcome)], count);
        }
    }
    let help = "Attempts to send that failed and were made again.";
    let mut family = text.family("rst_sink_retries_total", Kind::Counter, help);
    for sink in sinks {
        family.sample(&[("sink", &sink.name)], sink.retried);
    }
    let gauges: [Gauge; 3] = [
        ("rst_sink_up", "1 if the last attempt went well.", |sink| {
            f64::from(u8::from(sink.problem.is_none()))
        }),
        ("rst_sink_waiting_events", "Events that wait for a sink.", |sink| sink.waiting as f64),
        ("rst_sink_lag_seconds", "How long the oldest event waits for a sink.", |sink| sink.lag_s),
    ];
    for (name, help, value) in gauges {
        let mut family = text.family(name, Kind::Gauge, help);
        for sink in sinks {
            family.sample(&[("sink", &sink.name)], value(sink));
        }
    }
}

/// Name, help, and where the value comes from.
type Gauge = (&'static str, &'static str, fn(&SinkState) -> f64);
