//! Every seed of the fuzzing targets, run once without a fuzzer: what was found stays found, and
//! the targets cannot fall behind the product.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say so and stop"
)]

use std::path::{Path, PathBuf};

#[path = "../shared/harmless.rs"]
mod harmless;
#[path = "../shared/server_frames.rs"]
mod server_frames;
#[path = "../../fuzz/src/targets.rs"]
mod targets;

use targets::TARGETS;

/// A target without seeds would pass without having been tried.
const SEEDS_MIN: usize = 5;

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    seeds
}

#[test]
fn every_seed_passes_its_target() {
    for (name, run) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= SEEDS_MIN, "{name} has {} seeds", seeds.len());
        for seed in seeds {
            println!("{}", seed.display());
            run(&std::fs::read(&seed).unwrap());
        }
    }
}

#[test]
fn every_target_can_be_fuzzed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    for (name, _) in TARGETS {
        let source = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("switchback_fuzz::run(\"{name}\", ")), "{name}: {source}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
    }
}
