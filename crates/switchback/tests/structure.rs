//! The import rules, enforced: who may use whom, and what each part must not know.
//!
//! What keeps a codebase readable is mostly what is absent, and nobody notices an absence that
//! ends. Each rule here is a small function over sources or manifests; its test shows first that
//! the rule catches a made-up offence, then that the repository has none. Comments do not count,
//! and neither does this file.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// Who may import whom among the workspace's crates; whoever is not listed may import nobody.
const EDGES: [(&str, &[&str]); 5] = [
    ("switchback", &["switchback-core", "switchback-storage", "switchback-server", "switchback-client"]),
    ("switchback-server", &["switchback-core", "switchback-storage"]),
    ("switchback-storage", &["switchback-core"]),
    ("switchback-client", &["switchback-core"]),
    // Seeds a database, then meets the server from outside.
    ("switchback-load", &["switchback-core", "switchback-storage", "switchback-client"]),
];

/// What a crate must not depend on, for tests neither.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    // Values in, values out.
    ("switchback-core", &["tokio", "sqlx", "hyper", "axum", "rand", "tracing"]),
    // Rows in, domain types out: no HTTP, and nothing is serialized here.
    ("switchback-storage", &["http", "hyper", "axum", "serde", "serde_json"]),
    // SQL is storage's.
    ("switchback-server", &["sqlx"]),
    ("switchback-client", &["sqlx", "axum"]),
    ("switchback", &["sqlx"]),
    ("switchback-load", &["sqlx", "axum"]),
    ("xtask", &["sqlx"]),
];

#[test]
fn crates_import_each_other_one_way_only() {
    let offence = packages(&json!({"packages": [
        {"name": "switchback-core", "dependencies": [{"name": "http"}]},
        {"name": "switchback-client", "dependencies": [{"name": "switchback-core"}, {"name": "switchback-server"}]},
        {"name": "switchback-storage", "dependencies": [{"name": "switchback-client", "kind": "dev"}]},
        {"name": "switchback-extra", "dependencies": [{"name": "switchback-core"}]},
    ]}));
    assert_eq!(
        edges_that_must_not_be(&offence),
        [
            "switchback-client imports switchback-server",
            "switchback-storage imports switchback-client",
            "switchback-extra imports switchback-core",
        ]
    );
    none(&edges_that_must_not_be(&packages(&metadata())));
}

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    let offence = packages(&json!({"packages": [
        {"name": "switchback-core", "dependencies": [{"name": "serde"}, {"name": "tokio", "kind": "dev"}]},
        {"name": "switchback-storage", "dependencies": [{"name": "sqlx"}, {"name": "serde_json"}]},
        {"name": "switchback-server", "dependencies": [{"name": "sqlx"}]},
    ]}));
    assert_eq!(
        dependencies_that_must_not_be(&offence),
        [
            "switchback-core depends on tokio",
            "switchback-storage depends on serde_json",
            "switchback-server depends on sqlx",
        ]
    );
    none(&dependencies_that_must_not_be(&packages(&metadata())));
}

#[test]
fn every_crate_has_its_rules() {
    let has_rules = |name: &str| FORBIDDEN.iter().any(|(other, _)| *other == name);
    let names = packages(&metadata()).into_iter().map(|package| package.name);
    let strangers = names.filter(|name| !has_rules(name)).map(|name| format!("{name} is not in FORBIDDEN"));
    let strangers: Vec<String> = strangers.collect();
    none(&strangers);
}

#[test]
fn sql_is_in_storage_only() {
    let rule = |sources: &[Source]| naming(sources, &["sqlx"]);
    caught(&rule(&made_up("use sqlx::Row;")));
    let sources = rust(&["crates", "xtask"]).into_iter().filter(|source| !source.is_in("crates/storage"));
    none(&rule(&sources.collect::<Vec<_>>()));
}

#[test]
fn http_is_not_in_storage() {
    let rule = |sources: &[Source]| naming(sources, &["http", "hyper", "axum", "StatusCode", "HeaderMap"]);
    caught(&rule(&made_up("fn status(&self) -> http::StatusCode {")));
    none(&rule(&rust(&["crates/storage/src"])));
}

#[test]
fn json_is_in_wire_only() {
    let rule = |sources: &[Source]| naming(sources, &["serde_json"]);
    caught(&rule(&made_up("let body = serde_json::to_string(&room);")));
    let outside = rust(&["crates/core/src", "crates/storage/src"]).into_iter();
    none(&rule(&outside.filter(|source| !source.is_in("crates/core/src/wire")).collect::<Vec<_>>()));
}

#[test]
fn what_is_serialized_is_declared_in_core() {
    let offence = "#[derive(\n    Debug,\n    serde::Serialize,\n)]\npub struct Shown;\n#[derive(Deserialize)]\nstruct Query;";
    assert_eq!(serialized_types(&made_up(offence)), ["made/up:1: derives Serialize"]);
    none(&serialized_types(&rust(&["crates/storage/src", "crates/server/src", "crates/client/src"])));
}

