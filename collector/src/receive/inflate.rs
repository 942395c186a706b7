//! Compressed bodies, never larger than allowed, however small they came.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// How a body is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

/// Why a body could not be inflated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum InflateError {
    /// It would be larger than allowed.
    TooLong,
    /// It is damaged.
    Damaged(String),
}

impl Coding {
    /// Of the header `Content-Encoding`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.trim() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The body as it was before.
    pub(crate) fn inflate(self, body: Bytes, bytes_max: usize) -> Result<Bytes, InflateError> {
        match self {
            Self::Identity if body.len() > bytes_max => Err(InflateError::TooLong),
            Self::Identity => Ok(body),
            Self::Gzip => read(MultiGzDecoder::new(&*body), body.len(), bytes_max),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(&*body).map_err(damaged)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
                read(decoder, body.len(), bytes_max)
            }
        }
    }
}

fn read(decoder: impl Read, len: usize, bytes_max: usize) -> Result<Bytes, InflateError> {
    let mut plain = Vec::with_capacity(len.saturating_mul(4).min(bytes_max));
    // One more than allowed, to see that there is more.
    let limit = bytes_max as u64 + 1;
    decoder.take(limit).read_to_end(&mut plain).map_err(damaged)?;
    if plain.len() > bytes_max {
        return Err(InflateError::TooLong);
    }
    Ok(Bytes::from(plain))
}

fn damaged(error: std::io::Error) -> InflateError {
    InflateError::Damaged(error.to_string())
}

/// 8 MiB: what RFC 8878, section 3.1.1.1.2, asks every decoder to allow.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Coding, InflateError};

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit_and_a_cut_one_is_damaged() {
        let bomb = vec![0; 8 << 20];
        let zstd = Bytes::from(zstd::bulk::compress(&bomb, 19).unwrap());
        for (coding, packed) in [(Coding::Gzip, gzip(&bomb)), (Coding::Zstd, zstd)] {
            assert!(packed.len() < 10_000, "{}", packed.len());
            let inflate = |bytes: Bytes, max| coding.inflate(bytes, max);
            assert_eq!(inflate(packed.clone(), bomb.len()), Ok(Bytes::from(bomb.clone())));
            assert_eq!(inflate(packed.clone(), bomb.len() - 1), Err(InflateError::TooLong));
            assert_eq!(inflate(packed.clone(), 100), Err(InflateError::TooLong));
            let cut = packed.slice(..packed.len() - 5);
            assert!(matches!(inflate(cut, usize::MAX >> 1), Err(InflateError::Damaged(_))));
            let junk = Bytes::from_static(b"no such thing at all");
            assert!(matches!(inflate(junk, 100), Err(InflateError::Damaged(_))));
        }
    }

    #[test]
    fn names_are_those_of_http() {
        assert_eq!(Coding::named("gzip"), Some(Coding::Gzip));
        assert_eq!(Coding::named(""), Some(Coding::Identity));
        assert_eq!(Coding::named("br"), None);
        assert_eq!(Coding::named("gzip, gzip"), None);
    }
}
