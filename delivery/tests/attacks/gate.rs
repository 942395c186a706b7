//! Between us and librdkafka's own broker (a real one over TCP, which does not look at sequence numbers): the rule of
//! Kafka's brokers for idempotent producers, answers that get lost, TLS and passwords.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::tls::{Authority, serve_tls};

/// What one producer said of a batch: topic and partition in the bytes before it, then its number.
type BatchName = (Vec<u8>, i64, i16, i32);

/// A door to a broker on this machine.
pub struct Gate {
    broker: SocketAddr,
    /// How clients are told to reach it: nine letters, as many as `127.0.0.1` has.
    name: &'static str,
    port: Mutex<u16>,
    /// USER and PASSWORD that are let in, if any are asked for.
    login: Option<&'static str>,
    /// Of so many answers to batches one is lost; none if 0.
    lose_each: u64,
    seen: Mutex<Seen>,
}

/// What went through.
#[derive(Default)]
pub struct Seen {
    answers: HashMap<BatchName, Vec<u8>>,
    /// Batches.
    pub batches: u64,
    /// Batches that came again, and were known.
    pub known: u64,
    /// Answers that were lost.
    pub lost: u64,
    /// Compressions of batches, as Kafka numbers them.
    pub codecs: Vec<i16>,
    /// Whether somebody said who he was.
    pub logged_in: bool,
}

impl Gate {
    pub fn open(broker: &str, lose_each: u64) -> Arc<Self> {
        let gate = Arc::new(Self::new(broker, "127.0.0.1", None, lose_each));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        *gate.port.lock().unwrap() = listener.local_addr().unwrap().port();
        let served = gate.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                served.clone().serve(stream.unwrap());
            }
        });
        gate
    }

    /// Behind TLS, for those who show a certificate of this authority.
    pub fn open_tls(broker: &str, authority: &Authority, login: Option<&'static str>) -> Arc<Self> {
        let gate = Arc::new(Self::new(broker, "localhost", login, 0));
        let served = gate.clone();
        let address = serve_tls(authority, move |stream| served.clone().serve(stream));
        *gate.port.lock().unwrap() = address.port();
        gate
    }

    fn new(broker: &str, name: &'static str, login: Option<&'static str>, lose_each: u64) -> Self {
        let broker = broker.parse().unwrap();
        let (port, seen) = (Mutex::new(0), Mutex::default());
        Self { broker, name, port, login, lose_each, seen }
    }

    /// HOST:PORT.
    pub fn address(&self) -> String {
        format!("{}:{}", self.name, self.port.lock().unwrap())
    }

    pub fn seen<T>(&self, of: impl FnOnce(&Seen) -> T) -> T {
        of(&self.seen.lock().unwrap())
    }

    /// One connection, on a thread of its own.
    fn serve(self: Arc<Self>, client: impl Read + Write + Send + 'static) {
        std::thread::spawn(move || self.pass(client));
    }

    /// Question by question; each has an answer.
    fn pass(&self, mut client: impl Read + Write) -> Option<()> {
        let mut broker = TcpStream::connect(self.broker).ok()?;
        let mut is_in = self.login.is_none();
        loop {
            let question = frame(&mut client)?;
            let answer = match [question[0], question[1]] {
                SASL_HANDSHAKE => [&question[4..8], &[0, 0, 0, 0, 0, 1, 0, 5], b"PLAIN"].concat(),
                SASL_AUTHENTICATE => {
                    is_in = self.admits(&question);
                    let (code, lifetime) = (if is_in { 0 } else { 58u16 }, [0; 8]);
                    let (no_text, no_bytes) = ([0xff; 2], [0; 4]);
                    let code = code.to_be_bytes();
                    [&question[4..8], &code, &no_text, &no_bytes, &lifetime].concat()
                }
                API_VERSIONS => self.versions(&mut broker, &question)?,
                _ if !is_in => return None,
                PRODUCE => match batch(&question) {
                    None => self.ask(&mut broker, &question)?,
                    Some(batch) => self.batch(&mut broker, &question, batch)?,
                },
                _ => self.ask(&mut broker, &question)?,
            };
            client.write_all(&(answer.len() as u32).to_be_bytes()).ok()?;
            client.write_all(&answer).ok()?;
            client.flush().ok()?;
        }
    }

    /// Whether who asks is known: SASL PLAIN, "\0USER\0PASSWORD".
    fn admits(&self, question: &[u8]) -> bool {
        let said = &question[10 + usize::from(question[9]) + 4..];
        let said = String::from_utf8_lossy(said).replace('\0', ":");
        let is_known = said.strip_prefix(':') == self.login;
        self.seen.lock().unwrap().logged_in |= is_known;
        is_known
    }

    /// What can be asked: what the broker says, and who one is. It knows no version above 2 and says so, in version 0,
    /// as it answers to the next question.
    fn versions(&self, broker: &mut TcpStream, question: &[u8]) -> Option<Vec<u8>> {
        let mut answer = self.ask(broker, question)?;
        if self.login.is_some() && question[3] == 0 {
            answer[9] += 2;
            let entries = [SASL_HANDSHAKE, SASL_AUTHENTICATE].map(|[a, b]| [a, b, 0, 0, 0, 1]);
            answer.splice(10..10, entries.concat());
        }
        Some(answer)
    }

    /// The broker's answer, in which it lives here.
    fn ask(&self, broker: &mut TcpStream, question: &[u8]) -> Option<Vec<u8>> {
        broker.write_all(&(question.len() as u32).to_be_bytes()).ok()?;
        broker.write_all(question).ok()?;
        let mut answer = frame(broker)?;
        let place =
            |name: &str, port: u16| [name.as_bytes(), &u32::from(port).to_be_bytes()].concat();
        let theirs = place("127.0.0.1", self.broker.port());
        let ours = place(self.name, *self.port.lock().unwrap());
        for at in 0..answer.len().saturating_sub(theirs.len()) {
            if answer[at..].starts_with(&theirs) {
                answer[at..at + ours.len()].copy_from_slice(&ours);
            }
        }
        Some(answer)
    }

    /// A batch that came before is answered as it was then; of the others some answers are lost.
    fn batch(
        &self,
        broker: &mut TcpStream,
        question: &[u8],
        (name, codec): (BatchName, i16),
    ) -> Option<Vec<u8>> {
        let correlation = &question[4..8];
        let mut seen = self.seen.lock().unwrap();
        if let Some(mut answer) = seen.answers.get(&name).cloned() {
            seen.known += 1;
            answer[..4].copy_from_slice(correlation);
            return Some(answer);
        }
        drop(seen);
        let answer = self.ask(broker, question)?;
        let mut seen = self.seen.lock().unwrap();
        seen.batches += 1;
        seen.codecs.push(codec);
        seen.answers.insert(name, answer.clone());
        if self.lose_each > 0 && seen.batches.is_multiple_of(self.lose_each) {
            seen.lost += 1;
            return None;
        }
        Some(answer)
    }
}

