//! What holds for the name in any payload.

use wire::{Asked, ServerName};

/// The answer, after its invariants were checked.
pub(crate) fn check(payload: &[u8]) -> Asked {
    let asked = ServerName::of(payload);
    if let Asked::Name(name) = asked {
        let bytes = name.as_bytes();
        assert!((1..=ServerName::MAX).contains(&bytes.len()));
        assert!(bytes.iter().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
        // More bytes behind the name change nothing.
        let longer = [payload, b"and more"].concat();
        assert_eq!(ServerName::of(&longer), asked);
    }
    asked
}
