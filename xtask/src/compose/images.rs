//! The images: what can be pulled is pulled, the rest are stand-ins, and ours is built from the
//! repository's Dockerfile by the tests themselves.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::engine::Engine;
use super::{NAME, stand_ins};
use crate::process::{root, run_command};

/// How long a pull may take before a stand-in is made: `timeout`'s own words.
const PULL: &str = "180s";
const RECIPES: &str = "tests/compose/stand-ins";
/// The images that can be replaced, and the services that run them.
const USED_BY: [(&str, &[&str]); 3] =
    [("postgres", &["postgres", "secrets"]), ("nginx", &["load-balancer"]), ("nats", &["nats"])];
const NODES: [&str; 4] = ["switchback", "node", "node-1", "node-2"];

/// The images that are ours, and the compose file that names them.
pub(super) struct Images {
    file: PathBuf,
    tags: Vec<String>,
}

impl Images {
    pub(super) fn new(dir: &Path) -> Self {
        Self { file: dir.join("images.yml"), tags: Vec::new() }
    }

    /// Sees to it that the engine has everything, and writes the file that says what is used.
    pub(super) fn prepare(&mut self, engine: &Engine, dir: &Path, binary: &Path) -> Result<()> {
        // The tests have it built.
        self.tags.push(format!("{NAME}/switchback"));
        let replaced: Vec<&str> =
            USED_BY.iter().map(|(name, _)| *name).filter(|name| !is_there(engine, &image_of(name))).collect();
        let base = format!("{NAME}/base");
        let mut import = engine.command("docker");
        import.arg("import").arg(stand_ins::base(dir)?).arg(&base);
        run_command(&mut import)?;
        let context = context(dir, binary)?;
        for name in replaced.iter().chain(&["rust"]) {
            let tag = format!("{NAME}/{name}");
            let mut build = engine.command("docker");
            build.args(["build", "--quiet", "--build-arg", &format!("BASE={base}"), "--target", name]);
            build.args(["--tag", &tag]).arg(&context);
            run_command(&mut build)?;
            self.tags.push(tag);
        }
        self.tags.push(base);
        Ok(fs::write(&self.file, compose_file(&replaced))?)
    }

    /// The stack's own file with ours laid over it, as `COMPOSE_FILE` has them.
    pub(super) fn compose_files(&self) -> Result<OsString> {
        Ok(env::join_paths([&root().join("docker-compose.yml"), &self.file])?)
    }

    /// Takes them away again.
    pub(super) fn remove(&self, engine: &Engine) -> Result<()> {
        let removed = self.tags.iter().map(|tag| engine.docker(&["image", "rm", "--force", tag]).map(drop));
        let removed = removed.fold(Ok(()), Result::and);
        // What only stood on the way to an image has no name, but the label of the recipes.
        let filter = format!("label={NAME}");
        removed.and(engine.docker(&["image", "prune", "--force", "--filter", &filter]).map(drop))
    }
}

/// The image that docker-compose.yml names for a service.
fn image_of(service: &str) -> String {
    let file = fs::read_to_string(root().join("docker-compose.yml")).unwrap_or_default();
    let prefix = format!("image: {service}:");
    let tag = file.lines().find_map(|line| line.trim().strip_prefix(&prefix));
    format!("{service}:{}", tag.unwrap_or("latest"))
}

/// Whether the engine has an image, or can get it.
fn is_there(engine: &Engine, image: &str) -> bool {
    if engine.docker(&["image", "inspect", image]).is_ok() {
        return true;
    }
    if !engine.may_pull() {
        return false;
    }
    let pulled = engine.command("timeout").args([PULL, "docker", "pull", "--quiet", image]).status();
    pulled.is_ok_and(|status| status.success())
}

/// What the stand-ins are built from: their recipes and the binary under test.
fn context(dir: &Path, binary: &Path) -> Result<PathBuf> {
    let context = dir.join("stand-ins");
    fs::create_dir_all(&context)?;
    for file in ["Dockerfile", "postgres.sh", "cargo.sh"] {
        fs::copy(root().join(RECIPES).join(file), context.join(file))?;
    }
    fs::copy(binary, context.join("switchback"))?;
    Ok(context)
}

/// Laid over docker-compose.yml: other images, nothing else.
fn compose_file(replaced: &[&str]) -> String {
    let mut file = "services:\n".to_owned();
    for node in NODES {
        let _ = writeln!(
            file,
            "  {node}:\n    image: {NAME}/switchback\n    build:\n      context: .\n      args: {{ RUST_IMAGE: {NAME}/rust }}"
        );
    }
    for (image, services) in USED_BY.into_iter().filter(|(image, _)| replaced.contains(image)) {
        for service in services {
            let _ = writeln!(file, "  {service}:\n    image: {NAME}/{image}");
        }
    }
    file
}
