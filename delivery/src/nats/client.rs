//! The connection to NATS: made when it is needed, on a runtime of the sink's own thread.

use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, RetentionPolicy, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{HeaderMap, header};
use tokio::runtime::Runtime;

use super::server::connect_options;
use super::{DONE_HEADER, SINK_HEADER};
use crate::error::Error;
use crate::options::NatsOptions;
use crate::record::Uid;
use crate::sink::Answer;

/// A message that is to be stored.
pub(super) struct Message {
    pub(super) subject: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Vec<u8>,
}

/// A client of one stream.
pub(super) struct Client {
    options: NatsOptions,
    timeout: Duration,
    /// Made anew after a failure: secrets and certificates may have been renewed.
    open: Option<(Runtime, Context)>,
}

impl Client {
    pub(super) fn new(options: &NatsOptions) -> Result<Self, Error> {
        let what = |option: &str| format!("sink {}: {option}", options.name);
        if !(options.timeout_s >= 0.1 && options.timeout_s <= 300.0) {
            return Err(Error::option(what("timeout_s"), "must be from 0.1 to 300"));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let is_token = |text: &str| !text.is_empty() && text.chars().all(is_plain);
        if !is_token(&options.stream) {
            return Err(Error::option(what("stream"), "must be letters, digits, '-' or '_'"));
        }
        if !options.subject.split('.').all(is_token) {
            let why = "must be letters, digits, '-' or '_', parts parted by '.'";
            return Err(Error::option(what("subject"), why));
        }
        if options.urls.is_empty() {
            return Err(Error::option(what("urls"), "must name a server, nats://host:4222"));
        }
        for url in &options.urls {
            url.parse::<async_nats::ServerAddr>().map_err(|error| {
                Error::option(what(&format!("urls: {url:?}")), error.to_string())
            })?;
        }
        let ways =
            [&options.user_file, &options.token_file, &options.nkey_file, &options.creds_file];
        if ways.into_iter().flatten().count() > 1 {
            let why = "name one of user_file, token_file, nkey_file and creds_file";
            return Err(Error::option(what("who we are"), why));
        }
        let timeout = Duration::from_secs_f64(options.timeout_s);
        Ok(Self { options: options.clone(), timeout, open: None })
    }

    /// Stores messages, one after the other; each is acknowledged before the next is sent.
    pub(super) fn publish(&mut self, messages: &[Message]) -> Answer {
        let timeout = self.timeout;
        let name = self.target();
        let own = self.options.stream.clone();
        let published = self.with(async |context, _| {
            let mut duplicates = 0;
            for message in messages {
                let mut headers = HeaderMap::new();
                // A server that would store it elsewhere refuses it.
                headers.insert(header::NATS_EXPECTED_STREAM, own.as_str());
                for (key, value) in &message.headers {
                    headers.insert(*key, value.as_str());
                }
                let (subject, payload) = (message.subject.clone(), message.payload.clone().into());
                let stored = async {
                    let sent = context.publish_with_headers(subject, headers, payload).await?;
                    sent.await
                };
                match tokio::time::timeout(timeout, stored).await {
                    Ok(Ok(ack)) if ack.stream == own => duplicates += u64::from(ack.duplicate),
                    Ok(Ok(ack)) => return Err((false, elsewhere(&ack.stream, &message.subject))),
                    Ok(Err(error)) => return Err(refusal(&error)),
                    Err(_) => {
                        return Err((false, format!("no answer in {} s", timeout.as_secs_f64())));
                    }
                }
            }
            Ok(duplicates)
        });
        match published {
            Ok(0) => Answer::Taken { refused: 0, said: format!("{name} has stored it") },
            Ok(_) => Answer::Taken { refused: 0, said: format!("{name} had it already") },
            // The courier halves the batch until what is too long is alone.
            Err((true, why)) => Answer::Never { why: format!("{name}: {why}") },
            Err((false, why)) => {
                self.open = None;
                Answer::Later { why: format!("{name}: {why}"), after: None }
            }
        }
    }

    /// What the last messages of some subjects say that this sink has done.
    pub(super) fn done(&mut self, subjects: &[String]) -> Result<Vec<Uid>, String> {
        let sink = self.options.name.clone();
        let timeout = self.timeout;
        let asked = self.with(async |_, stream| {
            let mut found = Vec::new();
            for subject in subjects {
                let last = stream.get_last_raw_message_by_subject(subject);
                let last = match tokio::time::timeout(timeout, last).await {
                    Ok(Ok(message)) => message,
                    Ok(Err(error)) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                        continue;
                    }
                    Ok(Err(error)) => return Err((false, error.to_string())),
                    Err(_) => return Err((false, "no answer".to_owned())),
                };
                let header = |name| last.headers.get(name).map(|value| value.as_str().to_owned());
                if header(SINK_HEADER).as_ref() == Some(&sink) {
                    found.extend(header(DONE_HEADER).and_then(|uid| Uid::read(&uid)));
                }
            }
            Ok(found)
        });
        if asked.is_err() {
            self.open = None;
        }
        asked.map_err(|(_, why)| why)
    }

