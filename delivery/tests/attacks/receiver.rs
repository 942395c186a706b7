//! A receiver of OTLP/HTTP that can misbehave, and keeps every record once by its uid.

use std::collections::HashMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use events::encode::otlp::{KeyValue, LogRecord, Logs, Value};
use events::encode::otlp_metrics::{Metric, Metrics};
use flate2::read::GzDecoder;
use prost::Message as _;

/// What to do with a request.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Keep its records and answer this status with these headers and this body.
    Answer(u16, &'static str, Vec<u8>),
    /// Keep nothing, answer this status with these headers.
    Refuse(u16, &'static str),
    /// Keep its records and close the connection without an answer, like one that is killed just then.
    KeepAndDie,
    /// Close the connection at once.
    Die,
    /// Answer what is no HTTP.
    Babble,
    /// Keep its records and answer nothing for so long.
    Stall(Duration),
}

/// Keep and say so.
pub const fn take() -> Deed {
    Deed::Answer(200, "content-type: application/x-protobuf\r\n", Vec::new())
}

/// What was received.
#[derive(Debug, Default)]
pub struct Kept {
    /// Event ids by uid.
    pub records: HashMap<String, String>,
    /// Records that came again.
    pub repeats: u64,
    /// Requests, answered or not.
    pub requests: u64,
    /// The head of the last request.
    pub head: String,
    /// The last record.
    pub last: Option<LogRecord>,
    /// All metrics.
    pub metrics: Vec<Metric>,
    /// Resource attributes of the last request.
    pub resource: Vec<KeyValue>,
}

type Plan = Box<dyn FnMut(u64, &[LogRecord]) -> Deed + Send>;

/// A receiver; what it keeps outlives a stop.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    kept: Mutex<Kept>,
    changed: Condvar,
    plan: Mutex<Plan>,
    /// What is answered to metrics.
    metrics_status: AtomicU16,
    /// Nothing while it stands still.
    streams: Mutex<Option<Vec<TcpStream>>>,
}

