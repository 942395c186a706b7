//! What a sink is, and which there are.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::kafka::options::KafkaOptions;
use crate::nats::NatsSink;
use crate::ndjson::NdjsonSink;
use crate::options::{SendOptions, SinkOptions, TlsOptions};
use crate::otlp::OtlpSink;
use crate::record::{Record, Uid};
use crate::syslog::SyslogSink;

/// Delivers records; each runs on a thread of its own and may take its time.
///
/// A record may be given again after a restart, with the same [`Uid`]: the receiver keeps it once.
pub trait Sink: Send {
    /// The newest record that the receiver is known to have, if it can tell: what was spooled before it in
    /// the same session is not sent again.
    fn newest(&mut self) -> Option<Uid> {
        None
    }

    /// Delivers all records, which are at least one, or none, or says what became of them; tries once.
    fn send(&mut self, records: &[Record]) -> Answer;

    /// Sends a record that was made to try it; where events are kept, it does not mix with them.
    fn test(&mut self, record: &Record) -> Answer {
        self.send(std::slice::from_ref(record))
    }

    /// Tries everything but an event: reaches the receiver and is let in.
    fn check(&mut self) -> Answer;
}

/// What a receiver made of records.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It has them, but for those that it refused for good.
    Taken {
        /// How many were refused for good.
        refused: u64,
        /// Its answer, for people.
        said: String,
    },
    /// Not now: the same records may be taken later.
    Later {
        /// What went wrong, and what to do about it.
        why: String,
        /// How long the receiver asks us to wait.
        after: Option<Duration>,
    },
    /// Never: something about these records is wrong.
    Never {
        /// What.
        why: String,
    },
}

/// From whom events come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The sensor's own name.
    pub sensor: String,
    /// The machine's.
    pub host: String,
    /// The program's version.
    pub version: String,
}

impl Identity {
    /// This machine; the sensor is called like it.
    #[must_use]
    pub fn of_this_machine(version: &str) -> Self {
        // Not from /proc: a service may see its own processes only there.
        let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
        let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| "unknown".to_owned());
        Self { sensor: host.clone(), host, version: version.to_owned() }
    }
}

/// Makes a sink; nothing is opened or reached yet.
///
/// # Errors
/// An option cannot be as it is.
pub(crate) fn make(options: &SinkOptions, identity: &Identity) -> Result<Box<dyn Sink>, Error> {
    check_name(options.name())?;
    check_send(options.name(), options.send())?;
    check_urls(options)?;
    Ok(match options {
        SinkOptions::Ndjson(options) => Box::new(NdjsonSink::new(options)?),
        SinkOptions::Otlp(options) => Box::new(OtlpSink::new(options, identity)?),
        SinkOptions::Nats(options) => Box::new(NatsSink::new(options, identity)?),
        SinkOptions::Kafka(options) => kafka(options, identity)?,
        SinkOptions::Syslog(options) => Box::new(SyslogSink::new(options, identity)?),
    })
}

#[cfg(feature = "kafka")]
fn kafka(options: &KafkaOptions, identity: &Identity) -> Result<Box<dyn Sink>, Error> {
    Ok(Box::new(crate::kafka::KafkaSink::new(options, identity)?))
}

#[cfg(not(feature = "kafka"))]
fn kafka(options: &KafkaOptions, _: &Identity) -> Result<Box<dyn Sink>, Error> {
    let why = "this program was built without Kafka: build one with it (cargo build --release --features kafka, \
               which needs libssl-dev), or send over nats or otlp";
    Err(Error::option(format!("sink {}: kind = \"kafka\"", options.name), why))
}

/// Addresses are shown to whoever asks: no secret may be in one. What is said of TLS must be of use.
fn check_urls(options: &SinkOptions) -> Result<(), Error> {
    let (urls, tls, instead) = match options {
        SinkOptions::Ndjson(_) => return Ok(()),
        SinkOptions::Otlp(options) => {
            let urls = std::iter::once(&options.url).chain(&options.metrics_url).collect();
            (urls, &options.tls, "put the secret into token_file")
        }
        SinkOptions::Nats(options) => {
            let urls = options.urls.iter().collect::<Vec<_>>();
            (urls, &options.tls, "put it into user_file or token_file")
        }
        SinkOptions::Kafka(options) => {
            (options.brokers.iter().collect(), &options.tls, "put it into user_file")
        }
        SinkOptions::Syslog(options) => {
            (vec![&options.url], &options.tls, "syslog knows us by tls.certificate_file")
        }
    };
    let what = |option: &str| format!("sink {}: {option}", options.name());
    // In a path too: a password with a slash in it would look like one. The address is not repeated here.
    if urls.iter().any(|url| url.contains('@')) {
        let why = format!(
            "must have no user and no password before an '@': {instead} (in a path write %40)"
        );
        return Err(Error::option(what("url"), why));
    }
    let is_tls = |url: &&String| url.starts_with("tls://") || url.starts_with("https://");
    if *tls != TlsOptions::default() && !urls.iter().any(is_tls) {
        let why = "is of no use: no url begins with tls:// or https://, so nothing is encrypted";
        return Err(Error::option(what("tls"), why));
    }
    Ok(())
}

