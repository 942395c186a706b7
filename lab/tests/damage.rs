//! Damaged captures: whole files in, whole files out, and every label still names its reset.

#![allow(clippy::unwrap_used, reason = "functions that serve tests may unwrap, too")]

mod support;

use std::path::Path;

use lab::{Damage, DamageKind, Seen};
use pcap_parser::PcapCapture;
use support::Temporary;

/// Ten scenarios recorded once and kept with the sources.
fn demo(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name)
}

#[test]
fn labels_follow_their_resets_through_every_damage() {
    for kind in DamageKind::ALL {
        let (output, out_truth) = (Temporary::new("pcap"), Temporary::new("csv"));
        let done = Damage {
            input: demo("demo.pcap"),
            output: output.0.clone(),
            truth: demo("demo.csv"),
            out_truth: out_truth.0.clone(),
            kind,
            seed: 3,
            share: (kind == DamageKind::Loss).then_some(0.3),
        }
        .inflict()
        .unwrap();
        let bytes = std::fs::read(&output.0).unwrap();
        let capture = PcapCapture::from_file(&bytes).unwrap();
        assert_eq!(capture.blocks.len(), done.frames_after, "{kind:?}");
        let mut rows = 0;
        for record in csv::Reader::from_path(&out_truth.0).unwrap().records() {
            let record = record.unwrap();
            let Ok(frame) = record[1].parse::<usize>() else { continue };
            rows += 1;
            let seen =
                Seen::parse(capture.blocks[frame - 1].data).expect("a labelled frame is TCP");
            let (client, server) = (record[3].parse().unwrap(), record[4].parse().unwrap());
            assert!(seen.is_reset() && seen.is_between(client, server), "{kind:?}: {record:?}");
        }
        assert_eq!(rows, done.rows, "{kind:?}");
        let halves =
            matches!(kind, DamageKind::Loss | DamageKind::OneSided | DamageKind::ServerOnly);
        assert_eq!(done.rows_lost > 0, halves, "{kind:?}");
    }
}

#[test]
fn the_same_seed_does_the_same_damage() {
    let write = || {
        let (output, out_truth) = (Temporary::new("pcap"), Temporary::new("csv"));
        let (input, truth) = (demo("demo.pcap"), demo("demo.csv"));
        let (kind, share) = (DamageKind::Reorder, None);
        let damage = Damage {
            input,
            output: output.0.clone(),
            truth,
            out_truth: out_truth.0.clone(),
            kind,
            seed: 8,
            share,
        };
        damage.inflict().unwrap();
        std::fs::read(&output.0).unwrap()
    };
    assert_eq!(write(), write());
}
