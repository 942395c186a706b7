//! The name a client asks for: SNI of a TLS ClientHello, Host of an HTTP/1 request.
//!
//! Reads one payload, the first of a client. A ClientHello may be spread over several TLS records;
//! over several segments it is the caller's to put together ([`Asked::Cut`]). With encrypted
//! ClientHello this is the outer name, of whoever fronts for the server. QUIC is not TCP.

/// What a payload asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "returned by value once a connection, never stored")]
pub enum Asked {
    /// This name.
    Name(ServerName),
    /// The payload ended before the name could be told.
    Cut,
    /// No request, a malformed one, or one that names nobody.
    Nothing,
}

/// A host name as hosts compare them: lower case, without port and without the root's dot.
///
/// 1 to [`ServerName::MAX`] bytes of visible ASCII (RFC 6066, section 3; RFC 9110, section 7.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ServerName {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl ServerName {
    /// The longest name there can be (RFC 1035, section 2.3.4, without the root).
    pub const MAX: usize = 253;

    /// The name in `payload`.
    #[must_use]
    pub fn of(payload: &[u8]) -> Asked {
        let read = match payload {
            [HANDSHAKE, 3, ..] => client_hello(payload),
            [b'A'..=b'Z', ..] => http_request(payload),
            _ => Err(End::Other),
        };
        match read {
            Ok(name) => Asked::Name(name),
            Err(End::Cut) => Asked::Cut,
            Err(End::Other) => Asked::Nothing,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Normalises `raw`, or refuses what is no name.
    fn normal(raw: impl Iterator<Item = Result<u8, End>>) -> Read<Self> {
        let mut name = Self { bytes: [0; Self::MAX], len: 0 };
        for byte in raw {
            let byte = byte?.to_ascii_lowercase();
            let place = name.bytes.get_mut(usize::from(name.len)).ok_or(End::Other)?;
            if !byte.is_ascii_graphic() {
                return Err(End::Other);
            }
            *place = byte;
            name.len += 1;
        }
        if name.as_bytes().last() == Some(&b'.') {
            name.len -= 1;
        }
        if name.len == 0 { Err(End::Other) } else { Ok(name) }
    }
}

impl core::fmt::Debug for ServerName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(core::str::from_utf8(self.as_bytes()).unwrap_or("?"))
    }
}

/// Why there is no name.
enum End {
    /// More bytes might tell.
    Cut,
    /// No more bytes are needed to know.
    Other,
}

type Read<T> = Result<T, End>;

/// RFC 8446, section 4.1.2.
fn client_hello(payload: &[u8]) -> Read<ServerName> {
    let mut hello = Hello { rest: payload, in_record: 0, left: 4 };
    if hello.number(1)? != CLIENT_HELLO {
        return Err(End::Other);
    }
    hello.left = hello.number(3)?;
    // Version and random.
    hello.skip(2 + 32)?;
    // Session, cipher suites, compression methods.
    for width in [1, 2, 1] {
        let len = hello.number(width)?;
        hello.skip(len)?;
    }
    let mut extensions = hello.number(2)?;
    while extensions >= 4 {
        let (kind, len) = (hello.number(2)?, hello.number(2)?);
        if kind == SERVER_NAME {
            return sni(&mut hello, len);
        }
        hello.skip(len)?;
        extensions = extensions.checked_sub(4 + len).ok_or(End::Other)?;
    }
    Err(End::Other)
}

/// The list has one entry of one type in all implementations (RFC 6066, section 3).
fn sni(hello: &mut Hello<'_>, len: usize) -> Read<ServerName> {
    let (_list, kind, name) = (hello.number(2)?, hello.number(1)?, hello.number(2)?);
    if kind != HOST_NAME || name + 5 > len {
        return Err(End::Other);
    }
    ServerName::normal((0..name).map(|_| hello.byte()))
}

/// The bytes of a handshake message across the records it is spread over.
struct Hello<'b> {
    rest: &'b [u8],
    /// Bytes left in the record.
    in_record: usize,
    /// Bytes left in the message.
    left: usize,
}

impl Hello<'_> {
    fn number(&mut self, width: usize) -> Read<usize> {
        let mut number = 0;
        for _ in 0..width {
            number = number << 8 | usize::from(self.byte()?);
        }
        Ok(number)
    }

    fn byte(&mut self) -> Read<u8> {
        self.enter_record()?;
        let (&byte, rest) = self.rest.split_first().ok_or(End::Cut)?;
        self.rest = rest;
        self.in_record -= 1;
        self.left = self.left.checked_sub(1).ok_or(End::Other)?;
        Ok(byte)
    }

    fn skip(&mut self, mut len: usize) -> Read<()> {
        self.left = self.left.checked_sub(len).ok_or(End::Other)?;
        while len > 0 {
            self.enter_record()?;
            let step = len.min(self.in_record);
            self.rest = self.rest.get(step..).ok_or(End::Cut)?;
            self.in_record -= step;
            len -= step;
        }
        Ok(())
    }

    /// Reads the next record's header if this one is used up; empty records are not allowed.
    fn enter_record(&mut self) -> Read<()> {
        if self.in_record > 0 {
            return Ok(());
        }
        let (header, rest) = self.rest.split_at_checked(5).ok_or(End::Cut)?;
        self.in_record = usize::from(u16::from_be_bytes([header[3], header[4]]));
        self.rest = rest;
        if header[0] == HANDSHAKE && self.in_record > 0 { Ok(()) } else { Err(End::Other) }
    }
}