    /// Whether the stream is there and takes these subjects.
    pub(super) fn check(&mut self, subjects: &[String]) -> Answer {
        let name = self.target();
        let asked = self.with(async |_, stream| {
            let taken = &stream.cached_info().config.subjects;
            let is_taken = |subject: &String| taken.iter().any(|filter| covers(filter, subject));
            if let Some(subject) = subjects.iter().find(|subject| !is_taken(subject)) {
                return Err((false, format!("it does not take {subject}, only {taken:?}")));
            }
            let state = &stream.cached_info().state;
            Ok(format!("{} messages, {} bytes", state.messages, state.bytes))
        });
        self.open = None;
        match asked {
            Ok(said) => Answer::Taken { refused: 0, said: format!("{name} has {said}") },
            Err((_, why)) => Answer::Later { why: format!("{name}: {why}"), after: None },
        }
    }

    fn target(&self) -> String {
        format!("stream {} at {}", self.options.stream, self.options.urls.join(","))
    }

    /// Runs `work` with a connection whose stream was checked.
    fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&Context, &Stream) -> Result<T, (bool, String)>,
    ) -> Result<T, (bool, String)> {
        let (runtime, context) = match self.open.take() {
            Some(open) => open,
            None => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| (false, format!("start a runtime: {error}")))?;
                let opened = self.opened();
                let context = runtime.block_on(opened).map_err(|why| (false, why))?;
                (runtime, context)
            }
        };
        let result = runtime.block_on(async {
            let stream = self.stream(&context).await.map_err(|why| (false, why))?;
            work(&context, &stream).await
        });
        self.open = Some((runtime, context));
        result
    }

    async fn opened(&self) -> Result<Context, String> {
        let connect = connect_options(&self.options, self.timeout).await?;
        let client = tokio::time::timeout(self.timeout, connect.connect(&self.options.urls))
            .await
            .map_err(|_| format!("connect: no answer in {} s", self.timeout.as_secs_f64()))?
            .map_err(|error| format!("connect: {}", chain(&error)))?;
        let mut context = jetstream::new(client);
        context.set_timeout(self.timeout);
        Ok(context)
    }

    /// The stream; made if that is wished for.
    async fn stream(&self, context: &Context) -> Result<Stream, String> {
        let (name, subject) = (&self.options.stream, format!("{}.>", self.options.subject));
        let found = tokio::time::timeout(self.timeout, context.get_stream(name))
            .await
            .map_err(|_| format!("no answer in {} s", self.timeout.as_secs_f64()))?;
        let error = match found {
            Ok(stream) => return Ok(stream),
            Err(error) => chain(&error),
        };
        if !self.options.create_stream {
            return Err(format!(
                "{error}; make the stream: nats stream add {name} --subjects '{subject}' --storage file \
                 --discard new, or set create_stream = true"
            ));
        }
        let config = Config {
            name: name.clone(),
            subjects: vec![subject],
            retention: RetentionPolicy::Limits,
            // A full stream refuses what is new, so that it waits in the spool of its sensor.
            discard: jetstream::stream::DiscardPolicy::New,
            max_bytes: i64::try_from(self.options.stream_bytes_max).unwrap_or(i64::MAX),
            max_age: Duration::from_secs(self.options.stream_age_s_max),
            duplicate_window: DUPLICATE_WINDOW.min(match self.options.stream_age_s_max {
                0 => DUPLICATE_WINDOW,
                age_s => Duration::from_secs(age_s),
            }),
            ..Config::default()
        };
        let made = tokio::time::timeout(self.timeout, context.get_or_create_stream(config)).await;
        match made {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(format!("make the stream: {}", chain(&error))),
            Err(_) => Err("make the stream: no answer".to_owned()),
        }
    }
}

fn elsewhere(stream: &str, subject: &str) -> String {
    format!("stream {stream} takes {subject} (see stream and subject)")
}

/// Whether a stream's subject takes one of ours: `*` is any token, `>` all that follow.
fn covers(filter: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in filter.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// Whether fewer or shorter records may be taken, and why these were not.
fn refusal(error: &PublishError) -> (bool, String) {
    let why = chain(error);
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            (true, format!("{why} (max_payload of the server)"))
        }
        PublishErrorKind::StreamNotFound => {
            (false, format!("{why}: no stream takes these subjects"))
        }
        _ => (why.contains("message size exceeds"), why),
    }
}

/// An error and what it comes from.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// For how long a server knows the names of messages; collectors keep each record once in any case.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_stream_takes_what_its_subjects_say() {
        let ours = "rstscope.tap1.event";
        for filter in [ours, ">", "rstscope.>", "rstscope.*.*", "*.tap1.*", "rstscope.tap1.>"] {
            assert!(covers(filter, ours), "{filter}");
        }
        for filter in ["", "rstscope", "rstscope.*", "rstscope.tap2.>", "rstscope.tap1.event.>"] {
            assert!(!covers(filter, ours), "{filter}");
        }
    }
}
