//! The list of tables against a live schema, on either database.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::end::End;
use super::tables::{TABLES, Type};
use crate::home::Home;
use crate::{OpenMode, Store, sqlite};

/// What is not carried over: each database keeps its own list of migrations, and the mark of a
/// transfer is its own. The search index is made again out of the messages.
const NOT_CARRIED: [&str; 4] = ["_sqlx_migrations", "unfinished_transfer", "search_words", "search_cursor"];

/// `table.column type`, for every column.
type Columns = BTreeMap<String, String>;

/// In the words that a database has for each type.
fn listed(word: fn(Type) -> &'static str) -> Columns {
    let columns = TABLES.iter().flat_map(|table| {
        table
            .columns
            .iter()
            .map(move |(name, kind)| (format!("{}.{name}", table.name), word(*kind).to_owned()))
    });
    columns.collect()
}

const fn sqlite_word(kind: Type) -> &'static str {
    match kind {
        Type::Int | Type::Bool => "INTEGER",
        Type::Text => "TEXT",
        Type::Bytes | Type::Id => "BLOB",
    }
}

const fn postgres_word(kind: Type) -> &'static str {
    match kind {
        Type::Int => "bigint",
        Type::Bool => "boolean",
        Type::Text => "text",
        Type::Bytes => "bytea",
        Type::Id => "uuid",
    }
}

const SQLITE_COLUMNS: &str = "SELECT t.name AS tab, c.name AS col, c.type AS kind \
     FROM sqlite_schema t, pragma_table_info(t.name) c \
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
const POSTGRES_COLUMNS: &str = "SELECT table_name::text AS tab, column_name::text AS col, data_type::text AS kind \
     FROM information_schema.columns WHERE table_schema = current_schema()";

/// A connection to a database with today's schema, and the list as it would spell it.
async fn live(home: &Home) -> (End, &'static str, Columns) {
    let store = Store::open_database(&home.address().parse().unwrap(), OpenMode::Server).await.unwrap();
    store.close().await;
    match home {
        Home::Directory(dir) => {
            let conn = sqlite::reconnect_writer(&dir.path().join(sqlite::FILE)).await.unwrap();
            (End::Sqlite(conn), SQLITE_COLUMNS, listed(sqlite_word))
        }
        Home::Postgres(_) => {
            let options: PgConnectOptions = home.address().parse().unwrap();
            (End::Postgres(options.connect().await.unwrap()), POSTGRES_COLUMNS, listed(postgres_word))
        }
    }
}

async fn columns(end: &mut End, sql: &str) -> Columns {
    let rows: Vec<_> = end.stream(sql.to_owned()).try_collect().await.unwrap();
    let text = |row: &crate::db::Row, name: &str| row.get::<String>(name).unwrap();
    let columns = rows.iter().map(|row| (text(row, "tab"), text(row, "col"), text(row, "kind")));
    let carried = columns.filter(|(table, _, _)| !NOT_CARRIED.contains(&table.as_str()));
    carried.map(|(table, column, kind)| (format!("{table}.{column}"), kind)).collect()
}

#[tokio::test]
async fn every_table_and_column_of_the_schema_is_carried_over() {
    let home = Home::new().await;
    let (mut end, sql, listed) = live(&home).await;
    assert_eq!(columns(&mut end, sql).await, listed);
    // And what somebody adds and forgets here is seen.
    end.run("ALTER TABLE users ADD COLUMN phone TEXT").await.unwrap();
    end.run("CREATE TABLE polls (id BIGINT PRIMARY KEY)").await.unwrap();
    let found = columns(&mut end, sql).await;
    let forgotten: Vec<_> = found.keys().filter(|name| !listed.contains_key(*name)).collect();
    assert_eq!(forgotten, ["polls.id", "users.phone"]);
    end.close().await.unwrap();
}
