//! What the fuzzing targets of `fuzz_targets/` run. The repository's own tests run the same on the
//! seeds, so that neither can fall behind the product.

#[path = "../../tests/shared/harmless.rs"]
pub mod harmless;
#[path = "../../tests/shared/server_frames.rs"]
pub mod server_frames;
pub mod targets;
