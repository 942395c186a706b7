//! What a verdict says and no common schema has a name for.

use serde_json::{Value, json};

use crate::event::Event;
use crate::sentence::sentence;
use crate::verdict::EvidenceItem;

/// The verdict and the facts behind it, by the names that OpenTelemetry records bear after `rst.`.
pub(super) fn rest(event: &Event) -> serde_json::Result<Value> {
    let verdict = &event.verdict;
    let confidence = verdict.origin_confidence.min(verdict.cause_confidence);
    let alternatives = verdict.alternatives.iter().map(|other| {
        let (origin, cause) = (other.origin.name(), other.cause.name());
        json!({ "origin": origin, "cause": cause, "confidence": other.confidence })
    });
    let capture = serde_json::to_value(event.capture)?;
    let declared = verdict.declared.as_ref().map(serde_json::to_value).transpose()?;
    let context = event.context.as_ref().map(serde_json::to_value).transpose()?;
    let conclusion = event.conclusion.as_ref().map(serde_json::to_value).transpose()?;
    Ok(json!({
        "schema": event.schema,
        "status": serde_json::to_value(event.status)?,
        "revision": (event.revision > 0).then_some(event.revision),
        "impact": verdict.impact.name(),
        "origin": verdict.origin.name(),
        "origin_confidence": verdict.origin_confidence,
        "cause": verdict.cause.name(),
        "cause_confidence": verdict.cause_confidence,
        "confidence": confidence,
        "stage": verdict.stage.name(),
        "role": verdict.role.name(),
        "effect": verdict.effect.name(),
        "shape": verdict.shape.name(),
        "terminator": verdict.terminator.name(),
        "rule": verdict.rule,
        "caveat": verdict.caveat,
        "declared": declared,
        "alternatives": alternatives.collect::<Vec<_>>(),
        "evidence": verdict.evidence.iter().filter(|item| item.decibans != 0.0).map(weighed)
            .collect::<Vec<_>>(),
        "claimed": event.claimed.name(),
        "role_source": serde_json::to_value(event.role_source)?,
        "file": event.file,
        "frame": event.frame,
        "tunnel": serde_json::to_value(&event.tunnel)?,
        "age_s": event.age_s,
        "idle_before_s": event.idle_before_s,
        "answered_after_s": event.answered_after_s,
        "late_after_close_s": event.late_after_close_s,
        "one_way_ms_max": event.one_way_ms_max,
        "rtt_ms": serde_json::to_value(&event.rtt_ms)?,
        "bytes_unacked": serde_json::to_value(&verdict.bytes_unacked)?,
        "count": event.rst_count,
        "other_side": event.other_side_rst,
        "packet": serde_json::to_value(&event.rst)?,
        "peer": serde_json::to_value(&event.peer)?,
        "capture": capture,
        "context": context,
        "corroboration": serde_json::to_value(&event.corroboration)?,
        "conclusion": conclusion,
    }))
}

fn weighed(item: &EvidenceItem) -> String {
    format!("{:+.1} dB {}", item.decibans, sentence(item))
}
