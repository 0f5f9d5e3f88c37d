//! Queries on a connection that this thread has: nobody is sent for the rows.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::types::{FromSql, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, Result, params_from_iter};

use crate::db::Value;

/// A row that was read.
#[derive(Debug)]
pub(crate) struct DirectRow {
    answer: Arc<Answer>,
    /// Where its cells begin.
    start: usize,
}

/// All rows of a query. Texts and bytes lie behind each other: each by itself would be most of the work.
#[derive(Debug, Default)]
struct Answer {
    bytes: Vec<u8>,
    columns: Vec<Range<usize>>,
    cells: Vec<Cell>,
}

#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Range<usize>),
    Blob(Range<usize>),
}

impl DirectRow {
    pub(crate) fn get<T: FromSql>(&self, name: &str) -> Result<T> {
        let Answer { bytes, columns, cells } = &*self.answer;
        let is_it = |column: &Range<usize>| bytes[column.clone()] == *name.as_bytes();
        let place =
            columns.iter().position(is_it).ok_or_else(|| Error::InvalidColumnName(name.to_owned()))?;
        let value = match &cells[self.start + place] {
            Cell::Null => ValueRef::Null,
            Cell::Integer(value) => ValueRef::Integer(*value),
            Cell::Real(value) => ValueRef::Real(*value),
            Cell::Text(range) => ValueRef::Text(&bytes[range.clone()]),
            Cell::Blob(range) => ValueRef::Blob(&bytes[range.clone()]),
        };
        T::column_result(value)
            .map_err(|error| Error::FromSqlConversionFailure(place, value.data_type(), Box::new(error)))
    }
}

impl Answer {
    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn push(&mut self, value: ValueRef<'_>) {
        let cell = match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Integer(value),
            ValueRef::Real(value) => Cell::Real(value),
            ValueRef::Text(text) => Cell::Text(self.keep(text)),
            ValueRef::Blob(bytes) => Cell::Blob(self.keep(bytes)),
        };
        self.cells.push(cell);
    }
}

/// All rows. The statement is kept for the next time.
pub(crate) fn all(conn: &Connection, sql: &str, values: Vec<Value>) -> Result<Vec<DirectRow>> {
    // `$1` is a name to SQLite, which counts names by their first appearance; `?1` is the first value.
    let mut statement = conn.prepare_cached(&sql.replace('$', "?"))?;
    let mut answer = Answer::default();
    for name in statement.column_names() {
        let column = answer.keep(name.as_bytes());
        answer.columns.push(column);
    }
    let width = answer.columns.len();
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        for place in 0..width {
            answer.push(row.get_ref(place)?);
        }
    }
    let answer = Arc::new(answer);
    let starts = (0..answer.cells.len()).step_by(width.max(1));
    Ok(starts.map(|start| DirectRow { answer: Arc::clone(&answer), start }).collect())
}

/// Rows that a statement has changed.
pub(crate) fn run(conn: &Connection, sql: &str, values: Vec<Value>) -> Result<usize> {
    conn.prepare_cached(&sql.replace('$', "?"))?.execute(params_from_iter(values))
}

impl ToSql for Value {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        match self {
            Self::Int(value) => value.to_sql(),
            Self::Bool(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
            Self::Bytes(value) => value.to_sql(),
            Self::Id(value) => value.to_sql(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use rusqlite::StatementStatus;
    use rusqlite::config::DbConfig;

    use super::*;
    use crate::db::values;

    #[test]
    fn values_are_counted_by_their_numbers_and_columns_found_by_their_names() {
        let conn = Connection::open_in_memory().unwrap();
        let sql = "SELECT $2 AS second, $1 AS first, NULL AS void, x'07' AS bytes UNION ALL \
                   SELECT 'other', $1, 1.5, NULL";
        let rows = all(&conn, sql, values![7_i64, "two"]).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get::<String>("second").unwrap(), "two");
        assert_eq!(rows[0].get::<i64>("first").unwrap(), 7);
        assert_eq!(rows[0].get::<Option<i64>>("void").unwrap(), None);
        assert_eq!(rows[0].get::<Vec<u8>>("bytes").unwrap(), [7]);
        assert_eq!(rows[1].get::<String>("second").unwrap(), "other");
        assert_eq!(rows[1].get::<f64>("void").unwrap().to_bits(), 1.5_f64.to_bits());
        rows[0].get::<i64>("second").unwrap_err();
        rows[0].get::<i64>("third").unwrap_err();
    }

    /// `SQLITE_ENABLE_QPSG` in `.cargo/config.toml`.
    #[test]
    fn a_statement_is_compiled_once_whatever_its_limit_is() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE some (number INTEGER PRIMARY KEY)").unwrap();
        let sql = "SELECT number FROM some ORDER BY number LIMIT ?1";
        for limit in 0..3_i64 {
            all(&conn, sql, values![limit]).unwrap();
        }
        let kept = conn.prepare_cached(sql).unwrap();
        assert_eq!(kept.get_status(StatementStatus::Run), 3);
        assert_eq!(kept.get_status(StatementStatus::RePrepare), 0);
        drop(kept);
        // What it would be without.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, false).unwrap();
        conn.flush_prepared_statement_cache();
        for limit in 0..3_i64 {
            all(&conn, sql, values![limit]).unwrap();
        }
        assert!(conn.prepare_cached(sql).unwrap().get_status(StatementStatus::RePrepare) > 0);
    }
}
