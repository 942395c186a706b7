//! How a server is named in an address: `10.0.0.5:443`, `[2001:db8::1]:443`, `10.0.0.0/24`,
//! `[10.0.0.0/24]:443`, `10.0.0.5`.

use std::net::SocketAddr;

use events::{Network, ServerRange};

/// Reads one; `None` if it is none.
#[must_use]
pub fn read(text: &str) -> Option<ServerRange> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(ServerRange { ip: address.ip(), port: Some(address.port()), prefix: None });
    }
    let (place, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((place, "")) => (place, None),
        Some((place, rest)) => (place, Some(rest.strip_prefix(':')?.parse().ok()?)),
        None => (text, None),
    };
    let Network { ip, prefix } = Network::read(place)?;
    Some(ServerRange { ip, port, prefix })
}

/// The same way back.
pub(crate) fn write(range: &ServerRange) -> String {
    let prefix = range.prefix.map(|prefix| format!("/{prefix}")).unwrap_or_default();
    match range.port {
        None => format!("{}{prefix}", range.ip),
        Some(port) if prefix.is_empty() => SocketAddr::new(range.ip, port).to_string(),
        Some(port) => format!("[{}{prefix}]:{port}", range.ip),
    }
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn names_come_back_as_they_went() {
        for text in [
            "10.0.0.5:443",
            "[2001:db8::1]:443",
            "10.0.0.0/24",
            "[10.0.0.0/24]:443",
            "10.0.0.5",
            "2001:db8::/32",
        ] {
            assert_eq!(read(text).map(|range| write(&range)).as_deref(), Some(text));
        }
        for text in ["", "example:443", "10.0.0.0/33", "[10.0.0.0/24]443", "10.0.0.5:99999", "[::1"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
