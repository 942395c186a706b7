//! Requests that were right once: bytes of bodies, of calls and of whole connections are changed at random. Receivers
//! answer what they can read, close what they cannot, and go on.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use collector::{Gather, Receivers, Store, StoreOptions};
use fastrand::Rng;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;

use crate::send::{Answer, JSON, PROTOBUF, address, body, gzip, options, post};

/// Receivers with the store that they have in earnest.
fn start(directory: &tempfile::TempDir) -> Receivers {
    let directory = directory.path().join("store");
    let store = Store::open(&StoreOptions { directory, ..StoreOptions::default() }).unwrap();
    let mut options = options();
    options.body_bytes_max = 1 << 20;
    options.request_timeout_s = 5;
    Receivers::start(&options, Arc::new(store), Gather::AT_ONCE).unwrap()
}

/// Lines of all kinds, as sensors send them; `number` names them.
fn texts(number: u64) -> Vec<Option<String>> {
    let event = include_str!("../../../delivery/src/test_event.json").replace('\n', "");
    let minute = serde_json::to_string(&events::Minute::default()).unwrap();
    let line = |sequence: u64, kind: &str, json: &str| {
        format!(
            r#"{{"uid":"00000000000000aa-{sequence}","sequence":{sequence},"sensor":"tap ä","record":"{kind}",{}"#,
            json.trim_start().strip_prefix('{').unwrap()
        )
    };
    let first = number * 2 + 1;
    vec![Some(line(first, "event", &event)), Some(line(first + 1, "minute", &minute)), None]
}

/// A few changes: a byte, a piece that is gone, that comes twice or stands elsewhere, a length beyond all bounds.
fn mutated(right: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = right.to_vec();
    for _ in 0..random.usize(1..4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random.usize(..bytes.len());
        let end = (at + random.usize(1..32)).min(bytes.len());
        match random.u8(..7) {
            0 => bytes[at] = random.u8(..),
            1 => bytes[at] ^= 1 << random.u8(..8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = random.usize(..=bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            4 => bytes.truncate(at),
            5 => drop(bytes.splice(at..end, [0xff; 9])),
            _ => drop(bytes.splice(at..at, std::iter::repeat_n(random.u8(..), 40))),
        }
    }
    bytes
}

fn seed() -> Rng {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    Rng::with_seed(seed)
}

fn taken(answer: &Answer) -> bool {
    answer.status == 200
}

#[test]
fn bodies_over_http() {
    let directory = tempfile::tempdir().unwrap();
    let receivers = start(&directory);
    let address = address(&receivers, "otlp_http");
    let mut random = seed();
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":"rst.record","value":{"stringValue":"{\"uid\":\"00000000000000aa-1\",\"sequence\":1,\"sensor\":\"s\",\"record\":\"event\"}"}}]}]}]}]}"#;
    let mut statuses = std::collections::BTreeMap::<u16, u64>::new();
    for number in 0..CHANGES {
        let right = body(&texts(number));
        let coded = |name: &str| format!("{PROTOBUF}content-encoding: {name}\r\n");
        let (headers, sent) = match number % 5 {
            0 => (JSON.to_owned(), mutated(json.as_bytes(), &mut random)),
            1 => (coded("gzip"), mutated(&gzip(&right), &mut random)),
            2 => (coded("zstd"), mutated(&zstd::bulk::compress(&right, 1).unwrap(), &mut random)),
            3 => (coded("gzip"), gzip(&mutated(&right, &mut random))),
            _ => (PROTOBUF.to_owned(), mutated(&right, &mut random)),
        };
        let answer = post(address, "/v1/logs", &headers, &sent);
        assert!([200, 400, 413].contains(&answer.status), "{answer:?}");
        *statuses.entry(answer.status).or_default() += 1;
    }
    println!("{statuses:?}");
    assert!(statuses[&200] > 0 && statuses[&400] > 0);
    assert!(taken(&post(address, "/v1/logs", PROTOBUF, &body(&texts(CHANGES)))));
}

/// Sends bytes as they are.
#[derive(Clone, Copy, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Calls with these messages, one after the other on one connection: which codes were answered, and how often.
fn call(address: SocketAddr, messages: Vec<Vec<u8>>) -> std::collections::BTreeMap<i32, u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        let mut grpc = Grpc::new(endpoint.connect().await.unwrap());
        let mut codes = std::collections::BTreeMap::new();
        for message in messages {
            grpc.ready().await.unwrap();
            let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export".parse().unwrap();
            let answer = grpc.unary(tonic::Request::new(message.into()), path, Plain).await;
            let code = answer.map_or_else(|status| status.code() as i32, |_| 0);
            *codes.entry(code).or_default() += 1;
        }
        codes
    })
}

#[test]
fn messages_over_grpc() {
    let directory = tempfile::tempdir().unwrap();
    let receivers = start(&directory);
    let address = address(&receivers, "otlp_grpc");
    let mut random = seed();
    let messages = (0..CHANGES).map(|number| mutated(&body(&texts(number)), &mut random));
    let codes = call(address, messages.collect());
    println!("{codes:?}");
    let known = [tonic::Code::Ok as i32, tonic::Code::InvalidArgument as i32];
    assert!(codes.keys().all(|code| known.contains(code)), "{codes:?}");
    assert_eq!(codes.len(), 2, "{codes:?}");
    assert_eq!(call(address, vec![body(&texts(CHANGES))]), [(0, 1)].into());
}

/// What a sender says in a whole connection of HTTP/2 with one call.
fn recorded(address: SocketAddr) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let between = listener.local_addr().unwrap();
    let relay = std::thread::spawn(move || {
        let (mut sender, _) = listener.accept().unwrap();
        let mut receiver = TcpStream::connect(address).unwrap();
        let (mut back, mut forth) = (receiver.try_clone().unwrap(), sender.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
        let (mut said, mut bytes) = (Vec::new(), [0; 4096]);
        while let Ok(len @ 1..) = sender.read(&mut bytes) {
            said.extend_from_slice(&bytes[..len]);
            receiver.write_all(&bytes[..len]).unwrap();
        }
        let _ = receiver.shutdown(Shutdown::Both);
        said
    });
    assert_eq!(call(between, vec![body(&texts(0))]), [(0, 1)].into());
    relay.join().unwrap()
}

#[test]
fn connections_of_http2() {
    let directory = tempfile::tempdir().unwrap();
    let receivers = start(&directory);
    let address = address(&receivers, "otlp_grpc");
    let right = recorded(address);
    let mut random = seed();
    for _ in 0..CHANGES {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // It may close before it has read all.
        let _ = stream.write_all(&mutated(&right, &mut random));
        let _ = stream.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        if let Err(error) = stream.read_to_end(&mut said) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it stands still");
        }
    }
    assert_eq!(call(address, vec![body(&texts(CHANGES))]), [(0, 1)].into());
}

/// Changed requests of each kind.
const CHANGES: u64 = 500;
