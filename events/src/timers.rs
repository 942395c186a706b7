//! Idle timers that products ship with: a silence that equals one is a lead.

/// A default that is known from one or more products.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KnownTimer {
    /// Seconds.
    pub(crate) seconds: u32,
    /// Whose default it is.
    pub(crate) products: String,
}

/// The timer that a silence of `idle_s` seconds points to: the longest one that `holder` may have
/// and that is not above it, if the silence exceeds it by no more than 1 % or two seconds,
/// whichever is more.
///
/// Devices sweep their tables now and then, so a session lives a little longer than its timer,
/// never shorter.
pub(crate) fn known_timer(idle_s: f64, holder: Holder) -> Option<KnownTimer> {
    let fitting = || PRODUCTS.iter().filter(move |product| distance(holder, product.holder) < FAR);
    let found = fitting().rev().find(|product| fits(product.seconds, idle_s))?;
    let alike = fitting().filter(|product| product.seconds == found.seconds);
    let names: Vec<&str> = alike.map(|product| product.name).collect();
    Some(KnownTimer { seconds: found.seconds, products: names.join(", ") })
}

/// Whether a silence is what a timer of so many seconds would leave.
fn fits(seconds: u32, idle_s: f64) -> bool {
    let seconds = f64::from(seconds);
    // A tenth of a second below: the sensor stands a little before or behind the device.
    let slack_s = if seconds < 30.0 { 0.5 } else { (seconds * 0.01).max(2.0) };
    (seconds - 0.1..=seconds + slack_s).contains(&idle_s)
}

/// The well-known idle timers that minutes count silences by, seconds, shortest first.
pub const IDLE_TIMERS: [u32; 16] =
    [2, 5, 20, 60, 65, 72, 75, 120, 240, 300, 350, 600, 900, 1800, 3600, 7200];

/// The longest of [`IDLE_TIMERS`] that a silence of `idle_s` seconds points to: one that is not above it,
/// but by a tenth of a second, and that it exceeds by no more than 1 % or two seconds, whichever is
/// more (half a second below 30 s).
#[must_use]
pub fn idle_timer(idle_s: f64) -> Option<u32> {
    IDLE_TIMERS.iter().rev().copied().find(|seconds| fits(*seconds, idle_s))
}

/// Products that ship with an idle timer of so many seconds, separated by commas; "" if none is known.
#[must_use]
pub fn idle_timer_products(seconds: u32) -> String {
    let fitting = |product: &&Product| {
        product.seconds == seconds && distance(Holder::Any, product.holder) < FAR
    };
    let names: Vec<&str> = PRODUCTS.iter().filter(fitting).map(|product| product.name).collect();
    names.join(", ")
}

/// A default of a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Product {
    pub(crate) seconds: u32,
    pub(crate) name: &'static str,
    /// Where in the path it runs out.
    holder: Holder,
    /// Ports that it usually serves; empty for any.
    ports: &'static [u16],
}

/// Who holds a timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Holder {
    /// Whoever opens connections.
    Client,
    /// The server's own software.
    Server,
    /// A load balancer or gateway that speaks as the server, or resets both.
    Balancer,
    /// A device that keeps sessions and forgets them.
    Tracker,
    /// The same while a connection closes or waits for acknowledgments: no timer of idle ones.
    Closing,
    /// Not known, or any of them.
    Any,
}

/// What is known of a timer whose product is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Question {
    /// It lies between these, seconds.
    pub(crate) range: (f64, f64),
    /// Who holds it, most probably.
    pub(crate) holder: Holder,
    /// It ends connections by FIN, which what only keeps sessions cannot.
    pub(crate) by_fin: bool,
    /// The server's port.
    pub(crate) port: Option<u16>,
}

/// The products that fit, the likeliest first: by who holds the timer, then by port.
pub(crate) fn products(question: &Question) -> impl Iterator<Item = &'static Product> {
    let Question { range, holder, by_fin, port } = *question;
    let mut found: Vec<&Product> = PRODUCTS
        .iter()
        .filter(|product| (range.0..=range.1).contains(&f64::from(product.seconds)))
        .filter(|product| distance(holder, product.holder) < FAR)
        .filter(|product| !(by_fin && product.holder == Holder::Tracker))
        .collect();
    found.sort_by_key(|product| {
        let other_port = match port {
            _ if product.ports.is_empty() => 1,
            Some(port) if product.ports.contains(&port) => 0,
            _ => 2,
        };
        (distance(holder, product.holder), other_port)
    });
    found.into_iter()
}

