//! Records out of NATS JetStream: one durable consumer that all collectors of a fleet share.
//!
//! | what happens | what the server is told |
//! |---|---|
//! | all records of a batch are committed, or refused for good | ack |
//! | the store cannot take them now | nak, again after a pause |
//! | the batch cannot be read at all | term, and it is kept aside |
//! | the collector dies | nothing: the batch comes again after `ack_wait_s`, to anybody |

use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, Message};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, watch};

use super::counts::{Counts, Fate};
use super::desk::Desk;
use super::error::ReceiveError;
use super::gate::read_secret;
use super::inflate::{Coding, InflateError};
use super::line::{self, Reason};
use super::options::NatsOptions;
use super::otlp::Found;

/// The receiver, before it is run.
#[derive(Clone)]
pub(crate) struct Nats {
    options: NatsOptions,
    desk: Desk,
    body_bytes_max: usize,
}

impl Nats {
    pub(crate) const fn new(options: NatsOptions, desk: Desk, body_bytes_max: usize) -> Self {
        Self { options, desk, body_bytes_max }
    }

    /// What secrets and certificates say is read here, so that a mistake ends the start.
    pub(crate) async fn connect_options(&self) -> Result<ConnectOptions, ReceiveError> {
        let options = &self.options;
        let counts = Arc::clone(&self.desk.counts);
        let mut connect = ConnectOptions::new()
            .name("rstscope-collector")
            .retry_on_initial_connect()
            .connection_timeout(CONNECT)
            .reconnect_delay_callback(|attempt| {
                RECONNECT.saturating_mul(1 << attempt.min(6)).min(RECONNECT_MAX)
            })
            .event_callback(move |event| {
                let counts = Arc::clone(&counts);
                async move { note(&counts, &event) }
            });
        if let (Some(user), Some(path)) = (&options.user, &options.password_file) {
            let password = read_secret("the password for NATS", path)?;
            connect = connect.user_and_password(user.clone(), password.into());
        }
        if let Some(path) = &options.token_file {
            connect = connect.token(read_secret("the token for NATS", path)?.into());
        }
        if let Some(path) = &options.credentials_file {
            let failed = |source| ReceiveError::File {
                what: "the credentials for NATS",
                path: path.clone(),
                source,
            };
            connect = connect.credentials_file(path).await.map_err(failed)?;
        }
        if let Some(path) = &options.ca_file {
            connect = connect.add_root_certificates(path.clone());
        }
        if let (Some(certificate), Some(key)) = (&options.certificate_file, &options.key_file) {
            connect = connect.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(connect)
    }

    /// Takes batches until it is stopped; whatever fails is tried again.
    pub(crate) async fn run(self, connect: ConnectOptions, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.receive(connect) => {}
            _ = stop.changed() => {}
        }
    }

