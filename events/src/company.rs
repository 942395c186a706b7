//! Sentences that need more than one connection: bursts, timers, contrasts, probes.
//!
//! They take plain numbers, so that whatever counts them need not be known here. Each says what was
//! counted, what follows from it and, where there is something to do, where to look next.

use crate::sentence::{span_text, thousands};
use crate::timers::known_timer;

/// `98 % of the 1,204 resets of this server are of this kind.`
#[must_use]
pub fn share_of_kind(of_kind: u64, all: u64) -> String {
    format!("{} of the {} of this server are of this kind.", percent(of_kind, all), resets(all))
}

/// Silences that ended in resets gather at one length: a timer, with the product that ships it.
///
/// `low_s` and `high_s` bound the `gathered` of `all` silences; `survived` connections resumed
/// after shorter ones.
#[must_use]
pub fn idle_cluster(low_s: f64, high_s: f64, gathered: u64, all: u64, survived: u64) -> String {
    let span = if high_s - low_s < 1.0 {
        whole_seconds(low_s)
    } else {
        format!("{} to {} s", thousands(low_s as u64), thousands(high_s as u64))
    };
    let mut text =
        format!("Silent for {span} before {} of {} here", percent(gathered, all), resets(all));
    if survived > 0 {
        text.push_str(&format!(
            ", while {} connections resumed after shorter silences",
            thousands(survived)
        ));
    }
    text.push_str(": a timer, no accident.");
    text.push_str(&known_timer(low_s).map_or_else(
        || " No product is known to ship with it: ask for a configured value.".to_owned(),
        |timer| format!(" It equals a default of {}.", timer.products),
    ));
    text + &format!(" Whoever keeps connections must refresh them within {}.", whole_seconds(low_s))
}

/// Where late packets are reset rather than the silence itself: the timer lies between the longest
/// silence survived and the shortest that was not.
#[must_use]
pub fn idle_interval(survived_s: f64, failed_s: f64, survived: u64, failed: u64) -> String {
    format!(
        "Connections resumed after silences of up to {} ({}), and were reset after {} or more \
         ({}): the state is forgotten in between. Set keepalives below {}.",
        whole_seconds(survived_s),
        counted(survived, "connection"),
        whole_seconds(failed_s),
        counted(failed, "connection"),
        whole_seconds(survived_s)
    )
}

/// Both ends got a reset `apart_s` seconds apart: a device that tells both of a timer.
#[must_use]
pub fn both_ends(apart_s: f64) -> String {
    format!(
        "Both ends got a reset within {}: a device that resets both sides on idle, as load \
         balancers do when \"TCP reset\" is enabled.",
        span_text(apart_s)
    )
}

/// A server's idle timer is shorter than the pool that uses it.
#[must_use]
pub fn keep_alive_race(server_timer_s: f64, pool_timer_s: Option<f64>) -> String {
    let product = known_timer(server_timer_s)
        .map_or_else(String::new, |timer| format!(" (a default of {})", timer.products));
    let server = whole_seconds(server_timer_s);
    match pool_timer_s {
        Some(pool) => format!(
            "The server closes after {server}{product}, the client's pool keeps connections for \
             {}: raise the server's keep-alive time above {}.",
            whole_seconds(pool),
            whole_seconds(pool)
        ),
        None => format!(
            "The server closes after {server}{product}: make that longer than the client's pool \
             keeps connections."
        ),
    }
}

/// Connections of one service ended together; `at` is a time as it shall be read.
#[must_use]
pub fn burst(flows: u64, within_s: f64, at: &str) -> String {
    format!(
        "{} of the same service were reset within {}: its process died or was restarted at {at}. \
         Look for a crash, an out-of-memory kill or a deployment at that second.",
        capitalised_count(flows, "other connection"),
        span_text(within_s)
    )
}

/// Probes of one source hide the resets that count.
#[must_use]
pub fn health_checks(source: &str, period_s: f64, probes: u64, all: u64) -> String {
    format!(
        "{} of the {} of this service are health checks from {source} every {}, without data; {} \
         remain.",
        percent(probes, all),
        resets(all),
        span_text(period_s),
        thousands(all.saturating_sub(probes))
    )
}

/// Resets follow a name: `reset` of `tried` connections with it, against those with other names.
#[must_use]
pub fn name_contrast(reset: u64, tried: u64, other_reset: u64, other_tried: u64) -> String {
    let figures = format!(
        "{} of {} with this name were reset, {} of {} with other names",
        percent(reset, tried),
        counted(tried, "connection"),
        percent(other_reset, other_tried),
        thousands(other_tried)
    );
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    if share(reset, tried) >= 0.9 && share(other_reset, other_tried) <= 0.1 && other_tried > 0 {
        format!("{figures}: a policy on names. Look for this name in the URL and TLS rules.")
    } else {
        format!("{figures}: the name alone does not decide.")
    }
}