/// The pace of a sink.
pub(crate) fn check_send(name: &str, send: &SendOptions) -> Result<(), Error> {
    if !(send.batch_wait_s >= 0.0 && send.batch_wait_s <= SPAN_S_MAX) {
        return Err(Error::option(
            format!("sink {name}: send.batch_wait_s = {}", send.batch_wait_s),
            format!("must be from 0 to {SPAN_S_MAX}"),
        ));
    }
    if !(send.retry_s_max > 0.0 && send.retry_s_max <= SPAN_S_MAX) {
        return Err(Error::option(
            format!("sink {name}: send.retry_s_max = {}", send.retry_s_max),
            format!("must be above 0 and at most {SPAN_S_MAX}"),
        ));
    }
    Ok(())
}

/// Names become file names and labels of metrics.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=NAME_LEN_MAX).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::option(
        format!("sink name {name:?}"),
        format!("must be 1 to {NAME_LEN_MAX} letters, digits, '-' or '_'"),
    ))
}

/// Where a sink's refused events are kept.
pub(crate) fn refused_path(directory: &Path, sink: &str, is_older: bool) -> std::path::PathBuf {
    directory.join(format!("{sink}.refused{}.ndjson", if is_older { ".1" } else { "" }))
}

/// The first pause after a failure, seconds, if none shorter is asked for; it doubles.
pub(crate) const RETRY_S_FIRST: f64 = 0.5;

/// No pause can be chosen longer, seconds.
const SPAN_S_MAX: f64 = 3600.0;

const NAME_LEN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Identity, make};
    use crate::options::SinkOptions;

    fn refusal(text: &str) -> Option<String> {
        let options: SinkOptions = serde_json::from_str(text).unwrap();
        let made = make(&options, &Identity::of_this_machine("1"));
        made.err().map(|error| error.to_string())
    }

    #[test]
    fn a_secret_in_an_address_is_refused_and_not_repeated() {
        for text in [
            r#"{"kind": "nats", "urls": ["nats://h:4222", "nats://user:s3cret@h:4222"]}"#,
            r#"{"kind": "nats", "urls": ["s3cret@h"]}"#,
            r#"{"kind": "nats", "urls": ["nats://user:s3/cret@h"]}"#,
            r#"{"kind": "otlp", "url": "https://user:s3cret@h"}"#,
            r#"{"kind": "otlp", "url": "https://h", "metrics_url": "https://user:s3cret@h"}"#,
            r#"{"kind": "otlp", "protocol": "grpc", "url": "https://user:s3cret@h:4317"}"#,
            r#"{"kind": "syslog", "url": "tls://user:s3cret@h"}"#,
        ] {
            let why = refusal(text).expect(text);
            assert!(why.contains("'@'") && !why.contains("s3"), "{why}");
        }
    }

    #[test]
    fn certificates_without_tls_are_refused() {
        let tls = r#""tls": {"ca_file": "/ca.pem"}"#;
        for (sink, is_right) in [
            (r#""kind": "nats", "urls": ["nats://h:4222"]"#, false),
            (r#""kind": "nats", "urls": ["nats://g:4222", "tls://h:4222"]"#, true),
            (r#""kind": "otlp", "url": "http://h:4318""#, false),
            (r#""kind": "otlp", "url": "http://h", "metrics_url": "https://h""#, true),
            (r#""kind": "otlp", "protocol": "grpc", "url": "https://h:4317""#, true),
            (r#""kind": "syslog", "url": "tcp://h""#, false),
            (r#""kind": "syslog", "url": "tls://h""#, true),
        ] {
            let why = refusal(&format!("{{{sink}, {tls}}}"));
            assert_eq!(why.is_none(), is_right, "{sink}: {why:?}");
        }
    }
}
