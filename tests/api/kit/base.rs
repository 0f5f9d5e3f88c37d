//! Where a server of a test keeps everything: in a directory, or in a schema of `PostgreSQL` that a
//! settings file in the directory names, so that every command finds it there.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use uuid::Uuid;

use super::Server;

/// Names the database that tests may make schemas in.
const TEST_POSTGRES: &str = "SWITCHBACK_TEST_POSTGRES";

pub(crate) struct Base {
    dir: TempDir,
    schema: Option<Schema>,
}

impl Base {
    pub(crate) fn directory() -> Self {
        Self { dir: TempDir::new().unwrap(), schema: None }
    }

    pub(crate) fn postgres() -> Self {
        let base = Self { schema: Some(Schema::new()), ..Self::directory() };
        std::fs::create_dir(base.data_dir()).unwrap();
        let settings = format!("database_url = \"{}\"\n", base.address());
        std::fs::write(base.data_dir().join("switchback.toml"), settings).unwrap();
        base
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A file beside the data.
    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// As `--from` and `--to` take it.
    pub(crate) fn address(&self) -> String {
        match &self.schema {
            Some(schema) => schema.address(),
            None => format!("sqlite:{}", self.data_dir().display()),
        }
    }

    pub(crate) async fn server(&self) -> Server {
        Server::start_in(&self.data_dir(), &[]).await
    }
}

/// A schema of a test's own, by way of `psql`: this crate speaks no SQL. Gone when the test ends.
pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    fn new() -> Self {
        let server = std::env::var(TEST_POSTGRES);
        let server =
            server.unwrap_or_else(|_| panic!("set {TEST_POSTGRES} to postgres://USER@HOST/DATABASE"));
        let schema = Self { server, name: format!("test_{}", Uuid::now_v7().simple()) };
        schema.psql(&format!("CREATE SCHEMA {}", schema.name));
        schema
    }

    /// The name tells this test's connections from those of all others.
    fn address(&self) -> String {
        let Self { server, name } = self;
        let mark = if server.contains('?') { '&' } else { '?' };
        format!("{server}{mark}options[search_path]={name}&application_name={name}")
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What a query answers, without ornament.
    pub(crate) fn psql(&self, sql: &str) -> String {
        let args = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", sql];
        let done = Command::new("psql").arg(Path::new(&self.server)).args(args).output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let name = &self.name;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ";
        self.psql(&format!("{end}'{name}'"));
        self.psql(&format!("DROP SCHEMA {name} CASCADE"));
    }
}