/// How well a product fits whoever holds a timer: 0 is best, [`FAR`] not at all.
const fn distance(holder: Holder, of_product: Holder) -> u8 {
    use Holder::{Any, Balancer, Client, Closing, Server, Tracker};
    match (holder, of_product) {
        // No timer of a connection that is open and idle.
        (_, Closing) | (Closing, _) => FAR,
        (Any, Any)
        | (Client, Client)
        | (Server, Server)
        | (Balancer, Balancer)
        | (Tracker, Tracker) => 0,
        // Devices are of either kind, and a balancer shows as the server.
        (Server | Tracker, Balancer) | (Any, _) | (_, Any) => 1,
        _ => FAR,
    }
}

/// A product that cannot hold the timer in question.
const FAR: u8 = 2;

const HTTP: &[u16] = &[80, 443, 3000, 5000, 8000, 8080, 8443];

/// Shortest first. [S] read in a primary or secondary source named in product.md, section 3.2, or
/// classification.md, section 5.5; [M] from memory, a hypothesis.
#[rustfmt::skip]
const PRODUCTS: [Product; 29] = [
    product(2, "Gunicorn keep-alive", Holder::Server, HTTP), // [S] flightcontrol.dev.
    product(5, "Node.js keepAliveTimeout", Holder::Server, HTTP), // [S] nodejs#47130.
    product(10, "conntrack CLOSE", Holder::Closing, &[]), // [S] nf_conntrack_proto_tcp.c.
    product(20, "Puma keep-alive", Holder::Server, HTTP), // [S] flightcontrol.dev.
    product(30, "conntrack LAST_ACK", Holder::Closing, &[]), // [S] nf_conntrack_proto_tcp.c.
    product(30, "PAN-OS unverified RST", Holder::Closing, &[]), // [S] PAN-OS session timeouts.
    product(60, "AWS ALB and Classic LB", Holder::Balancer, HTTP), // [S] flightcontrol.dev.
    product(60, "conntrack CLOSE_WAIT", Holder::Closing, &[]), // [S] nf_conntrack_proto_tcp.c.
    product(60, "nginx client_header_timeout and client_body_timeout", Holder::Server, HTTP), // [M]
    product(65, "OCI load balancer (HTTP)", Holder::Balancer, HTTP), // [S] docs.cloud.oracle.com.
    product(72, "Fastify keepAliveTimeout", Holder::Server, HTTP), // [S] flightcontrol.dev.
    product(75, "nginx keepalive_timeout", Holder::Server, HTTP), // [S] flightcontrol.dev.
    product(120, "conntrack FIN_WAIT and TIME_WAIT", Holder::Closing, &[]), // [S] nf_conntrack_proto_tcp.c.
    product(180, "NetScaler client idle time-out", Holder::Balancer, &[]), // [M]; 181.46 s observed.
    product(240, "Azure load balancer", Holder::Balancer, &[]), // [S] librdkafka#3289.
    product(300, "F5 TCP profile", Holder::Balancer, &[]), // [S] blog, low authority.
    product(300, "OCI load balancer (TCP)", Holder::Balancer, &[]), // [S] docs.cloud.oracle.com.
    product(300, "conntrack UNACKNOWLEDGED", Holder::Closing, &[]), // [S] nf_conntrack_proto_tcp.c.
    product(350, "AWS NLB, Gateway LB and Network Firewall", Holder::Tracker, &[]), // [S] AWS NLB guide.
    product(600, "Google Cloud connection tracking", Holder::Tracker, &[]), // [M]
    product(900, "IPVS", Holder::Tracker, &[]), // [S] product.md.
    product(1800, "Juniper SRX", Holder::Tracker, &[]), // [M]
    product(3600, "PAN-OS TCP session", Holder::Tracker, &[]), // [S] blog.
    product(3600, "FortiGate session-ttl", Holder::Tracker, &[]), // [S] docs.fortinet.com.
    product(3600, "Check Point TCP session", Holder::Tracker, &[]), // [M]
    product(3600, "Cisco ASA connection", Holder::Tracker, &[]), // [M]
    product(7200, "Linux TCP keepalive", Holder::Any, &[]), // [S] Linux tcp(7).
    product(7440, "NAT minimum of RFC 5382", Holder::Tracker, &[]), // [S] RFC 5382, REQ-5.
    product(432_000, "conntrack ESTABLISHED", Holder::Tracker, &[]), // [S] nf_conntrack_proto_tcp.c.
];

