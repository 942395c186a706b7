//! Sink: events to a syslog receiver over TCP or TLS, as RFC 5424 or CEF.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what is sent again when a connection breaks |
//! | `stream.rs` | the connection |
//! | `rfc5424.rs`, `cef.rs` | an event as a message |
//! | `options.rs` | what may be chosen |
//!
//! Syslog has no acknowledgments: what was written is in a buffer of a kernel, and nobody tells when it was
//! read. So a batch counts as sent once it is written, and **what the receiver had in its buffers when it died
//! can be lost**. What can be done is done:
//!
//! - before each batch it is seen whether the peer has closed the connection;
//! - what was written within [`UNSURE_SPAN`], [`UNSURE_BYTES_MAX`] at most, is kept, and written once more when
//!   a connection breaks (reset, time out). After a quiet close it is not: a kernel whose program leaves bytes
//!   unread resets. Messages that came twice have the same `uid`;
//! - a peer whose kernel does not acknowledge bytes within the sink's timeout breaks the connection
//!   (TCP_USER_TIMEOUT), so that bytes to a host that is gone are not taken for written.
//!
//! A sensor that is killed right after a batch forgets what it was unsure of. Who must not lose an event uses
//! OTLP, NATS or Kafka.

mod cef;
mod options;
mod rfc5424;
mod stream;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use events::{Body, Event};

use crate::error::Error;
use crate::record::{Record, RecordKind};
use crate::sink::{Answer, Identity, Sink};
pub use options::{SyslogFormat, SyslogOptions};
use stream::{Broken, Stream, Target};

/// Writes messages to one receiver.
pub(crate) struct SyslogSink {
    options: SyslogOptions,
    target: Target,
    writer: Writer,
    stream: Option<Stream>,
    unsure: Unsure,
}

/// What all messages share.
#[derive(Debug)]
struct Writer {
    sensor: String,
    version: String,
    facility: u8,
    enterprise_number: u32,
    len_max: usize,
}

/// What was written lately and may not have been read.
#[derive(Debug, Default)]
struct Unsure {
    batches: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// They are to be written again, since a connection broke.
    is_due: bool,
}

impl Unsure {
    fn add(&mut self, now: Instant, frames: Vec<u8>) {
        self.bytes += frames.len();
        self.batches.push_back((now, frames));
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > UNSURE_SPAN;
        while self
            .batches
            .front()
            .is_some_and(|(at, _)| is_old(at) || self.bytes > UNSURE_BYTES_MAX)
        {
            self.bytes -= self.batches.pop_front().map_or(0, |(_, frames)| frames.len());
        }
    }

    /// What is to be written once more before anything else, as it stands now.
    fn due(&self) -> Vec<u8> {
        let batches = self.batches.iter().filter(|_| self.is_due);
        batches.flat_map(|(_, frames)| frames.iter().copied()).collect()
    }
}

impl SyslogSink {
    pub(crate) fn new(options: &SyslogOptions, identity: &Identity) -> Result<Self, Error> {
        let what = |option: &str| format!("sink {}: {option}", options.name);
        if !(options.timeout_s >= 0.1 && options.timeout_s <= 300.0) {
            return Err(Error::option(what("timeout_s"), "must be from 0.1 to 300"));
        }
        if options.facility > 23 {
            return Err(Error::option(what("facility"), "must be from 0 to 23"));
        }
        if !(LEN_MIN..=LEN_MAX).contains(&options.message_bytes_max) {
            let why = format!("must be from {LEN_MIN} to {LEN_MAX}");
            return Err(Error::option(what("message_bytes_max"), why));
        }
        let kinds = options.send.records.as_deref().unwrap_or(&[]);
        if kinds.iter().any(|kind| *kind != RecordKind::Event) {
            let why = "syslog has a form for events only";
            return Err(Error::option(what("send.records"), why));
        }
        let target = Target::read(&options.url)
            .map_err(|why| Error::option(what(&format!("url = {:?}", options.url)), why))?;
        let writer = Writer {
            sensor: identity.sensor.clone(),
            version: identity.version.clone(),
            facility: options.facility,
            enterprise_number: options.enterprise_number,
            len_max: options.message_bytes_max,
        };
        let unsure = Unsure::default();
        Ok(Self { options: options.clone(), target, writer, stream: None, unsure })
    }

    /// A message with its length before it (octet counting, RFC 6587, section 3.4.1).
    fn frame(&self, event: &Event, record: &Record) -> Vec<u8> {
        let message = match self.options.format {
            SyslogFormat::Rfc5424 => rfc5424::message(&self.writer, event, record),
            SyslogFormat::Cef => cef::message(&self.writer, event, record),
        };
        format!("{} {message}", message.len()).into_bytes()
    }

