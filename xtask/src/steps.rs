//! The steps: what each checks, what it needs, what it runs.
//!
//! Three builds share one target directory: clippy's metadata, the debug build of the tests, the
//! release build that Python and the browsers talk to. All take the whole workspace's features or
//! the binary's, never a third set, so that no dependency is compiled once more.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result};

use crate::compose;
use crate::conformance;
use crate::load;
use crate::order;
use crate::process::{self, cargo, root, run, run_with};
use crate::tools::{self, Tool};

/// One thing that must pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// What must be on the machine.
    pub(crate) tools: &'static [Tool],
    /// The step that this one builds on.
    pub(crate) after: Option<&'static str>,
    pub(crate) run: fn() -> Result<()>,
}

/// Names another binary to test, as the kits of tests/ read it.
pub(crate) const BINARY: &str = "SWITCHBACK_BINARY";

/// Where the store's tests find a database server.
const TEST_POSTGRES: &str = "SWITCHBACK_TEST_POSTGRES";

/// How many plans the faults' tests draw.
const SEEDS: &str = "SWITCHBACK_SEEDS";
static DRAWN: OnceLock<String> = OnceLock::new();

const WEB_TOOLS: &[Tool] = &[tools::NODE, tools::NPM];
const BROWSER_TOOLS: &[Tool] =
    &[tools::NODE, tools::NPM, tools::CHROMIUM, tools::NGINX, tools::HAPROXY, tools::OPENSSL];
const PROXY_TOOLS: &[Tool] = &[tools::CC, tools::NGINX, tools::CADDY, tools::HAPROXY, tools::APACHE];
const HOSTILE_TOOLS: &[Tool] = &[
    tools::CC,
    tools::NGINX,
    tools::CADDY,
    tools::HAPROXY,
    tools::APACHE,
    tools::SQUID,
    tools::NODE,
    tools::NPM,
    tools::CHROMIUM,
];
const FAULT_TOOLS: &[Tool] =
    &[tools::CC, tools::NODE, tools::PYTHON, tools::FAKETIME, tools::EXT4, tools::MOUNT];
const COMPOSE_TOOLS: &[Tool] =
    &[tools::CC, tools::DOCKER, tools::DOCKER_COMPOSE, tools::DEBOOTSTRAP, tools::IPROUTE, tools::NAMESPACES];
pub(crate) const CONFORMANCE_TOOLS: &[Tool] = &[tools::CC, tools::PYTHON_FOR_CASES, tools::VENV];
pub(crate) const FUZZ_TOOLS: &[Tool] = &[tools::CC, tools::CXX];
const PICTURE_TOOLS: &[Tool] =
    &[tools::NODE, tools::NPM, tools::CHROMIUM, tools::EMOJI_FONT, tools::TEXT_FONT];