const fn product(
    seconds: u32,
    name: &'static str,
    holder: Holder,
    ports: &'static [u16],
) -> Product {
    Product { seconds, name, holder, ports }
}

#[cfg(test)]
mod tests {
    use super::{
        Holder, IDLE_TIMERS, PRODUCTS, Question, idle_timer, idle_timer_products, known_timer,
        products,
    };

    #[test]
    fn minutes_count_a_silence_by_the_longest_timer_that_fits() {
        for seconds in IDLE_TIMERS {
            assert_eq!(idle_timer(f64::from(seconds) + 0.05), Some(seconds));
        }
        assert_eq!(idle_timer(349.0), None);
        assert_eq!(idle_timer(f64::NAN), None);
        assert!(idle_timer_products(3600).contains("PAN-OS"));
        assert_eq!(idle_timer_products(120), "", "a state of closing connections is none");
    }

    #[test]
    fn a_silence_a_little_longer_than_a_timer_points_to_it() {
        let known_timer = |idle_s| known_timer(idle_s, Holder::Any);
        assert_eq!(known_timer(350.4).unwrap().seconds, 350);
        assert_eq!(known_timer(181.5).unwrap().seconds, 180);
        assert_eq!(known_timer(3604.0).unwrap().seconds, 3600);
        assert_eq!(known_timer(5.001).unwrap().seconds, 5);
        assert!(known_timer(300.1).unwrap().products.starts_with("F5 TCP profile, OCI"));
    }

    #[test]
    fn a_timer_is_looked_for_only_where_it_may_run() {
        assert_eq!(known_timer(5.001, Holder::Tracker), None, "Node.js is no device");
        assert_eq!(known_timer(3600.5, Holder::Server), None, "a firewall is no server");
        assert!(known_timer(240.2, Holder::Server).is_some(), "a load balancer speaks as one");
        // Class of bug: states of a closing connection were named for open ones.
        assert_eq!(known_timer(31.0, Holder::Any), None);
    }

    #[test]
    fn a_silence_between_timers_points_to_none() {
        let known_timer = |idle_s| known_timer(idle_s, Holder::Any);
        for idle_s in [0.0, 1.0, 7.5, 31.0, 55.0, 200.0, 349.0, 5000.0, f64::NAN, f64::INFINITY] {
            assert_eq!(known_timer(idle_s), None, "{idle_s}");
        }
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(PRODUCTS.is_sorted_by_key(|product| product.seconds));
    }

    #[test]
    fn all_that_fit_are_named_and_the_likeliest_first() {
        let question = |holder, by_fin, port| {
            let range = (59.0, 61.0);
            Question { range, holder, by_fin, port: Some(port) }
        };
        let first = |question| products(&question).next().unwrap().name;
        assert!(first(question(Holder::Server, true, 443)).starts_with("nginx"));
        assert!(first(question(Holder::Tracker, false, 443)).starts_with("AWS"));
        assert_eq!(products(&question(Holder::Any, false, 5432)).count(), 2);
        let hour = Question { range: (3599.0, 3610.0), ..question(Holder::Tracker, false, 5432) };
        assert_eq!(products(&hour).count(), 4, "all that share a default are named");
        assert_eq!(products(&Question { by_fin: true, ..hour }).count(), 0);
        let five = Question { range: (4.9, 5.1), ..question(Holder::Tracker, false, 80) };
        assert_eq!(products(&five).count(), 0, "a device does not ship with a server's timer");
    }
}
