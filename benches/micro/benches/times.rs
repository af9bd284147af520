//! How long the micro-benchmarks take on this machine: `cargo bench -p duplexer-micro --features times`. For people; nothing is kept or judged.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use duplexer_micro::{OPERATIONS, cases};

fn times(criterion: &mut Criterion) {
    for case in cases() {
        let mut work = (case.begin)();
        let mut group = criterion.benchmark_group(&case.name);
        group.throughput(Throughput::Bytes(case.bytes as u64));
        group.bench_function("operation", |bencher| {
            // One run is many operations, so whole runs are timed and a part of the last one is taken off.
            bencher.iter_custom(|operations| {
                let runs = operations.div_ceil(OPERATIONS as u64);
                let mut taken = Duration::ZERO;
                for _ in 0..runs {
                    work.prepare();
                    let start = Instant::now();
                    work.run();
                    taken += start.elapsed();
                }
                taken.mul_f64(operations as f64 / (runs * OPERATIONS as u64) as f64)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, times);
criterion_main!(benches);
