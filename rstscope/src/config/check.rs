//! What the form of the file cannot say.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::{CaptureSection, Config, SensorSection};

/// Checks limits and what contradicts each other; the machine is not asked.
///
/// # Errors
/// The first limit that does not hold, by its name.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    links(config)?;
    capture(&config.capture)?;
    sensor(&config.sensor)?;
    within("minutes.keys_max", config.minutes.keys_max, 256, 1_000_000)?;
    crate::evidence::check(&config.evidence)?;
    api(&config.api)?;
    logs(&config.logs)?;
    config.store.clickhouse.check().map_err(|why| anyhow::anyhow!("store.clickhouse: {why}"))?;
    config.collect.check().map_err(anyhow::Error::msg)?;
    delivery::Options { spool: config.spool.clone(), sinks: config.sink.clone() }.check()?;
    Ok(())
}

fn api(api: &collector::Options) -> anyhow::Result<()> {
    within("api.events_kept", api.events_kept, 1, 1_000_000)?;
    within("api.evidence_bytes", api.evidence_bytes, 0, 1 << 30)?;
    within("api.servers_kept", api.servers_kept, 16, 1_000_000)?;
    within("api.connections", api.connections, 1, 4096)?;
    within("api.header_timeout_s", api.header_timeout_s, 1, 3600)?;
    within("api.requests_per_s", api.requests_per_s, 1, 1_000_000)?;
    within("api.connection_s", api.connection_s, 1, 86_400)
}

fn logs(logs: &collector::logs::LogOptions) -> anyhow::Result<()> {
    within("logs.events_kept", logs.events_kept, 1, 1_000_000)?;
    within("logs.sessions_kept", logs.sessions_kept, 1, 1_000_000)?;
    within("logs.event_wait_s", logs.event_wait_s, 60, 86_400)?;
    within("logs.line_wait_s", logs.line_wait_s, 60, 86_400)?;
    within("logs.connections", logs.connections, 1, 4096)?;
    within("logs.connections_per_sender", logs.connections_per_sender, 1, 4096)?;
    within("logs.first_line_s", logs.first_line_s, 1, 3600)
}

fn links(config: &Config) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for link in &config.link {
        let name = link.interfaces.join("+");
        ensure!(
            (1..=2).contains(&link.interfaces.len()),
            "link {name}: {} interfaces; a link has one, or two for an optical tap",
            link.interfaces.len()
        );
        for interface in &link.interfaces {
            ensure!(!interface.is_empty(), "link {name}: an interface without a name");
            ensure!(
                interface
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._@:-".contains(&byte)),
                "link {name}: {interface:?} is no interface: letters, digits and . _ @ : - only"
            );
            ensure!(seen.insert(interface), "interface {interface} is named twice");
        }
    }
    Ok(())
}

fn capture(capture: &CaptureSection) -> anyhow::Result<()> {
    ensure!(capture.first_packets >= 1, "capture.first_packets = 0: at least 1");
    let batch_max = pipeline::BATCH_MAX as u32;
    within("capture.batch", capture.batch, 1, batch_max)?;
    let frames = capture.frames;
    ensure!(
        frames.is_power_of_two() && (64..=1 << 20).contains(&frames),
        "capture.frames = {frames}: a power of two from 64 to 1048576"
    );
    ensure!(
        capture.frame_size.is_none_or(|size| size == 2048 || size == 4096),
        "capture.frame_size: 2048 or 4096, or nothing to choose by driver and MTU"
    );
    let ports = capture.tunnel_ports.len();
    ensure!(
        ports <= xdp::Options::PORTS_MAX,
        "capture.tunnel_ports: {ports} ports; at most {}",
        xdp::Options::PORTS_MAX
    );
    ensure!(
        capture.queues.as_ref().is_none_or(|queues| !queues.is_empty()),
        "capture.queues is empty"
    );
    within("capture.carrier_wait_s", capture.carrier_wait_s, 0, 600)
}

fn sensor(sensor: &SensorSection) -> anyhow::Result<()> {
    if let Some(name) = &sensor.name {
        ensure!(
            (1..=64).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
            "sensor.name = {name:?}: 1 to 64 letters, digits, '.', '-' and '_'"
        );
    }
    within("sensor.flows", sensor.flows, 16, 1 << 28)?;
    within("sensor.servers", sensor.servers, 16, 1 << 20)?;
    within("sensor.watches", sensor.watches, 16, 1 << 20)?;
    for (name, seconds) in [
        ("sensor.established_s", sensor.established_s),
        ("sensor.half_open_s", sensor.half_open_s),
        ("sensor.closed_s", sensor.closed_s),
        ("sensor.yield_s", sensor.yield_s),
    ] {
        within(name, seconds, 1, AGE_MAX_S)?;
    }
    Ok(())
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    least: T,
    most: T,
) -> anyhow::Result<()> {
    ensure!(value >= least && value <= most, "{name} = {value}: {least} to {most}");
    Ok(())
}

/// Ticks of records wrap after 19.5 hours.
const AGE_MAX_S: u32 = 70_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        check(&toml::from_str(text).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_hold() {
        check(&Config::default()).unwrap();
    }

    #[test]
    fn what_does_not_hold_is_named() {
        assert!(refused("[capture]\nframes = 100").contains("a power of two from 64"));
        assert!(refused("[capture]\nbatch = 65").contains("capture.batch = 65: 1 to 64"));
        assert!(refused("[capture]\nframe_size = 1024").contains("2048 or 4096"));
        assert!(refused("[sensor]\nflows = 1").contains("sensor.flows = 1: 16 to"));
        assert!(refused("[sensor]\nyield_s = 0").contains("sensor.yield_s"));
        assert!(refused("[[link]]\ninterfaces = ['a', 'b', 'c']").contains("3 interfaces"));
        let sinks = "[[sink]]\nkind = 'otlp'\n[[sink]]\nkind = 'otlp'";
        assert!(refused(sinks).contains("two sinks have this name"), "{}", refused(sinks));
        assert!(refused("[[link]]\ninterfaces = ['x;reboot']").contains("is no interface"));
        let twice = "[[link]]\ninterfaces = ['a']\n[[link]]\ninterfaces = ['b', 'a']";
        assert_eq!(refused(twice), "interface a is named twice");
    }
}
