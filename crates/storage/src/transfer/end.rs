//! One end of a transfer: a connection of its own, in a transaction of its own, that reads whole
//! tables as a stream and writes rows in batches.
//!
//! Not `db::Conn`, which bounds every answer to what a server can wait for: counting or sorting a
//! large table takes as long as it takes. On `PostgreSQL` rows go in by `COPY`, on `SQLite` by
//! prepared statements of a few fixed sizes.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr, SqliteConnection};

use super::tables::{Table, Type};
use crate::Error;
use crate::db::{Row, Value, for_sqlite};

/// A row, column by column as the table lists them.
pub(super) type Cells = Vec<Value>;

#[derive(Debug)]
pub(super) enum End {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl End {
    pub(super) async fn count(&mut self, table: &Table) -> Result<u64, Error> {
        let sql = format!("SELECT count(*) AS rows FROM {}", table.name);
        let row = self.stream(sql).try_next().await?;
        row.ok_or(sqlx::Error::RowNotFound)?.get("rows")
    }

    /// All rows of a table, in the order of its key.
    pub(super) fn rows<'a>(&'a mut self, table: &'a Table) -> BoxStream<'a, Result<Cells, Error>> {
        let sql = format!("SELECT {} FROM {} ORDER BY {}", table.names(), table.name, table.key);
        self.stream(sql).map(|row| cells(&row?, table)).boxed()
    }

    /// Our own SQL alone: names of our tables, and no values.
    pub(super) fn stream(&mut self, sql: String) -> BoxStream<'_, Result<Row, sqlx::Error>> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(conn) => sqlx::query(sql).fetch(conn).map_ok(Row::Sqlite).boxed(),
            Self::Postgres(conn) => sqlx::query(sql).fetch(conn).map_ok(Row::Postgres).boxed(),
        }
    }

    /// Statements without an answer.
    pub(super) async fn run(&mut self, sql: impl SqlSafeStr + Send) -> Result<(), Error> {
        match self {
            Self::Sqlite(conn) => sqlx::raw_sql(sql).execute(conn).await?.rows_affected(),
            Self::Postgres(conn) => sqlx::raw_sql(sql).execute(conn).await?.rows_affected(),
        };
        Ok(())
    }

    pub(super) async fn write(&mut self, table: &Table, rows: Vec<Cells>) -> Result<(), Error> {
        match self {
            Self::Sqlite(conn) => insert(conn, table, rows).await?,
            Self::Postgres(conn) => copy_in(conn, table, &rows).await?,
        }
        Ok(())
    }

    pub(super) async fn close(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(conn) => conn.close().await?,
            Self::Postgres(conn) => conn.close().await?,
        }
        Ok(())
    }
}

fn cells(row: &Row, table: &Table) -> Result<Cells, Error> {
    let cell = |(name, kind): &(&str, Type)| {
        Ok(match kind {
            Type::Int => Value::Int(row.get(name)?),
            Type::Bool => Value::Bool(row.get(name)?),
            Type::Text => Value::Text(row.get(name)?),
            Type::Bytes => Value::Bytes(row.get(name)?),
            Type::Id => Value::Id(row.get(name)?),
        })
    };
    table.columns.iter().map(cell).collect()
}

/// Rows of one statement, largest first: most go in many at once, the rest one by one.
const STATEMENT_ROWS: [usize; 3] = [64, 8, 1];

async fn insert(conn: &mut SqliteConnection, table: &Table, rows: Vec<Cells>) -> Result<(), sqlx::Error> {
    let mut rows = rows.into_iter();
    for size in STATEMENT_ROWS {
        let sql = insert_of(table, size);
        while rows.len() >= size {
            let values = rows.by_ref().take(size).flatten().collect();
            for_sqlite(AssertSqlSafe(sql.clone()), values).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

fn insert_of(table: &Table, rows: usize) -> String {
    let width = table.columns.len();
    let row = |first: usize| {
        let places: Vec<String> = (first..first + width).map(|place| format!("${place}")).collect();
        format!("({})", places.join(","))
    };
    let rows: Vec<String> = (0..rows).map(|number| row(number * width + 1)).collect();
    format!("INSERT INTO {} ({}) VALUES {}", table.name, table.names(), rows.join(","))
}

async fn copy_in(conn: &mut PgConnection, table: &Table, rows: &[Cells]) -> Result<(), sqlx::Error> {
    let mut text = String::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                text.push('\t');
            }
            push_cell(&mut text, cell);
        }
        text.push('\n');
    }
    let sql = format!("COPY {} ({}) FROM STDIN", table.name, table.names());
    let mut copy = conn.copy_in_raw(&sql).await?;
    copy.send(text.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// A value in `COPY`'s text format (`PostgreSQL`'s manual, "COPY", File Formats).
fn push_cell(text: &mut String, cell: &Value) {
    match cell {
        Value::Int(Some(number)) => text.push_str(&number.to_string()),
        Value::Bool(Some(flag)) => text.push(if *flag { 't' } else { 'f' }),
        Value::Id(Some(id)) => text.push_str(&id.to_string()),
        Value::Bytes(Some(bytes)) => {
            text.push_str("\\\\x");
            let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
            text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
        }
        Value::Text(Some(value)) => {
            for c in value.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '\n' => text.push_str("\\n"),
                    '\r' => text.push_str("\\r"),
                    '\t' => text.push_str("\\t"),
                    _ => text.push(c),
                }
            }
        }
        Value::Int(None) | Value::Bool(None) | Value::Id(None) | Value::Bytes(None) | Value::Text(None) => {
            text.push_str("\\N");
        }
    }
}