/// Everything that must pass, quick things first.
pub(crate) const ALL: &[Step] = &[
    Step {
        name: "fmt",
        about: "rustfmt, and the fuzzers' lock file",
        tools: &[tools::RUSTFMT],
        after: None,
        run: fmt,
    },
    Step {
        name: "web-types",
        about: "the web client's types, by tsc",
        tools: WEB_TOOLS,
        after: None,
        run: web_types,
    },
    Step { name: "web", about: "the web client's own tests", tools: WEB_TOOLS, after: None, run: web },
    Step {
        name: "clippy",
        about: "clippy, pedantic, warnings are errors",
        tools: &[tools::CLIPPY, tools::CC],
        after: None,
        run: clippy,
    },
    Step {
        name: "rust",
        about: "every crate's tests and tests/api",
        tools: &[tools::CC],
        after: None,
        run: rust,
    },
    Step {
        name: "simulation",
        about: "the promises under as many schedules as a minute allows",
        tools: &[tools::CC],
        after: Some("rust"),
        run: simulation,
    },
    Step {
        name: "conformance",
        about: "the socket against Autobahn's quick cases",
        tools: CONFORMANCE_TOOLS,
        after: Some("rust"),
        run: conformance::quick,
    },
    Step {
        name: "postgres",
        about: "the store's tests once more, on a PostgreSQL of their own, several servers on it, and moving to it",
        tools: &[tools::CC, tools::POSTGRES, tools::NATS],
        after: None,
        run: postgres,
    },
    Step {
        name: "proxies",
        about: "the operations page's examples in nginx, Caddy, HAProxy and Apache",
        tools: PROXY_TOOLS,
        after: None,
        run: proxies,
    },
    Step {
        name: "hostile",
        about: "both clients on networks that break what they carry, by real programs and middleboxes",
        tools: HOSTILE_TOOLS,
        after: None,
        run: hostile,
    },
    Step {
        name: "release",
        about: "the release build, and whether its list of functions is of today",
        tools: &[tools::CC],
        after: None,
        run: release_in_order,
    },
    Step {
        name: "python",
        about: "a client in another language against the release build",
        tools: &[tools::PYTHON, tools::CC],
        after: Some("release"),
        run: python,
    },
    Step {
        name: "browser",
        about: "two Chromium windows against the release build, behind real proxies",
        tools: BROWSER_TOOLS,
        after: Some("release"),
        run: browser,
    },
    Step {
        name: "load",
        about: "a reconnect storm and a soak, both small, and a thousand slow readers, against the release build",
        tools: &[tools::CC],
        after: Some("release"),
        run: load::small,
    },
    Step {
        name: "faults",
        about: "what goes wrong in a process and a network, on the release build",
        tools: FAULT_TOOLS,
        after: Some("release"),
        run: faults,
    },
    Step {
        name: "compose",
        about: "the image and the stack, by Docker, and what its failures cost",
        tools: COMPOSE_TOOLS,
        after: Some("release"),
        run: compose,
    },
];

/// Takes the README's picture; not part of the tests.
pub(crate) const SCREENSHOTS: Step = Step {
    name: "screenshots",
    about: "takes the README's picture again",
    tools: PICTURE_TOOLS,
    after: None,
    run: screenshots,
};

/// The steps of these names, in this order.
pub(crate) fn named(names: &[&str]) -> Result<Vec<Step>> {
    let find = |name: &&str| {
        ALL.iter().find(|step| step.name == *name).copied().with_context(|| {
            let all: Vec<&str> = ALL.iter().map(|step| step.name).collect();
            format!("there is no step \"{name}\"; there are {}", all.join(", "))
        })
    };
    names.iter().map(find).collect()
}