#[test]
fn core_does_no_io_reads_no_clock_and_draws_no_numbers() {
    let rule = |sources: &[Source]| {
        let io = ["std::fs", "std::net", "std::env", "std::io", "std::process", "std::thread"];
        let clock_and_chance = ["SystemTime", "Instant", "now_v7", "new_v4", "rand", "RandomState"];
        let waiting = ["tokio", "async", "await", "hyper", "sqlx"];
        naming(sources, &[&io[..], &clock_and_chance, &waiting].concat())
    };
    caught(&rule(&made_up("let now = std::time::Instant::now();")));
    caught(&rule(&made_up("use std::net::IpAddr;")));
    caught(&rule(&made_up("pub async fn read() {}")));
    none(&rule(&rust(&["crates/core/src"])));
}

#[test]
fn operations_do_not_know_how_they_are_reached() {
    let rule = |sources: &[Source]| importing(sources, &["http", "chat"]);
    caught(&rule(&made_up("use crate::http::problem;")));
    caught(&rule(&made_up("use crate::{limits, chat::{feed, command}};")));
    assert!(rule(&made_up("use crate::{limits, log::{http, chat}};\nuse http::HeaderMap;")).is_empty());
    none(&rule(&rust(&["crates/server/src/ops"])));
}

#[test]
fn the_bus_knows_neither_operations_nor_edges() {
    let rule = |sources: &[Source]| importing(sources, &["ops", "http", "chat"]);
    caught(&rule(&made_up("use crate::ops::Ops;")));
    none(&rule(&rust(&["crates/server/src/bus"])));
}

#[test]
fn hub_and_log_know_neither_bus_nor_operations_nor_edges() {
    let rule = |sources: &[Source]| importing(sources, &["bus", "ops", "http", "chat"]);
    caught(&rule(&made_up("    crate::ops::run();")));
    none(&rule(&rust(&["crates/server/src/hub", "crates/server/src/log"])));
}

#[test]
fn the_web_clients_state_never_touches_the_page() {
    let rule = |sources: &[Source]| {
        naming(sources, &["document", "window", "fetch(", "XMLHttpRequest", "WebSocket("])
    };
    caught(&rule(&made_up("  document.title = title;")));
    caught(&rule(&made_up("  const answer = await fetch(url);")));
    assert!(
        rule(&made_up(
            "/**\n * A window into the document: fetch() is not called.\n */\nprefetch(documents);"
        ))
        .is_empty()
    );
    none(&rule(&sources(&["web/state"], &["js"])));
}

#[test]
fn the_web_clients_ui_never_fetches() {
    let rule =
        |sources: &[Source]| naming(sources, &["fetch(", "XMLHttpRequest", "WebSocket(", "EventSource("]);
    caught(&rule(&made_up("  window.fetch('/api/v1/rooms');")));
    none(&rule(&sources(&["web/ui"], &["js"])));
}

#[test]
fn every_migration_is_built_in_and_only_those_there_are() {
    let text = r#"include_str!("../../../migrations/sqlite/0001_init.sql"), include_str!("../../../migrations/sqlite/0003_x.sql")"#;
    let files = ["sqlite/0001_init.sql", "sqlite/0002_more.sql"].map(str::to_owned);
    assert_eq!(
        migrations_that_differ(&files, &made_up(text)),
        ["migrations/sqlite/0002_more.sql is not built in", "migrations/sqlite/0003_x.sql does not exist"]
    );
    none(&migrations_that_differ(&migration_files(), &rust(&["crates/storage/src"])));
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let files = ["sqlite/0001_init.sql", "sqlite/0003_more.sql", "sqlite/0003_twice.sql", "sqlite/next.sql"];
    assert_eq!(
        misnumbered_migrations(&files.map(str::to_owned)),
        ["sqlite/0003_more.sql should be number 2", "sqlite/next.sql should be number 4"]
    );
    none(&misnumbered_migrations(&migration_files()));
}

/// A crate of the workspace and all it depends on by name, for building and testing, too.
struct Package {
    name: String,
    dependencies: Vec<String>,
}

fn edges_that_must_not_be(packages: &[Package]) -> Vec<String> {
    let allowed =
        |from: &str, to: &str| EDGES.iter().any(|(name, to_all)| *name == from && to_all.contains(&to));
    let of_ours = |name: &str| name == "xtask" || name.starts_with("switchback");
    let mut offences = Vec::new();
    for package in packages {
        let to = package.dependencies.iter().filter(|name| of_ours(name) && !allowed(&package.name, name));
        offences.extend(to.map(|name| format!("{} imports {name}", package.name)));
    }
    offences
}

fn dependencies_that_must_not_be(packages: &[Package]) -> Vec<String> {
    let mut offences = Vec::new();
    for package in packages {
        let forbidden =
            FORBIDDEN.iter().filter(|(name, _)| *name == package.name).flat_map(|(_, names)| *names);
        let found = forbidden.filter(|name| package.dependencies.iter().any(|other| other == *name));
        offences.extend(found.map(|name| format!("{} depends on {name}", package.name)));
    }
    offences
}

