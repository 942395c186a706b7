//! Secrets: read from files, compared in constant time, never written anywhere.

use std::io::{self, Read as _};
use std::path::Path;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

/// Why a file gives no secret.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It cannot be read.
    File(io::Error),
    /// It holds something else.
    Content,
}

/// A secret of one line: visible ASCII characters and blanks; white space around it is left out.
pub(crate) fn read(path: &Path) -> Result<Box<str>, Unusable> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(Unusable::File)?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(Unusable::File)?;
    let secret = text.trim_ascii();
    let is_plain = !secret.is_empty() && secret.iter().all(|byte| (b' '..=b'~').contains(byte));
    match str::from_utf8(secret) {
        Ok(secret) if is_plain => Ok(secret.into()),
        _ => Err(Unusable::Content),
    }
}

/// A token: a secret without blanks that is not to be guessed.
pub(crate) fn read_token(path: &Path) -> Result<Box<str>, Unusable> {
    let token = read(path)?;
    let is_token = (TOKEN_LEN_MIN..=TOKEN_LEN_MAX).contains(&token.len()) && !token.contains(' ');
    if is_token { Ok(token) } else { Err(Unusable::Content) }
}

/// The token that a request bears, right or wrong.
pub(crate) fn token_sent(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?;
    let (scheme, sent) = value.as_bytes().split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER.as_bytes()).then_some(sent)
}

/// Whether it is this one; how long that takes tells nothing but the length of what was sent.
pub(crate) fn is_same(sent: &[u8], token: &str) -> bool {
    bool::from(sent.ct_eq(token.as_bytes()))
}

const BEARER: &str = "Bearer ";
const TOKEN_LEN_MIN: usize = 16;
const TOKEN_LEN_MAX: usize = 1024;
const FILE_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{Unusable, is_same, read, read_token, token_sent};

    #[test]
    fn a_file_holds_one_line_or_nothing_of_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let holding = |text: &str| {
            std::fs::write(&path, text).unwrap();
            (read(&path).ok(), read_token(&path).ok())
        };
        let long = "x".repeat(1025);
        assert_eq!(
            holding(" 0123456789abcdef\n"),
            (Some("0123456789abcdef".into()), Some("0123456789abcdef".into()))
        );
        assert_eq!(
            holding("two words that are long"),
            (Some("two words that are long".into()), None)
        );
        assert_eq!(holding("short").1, None);
        assert_eq!(holding(&long).1, None);
        for wrong in ["", "\n", "two\nlines of some length", "ümlaut of some length"] {
            assert_eq!(holding(wrong), (None, None), "{wrong:?}");
        }
        let none = folder.path().join("none");
        assert!(matches!(read(&none), Err(Unusable::File(_))));
    }

    #[test]
    fn a_request_bears_its_token_behind_the_scheme() {
        let sent = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            token_sent(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(sent("bearer abc").as_deref(), Some(b"abc".as_slice()));
        assert_eq!((sent("Basic abc"), sent("Bear")), (None, None));
        assert!(is_same(b"abc", "abc") && !is_same(b"abd", "abc") && !is_same(b"ab", "abc"));
    }
}
