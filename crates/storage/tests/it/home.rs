//! Where a test's database lives: in a directory of its own, or, if `SWITCHBACK_TEST_POSTGRES` names
//! a `PostgreSQL` database, in a schema of its own there. Either is gone when the test ends.

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// Names the database that tests may make schemas in.
const TEST_POSTGRES: &str = "SWITCHBACK_TEST_POSTGRES";

pub(crate) enum Home {
    Directory(TempDir),
    Postgres(Schema),
}

impl Home {
    /// As the environment says.
    pub(crate) async fn new() -> Self {
        if std::env::var_os(TEST_POSTGRES).is_some() { Self::postgres().await } else { Self::directory() }
    }

    pub(crate) fn directory() -> Self {
        Self::Directory(TempDir::new().unwrap())
    }

    pub(crate) async fn postgres() -> Self {
        let server = std::env::var(TEST_POSTGRES);
        let server =
            server.unwrap_or_else(|_| panic!("set {TEST_POSTGRES} to postgres://USER@HOST/DATABASE"));
        Self::Postgres(Schema::new(server).await)
    }

    /// As a store takes it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Directory(dir) => format!("sqlite:{}", dir.path().display()),
            Self::Postgres(schema) => schema.address(),
        }
    }
}

pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    async fn new(server: String) -> Self {
        let schema = Self { server, name: format!("test_{}", Uuid::now_v7().simple()) };
        schema.as_operator(&format!("CREATE SCHEMA {}", schema.name)).await;
        schema
    }

    /// The name tells the test's connections from those of all others.
    fn address(&self) -> String {
        let Self { server, name } = self;
        let mark = if server.contains('?') { '&' } else { '?' };
        format!("{server}{mark}options[search_path]={name}&application_name={name}")
    }

    /// Breaks every connection that a store has to this database, as a restart would.
    pub(crate) async fn break_connections(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ";
        self.as_operator(&format!("{sql}'{}'", self.name)).await;
    }

    async fn as_operator(&self, sql: &str) {
        let options: sqlx::postgres::PgConnectOptions = self.server.parse().unwrap();
        let mut conn: PgConnection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop = async {
            self.break_connections().await;
            self.as_operator(&format!("DROP SCHEMA {} CASCADE", self.name)).await;
        };
        // The test's own runtime cannot be waited for here.
        std::thread::scope(|scope| {
            let dropping = scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(drop);
            });
            let _ = dropping.join();
        });
    }
}
