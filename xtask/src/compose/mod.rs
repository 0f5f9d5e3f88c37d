//! The step `compose`: the image and the stack that a team deploys, and what its failures cost.
//!
//! The tests themselves are Rust (`tests/compose`); here is what they need around them. An engine:
//! the one that runs, or one of our own in namespaces of its own, so that nothing of it is left. The
//! base images: pulled where that is possible, and otherwise made of Debian's own packages. The
//! image under test comes from the repository's Dockerfile; only its `cargo` is replaced by one that
//! hands out the release binary, because compiling once more in there would test nothing more.

mod engine;
mod images;
mod stand_ins;

use std::path::Path;

use anyhow::Result;

use crate::process::{self, cargo, root, target};
use engine::Engine;
use images::Images;

/// Everything that we make in an engine is called so.
const NAME: &str = "switchback-compose-test";

/// Runs the tests of the stack with this binary in the image.
pub(crate) fn run(binary: &Path) -> Result<()> {
    let tests = ["test", "--locked", "--workspace", "--test", "compose"];
    // Before there is an engine: where it has namespaces of its own, there is no network.
    process::run(root(), &cargo(), &[&tests[..], &["--no-run"]].concat())?;
    let dir = target().join("compose");
    std::fs::create_dir_all(&dir)?;
    let engine = Engine::find_or_start()?;
    let mut images = Images::new(&dir);
    let tested = images.prepare(&engine, &dir, binary).and_then(|()| {
        let mut command = engine.beside(&cargo());
        command.args(tests).args(["--", "--nocapture", "--test-threads=1"]).current_dir(root());
        command.env("COMPOSE_FILE", images.compose_files()?).env("COMPOSE_PROJECT_NAME", NAME);
        process::run_command(&mut command)
    });
    let removed = images.remove(&engine);
    tested.and(removed).and(engine.stop())
}
