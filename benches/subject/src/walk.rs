//! A capture walked through, and nothing else.

use std::hint::black_box;
use std::path::Path;

use pipeline::{CaptureSource, Received, Source as _};

use crate::{measured_part_begins, measured_part_ends};

/// Lends every frame of a capture and looks at none.
pub(crate) fn measure(path: &Path) -> anyhow::Result<()> {
    let mut source = CaptureSource::open(&[path.to_owned()]);
    let mut frames = 0;
    measured_part_begins();
    while let Received::Frames(lent) = source.receive()? {
        for index in 0..lent {
            black_box(source.frame(index));
        }
        frames += lent;
    }
    measured_part_ends();
    println!("frames {frames}");
    println!("measured {frames}");
    Ok(())
}
