//! What the first bytes of a payload are: a peek, not a parser.

/// Class of a segment's payload by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum PayloadClass {
    /// No payload.
    #[default]
    Empty,
    /// Payload on the wire, not in the capture.
    Unseen,
    /// TLS handshake record with a ClientHello.
    TlsClientHello,
    /// TLS handshake record with a ServerHello.
    TlsServerHello,
    /// Any other TLS handshake or change-cipher-spec record.
    TlsHandshake,
    /// Plaintext TLS alert other than close_notify.
    TlsAlert,
    /// Plaintext close_notify.
    TlsCloseNotify,
    /// Encrypted alert of TLS 1.2 and before (content type 21, longer than 2 bytes).
    TlsEncryptedAlert,
    /// TLS application data.
    TlsData,
    /// TLS application data of a length that TLS 1.3 alerts have (19 or 24 bytes): a hint only.
    TlsShortData,
    /// Such a record right after the handshake messages of its side, before any other data: what an
    /// alert that ends a TLS 1.3 handshake looks like. Only a record of the flow knows that.
    TlsEarlyShortData,
    /// An HTTP/1 request line.
    HttpRequest,
    /// An HTTP/1 status line.
    HttpResponse,
    /// SSH identification string.
    Ssh,
    /// A three-digit greeting (SMTP, FTP, NNTP ...).
    Greeting,
    /// A server's word, instead of its greeting, that it serves too many already (sshd, MySQL, FTP).
    TurnedAway,
    /// Anything else.
    Other,
}

impl PayloadClass {
    /// Every class, in the order of its number.
    pub const ALL: [Self; 17] = [
        Self::Empty,
        Self::Unseen,
        Self::TlsClientHello,
        Self::TlsServerHello,
        Self::TlsHandshake,
        Self::TlsAlert,
        Self::TlsCloseNotify,
        Self::TlsEncryptedAlert,
        Self::TlsData,
        Self::TlsShortData,
        Self::TlsEarlyShortData,
        Self::HttpRequest,
        Self::HttpResponse,
        Self::Ssh,
        Self::Greeting,
        Self::TurnedAway,
        Self::Other,
    ];

    /// The class of captured bytes; `wire_len` is what the payload had on the wire.
    #[must_use]
    #[inline]
    pub fn of(payload: &[u8], wire_len: u32) -> Self {
        if payload.first().is_some_and(|&first| !BEGINS.has(first)) && payload.get(4) != Some(&0xff)
        {
            return Self::Other;
        }
        Self::of_any(payload, wire_len)
    }

    fn of_any(payload: &[u8], wire_len: u32) -> Self {
        match payload {
            [] if wire_len == 0 => Self::Empty,
            [] => Self::Unseen,
            [kind @ 20..=23, 3, 0..=4, high, low, rest @ ..] => {
                tls_record(*kind, u16::from_be_bytes([*high, *low]), rest)
            }
            [b'H', b'T', b'T', b'P', b'/', ..] => Self::HttpResponse,
            [b'S', b'S', b'H', b'-', ..] => Self::Ssh,
            _ if is_turned_away(payload) => Self::TurnedAway,
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..] => Self::Greeting,
            _ if is_http_request(payload) => Self::HttpRequest,
            _ => Self::Other,
        }
    }

    /// Whether this is any TLS record.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        self as u8 >= Self::TlsClientHello as u8 && self as u8 <= Self::TlsEarlyShortData as u8
    }

    /// The class of what a side sends after a segment of class `earlier`.
    ///
    /// Handshake messages that fill several segments stay what they are until the next record.
    #[must_use]
    pub const fn after(self, earlier: Self) -> Self {
        match self {
            Self::TlsShortData if earlier.is_tls_handshake() => Self::TlsEarlyShortData,
            Self::Other if matches!(earlier, Self::TlsServerHello) => Self::TlsHandshake,
            Self::Other if matches!(earlier, Self::TlsHandshake) => Self::TlsHandshake,
            _ => self,
        }
    }

    /// Whether the record belongs to a TLS handshake still under way.
    #[must_use]
    pub const fn is_tls_handshake(self) -> bool {
        matches!(self, Self::TlsClientHello | Self::TlsServerHello | Self::TlsHandshake)
    }
}

/// A set of bytes.
struct Bytes([u64; 4]);

impl Bytes {
    const fn of(bytes: &[u8]) -> Self {
        let mut bits = [0; 4];
        let mut at = 0;
        while at < bytes.len() {
            bits[bytes[at] as usize / 64] |= 1 << (bytes[at] % 64);
            at += 1;
        }
        Self(bits)
    }

    const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize / 64] & (1 << (byte % 64)) != 0
    }
}

