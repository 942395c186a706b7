//! What is known of late, for Prometheus.
//!
//! Names and labels are a contract with dashboards and alerts. No address and no port is ever a label: their
//! number is not bounded, and who talks to whom is nobody's business here.
//!
//! | file | what |
//! |---|---|
//! | `text.rs` | the text format |
//! | `capture.rs` | interfaces, queues, tap, losses |
//! | `delivery.rs` | sinks and the spool |
//! | `logs.rs` | logs of firewalls and servers |
//! | `receive.rs` | receivers of a collector, commits of its store |

mod capture;
mod delivery;
mod logs;
mod receive;
mod text;

use classifiers::{Cause, Impact, Origin};

use crate::history::LogList;
use crate::recent::{Buckets, Facts, Histogram, Recent};
use text::{Kind, Text};

/// All metrics in the text format 0.0.4. `logs` is told where somebody listens for logs.
pub(crate) fn encode(recent: &Recent, logs: Option<&LogList>) -> String {
    let facts = recent.facts();
    let mut text = Text::default();
    events(&mut text, &facts);
    histogram(
        &mut text,
        "rst_time_to_reset_seconds",
        "From the first packet of a connection that was seen to its reset, primary resets.",
        &facts.time_to_reset,
    );
    histogram(
        &mut text,
        "rst_idle_before_seconds",
        "Silence before a primary reset. Each idle timer that products ship with (2, 5, 20, 60, 65, 72, 75, \
         120, 240, 300, 350, 600, 900, 1800, 3600, 7200 s) has a bucket of its own, from 1 % below to 3 % \
         above it: a peak there is that timer.",
        &facts.idle_before,
    );
    connections(&mut text, &facts);
    capture::encode(&mut text, &facts);
    delivery::encode(&mut text, &facts);
    if let Some(state) = &facts.receive {
        receive::encode(&mut text, state);
    }
    if let Some(list) = logs {
        logs::encode(&mut text, list);
    }
    let mut family =
        text.family("rst_build_info", Kind::Gauge, "Always 1; its label says which version runs.");
    family.sample(&[("version", &facts.version)], 1);
    text.finish()
}

fn events(text: &mut Text, facts: &Facts) {
    let help = "Primary resets with their final verdict, by why, by whom and at what cost. impact=\"aborted\" \
                and \"refused\" did harm. Combinations that never occurred are left out.";
    let mut family = text.family("rst_events_total", Kind::Counter, help);
    for cause in Cause::ALL {
        for origin in Origin::ALL {
            let counts = facts.counts.of(*cause, *origin);
            for impact in Impact::ALL {
                let count = counts.of(*impact);
                // One series of each impact from the start on, so that a rate has something to begin with.
                let is_anchor = (*cause, *origin) == (Cause::Unknown, Origin::Unknown);
                if count > 0 || is_anchor {
                    let labels = [
                        ("cause", cause.name()),
                        ("origin", origin.name()),
                        ("impact", impact.name()),
                    ];
                    family.sample(&labels, count);
                }
            }
        }
    }
}

fn histogram(text: &mut Text, name: &'static str, help: &str, histogram: &Histogram) {
    let mut family = text.family(name, Kind::Histogram, help);
    for impact in Impact::ALL {
        let Buckets { counts, sum_s } = histogram.of(*impact);
        let mut sum = 0;
        let bounds = histogram.bounds_s.iter().map(ToString::to_string);
        for (count, bound) in counts.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            sum += count;
            family.suffixed("_bucket", &[("impact", impact.name()), ("le", &bound)], sum);
        }
        family.suffixed("_sum", &[("impact", impact.name())], sum_s);
        family.suffixed("_count", &[("impact", impact.name())], sum);
    }
}

fn connections(text: &mut Text, facts: &Facts) {
    let connections = &facts.status.connections;
    let help = "What became of all connections, the denominator of resets. outcome=\"opened\" (a SYN was seen) \
                and \"midstream\" (met later) are how they began, \"established\" that the handshake was \
                completed, the others how they ended: a sum over all outcomes means nothing.";
    let mut family = text.family("rst_connections_total", Kind::Counter, help);
    for (outcome, count) in connections.named() {
        family.sample(&[("outcome", outcome)], count);
    }
    let mut family =
        text.family("rst_flows_active", Kind::Gauge, "Connections that are remembered now.");
    family.sample(&[], facts.status.flows);
    let mut family =
        text.family("rst_flows_max", Kind::Gauge, "Connections that there is room for.");
    family.sample(&[], facts.status.flows_max);
}
