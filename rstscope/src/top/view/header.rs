//! Who is asked, and how it goes: links, tap, packets, losses, delivery.

use std::collections::BTreeMap;

use collector::{CountedFrom, Snapshot};
use events::{QueueStatus, Status, thousands};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::look::Look;
use super::{cut, ends, numbers};
use crate::top::screen::Screen;

/// The first line.
pub(super) fn title<'t>(screen: &Screen, look: Look, width: usize) -> Line<'t> {
    let left = match &screen.snapshot {
        Some(snapshot) if screen.is_live => format!(
            "rstscope top  {} up {}  {}",
            snapshot.sensor,
            numbers::span(snapshot.status.uptime_s),
            screen.source
        ),
        _ => format!("rstscope top  {}", screen.source),
    };
    let mut marks = Vec::new();
    if screen.is_paused {
        marks.push("paused".to_owned());
    }
    if !screen.only.is_empty() {
        marks.push(cut(&format!("only {}", screen.only.join(" ")), width / 3));
    }
    marks.push(if screen.harmful_only { "harmful resets" } else { "all resets" }.to_owned());
    ends(&left, &marks.join(" | "), width).style(look.heading())
}

/// The lines between title and curves, most urgent first.
pub(super) fn lines<'t>(screen: &Screen, look: Look, width: usize) -> Vec<Line<'t>> {
    let mut lines = Vec::new();
    let alarm = |text: &str| Line::styled(cut(text, width), look.alarm());
    if let Some(problem) = &screen.problem {
        let what =
            if screen.snapshot.is_some() { "LOST CONNECTION, last seen below" } else { "waiting" };
        lines.push(alarm(&format!("{what}: {problem}")));
    }
    let Some(snapshot) = &screen.snapshot else { return lines };
    for problem in &snapshot.health.problems {
        lines.push(alarm(&capitalised(problem)));
    }
    for fault in &snapshot.status.tap.faults {
        lines.push(alarm(&format!("TAP: {}", fault.text)));
    }
    lines.push(traffic(screen, snapshot, look, width));
    for sink in &snapshot.delivery.sinks {
        if let Some(problem) = &sink.problem {
            let text = format!(
                "Sink {}: {} events wait {}: {problem}",
                sink.name,
                thousands(sink.waiting),
                numbers::span(sink.lag_s)
            );
            lines.push(Line::styled(cut(&text, width), look.warning()));
        }
    }
    lines.extend(links(screen, &snapshot.status, look, width));
    if snapshot.counted_from == CountedFrom::KeptEvents {
        let text = "With a filter only the last events are counted, those that are still kept.";
        lines.push(Line::styled(cut(text, width), look.aside()));
    }
    lines
}

/// The first `room` lines; the last one says how many more there are.
pub(super) fn cut_to<'t>(mut lines: Vec<Line<'t>>, room: usize, look: Look) -> Vec<Line<'t>> {
    let room = room.max(2);
    if lines.len() > room {
        let hidden = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(Line::styled(format!("and {hidden} lines more"), look.aside()));
    }
    lines
}

/// Packets, bits, connections, losses.
fn traffic<'t>(screen: &Screen, snapshot: &Snapshot, look: Look, width: usize) -> Line<'t> {
    let status = &snapshot.status;
    let mut spans = Vec::new();
    if screen.is_live {
        let last = snapshot.series.last().copied().unwrap_or_default();
        let step_s = snapshot.series_step_s.max(1e-3);
        spans.push(Span::raw(format!(
            "{} packets/s  {}  ",
            numbers::rate(last.packets as f64 / step_s),
            numbers::bits(last.bytes as f64 * 8.0 / step_s)
        )));
        let room = if status.flows_max > 0 {
            format!(" of {}", numbers::count(status.flows_max))
        } else {
            String::new()
        };
        spans.push(Span::raw(format!("{}{room} connections  ", numbers::count(status.flows))));
    } else {
        let opened = status.connections.opened + status.connections.midstream;
        spans.push(Span::raw(format!(
            "{} packets, {}, {} connections in {}  ",
            numbers::count(status.packets),
            numbers::bytes(status.bytes),
            numbers::count(opened),
            numbers::span(status.uptime_s)
        )));
    }
    let lost = losses(&status.losses);
    let style = if lost.is_empty() { look.aside() } else { look.warning() };
    let used: usize = spans.iter().map(Span::width).sum();
    let text = if lost.is_empty() { "lost nothing".to_owned() } else { format!("lost {lost}") };
    spans.push(Span::styled(cut(&text, width.saturating_sub(used)), style));
    Line::from(spans)
}

/// Losses by name, the most first.
fn losses(losses: &BTreeMap<String, u64>) -> String {
    let mut all: Vec<(&String, &u64)> = losses.iter().filter(|(_, count)| **count > 0).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let texts: Vec<String> =
        all.iter().map(|(name, count)| format!("{} {name}", numbers::count(**count))).collect();
    texts.join(", ")
}

/// A line for each interface: its queues together.
fn links<'t>(screen: &Screen, status: &Status, look: Look, width: usize) -> Vec<Line<'t>> {
    let mut interfaces: Vec<&str> = Vec::new();
    for queue in &status.queues {
        if !interfaces.contains(&queue.interface.as_str()) {
            interfaces.push(&queue.interface);
        }
    }
    let of = |status: &'_ Status, name: &str| -> u64 {
        let queues = status.queues.iter().filter(|queue| queue.interface == name);
        queues.map(|queue| queue.packets).sum()
    };
    let line = |name: &&str| {
        let queues: Vec<&QueueStatus> =
            status.queues.iter().filter(|queue| queue.interface == **name).collect();
        let up = queues.iter().filter(|queue| queue.is_up).count();
        let rate = screen.before.as_ref().and_then(|before| {
            let seconds = status.uptime_s - before.uptime_s;
            let packets = of(status, name).saturating_sub(of(before, name));
            (seconds > 0.0).then(|| packets as f64 / seconds)
        });
        let rate = rate.map_or_else(String::new, |rate| format!("{}/s", numbers::rate(rate)));
        let state = match (up, queues.len()) {
            (0, _) => "DOWN".to_owned(),
            (up, all) if up == all => "up".to_owned(),
            (up, all) => format!("{up}/{all} up"),
        };
        let lost: u64 = queues.iter().map(|queue| lost_packets(queue)).sum();
        let lost =
            if lost > 0 { format!("  lost {}", numbers::count(lost)) } else { String::new() };
        let fibre = match queues[0].fibre {
            Some(events::Fibre::East) => "east",
            Some(events::Fibre::West) => "west",
            None => "",
        };
        let text = format!(
            "{name:<10} {fibre:<4} {state:<7} {:>12}  {} queue{} {}{lost}",
            rate,
            queues.len(),
            if queues.len() == 1 { "" } else { "s" },
            queues[0].mode
        );
        let style = match (up, lost.is_empty()) {
            (0, _) => look.alarm(),
            (_, false) => look.warning(),
            _ => Style::new(),
        };
        Line::styled(cut(&text, width), style)
    };
    interfaces.iter().map(line).collect()
}

/// What a queue has lost; a packet that finds the fill ring empty is counted as dropped too.
fn lost_packets(queue: &QueueStatus) -> u64 {
    let of = |name: &str| queue.losses.get(name).copied().unwrap_or(0);
    let sum: u64 = queue.losses.values().sum();
    sum - of("kernel_fill_ring_empty").min(of("kernel_receive_dropped"))
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
