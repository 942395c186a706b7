//! Replays every stored fuzz input: frames of real captures and hand-made ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wire::LinkType;

mod invariants;

#[test]
fn every_stored_frame_keeps_the_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/parse");
    let mut links = BTreeSet::new();
    let mut tunnels = BTreeSet::new();
    let mut skips = BTreeSet::new();
    let mut inputs = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        let (link, frame) = invariants::split(&input).unwrap();
        inputs += 1;
        // Every shorter capture of it too.
        for captured in 0..frame.len() {
            let _ = invariants::check(link, &frame[..captured]);
        }
        match invariants::check(link, frame) {
            Ok(packet) => {
                links.insert(format!("{link:?}"));
                tunnels.extend(packet.path.tunnel.map(|tunnel| tunnel.kind as u8));
            }
            Err(skip) => {
                skips.insert(skip.name());
            }
        }
    }
    assert!(inputs >= 300, "only {inputs} stored inputs");
    assert_eq!(links.len(), LinkType::ALL.len(), "links with a packet: {links:?}");
    assert_eq!(tunnels, (1..=9).collect(), "a kind of tunnel is missing");
    assert_eq!(skips.len(), wire::Skip::ALL.len(), "reasons met: {skips:?}");
}