impl Receiver {
    /// `plan` says what to do with request number n.
    pub fn start(plan: impl FnMut(u64, &[LogRecord]) -> Deed + Send + 'static) -> Self {
        let state = State {
            kept: Mutex::default(),
            changed: Condvar::new(),
            plan: Mutex::new(Box::new(plan)),
            metrics_status: AtomicU16::new(200),
            streams: Mutex::new(None),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut receiver = Self { address, state: Arc::new(state), thread: None };
        receiver.listen(listener);
        receiver
    }

    pub fn answer_metrics(&self, status: u16) {
        self.state.metrics_status.store(status, Ordering::Relaxed);
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes everything at once, as if killed.
    pub fn stop(&mut self) {
        let streams = self.state.streams.lock().unwrap().take();
        for stream in streams.into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub const fn is_stopped(&self) -> bool {
        self.thread.is_none()
    }

    /// Listens again at the same address.
    pub fn restart(&mut self) {
        self.listen(TcpListener::bind(self.address).unwrap());
    }

    /// Waits until what was received is as `is_so` says, and gives something of it.
    pub fn wait<T>(&self, what: &str, is_so: impl Fn(&Kept) -> Option<T>) -> T {
        let mut kept = self.state.kept.lock().unwrap();
        loop {
            if let Some(value) = is_so(&kept) {
                return value;
            }
            let (guard, wait) = self.state.changed.wait_timeout(kept, PATIENCE).unwrap();
            kept = guard;
            let got = kept.records.len();
            assert!(
                !wait.timed_out(),
                "{what}: nothing more came for {PATIENCE:?}; {got} are here"
            );
        }
    }

    /// Waits for so many different records.
    pub fn wait_for(&self, records: usize) {
        self.wait("records", |kept| (kept.records.len() >= records).then_some(()));
    }

    pub fn kept<T>(&self, of: impl Fn(&Kept) -> T) -> T {
        of(&self.state.kept.lock().unwrap())
    }

    fn listen(&mut self, listener: TcpListener) {
        *self.state.streams.lock().unwrap() = Some(Vec::new());
        let state = self.state.clone();
        self.thread = Some(std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some(streams) = &mut *state.streams.lock().unwrap() else { return };
                streams.push(stream.try_clone().unwrap());
                let state = state.clone();
                std::thread::spawn(move || state.serve(stream));
            }
        }));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        loop {
            let (head, body) = request(&mut reader)?;
            if head.starts_with("post /v1/metrics") {
                self.metrics(&mut stream, &plain(&head, &body))?;
                continue;
            }
            let logs = Logs::decode(plain(&head, &body).as_slice()).unwrap();
            let records: Vec<LogRecord> = logs
                .resource_logs
                .iter()
                .flat_map(|logs| &logs.scope_logs)
                .flat_map(|logs| logs.log_records.clone())
                .collect();
            let number = {
                let mut kept = self.kept.lock().unwrap();
                kept.requests += 1;
                kept.head = head;
                let resource = logs.resource_logs.first().and_then(|logs| logs.resource.clone());
                kept.resource = resource.unwrap_or_default().attributes;
                kept.requests
            };
            let deed = (self.plan.lock().unwrap())(number, &records);
            if !matches!(deed, Deed::Refuse(..) | Deed::Die | Deed::Babble) {
                self.keep(&records);
            }
            self.changed.notify_all();
            match deed {
                Deed::Answer(status, headers, body) => answer(&mut stream, status, headers, &body)?,
                Deed::Refuse(status, headers) => answer(&mut stream, status, headers, b"no")?,
                Deed::KeepAndDie | Deed::Die => {
                    let _ = stream.shutdown(Shutdown::Both);
                    return None;
                }
                Deed::Babble => stream.write_all(b"\x00\xff 220 what?\r\n\r\n").ok()?,
                Deed::Stall(span) => std::thread::sleep(span),
            }
        }
    }

    fn metrics(&self, stream: &mut TcpStream, body: &[u8]) -> Option<()> {
        let status = self.metrics_status.load(Ordering::Relaxed);
        if status == 200 {
            let metrics = Metrics::decode(body).unwrap();
            let scopes = metrics.resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
            self.kept.lock().unwrap().metrics.extend(scopes.flat_map(|scope| scope.metrics));
        }
        self.changed.notify_all();
        answer(stream, status, "content-type: application/x-protobuf\r\n", b"")
    }

    fn keep(&self, records: &[LogRecord]) {
        let mut kept = self.kept.lock().unwrap();
        for record in records {
            let uid = text(record, "log.record.uid");
            let is_canonical = record.attributes.iter().any(|of| of.key == "rst.record");
            let id = if is_canonical { String::new() } else { text(record, "event.id") };
            if kept.records.insert(uid, id).is_some() {
                kept.repeats += 1;
            }
        }
        kept.last = records.last().cloned().or(kept.last.take());
    }
}

/// An attribute's text.
pub fn text(record: &LogRecord, key: &str) -> String {
    let found = record.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()).and_then(|value| value.value) {
        Some(Value::Text(text)) => text,
        other => panic!("{key} is {other:?}"),
    }
}

fn request(reader: &mut impl std::io::BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let (_, rest) = head.split_once("content-length:")?;
    let mut body = vec![0; rest.lines().next()?.trim().parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn plain(head: &str, body: &[u8]) -> Vec<u8> {
    if head.contains("content-encoding: gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(body).read_to_end(&mut plain).unwrap();
        plain
    } else if head.contains("content-encoding: zstd") {
        zstd::stream::decode_all(body).unwrap()
    } else {
        body.to_vec()
    }
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> Option<()> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).ok()
}

/// How long nothing may come before a test has failed; no test passes by waiting.
const PATIENCE: Duration = Duration::from_secs(60);
