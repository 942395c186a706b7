//! Idle timers that products ship with: a silence that equals one is a lead.

/// A default that is known from a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownTimer {
    /// Seconds.
    pub seconds: u32,
    /// Whose default it is.
    pub products: &'static str,
}

/// The timer that a silence of `idle_s` seconds points to: the longest one not above it, if the
/// silence exceeds it by no more than 1 % or two seconds, whichever is more.
///
/// Devices sweep their tables now and then, so a session lives a little longer than its timer,
/// never shorter.
#[must_use]
pub fn known_timer(idle_s: f64) -> Option<KnownTimer> {
    TIMERS.iter().rev().copied().find(|timer| {
        let seconds = f64::from(timer.seconds);
        // A tenth of a second below: the sensor stands a little before or behind the device.
        let slack_s = if seconds < 30.0 { 0.5 } else { (seconds * 0.01).max(2.0) };
        (seconds - 0.1..=seconds + slack_s).contains(&idle_s)
    })
}

/// Shortest first. Sources: product.md section 3.2 and classification.md section 5.5.
const TIMERS: [KnownTimer; 21] = [
    timer(2, "Gunicorn keep-alive"),
    timer(5, "Node.js keepAliveTimeout"),
    timer(10, "conntrack CLOSE"),
    timer(20, "Puma keep-alive"),
    timer(30, "conntrack LAST_ACK, PAN-OS unverified RST"),
    timer(60, "AWS ALB and Classic LB, conntrack CLOSE_WAIT"),
    timer(65, "OCI load balancer (HTTP)"),
    timer(72, "Fastify keepAliveTimeout"),
    timer(75, "nginx keepalive_timeout"),
    timer(120, "conntrack FIN_WAIT and TIME_WAIT"),
    timer(180, "NetScaler client idle time-out"),
    timer(240, "Azure load balancer"),
    timer(300, "F5 TCP profile, OCI load balancer (TCP), conntrack UNACKNOWLEDGED"),
    timer(350, "AWS NLB, Gateway LB and Network Firewall"),
    timer(600, "Google Cloud connection tracking"),
    timer(900, "IPVS"),
    timer(1800, "Juniper SRX"),
    timer(3600, "PAN-OS and FortiGate session timers"),
    timer(7200, "Linux TCP keepalive"),
    timer(7440, "NAT minimum of RFC 5382"),
    timer(432_000, "conntrack ESTABLISHED"),
];

const fn timer(seconds: u32, products: &'static str) -> KnownTimer {
    KnownTimer { seconds, products }
}

#[cfg(test)]
mod tests {
    use super::{TIMERS, known_timer};

    #[test]
    fn a_silence_a_little_longer_than_a_timer_points_to_it() {
        assert_eq!(known_timer(350.4).unwrap().seconds, 350);
        assert_eq!(known_timer(181.5).unwrap().seconds, 180);
        assert_eq!(known_timer(3604.0).unwrap().seconds, 3600);
        assert_eq!(known_timer(5.001).unwrap().seconds, 5);
    }

    #[test]
    fn a_silence_between_timers_points_to_none() {
        for idle_s in [0.0, 1.0, 7.5, 55.0, 200.0, 349.0, 5000.0, f64::NAN, f64::INFINITY] {
            assert_eq!(known_timer(idle_s), None, "{idle_s}");
        }
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(TIMERS.is_sorted_by_key(|timer| timer.seconds));
    }
}
