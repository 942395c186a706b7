//! What a sensor sends with here: the wire of the sinks, no more.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use delivery::{Answer, Record, Sink};
use events::encode::otlp::{KeyValue, LogRecord, Logs, ResourceLogs, ScopeLogs};
use prost::Message as _;
use tokio::runtime::Runtime;

/// Publishes batches of lines, each under a name of its own.
pub(crate) struct Nats {
    runtime: Runtime,
    url: String,
    context: Option<jetstream::Context>,
}

impl Nats {
    pub(crate) fn new(url: String) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self { runtime, url, context: None }
    }
}

impl Sink for Nats {
    fn send(&mut self, records: &[Record]) -> Answer {
        let (first, last) = (records[0].uid, records[records.len() - 1].uid);
        let lines: Vec<Vec<u8>> = records.iter().map(Record::wire).collect();
        let body = zstd::bulk::compress(&lines.join(&b'\n'), 1).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{first}..{last}"));
        headers.insert("Content-Encoding", "zstd");
        let url = self.url.clone();
        let known = self.context.take();
        let sent = self.runtime.block_on(async {
            let context = match known {
                Some(context) => context,
                None => jetstream::new(async_nats::connect(url).await.ok()?),
            };
            let acknowledged = context
                .publish_with_headers("rstscope.sensor.event", headers, body.into())
                .await
                .ok()?;
            tokio::time::timeout(Duration::from_secs(2), acknowledged).await.ok()?.ok()?;
            Some(context)
        });
        self.context = sent;
        match &self.context {
            Some(_) => Answer::Taken { refused: 0, said: String::new() },
            None => Answer::Later { why: "not acknowledged".to_owned(), after: None },
        }
    }

    fn check(&mut self) -> Answer {
        Answer::Taken { refused: 0, said: String::new() }
    }
}

pub(crate) async fn make_stream(url: &str) {
    let client =
        async_nats::ConnectOptions::new().retry_on_initial_connect().connect(url).await.unwrap();
    let context = jetstream::new(client);
    loop {
        let config = stream::Config {
            name: "RSTSCOPE".to_owned(),
            subjects: vec!["rstscope.>".to_owned()],
            ..stream::Config::default()
        };
        if context.get_or_create_stream(config).await.is_ok() {
            return;
        }
    }
}

/// Posts log records with the record's own JSON.
pub(crate) struct Otlp {
    url: String,
    agent: ureq::Agent,
}

impl Otlp {
    pub(crate) fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
        Self { url: format!("http://{address}/v1/logs"), agent: config.build().into() }
    }
}

impl Sink for Otlp {
    fn send(&mut self, records: &[Record]) -> Answer {
        let log_records = records.iter().map(|record| {
            let text = String::from_utf8(record.wire()).unwrap();
            LogRecord {
                attributes: vec![KeyValue::text("rst.record", text)],
                ..LogRecord::default()
            }
        });
        let scope_logs = vec![ScopeLogs { scope: None, log_records: log_records.collect() }];
        let logs = Logs { resource_logs: vec![ResourceLogs { resource: None, scope_logs }] };
        let request = self.agent.post(&self.url).header("content-type", "application/x-protobuf");
        match request.send(logs.encode_to_vec().as_slice()) {
            Ok(mut response) => {
                // An empty answer means that all was taken.
                let refused =
                    u64::from(response.body_mut().read_to_vec().map_or(1, |b| b.len() as u64) > 0);
                Answer::Taken { refused, said: String::new() }
            }
            Err(error) => Answer::Later { why: error.to_string(), after: None },
        }
    }

    fn check(&mut self) -> Answer {
        Answer::Taken { refused: 0, said: String::new() }
    }
}