/// Lines in which one of the words stands by itself. A word that ends in `(` is a call.
fn naming(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources {
        for (number, line) in source.lines() {
            let found = words.iter().filter(|word| stands_alone(line, word));
            offences.extend(found.map(|word| format!("{}:{number}: names `{word}`", source.path)));
        }
    }
    offences
}

/// Lines that import one of the modules of their own crate, alone or in a group.
fn importing(sources: &[Source], modules: &[&str]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources {
        for (at, _) in source.code.match_indices("crate::") {
            let number = source.code[..at].matches('\n').count() + 1;
            let imported = first_segments(&source.code[at + "crate::".len()..]);
            let found = imported.iter().filter(|name| modules.contains(&name.as_str()));
            offences.extend(found.map(|name| format!("{}:{number}: imports `crate::{name}`", source.path)));
        }
    }
    offences
}

/// The modules that a path names first: one, or each of a `{...}` group.
fn first_segments(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|&c| is_word(c)).collect();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut start, mut names) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            '}' => {
                names.push(name(&group[start..at]));
                break;
            }
            _ => {}
        }
    }
    names
}

fn serialized_types(sources: &[Source]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources {
        for (at, _) in source.code.match_indices("derive(") {
            let list = source.code[at..].split(')').next().unwrap_or_default();
            if stands_alone(list, "Serialize") {
                let number = source.code[..at].matches('\n').count() + 1;
                offences.push(format!("{}:{number}: derives Serialize", source.path));
            }
        }
    }
    offences
}

fn migrations_that_differ(files: &[String], sources: &[Source]) -> Vec<String> {
    let included: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.code.split("include_str!(\"").skip(1))
        .filter_map(|rest| rest.split('"').next()?.split_once("migrations/").map(|(_, file)| file))
        .collect();
    let left_out = files.iter().filter(|file| !included.contains(&file.as_str()));
    let missing = included.iter().filter(|file| !files.iter().any(|other| other == *file));
    left_out
        .map(|file| format!("migrations/{file} is not built in"))
        .chain(missing.map(|file| format!("migrations/{file} does not exist")))
        .collect()
}

fn misnumbered_migrations(files: &[String]) -> Vec<String> {
    let mut offences = Vec::new();
    let (mut dialect, mut expected) = ("", 0);
    for file in files {
        let (directory, name) = file.split_once('/').unwrap_or(("", file));
        expected = if directory == dialect { expected + 1 } else { 1 };
        dialect = directory;
        if !name.starts_with(&format!("{expected:04}_")) {
            offences.push(format!("{file} should be number {expected}"));
        }
    }
    offences
}

/// A source file without its comments; lines keep their numbers.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), code: without_comments(text) }
    }

    fn is_in(&self, directory: &str) -> bool {
        self.path.starts_with(&format!("{directory}/"))
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }
}

/// Cuts comments that begin a line, blocks that begin one, and `// ...` after code. Good enough
/// for formatted code; a word too many in a string would be seen, not missed.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut in_block = false;
    for line in text.lines() {
        let begin = line.trim_start();
        in_block |= begin.starts_with("/*");
        if !in_block && !begin.starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or_default());
        }
        in_block &= !line.contains("*/");
        code.push('\n');
    }
    code
}

fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && (word.ends_with('(') || !after.is_some_and(is_word))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn made_up(text: &str) -> Vec<Source> {
    vec![Source::new("made/up", text)]
}

fn rust(directories: &[&str]) -> Vec<Source> {
    sources(directories, &["rs"])
}

/// Every file below the directories with one of the extensions. A rule over nothing would hold for
/// ever, so there must be some in each.
fn sources(directories: &[&str], extensions: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for directory in directories {
        let before = sources.len();
        for path in files(&root().join(directory)) {
            let wanted = path.extension().is_some_and(|end| extensions.iter().any(|other| end == *other));
            let path_text = relative(&path);
            if wanted && path_text != "crates/switchback/tests/structure.rs" {
                sources.push(Source::new(&path_text, &std::fs::read_to_string(&path).unwrap()));
            }
        }
        assert!(sources.len() > before, "no sources in {directory}");
    }
    sources
}

/// `<dialect>/<file>`, in order.
fn migration_files() -> Vec<String> {
    let names: Vec<String> = files(&root().join("migrations"))
        .iter()
        .map(|path| relative(path).trim_start_matches("migrations/").to_owned())
        .collect();
    assert!(!names.is_empty(), "no migrations");
    names
}

/// All files below a directory, in order; what is built or installed is not ours.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn packages(metadata: &Value) -> Vec<Package> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let packages = list(&metadata["packages"]);
    let package = |package: &Value| Package {
        name: name(package),
        dependencies: list(&package["dependencies"]).iter().map(name).collect(),
    };
    packages.iter().map(package).collect()
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(metadata["packages"].as_array().is_some_and(|packages| packages.len() >= EDGES.len()));
    metadata
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap();
    path.to_string_lossy().replace('\\', "/")
}

/// The rule sees the made-up offence.
fn caught(offences: &[String]) {
    assert!(!offences.is_empty(), "the rule sees nothing");
}

fn none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}
