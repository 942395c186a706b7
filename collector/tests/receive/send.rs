//! Senders and what they send.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use collector::{Gather, Listen, ReceiveOptions, Receivers};
use events::encode::otlp::{KeyValue, LogRecord, Logs, ResourceLogs, ScopeLogs};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;

use crate::store::Memory;

/// Receivers on ports that are free.
pub fn options() -> ReceiveOptions {
    let free = Listen::At("127.0.0.1:0".parse().unwrap());
    ReceiveOptions { otlp_http: free, otlp_grpc: free, ..ReceiveOptions::default() }
}

pub fn start(options: &ReceiveOptions, store: &Arc<Memory>) -> Receivers {
    Receivers::start(options, Arc::clone(store) as _, Gather::AT_ONCE).unwrap()
}

pub fn address(receivers: &Receivers, name: &str) -> SocketAddr {
    receivers.addresses().iter().find(|(found, _)| *found == name).unwrap().1
}

pub fn uid(number: u64) -> String {
    format!("00000000000000aa-{}", number + 1)
}

/// Record number so and so, from 0; sequences begin with 1.
pub fn line(number: u64) -> String {
    format!(
        r#"{{"uid":"{}","sequence":{},"sensor":"here","record":"event","x":"ä"}}"#,
        uid(number),
        number + 1
    )
}

/// A request with these records; `None` is a log record of somebody else.
pub fn logs(texts: &[Option<String>]) -> Logs {
    let record = |text: &Option<String>| {
        let mut attributes = vec![KeyValue::text("client.address", "192.0.2.1")];
        attributes.extend(text.clone().map(|text| KeyValue::text("rst.record", text)));
        LogRecord { attributes, ..LogRecord::default() }
    };
    let log_records = texts.iter().map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: None, log_records }];
    Logs { resource_logs: vec![ResourceLogs { resource: None, scope_logs }] }
}

pub fn body(texts: &[Option<String>]) -> Vec<u8> {
    logs(texts).encode_to_vec()
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// One request on a connection of its own.
pub fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let len = body.len();
    write!(stream, "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len}\r\n{headers}\r\n")
        .unwrap();
    // It may answer before it has read all.
    let _ = stream.write_all(body);
    answer(stream)
}

pub fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

pub const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";
pub const JSON: &str = "content-type: application/json\r\n";