/// The Host field of the first request (RFC 9112, section 3.2).
fn http_request(payload: &[u8]) -> Read<ServerName> {
    let head = &payload[..payload.len().min(HEAD_MAX)];
    let mut lines = head.split_inclusive(|&byte| byte == b'\n');
    let request = lines.next().and_then(whole_line).ok_or(End::Cut)?;
    if !request.windows(HTTP_1.len()).any(|part| part == HTTP_1) {
        return Err(End::Other);
    }
    for line in lines {
        let line = whole_line(line).ok_or(End::Cut)?;
        if line.is_empty() {
            return Err(End::Other);
        }
        match line.split_at_checked(HOST.len()) {
            Some((field, value)) if field.eq_ignore_ascii_case(HOST) => {
                let host = without_port(value.trim_ascii());
                return ServerName::normal(host.iter().map(|&byte| Ok(byte)));
            }
            _ => {}
        }
    }
    if head.len() < payload.len() { Err(End::Other) } else { Err(End::Cut) }
}

/// A line without its end; `None` if the end did not come.
fn whole_line(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// `host:80` to `host`; `[::1]:80` to `[::1]`.
fn without_port(host: &[u8]) -> &[u8] {
    let colon = host.iter().rposition(|&byte| byte == b':');
    match colon.and_then(|colon| host.split_at_checked(colon)) {
        Some((name, port)) if port[1..].iter().all(u8::is_ascii_digit) => name,
        _ => host,
    }
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: usize = 1;
const SERVER_NAME: usize = 0;
const HOST_NAME: usize = 0;
const HTTP_1: &[u8] = b" HTTP/1.";
const HOST: &[u8] = b"host:";
/// Browsers send the Host field first or second.
const HEAD_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::{Asked, ServerName};

    fn name(payload: &[u8]) -> String {
        match ServerName::of(payload) {
            Asked::Name(name) => format!("{name:?}"),
            Asked::Cut => "cut".to_owned(),
            Asked::Nothing => "nothing".to_owned(),
        }
    }

    /// A ClientHello with GREASE, ECH and the name last, as one record.
    fn hello(server: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([2, 1, 2, 0, 4, 0x1a, 0x1a, 0x13, 1, 1, 0]);
        let mut extensions = vec![0x2a, 0x2a, 0, 0, 0xfe, 0x0d, 0, 3, 9, 9, 9, 0, 0];
        let len = server.len() as u16;
        extensions.extend((len + 5).to_be_bytes());
        extensions.extend((len + 3).to_be_bytes());
        extensions.push(0);
        extensions.extend(len.to_be_bytes());
        extensions.extend(server);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut message = vec![1, 0];
        message.extend((body.len() as u16).to_be_bytes());
        message.extend(body);
        message
    }

    fn records(message: &[u8], len: usize) -> Vec<u8> {
        let record = |part: &[u8]| {
            let len = (part.len() as u16).to_be_bytes();
            [&[22, 3, 1, len[0], len[1]], part].concat()
        };
        message.chunks(len).flat_map(record).collect()
    }

    #[test]
    fn the_name_of_a_hello_is_read_however_its_records_are_cut() {
        let message = hello(b"WWW.Example.ORG.");
        for len in [1, 3, 47, 1_000] {
            assert_eq!(name(&records(&message, len)), "www.example.org");
        }
    }

    #[test]
    fn a_shorter_capture_of_a_hello_is_cut_and_never_another_name() {
        let whole = records(&hello(b"example.org"), 50);
        for len in 2..whole.len() {
            assert_eq!(name(&whole[..len]), "cut", "{len} bytes");
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_name_nobody() {
        let message = hello(b"example.org");
        let mut short = message.clone();
        short[3] = 60;
        assert_eq!(name(&records(&short, 999)), "nothing");
        let mut long = message;
        let at = long.len() - 12;
        long[at] = 200;
        assert_eq!(name(&records(&long, 999)), "nothing");
        assert_eq!(name(&[22, 3, 1, 0, 0, 22, 3, 1, 0, 0]), "nothing");
        for server in [&b""[..], b".", b"a b", b"\xff", &[b'a'; 254]] {
            assert_eq!(name(&records(&hello(server), 999)), "nothing");
        }
    }

    #[test]
    fn the_host_of_a_request_is_read_without_its_port() {
        let cases: [(&[u8], &str); 10] = [
            (b"GET / HTTP/1.1\r\nHost: A.example:8080\r\n\r\n", "a.example"),
            (b"GET / HTTP/1.1\nX: y\nhOST:b.example\n\n", "b.example"),
            (b"POST /x HTTP/1.0\r\nHost:  [2001:db8::1]:443 \r\n", "[2001:db8::1]"),
            (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n", "[2001:db8::1]"),
            (b"GET / HTTP/1.1\r\nHost: c.exam", "cut"),
            (b"GET / HTTP/1.1\r\nAccept: *\r\n", "cut"),
            (b"GET / HT", "cut"),
            (b"GET / HTTP/1.1\r\n\r\nHost: body.example\r\n", "nothing"),
            (b"NICK somebody\r\nHost: x\r\n", "nothing"),
            (b"GET / HTTP/1.1\r\nHost: \r\n\r\n", "nothing"),
        ];
        for (payload, expected) in cases {
            assert_eq!(name(payload), expected, "{}", String::from_utf8_lossy(payload));
        }
    }
}
