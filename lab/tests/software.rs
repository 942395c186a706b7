//! Real software and idle timers are played, recorded at the tap, and the capture is held against the truth.

#![allow(clippy::unwrap_used, reason = "functions that serve tests may unwrap, too")]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use lab::{Family, Options, Placed, Scenario, Seen};
use support::{Played, build, is_software, play};

#[test]
fn real_software_resets_as_its_truth_says() {
    let options = Options { family: Family::Mixed, seed: 50, ..Options::default() };
    let Some(lab) = build(&options) else { return };
    let scenarios: Vec<Scenario> =
        Scenario::ALL.into_iter().filter(|scenario| is_software(*scenario)).collect();
    let played = play(&lab, &scenarios);
    let missed: HashSet<&str> = scenarios.iter().map(|scenario| scenario.name()).collect();
    for row in &played.placed {
        check_row(&played, row);
    }
    // A program that is missing was skipped aloud; whatever was played must show.
    let shown: HashSet<&str> = played.placed.iter().map(|row| row.truth.scenario).collect();
    assert!(shown.contains("no_timer") && shown.contains("conntrack_timeout"), "{missed:?}");
    timers_have_flows_on_both_sides(&played);
}

fn check_row(played: &Played, row: &Placed) {
    let truth = &row.truth;
    let Some(frame) = row.frame else {
        assert_eq!(truth.origin, "none", "no reset in {truth:?}");
        return;
    };
    let reset = Seen::parse(&played.frames[frame - 1].bytes).unwrap();
    match truth.origin {
        "client" | "server" => {
            let sender = if truth.origin == "client" { truth.client } else { truth.server };
            assert_eq!(reset.source, sender, "{truth:?}\n{}", played.story(truth));
            assert_eq!(truth.kernel_reason.is_some(), truth.kernel_heard, "{truth:?}");
        }
        "middlebox_to_client" => {
            assert_eq!(reset.source, truth.server, "{truth:?}");
            assert!(truth.kernel_reason.is_none() && truth.rule.is_some(), "{truth:?}");
        }
        // An echo of an earlier reset.
        "" => {}
        other => panic!("{other} in {truth:?}"),
    }
}

/// Each timer is met by some flows and survived by others, and no flow says otherwise.
fn timers_have_flows_on_both_sides(played: &Played) {
    for (name, timer_s) in
        [("nginx_keepalive", 7), ("haproxy_timeout", 9), ("conntrack_timeout", 11)]
    {
        let rows = || played.placed.iter().filter(|row| row.truth.scenario == name);
        if rows().count() == 0 {
            continue;
        }
        assert!(rows().all(|row| row.truth.timer == Some(Duration::from_secs(timer_s))), "{name}");
        let is_survivor = |row: &&Placed| matches!(row.truth.cause, "none" | "close_race");
        let survived = rows().filter(is_survivor).count();
        let met = rows().filter(|row| !is_survivor(row) && !row.truth.origin.is_empty()).count();
        assert!(survived >= 8 && met >= 10 && survived + met >= 25, "{name}: {survived} {met}");
    }
    assert!(
        played
            .placed
            .iter()
            .any(|row| row.truth.scenario == "no_timer" && row.truth.timer.is_none())
    );
}
