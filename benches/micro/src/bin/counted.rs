//! Runs one micro-benchmark for a counter of instructions, which counts what happens within [`counted_region`].
//!
//! `counted` alone lists the cases, each with its number of operations; `counted NAME` runs one; `counted --processor` says which
//! choices the processor leaves to the libraries that choose at run time, and is to be asked where the cases are run.

use std::hint::black_box;
use std::process::ExitCode;

use duplexer_micro::{OPERATIONS, Work, cases};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {
            for case in cases() {
                println!("{} {OPERATIONS}", case.name);
            }
        }
        Some("--processor") => println!("{}", processor()),
        Some(name) => {
            let Some(case) = cases().into_iter().find(|case| case.name == name) else {
                eprintln!("there is no case `{name}`");
                return ExitCode::FAILURE;
            };
            let mut work = (case.begin)();
            // What is made on first use, and what grows to its size, is not what an operation costs.
            for _ in 0..WARM_UPS {
                work.prepare();
                work.run();
            }
            work.prepare();
            black_box(counted_region(work.as_mut()));
        }
    }
    ExitCode::SUCCESS
}

/// What is counted. Not inlined, and not left by a jump, or the counter would not see its beginning and end.
#[inline(never)]
fn counted_region(work: &mut dyn Work) -> usize {
    black_box(work.run())
}

/// The instruction sets that memchr, simdutf8, zlib-rs and the C library look for.
#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    let sets = [
        ("sse3", is_x86_feature_detected!("sse3")),
        ("ssse3", is_x86_feature_detected!("ssse3")),
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("popcnt", is_x86_feature_detected!("popcnt")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi1", is_x86_feature_detected!("bmi1")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("lzcnt", is_x86_feature_detected!("lzcnt")),
        ("movbe", is_x86_feature_detected!("movbe")),
        ("ermsb", is_x86_feature_detected!("ermsb")),
        ("vpclmulqdq", is_x86_feature_detected!("vpclmulqdq")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
    ];
    let there: Vec<&str> = sets.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    there.join(" ")
}

/// Elsewhere the architecture is all that is known to matter.
#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    std::env::consts::ARCH.to_owned()
}

const WARM_UPS: usize = 3;
