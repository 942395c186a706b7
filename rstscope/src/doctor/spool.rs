//! Where events go: room for the spool, and whether sinks can be reached.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use delivery::{SinkOptions, SpoolOptions};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use xdp::quoted;

use super::finding::Finding;

/// Nothing where there is neither a sink nor a store, which is fed from the spool too: then nothing is spooled.
pub(super) fn check(spool: &SpoolOptions, sinks: &[SinkOptions], has_store: bool) -> Vec<Finding> {
    if sinks.is_empty() && !has_store {
        return Vec::new();
    }
    let mut findings = vec![room(spool)];
    findings.extend(sinks.iter().map(sink));
    findings
}

fn room(spool: &SpoolOptions) -> Finding {
    let name = "spool";
    // Before the first start there may be no directory yet: its file system counts.
    let directory = spool.directory.as_path();
    let Some(existing) = directory.ancestors().find(|folder| folder.exists()) else {
        return Finding::not_checked(name, format!("{} is nowhere", directory.display()));
    };
    let state = match statvfs(existing) {
        Ok(state) => state,
        Err(error) => {
            return Finding::not_checked(name, format!("statvfs {}: {error}", existing.display()));
        }
    };
    let unit = state.fragment_size();
    let reserved = (state.blocks() * unit) as f64 * spool.free_percent_min / 100.0;
    let free = state.blocks_available() * unit;
    let usable = free.saturating_sub(reserved as u64) + bytes_in(directory);
    let says = format!(
        "{}: room for {} MiB of {} MiB",
        directory.display(),
        usable >> 20,
        spool.bytes_max >> 20
    );
    if usable >= spool.bytes_max {
        return Finding::ok(name, says);
    }
    let finding = if usable < 2 * spool.segment_bytes {
        Finding::fail(name, says).because("events are dropped as soon as a sink does not take them")
    } else {
        Finding::warn(name, says).because("a sink may stand still for less long than was meant")
    };
    let wanted_mib = ((spool.bytes_max as f64 / (1.0 - spool.free_percent_min / 100.0)) as u64
        + (state.blocks() - state.blocks_free()) * unit)
        .div_ceil(1 << 20);
    let is_in_memory = statfs(existing).is_ok_and(|state| state.filesystem_type() == TMPFS_MAGIC);
    match mount_point(existing) {
        Some(mounted) if is_in_memory => {
            finding.run([format!("mount -o remount,size={wanted_mib}M {}", quoted(&mounted))])
        }
        _ => finding.advise(format!(
            "free room there, set spool.directory to a larger disk, or spool.bytes_max below {usable}"
        )),
    }
}

/// What the spool has already.
fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let lens = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    lens.sum()
}

/// The mount that a directory lies on: the longest one that it begins with.
fn mount_point(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1).map(unescaped));
    points.filter(|point| directory.starts_with(point)).max_by_key(String::len)
}

/// A path as it is: the kernel writes white space and backslashes as `\040` (`mangle_path`).
fn unescaped(text: &str) -> String {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

fn sink(sink: &SinkOptions) -> Finding {
    let name = "sink";
    let label = format!("{} ({})", sink.name(), sink.target());
    match reach(sink) {
        Ok(()) => Finding::ok(name, format!("{label} can be reached")),
        Err(error) => Finding::fail(name, format!("{label}: {error}"))
            .because("events wait in the spool, and the oldest are dropped when it is full")
            .advise(format!(
                "start the receiver, open the way to it, or correct its address; then \
                 \"rstscope sink test {}\"",
                sink.name()
            )),
    }
}

/// No event is sent.
fn reach(sink: &SinkOptions) -> Result<(), String> {
    match sink {
        SinkOptions::Ndjson(options) => match &options.directory {
            None => Ok(()),
            Some(folder) if folder.is_dir() => Ok(()),
            Some(folder) => Err(format!("{} is no directory", folder.display())),
        },
        SinkOptions::Otlp(options) => connect(&options.url),
        // Of several servers one is enough.
        SinkOptions::Nats(options) => any(options.urls.iter().cloned()),
        SinkOptions::Kafka(options) => any(options.brokers.iter().map(|broker| kafka_url(broker))),
        SinkOptions::Syslog(options) => connect(&options.url),
    }
}

fn kafka_url(broker: &str) -> String {
    format!("kafka://{}", broker.trim_start_matches("tls://"))
}

fn any(urls: impl IntoIterator<Item = String>) -> Result<(), String> {
    let mut last = Err("it names no server".to_owned());
    for url in urls {
        last = connect(&url);
        if last.is_ok() {
            break;
        }
    }
    last
}

fn connect(url: &str) -> Result<(), String> {
    let (scheme, rest) =
        url.split_once("://").ok_or("not an address with a scheme such as https://")?;
    let host = rest.split('/').next().unwrap_or(rest);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = match scheme {
        "https" => 443,
        "nats" => 4222,
        "kafka" => 9092,
        "tcp" => 601,
        "tls" => 6514,
        _ => 80,
    };
    let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    let addresses = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = format!("connect to {address}: {error}"),
        }
    }
    Err(last)
}

const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use delivery::{NdjsonOptions, OtlpOptions};

    use super::super::finding::Level;
    use super::*;

    fn otlp(url: String) -> SinkOptions {
        SinkOptions::Otlp(OtlpOptions { url, ..OtlpOptions::default() })
    }

    #[test]
    fn a_sink_that_nobody_listens_for_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/logs", listener.local_addr().unwrap());
        assert_eq!(sink(&otlp(url)).level, Level::Ok);
        // Not the port of the listener: a process that another test starts may hold it for a moment more.
        let closed = "http://127.0.0.1:1/v1/logs".to_owned();
        assert_eq!(sink(&otlp(closed)).level, Level::Fail);
        let nowhere = NdjsonOptions { directory: Some("/no/such".into()), ..Default::default() };
        assert_eq!(sink(&SinkOptions::Ndjson(nowhere)).level, Level::Fail);
    }

    #[test]
    fn without_a_sink_and_a_store_no_room_is_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let spool =
            SpoolOptions { directory: directory.path().join("spool"), ..SpoolOptions::default() };
        assert_eq!(check(&spool, &[], false), []);
        let found = check(&spool, &[], true);
        assert_eq!((found.len(), found[0].name), (1, "spool"));
    }

    #[test]
    fn a_spool_that_fits_nowhere_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = SpoolOptions {
            directory: directory.path().join("spool"),
            bytes_max: 1 << 16,
            segment_bytes: 1 << 12,
            free_percent_min: 0.0,
            ..SpoolOptions::default()
        };
        assert_eq!(room(&spool).level, Level::Ok);
        spool.bytes_max = 1 << 60;
        assert_eq!(room(&spool).level, Level::Warn);
    }
}