fn fmt() -> Result<()> {
    run(root(), &cargo(), &["fmt", "--all", "--check"])?;
    run(root(), &cargo(), &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])?;
    // A workspace of its own, which no other step builds: its lock file must not fall behind.
    run(root(), &cargo(), &["tree", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--depth", "0"])
}

/// "All targets" leaves out the tests that `cargo test` leaves out.
fn clippy() -> Result<()> {
    let by_name = ["--test", "compose", "--test", "proxies", "--test", "hostile", "--test", "faults"];
    for targets in [&["--all-targets"][..], &by_name] {
        let args = [&["clippy", "--locked", "--workspace"], targets, &["--", "-D", "warnings"]].concat();
        run(root(), &cargo(), &args)?;
    }
    Ok(())
}

fn rust() -> Result<()> {
    run(root(), &cargo(), &["test", "--locked", "--workspace"])
}

/// How many simulated runs are made.
const SIMULATED: &str = "SWITCHBACK_SIM_SEEDS";
/// How many of them are made twice.
const SIMULATED_TWICE: &str = "SWITCHBACK_SIM_TWICE";

/// By the build that the other tests have: an optimized one would take longer to make than to run.
fn simulation() -> Result<()> {
    let args = ["test", "--locked", "--workspace", "--test", "simulation", "--", "--nocapture"];
    run_with(root(), &cargo(), &args, &[(SIMULATED, "2000".as_ref()), (SIMULATED_TWICE, "50".as_ref())])
}

/// Simulated runs, as many as are asked for, optimized: most of what they cost is our own code.
pub(crate) fn simulate(seeds: u64) -> Result<()> {
    let args = ["test", "--locked", "--release", "--workspace", "--test", "simulation", "--", "--nocapture"];
    run_with(root(), &cargo(), &args, &[(SIMULATED, seeds.to_string().as_ref())])
}

/// Chosen by the tests' names, not by `-p`: one crate alone has other features, and its dependencies
/// would be compiled once more.
fn postgres() -> Result<()> {
    let it = ["--test", "it", "--", "--include-ignored"];
    let units = ["--lib", "--", "--include-ignored", "writer::", "transfer::"];
    let nodes = ["--test", "live", "--", "--ignored", "nodes::"];
    let moving = ["--test", "api", "--", "--ignored", "moving::"];
    in_postgres(&it)?;
    in_postgres(&units)?;
    in_postgres(&nodes)?;
    in_postgres(&moving)
}

/// Tests beside a cluster that is made for them; its address is in the variables that begin with PG.
fn in_postgres(tests: &[&str]) -> Result<()> {
    let cargo = cargo();
    // A temporary one in every respect: two runs at once do not meet.
    let mut args = vec!["-t", "-o", "fsync=on", "-o", "max_connections=200", cargo.as_str()];
    args.extend(["test", "--locked", "--workspace"]);
    args.extend(tests);
    let server = [(TEST_POSTGRES, "postgres://localhost/postgres".as_ref())];
    run_with(root(), "pg_virtualenv", &args, &server)
}

/// More tests at once than cores: most of them wait.
fn proxies() -> Result<()> {
    let args = ["test", "--locked", "--workspace", "--test", "proxies", "--", "--test-threads", "8"];
    run(root(), &cargo(), &args)
}

/// One test in which most of the time nothing is computed. The page is driven by what tests/browser
/// has installed.
fn hostile() -> Result<()> {
    npm_ci(&root().join("tests/browser"))?;
    run(root(), &cargo(), &["test", "--locked", "--workspace", "--test", "hostile", "--", "--nocapture"])
}

fn release() -> Result<()> {
    run(root(), &cargo(), &["build", "--locked", "--release"])
}

fn release_in_order() -> Result<()> {
    order::check(&binary()?)
}

fn web_types() -> Result<()> {
    let dir = root().join("web");
    npm_ci(&dir)?;
    run(&dir, "npm", &["run", "check"])
}

fn web() -> Result<()> {
    let dir = root().join("web");
    npm_ci(&dir)?;
    run(&dir, "npm", &["test"])
}

fn python() -> Result<()> {
    let binary = binary()?;
    let args = ["-m", "unittest", "discover", "-v", "-s", "tests/python"];
    run_with(root(), "python3", &args, &[(BINARY, binary.as_os_str())])
}

fn browser() -> Result<()> {
    in_browser(&["test"])
}

/// Drawn plans instead of the usual ones, and how many.
pub(crate) fn draw(seeds: u64) {
    // Said once, before the steps run.
    let _ = DRAWN.set(seeds.to_string());
}

/// Side by side: all of them wait.
fn faults() -> Result<()> {
    let binary = binary()?;
    let mut args = vec!["test", "--locked", "--workspace", "--test", "faults"];
    let mut environment = vec![(BINARY, binary.as_os_str())];
    if let Some(seeds) = DRAWN.get() {
        args.push("drawn_plans_hold");
        environment.push((SEEDS, seeds.as_ref()));
    }
    args.extend(["--", "--nocapture"]);
    run_with(root(), &cargo(), &args, &environment)
}

fn compose() -> Result<()> {
    compose::run(&binary()?)
}

fn screenshots() -> Result<()> {
    in_browser(&["run", "screenshots"])
}

/// A script of tests/browser.
fn in_browser(args: &[&str]) -> Result<()> {
    let binary = binary()?;
    let dir = root().join("tests/browser");
    npm_ci(&dir)?;
    run_with(&dir, "npm", args, &[(BINARY, binary.as_os_str())])
}

/// The binary under test: the one that is named, or the release build as the sources now stand.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(BINARY) {
        return Ok(PathBuf::from(named));
    }
    release()?;
    Ok(process::target().join("release/switchback"))
}

/// `npm ci`, unless what it installs is newer than the lockfile.
pub(crate) fn npm_ci(dir: &Path) -> Result<()> {
    let written = |file: &str| dir.join(file).metadata().and_then(|metadata| metadata.modified()).ok();
    if written("node_modules/.package-lock.json") > written("package-lock.json") {
        println!("{} has its packages", dir.display());
        return Ok(());
    }
    run(dir, "npm", &["ci", "--no-audit", "--no-fund"])
}