/// What follows a length.
fn frame(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut bytes = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// The batch of a Produce request (version 3 to 8, one partition), and how it is compressed: KIP-98, message format 2.
fn batch(question: &[u8]) -> Option<(BatchName, i16)> {
    let version = i16::from_be_bytes(question[2..4].try_into().unwrap());
    assert!((3..=8).contains(&version), "version {version}");
    let len =
        |at: usize| i16::from_be_bytes(question[at..at + 2].try_into().unwrap()).max(0) as usize;
    // Client identifier, transactional identifier, acks, timeout, one topic.
    let client_end = 10 + len(8);
    let topic = client_end + 2 + len(client_end) + 2 + 4 + 4;
    // One partition: its number and the length of what follows.
    let partition = topic + 2 + len(topic) + 4;
    let records = &question[partition + 8..];
    let number =
        |at: usize| records.get(at..at + 8).map(|b| i64::from_be_bytes(b.try_into().unwrap()));
    let (producer, numbers) = (number(43)?, number(51)?);
    let (epoch, sequence) = ((numbers >> 48) as i16, (numbers >> 16) as i32);
    let codec = i16::from_be_bytes(records[21..23].try_into().unwrap()) & 7;
    Some(((question[topic..partition + 4].to_vec(), producer, epoch, sequence), codec))
}

const PRODUCE: [u8; 2] = [0, 0];
const SASL_HANDSHAKE: [u8; 2] = [0, 17];
const API_VERSIONS: [u8; 2] = [0, 18];
const SASL_AUTHENTICATE: [u8; 2] = [0, 36];
