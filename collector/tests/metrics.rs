//! Metrics are well formed, bounded, and say nothing about who talks to whom.

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use collector::{
    DeliveryState, LogList, LogSourceRow, Offer, Options, Recent, Server, SinkState, SpoolState,
};
use events::Event;
use support::{anywhere, events, fed, recent, serve};

/// What is scraped, with delivery going on.
fn scraped() -> String {
    let recent = fed(&Options::default());
    recent.delivery(DeliveryState {
        spool: Some(SpoolState { events: 7, bytes_max: 1 << 30, ..SpoolState::default() }),
        sinks: vec![SinkState {
            name: "lab \"two\"".into(),
            events: [("sent".to_owned(), 5), ("refused".to_owned(), 1)].into(),
            problem: Some("connection refused".into()),
            ..SinkState::default()
        }],
    });
    scrape(&recent)
}

fn scrape(recent: &Arc<Recent>) -> String {
    scrape_at(&serve(&anywhere(), recent))
}

fn scrape_at(server: &Server) -> String {
    let mut response =
        ureq::get(format!("http://{}/metrics", server.local_addr())).call().expect("metrics");
    let content = response.headers().get("content-type").expect("a type").clone();
    assert!(content.to_str().expect("text").starts_with("text/plain; version=0.0.4"));
    response.body_mut().read_to_string().expect("text")
}

#[test]
fn promtool_finds_no_fault() {
    for text in [scraped(), scrape(&recent(&Options::default()))] {
        let Ok(mut promtool) = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "promtool is missing");
            eprintln!("SKIPPED: no promtool here (Debian package prometheus)");
            return;
        };
        let mut input = promtool.stdin.take().expect("piped");
        input.write_all(text.as_bytes()).expect("promtool reads");
        drop(input);
        let output = promtool.wait_with_output().expect("promtool ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.trim().is_empty(), "{said}\n{text}");
    }
}

#[test]
fn every_count_of_an_event_is_there() {
    let text = scraped();
    let primary: Vec<&Event> = events().iter().filter(|event| event.counts()).collect();
    for event in &primary {
        let verdict = &event.verdict;
        let alike = primary.iter().filter(|other| {
            (other.verdict.cause, other.verdict.origin, other.verdict.impact)
                == (verdict.cause, verdict.origin, verdict.impact)
        });
        let line = format!(
            "rst_events_total{{cause=\"{}\",origin=\"{}\",impact=\"{}\"}} {}\n",
            verdict.cause.name(),
            verdict.origin.name(),
            verdict.impact.name(),
            alike.count()
        );
        assert!(text.contains(&line), "{line}");
    }
    for line in [
        "rst_connections_total{outcome=\"opened\"} 38\n",
        "rst_sensor_capture_packets_total{interface=\"eth1\",queue=\"1\"} 600\n",
        "rst_sensor_judged_packets_total{interface=\"eth1\",queue=\"0\"} 590\n",
        "rst_sensor_link_up{interface=\"eth1\"} 1\n",
        "rst_sensor_tap_fault{kind=\"one_sided\"} 1\n",
        "rst_sensor_tap_fault{kind=\"duplicated\"} 0\n",
        "rst_sensor_tap_ratio{kind=\"one_sided\"} 0.75\n",
        "rst_sensor_lost_total{reason=\"kernel_receive_dropped\"} 9\n",
        "rst_sink_events_total{sink=\"lab \\\"two\\\"\",outcome=\"sent\"} 5\n",
        "rst_sink_up{sink=\"lab \\\"two\\\"\"} 0\n",
        "rst_build_info{version=\"1.2.3\"} 1\n",
        "rst_flows_max 1048576\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let aborted = primary.iter().filter(|event| event.verdict.impact.name() == "aborted");
    let with_age = aborted.filter(|event| event.age_s.is_some()).count();
    let last =
        format!("rst_time_to_reset_seconds_bucket{{impact=\"aborted\",le=\"+Inf\"}} {with_age}\n");
    assert!(text.contains(&last), "{last}");
}

#[test]
fn logs_are_summed_by_the_way_they_come() {
    let row = |source: &str, via: &str, lines| LogSourceRow {
        source: source.to_owned(),
        via: via.to_owned(),
        lines,
        sessions: lines - 2,
        joined: lines.saturating_sub(3),
        garbage: 2,
        ..LogSourceRow::default()
    };
    let list = LogList {
        sources: vec![
            row("10.9.8.7", "udp", 5),
            row("10.9.8.6", "udp", 6),
            row("fw", "tls", 9),
            // The same machine by another way: the clock that pairs are joined by is one.
            LogSourceRow { joined: 6, ..row("fw", "file", 2) },
        ],
        losses: [("datagrams_lost_in_kernel".to_owned(), 4)].into(),
    };
    let offer =
        Offer { logs: Some(Arc::new(move || list.clone())), ..fed(&Options::default()).into() };
    let server = collector::serve(&anywhere(), offer).expect("the port is free").expect("not off");
    let text = scrape_at(&server);
    for line in [
        "rst_log_lines_total{via=\"udp\"} 11\n",
        "rst_log_lines_total{via=\"tls\"} 9\n",
        "rst_log_sessions_total{via=\"udp\"} 7\n",
        "rst_log_joined_total 11\n",
        "rst_log_garbage_total{via=\"udp\"} 4\n",
        "rst_log_lost_total{reason=\"datagrams_lost_in_kernel\"} 4\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("10.9.8"), "names of machines may be addresses");
}

#[test]
fn no_label_names_who_talks_to_whom() {
    let text = scraped();
    for event in events() {
        for endpoint in [event.client, event.server] {
            assert!(!text.contains(&endpoint.ip.to_string()), "{}", endpoint.ip);
            assert!(!text.contains(&format!("\"{}\"", endpoint.port)), "{}", endpoint.port);
        }
        assert!(!text.contains(&event.id) && !text.contains(&event.community_id));
    }
}

#[test]
fn a_million_servers_make_no_more_lines() {
    let lines = scraped().lines().count();
    let recent = fed(&Options::default());
    let mut event = events().iter().find(|event| event.counts()).expect("a primary reset").clone();
    for number in 0..20_000u32 {
        event.server.ip = std::net::Ipv4Addr::from(number).into();
        recent.event(&event);
    }
    assert!(scrape(&recent).lines().count() <= lines);
}
