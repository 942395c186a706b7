//! Time of reading whole captures, from memory: `/dev/shm` where there is one.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use benches::{CaptureWriter, Mix, Traffic};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use events::Event;
use pipeline::{Options, Sink};

const PACKETS: u64 = 200_000;

struct Nothing;

impl Sink for Nothing {
    fn emit(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }
}

fn capture(mix: Mix, resets_per_mille: u64) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let path = folder.join(format!("rs-bench-{}-{}.pcap", std::process::id(), mix.name()));
    let mut writer = CaptureWriter::begin(BufWriter::new(File::create(&path).unwrap())).unwrap();
    let options = benches::Options { mix, resets_per_mille, flows: 20_000, ..Default::default() };
    let (mut traffic, mut frame) = (Traffic::new(&options), Vec::new());
    for _ in 0..PACKETS {
        let time_ns = traffic.next_frame(&mut frame);
        writer.frame(time_ns, &frame).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn whole(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole");
    group.throughput(Throughput::Elements(PACKETS)).sample_size(10);
    let options = Options { flows: 1 << 16, seed: Some(1), ..Options::default() };
    for (mix, resets_per_mille) in Mix::ALL.map(|mix| (mix, 20)).into_iter().chain([(Mix::Imix, 0)])
    {
        let path = capture(mix, resets_per_mille);
        let name = format!("{} with {resets_per_mille} per mille resets", mix.name());
        group.bench_function(BenchmarkId::new("read", name), |bench| {
            let paths = [path.clone()];
            bench.iter(|| {
                pipeline::read(&paths, &options, None, &AtomicBool::new(false), &mut Nothing)
                    .unwrap()
            });
        });
        std::fs::remove_file(path).unwrap();
    }
    group.finish();
}

criterion_group!(benches, whole);
criterion_main!(benches);
