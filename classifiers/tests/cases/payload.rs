//! Payloads by name.

/// The bytes of a named TLS record (RFC 8446, section 5.1), its content cut short.
pub(crate) fn tls(name: &str) -> Result<Vec<u8>, String> {
    Ok(match name {
        "client_hello" => record(22, 300, &[1, 0, 1, 0x28, 3, 3]),
        "server_hello" => record(22, 122, &[2, 0, 0, 0x76, 3, 3]),
        "handshake" => record(22, 900, &[11, 0, 3, 0x80]),
        "alert" => record(21, 2, &[2, 40]),
        "close_notify" => record(21, 2, &[1, 0]),
        "encrypted_alert" => record(21, 26, &[0x9c, 0x11]),
        "data" => record(23, 200, &[0x51, 0x22]),
        "short_data" => record(23, 19, &[0x51, 0x22]),
        _ => return Err(format!("{name:?} is no TLS record known here")),
    })
}

fn record(kind: u8, len: u16, start: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 3];
    bytes.extend(len.to_be_bytes());
    bytes.extend(start);
    bytes.resize(5 + usize::from(len), 0xa5);
    bytes
}

/// Bytes written as hexadecimal digits.
pub(crate) fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let pair =
        |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(pair).collect();
    bytes.ok_or_else(|| format!("{digits:?} are no pairs of hexadecimal digits"))
}