    /// Writes frames to a connection that is there, or to a new one.
    fn write(&mut self, frames: &[u8]) -> Result<(), String> {
        match self.stream.as_mut().map(Stream::state) {
            None => {}
            Some(Ok(true)) => {}
            // What it had received it has read.
            Some(Ok(false)) => {
                self.stream = None;
                if !self.unsure.is_due {
                    self.unsure = Unsure::default();
                }
            }
            Some(Err(_)) => self.break_off(),
        }
        if self.stream.is_none() {
            let timeout = Duration::from_secs_f64(self.options.timeout_s);
            self.stream = Some(Stream::open(&self.target, &self.options.tls, timeout)?);
        }
        let stream = self.stream.as_mut().expect("opened above");
        let again = self.unsure.due();
        let written = stream.write(&again).and_then(|()| stream.write(frames));
        if let Err(Broken(why)) = written {
            self.break_off();
            return Err(why);
        }
        self.unsure.is_due = false;
        Ok(())
    }

    fn break_off(&mut self) {
        self.stream = None;
        self.unsure.is_due = true;
    }
}

impl Sink for SyslogSink {
    fn send(&mut self, records: &[Record]) -> Answer {
        let mut frames = Vec::new();
        for record in records {
            match record.body() {
                Ok(Body::Event(event)) => frames.extend(self.frame(&event, record)),
                // Nobody asks for those.
                Ok(Body::Minute(_) | Body::Evidence(_)) => {}
                Err(error) => {
                    let why = format!("this version does not know such a record: {error}");
                    return Answer::Never { why };
                }
            }
        }
        match self.write(&frames) {
            Ok(()) => {
                let said = format!("{} bytes written to {}", frames.len(), self.target);
                self.unsure.add(Instant::now(), frames);
                Answer::Taken { refused: 0, said }
            }
            Err(why) => {
                Answer::Later { why: format!("send to {}: {why}", self.target), after: None }
            }
        }
    }

    fn check(&mut self) -> Answer {
        let timeout = Duration::from_secs_f64(self.options.timeout_s);
        let opened = Stream::open(&self.target, &self.options.tls, timeout);
        match opened.and_then(|mut stream| stream.stays(REFUSAL_SPAN)) {
            Ok(()) => {
                Answer::Taken { refused: 0, said: format!("{} is connected to", self.target) }
            }
            Err(why) => {
                Answer::Later { why: format!("send to {}: {why}", self.target), after: None }
            }
        }
    }
}

/// A severity of syslog: warning where something was cut off, informational otherwise.
fn severity(event: &Event) -> u8 {
    match event.verdict.impact.name() {
        "aborted" => 4,
        _ => 6,
    }
}

/// The text up to so many bytes, at a character's end, and whether that is less than all.
fn cut(text: &str, len_max: usize) -> (&str, bool) {
    if text.len() <= len_max {
        return (text, false);
    }
    (&text[..text.floor_char_boundary(len_max)], true)
}

/// How long a receiver may take to send us away: in TLS 1.3 it looks at our certificate after we are done.
const REFUSAL_SPAN: Duration = Duration::from_millis(300);

/// For how long what was written is kept.
const UNSURE_SPAN: Duration = Duration::from_secs(60);

/// Bytes of it at most.
const UNSURE_BYTES_MAX: usize = 1 << 20;

/// Every receiver takes so much (RFC 5424, section 6.1 and RFC 5425, section 4.3.1).
const LEN_MIN: usize = 2048;
const LEN_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{UNSURE_BYTES_MAX, UNSURE_SPAN, Unsure, cut};

    #[test]
    fn what_is_kept_is_bounded_in_time_and_size_and_due_only_after_a_break() {
        let mut unsure = Unsure::default();
        let begin = Instant::now();
        unsure.add(begin, vec![1; 10]);
        assert_eq!(unsure.due(), Vec::<u8>::new());
        unsure.is_due = true;
        assert_eq!(unsure.due().len(), 10);
        unsure.add(begin + UNSURE_SPAN + Duration::from_secs(1), vec![2; 20]);
        assert_eq!(unsure.due(), vec![2; 20]);
        unsure.add(begin + UNSURE_SPAN, vec![3; UNSURE_BYTES_MAX]);
        assert_eq!(unsure.bytes, UNSURE_BYTES_MAX);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("größe", 4), ("grö", true));
        assert_eq!(cut("größe", 3), ("gr", true));
        assert_eq!(cut("größe", 7), ("größe", false));
    }
}
