//! Queries on a connection of this thread: nobody is sent for the rows.

use std::sync::Arc;

use rusqlite::types::{FromSql, ToSql, ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Connection, Error, Result, params_from_iter};

use crate::db::Value;

/// A row that was read.
#[derive(Debug)]
pub(crate) struct DirectRow {
    columns: Arc<[Box<str>]>,
    values: Box<[Stored]>,
}

impl DirectRow {
    pub(crate) fn get<T: FromSql>(&self, name: &str) -> Result<T> {
        let place = self.columns.iter().position(|column| **column == *name);
        let value = place.and_then(|place| self.values.get(place));
        let value = ValueRef::from(value.ok_or_else(|| Error::InvalidColumnName(name.to_owned()))?);
        T::column_result(value).map_err(|error| {
            let place = place.unwrap_or_default();
            Error::FromSqlConversionFailure(place, value.data_type(), Box::new(error))
        })
    }
}

/// All rows. The statement is kept for the next time.
pub(crate) fn all(conn: &Connection, sql: &str, values: Vec<Value>) -> Result<Vec<DirectRow>> {
    // `$1` is a name to SQLite, which counts names by their first appearance; `?1` is the first value.
    let mut statement = conn.prepare_cached(&sql.replace('$', "?"))?;
    let columns: Arc<[Box<str>]> = statement.column_names().into_iter().map(Box::from).collect();
    let mut rows = statement.query(params_from_iter(values))?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns.len()).map(|place| row.get(place)).collect::<Result<_>>()?;
        read.push(DirectRow { columns: Arc::clone(&columns), values });
    }
    Ok(read)
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