/// A device of which several resets were seen.
#[must_use]
pub fn device(hops: u8, victims: u64, max_one_way_ms: Option<f64>) -> String {
    let bound = max_one_way_ms.map_or_else(String::new, |ms| {
        format!(", at most {} away in one direction", span_text(ms / 1e3))
    });
    format!(
        "The same device, {} from this sensor{bound}, has reset {}.",
        crate::fill::hops(hops),
        counted(victims, "connection")
    )
}

/// A source that tries many doors.
#[must_use]
pub fn scan(source: &str, ports: u64, hosts: u64) -> String {
    format!("{source} tried {} on {}: a scan.", counted(ports, "port"), counted(hosts, "host"))
}

/// Untranslated segments: a late segment out of the window, and then the reset.
#[must_use]
pub fn untranslated(late_before_s: f64, hops_off: i16) -> String {
    let place = match hops_off {
        0 => String::new(),
        off => format!(
            " Its TTL is {off:+} from that of the service's packets: it came from the node, not from the pod."
        ),
    };
    format!(
        "A segment outside the window came {} before the reset: INVALID to conntrack, so it left \
         untranslated.{place}",
        span_text(late_before_s)
    )
}

/// `98 %`; never 100 unless it is all of them, never 0 unless it is none.
fn percent(part: u64, whole: u64) -> String {
    match (part, whole) {
        (_, 0) => "none".to_owned(),
        (0, _) => "0 %".to_owned(),
        (part, whole) if part >= whole => "100 %".to_owned(),
        (part, whole) => {
            let share = (part as f64 / whole as f64 * 100.0).round().clamp(1.0, 99.0);
            format!("{share:.0} %")
        }
    }
}

fn resets(count: u64) -> String {
    counted(count, "reset")
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(count))
}

fn capitalised_count(count: u64, what: &str) -> String {
    if count == 1 { format!("One {what}") } else { counted(count, what) }
}

fn whole_seconds(seconds: f64) -> String {
    if seconds < 10.0 { span_text(seconds) } else { format!("{} s", thousands(seconds as u64)) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_share_is_told_with_its_whole() {
        assert_eq!(
            super::share_of_kind(1180, 1204),
            "98 % of the 1,204 resets of this server are of this kind."
        );
        assert_eq!(super::percent(999, 1000), "99 %");
        assert_eq!(super::percent(1, 1000), "1 %");
        assert_eq!((super::percent(0, 9), super::percent(9, 9)), ("0 %".into(), "100 %".into()));
    }

    #[test]
    fn silences_that_gather_name_the_product() {
        let text = super::idle_cluster(350.2, 352.0, 780, 812, 1204);
        assert_eq!(
            text,
            "Silent for 350 to 352 s before 96 % of 812 resets here, while 1,204 connections \
             resumed after shorter silences: a timer, no accident. It equals a default of AWS NLB, \
             Gateway LB and Network Firewall. Whoever keeps connections must refresh them within \
             350 s."
        );
        assert!(super::idle_cluster(240.1, 240.3, 9, 9, 0).contains("Azure load balancer"));
        assert!(super::idle_cluster(417.0, 417.2, 9, 9, 0).contains("No product is known"));
    }

    #[test]
    fn a_timer_between_two_silences_is_told_as_an_interval() {
        let text = super::idle_interval(29.0, 31.0, 40, 1);
        assert!(text.contains("up to 29 s (40 connections)"), "{text}");
        assert!(text.contains("after 31 s or more (1 connection)"), "{text}");
    }

    #[test]
    fn races_bursts_and_probes_are_told_with_their_numbers() {
        assert!(super::both_ends(0.000_4).contains("within 400 µs"));
        let race = super::keep_alive_race(5.0, Some(60.0));
        assert!(race.contains("after 5.00 s (a default of Node.js"), "{race}");
        assert!(race.contains("above 60 s"), "{race}");
        let burst = super::burst(14, 0.04, "12:03:11");
        assert!(burst.starts_with("14 other connections of the same service"), "{burst}");
        assert!(burst.contains("within 40.0 ms"), "{burst}");
        assert_eq!(
            super::health_checks("10.0.0.4", 2.0, 573, 785),
            "73 % of the 785 resets of this service are health checks from 10.0.0.4 every 2.00 s, \
             without data; 212 remain."
        );
    }

    #[test]
    fn a_name_is_blamed_only_if_the_others_pass() {
        assert!(super::name_contrast(12, 12, 0, 340).ends_with("URL and TLS rules."));
        assert!(super::name_contrast(12, 12, 300, 340).ends_with("does not decide."));
        assert!(super::name_contrast(12, 12, 0, 0).ends_with("does not decide."));
    }

    #[test]
    fn devices_scans_and_lost_translations_have_a_place() {
        assert_eq!(
            super::device(2, 41, Some(1.1)),
            "The same device, 2 hops from this sensor, at most 1.10 ms away in one direction, has \
             reset 41 connections."
        );
        assert_eq!(
            super::scan("10.0.0.9", 1000, 1),
            "10.0.0.9 tried 1,000 ports on 1 host: a scan."
        );
        assert!(super::untranslated(0.000_08, 1).contains("80.0 µs before the reset"));
        assert!(super::untranslated(0.000_08, 1).contains("+1"));
    }
}
