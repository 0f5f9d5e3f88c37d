//! What the fuzzing targets of `fuzz_targets/` run. The repository's own tests run the same on the
//! seeds, so that neither can fall behind the product.

#[path = "../../tests/shared/harmless.rs"]
mod harmless;
#[path = "../../tests/shared/server_frames.rs"]
mod server_frames;
mod targets;

/// Runs a target on one input; panics if something does not hold.
pub fn run(target: &str, bytes: &[u8]) {
    let found = targets::TARGETS.iter().find(|(name, _)| *name == target);
    found.expect("a target of this name").1(bytes);
}