/// What any class but the last begins with, MySQL's error apart: most payloads are the middle of
/// something.
const BEGINS: Bytes = Bytes::of(b"\x14\x15\x16\x17HSE12345GPDOC");

/// "Exceeded MaxStartups" (sshd), "421 Too many ..." (RFC 959), or MySQL's error 1040.
fn is_turned_away(payload: &[u8]) -> bool {
    payload.starts_with(b"Exceeded MaxStartups")
        || payload.starts_with(b"421 Too many")
        || matches!(payload, [_, 0, 0, _, 0xff, 0x10, 0x04, ..])
}

/// The class of a TLS record by content type and length (RFC 8446, section 5.1).
fn tls_record(kind: u8, len: u16, rest: &[u8]) -> PayloadClass {
    match (kind, len, rest) {
        (22, _, [1, ..]) => PayloadClass::TlsClientHello,
        (22, _, [2, ..]) => PayloadClass::TlsServerHello,
        (20 | 22, ..) => PayloadClass::TlsHandshake,
        (21, 2, [_, 0, ..]) => PayloadClass::TlsCloseNotify,
        (21, 2, _) => PayloadClass::TlsAlert,
        (21, ..) => PayloadClass::TlsEncryptedAlert,
        (_, 19 | 24, _) => PayloadClass::TlsShortData,
        _ => PayloadClass::TlsData,
    }
}

fn is_http_request(payload: &[u8]) -> bool {
    const METHODS: [&[u8]; 8] =
        [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT "];
    METHODS.iter().any(|method| payload.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::PayloadClass;
    use proptest::prelude::*;

    #[test]
    fn records_and_banners_are_told_apart() {
        let cases: [(&[u8], PayloadClass); 12] = [
            (b"", PayloadClass::Empty),
            (b"\x16\x03\x01\x02\x00\x01", PayloadClass::TlsClientHello),
            (b"\x16\x03\x03\x00\x7a\x02", PayloadClass::TlsServerHello),
            (b"\x15\x03\x03\x00\x02\x02\x28", PayloadClass::TlsAlert),
            (b"\x15\x03\x03\x00\x02\x01\x00", PayloadClass::TlsCloseNotify),
            (b"\x17\x03\x03\x00\x13abc", PayloadClass::TlsShortData),
            (b"GET / HTTP/1.1", PayloadClass::HttpRequest),
            (b"220 mail", PayloadClass::Greeting),
            (b"Exceeded MaxStartups\r\n", PayloadClass::TurnedAway),
            (b"421 Too many connections (8) from this IP", PayloadClass::TurnedAway),
            (b"\x17\0\0\0\xff\x10\x04Too many connections", PayloadClass::TurnedAway),
            (b"\x16\x03", PayloadClass::Other),
        ];
        for (bytes, class) in cases {
            assert_eq!(PayloadClass::of(bytes, bytes.len() as u32), class, "{bytes:?}");
        }
        assert_eq!(PayloadClass::of(b"", 100), PayloadClass::Unseen);
    }

    proptest! {
        #[test]
        fn what_is_passed_over_at_first_sight_is_nothing(
            start in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..12),
                Just(b"PATCH / HTTP".to_vec()),
                Just(b"\0\0\0\x01\xff\x10\x04#08004".to_vec()),
            ],
            change in any::<Option<(usize, u8)>>(),
        ) {
            let mut payload = start;
            if let (Some((at, value)), false) = (change, payload.is_empty()) {
                let at = at % payload.len();
                payload[at] = value;
            }
            let len = payload.len() as u32;
            prop_assert_eq!(PayloadClass::of(&payload, len), PayloadClass::of_any(&payload, len));
        }
    }

    #[test]
    fn a_short_record_is_early_only_right_after_the_handshake_messages() {
        use PayloadClass::{Other, TlsData, TlsEarlyShortData, TlsServerHello, TlsShortData};
        let last = |classes: &[PayloadClass]| {
            classes.iter().fold(PayloadClass::Empty, |earlier, class| class.after(earlier))
        };
        assert_eq!(last(&[TlsServerHello, TlsShortData]), TlsEarlyShortData);
        // A chain of certificates takes several segments.
        assert_eq!(last(&[TlsServerHello, Other, Other, TlsShortData]), TlsEarlyShortData);
        assert_eq!(last(&[TlsServerHello, TlsData, TlsShortData]), TlsShortData);
        assert_eq!(last(&[TlsServerHello, TlsData, Other, TlsShortData]), TlsShortData);
        assert_eq!(last(&[TlsShortData]), TlsShortData);
        assert_eq!(last(&[Other, TlsShortData]), TlsShortData);
    }
}
