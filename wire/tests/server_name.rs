//! The names in stored fuzz inputs and in arbitrary payloads.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use wire::Asked;

mod names;

#[test]
fn every_stored_payload_keeps_the_invariants_at_every_length() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/server_name");
    let (mut named, mut cut, mut nothing) = (0, 0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let payload = fs::read(entry.unwrap().path()).unwrap();
        for captured in 0..payload.len() {
            let shorter = names::check(&payload[..captured]);
            // What a cut payload names, the whole one names too.
            if matches!(shorter, Asked::Name(_)) {
                assert_eq!(shorter, names::check(&payload));
            }
        }
        match names::check(&payload) {
            Asked::Name(_) => named += 1,
            Asked::Cut => cut += 1,
            Asked::Nothing => nothing += 1,
        }
    }
    assert!(named >= 6 && cut >= 2 && nothing >= 4, "{named} named, {cut} cut, {nothing} nothing");
}

proptest! {
    #[test]
    fn no_payload_breaks_the_invariants(
        start in prop::sample::select(vec![&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHost: "]),
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        names::check(&[start, &rest].concat());
    }
}