    async fn receive(&self, connect: ConnectOptions) {
        let client = match connect.connect(self.options.servers.clone()).await {
            Ok(client) => client,
            Err(error) => {
                let why = format!("connect to {}: {error}", self.options.servers.join(", "));
                tracing::error!("{why}; nothing is received from NATS until the next start");
                return self.desk.counts.set_up(Err(why));
            }
        };
        let context = jetstream::new(client);
        loop {
            let why = match self.consumer(&context).await {
                Ok(consumer) => {
                    self.desk.counts.set_up(Ok(()));
                    self.consume(&consumer).await
                }
                Err(why) => why,
            };
            tracing::warn!("{why}; trying again");
            self.desk.counts.set_up(Err(why));
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The consumer that all collectors share; made by the first of them.
    async fn consumer(&self, context: &jetstream::Context) -> Result<PullConsumer, String> {
        let NatsOptions { stream, consumer, .. } = &self.options;
        let found = context.get_stream(stream).await.map_err(|error| {
            format!("look for stream {stream} of NATS: {error} (a sensor's sink with create_stream = true makes it)")
        })?;
        let config = pull::Config {
            durable_name: Some(consumer.clone()),
            description: Some("collectors of rstscope share it".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(self.options.ack_wait_s),
            max_deliver: -1,
            max_ack_pending: ACK_PENDING_MAX,
            ..pull::Config::default()
        };
        found
            .get_or_create_consumer(consumer, config)
            .await
            .map_err(|error| format!("look for consumer {consumer} of stream {stream}: {error}"))
    }

    /// Takes batches until the stream of them breaks, and says why.
    async fn consume(&self, consumer: &PullConsumer) -> String {
        let messages = consumer
            .stream()
            .max_messages_per_batch(self.options.batches)
            .expires(PULL)
            .heartbeat(HEARTBEAT)
            .messages();
        let mut messages = match messages.await {
            Ok(messages) => messages,
            Err(error) => return format!("ask NATS for batches: {error}"),
        };
        let places = Arc::new(Semaphore::new(self.options.batches));
        loop {
            // A batch is asked for when there is room for it.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return "the receiver ends".to_owned();
            };
            match messages.next().await {
                Some(Ok(message)) => {
                    let receiver = self.clone();
                    tokio::spawn(async move {
                        receiver.take(message).await;
                        drop(place);
                    });
                }
                Some(Err(error)) => return format!("take batches from NATS: {error}"),
                None => return "NATS gives no more batches".to_owned(),
            }
        }
    }

    /// One batch, and what the server is told of it.
    async fn take(&self, message: Message) {
        let answer = match self.read(&message).await {
            Ok(found) => match self.desk.store(found).await {
                Ok(_) => AckKind::Ack,
                Err(_) => AckKind::Nak(Some(NAK)),
            },
            Err((Fate::Unstored, _)) => AckKind::Nak(Some(NAK)),
            Err((fate, why)) => {
                // Whoever sees it counted finds it kept.
                self.desk.aside.keep(Reason::Malformed, &message.payload);
                self.desk.counts.request(fate);
                self.desk.counts.refused(Reason::Malformed, 1);
                self.desk.counts.trouble(&why);
                tracing::warn!("a batch of {} is refused for good: {why}", message.subject);
                AckKind::Term
            }
        };
        if let Err(error) = message.ack_with(answer).await {
            // It comes again, and its records are known by then.
            tracing::debug!("tell NATS what became of a batch: {error}");
        }
    }

    /// The lines of a batch.
    async fn read(&self, message: &Message) -> Result<Found, (Fate, String)> {
        let coding = message.headers.as_ref().and_then(|headers| headers.get("Content-Encoding"));
        let coding = coding.map_or("", |coding| coding.as_str());
        let coding = Coding::named(coding)
            .ok_or_else(|| (Fate::Unsupported, format!("Content-Encoding {coding:?}")))?;
        let (body, limit) = (message.payload.clone(), self.body_bytes_max);
        let work = move || coding.inflate(body, limit).map(|plain| found(&plain));
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(found)) if !found.records.is_empty() => Ok(found),
            Ok(Ok(_)) => Err((Fate::Malformed, "it holds no line".to_owned())),
            Ok(Err(InflateError::TooLong)) => {
                Err((Fate::TooLong, format!("longer than {limit} bytes")))
            }
            Ok(Err(InflateError::Damaged(why))) => {
                Err((Fate::Malformed, format!("it cannot be inflated: {why}")))
            }
            // All ends before it was read: it comes again.
            Err(_) => Err((Fate::Unstored, "this collector is ending".to_owned())),
        }
    }
}

fn found(body: &Bytes) -> Found {
    Found { records: line::lines(body).collect(), foreign: 0 }
}

/// What becomes of the connection, for metrics and the log.
fn note(counts: &Counts, event: &async_nats::Event) {
    use async_nats::Event;
    match event {
        Event::Connected => counts.set_up(Ok(())),
        Event::Disconnected | Event::Closed | Event::LameDuckMode => {
            counts.set_up(Err(format!("NATS: {event}")));
        }
        other => counts.trouble(&format!("NATS: {other}")),
    }
}

/// Batches that may be on their way to all collectors together.
const ACK_PENDING_MAX: i64 = 4096;
/// How long a request for batches stands.
const PULL: Duration = Duration::from_secs(30);
/// How often the server says that it is there meanwhile.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Pause before a batch comes again that the store could not take.
const NAK: Duration = Duration::from_secs(2);
/// Pause after what failed without a connection to blame.
const AGAIN: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(5);
/// The first pause between attempts to connect; it doubles.
const RECONNECT: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(4);
