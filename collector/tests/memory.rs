//! What is said of the memory of kept events holds. Alone in its process: it looks at the whole of it.

mod support;

use collector::{Options, Question, Recent};

/// Bytes of this process that are in memory.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok());
    kib.expect("a number") << 10
}

#[test]
fn kept_events_take_no_more_than_is_said() {
    let options = Options { events_kept: 20_000, ..Options::default() };
    let recent = support::recent(&options);
    let events = support::events();
    let before = resident_bytes();
    for event in events.iter().cycle().take(2 * options.events_kept) {
        recent.event(event);
    }
    let grown = resident_bytes().saturating_sub(before);
    let said = Recent::memory_bytes(&options);
    println!("{} bytes an event, {said} bytes said for {}", grown / 20_000, options.events_kept);
    assert!(grown <= said, "{grown} bytes, {said} said");
    let kept = recent.events(&Question { limit: 1, ..Question::default() });
    assert_eq!(kept.next, 40_000);
}
