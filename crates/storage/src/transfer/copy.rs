//! The one engine behind `migrate`, `backup` (of `PostgreSQL`) and `restore`: reads every table in the
//! order of its key, writes it in batches, then reads the target again and compares.
//!
//! Both ends are in transactions, so that what is compared is what is committed. Hashes are of the
//! rows in key order, in a form that is the same for both databases.

use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use super::end::{Cells, End};
use super::error::{TransferError, reading, writing};
use super::tables::{LOG_HEAD, TABLES, Table};
use super::{Fingerprint, OnProgress, Progress, Report, Stage, TableReport};
use crate::Error;
use crate::db::{Value, damaged};

/// Rows that are written at once, at most.
const BATCH_ROWS: usize = 1_024;
/// Bytes of text that are written at once: a batch ends with the row that goes beyond.
const BATCH_BYTES: usize = 1024 * 1024;
/// `PostgreSQL` holds no U+0000 in a text. Servers have taken none since there is a second database; what
/// is older reads so from here on.
const INSTEAD_OF_NUL: &str = "\u{fffd}";

/// Copies everything and checks it. `epoch`: what the log's history is called from here on.
pub(super) async fn copy(
    source: &mut End,
    target: &mut End,
    epoch: Option<String>,
    on_progress: OnProgress<'_>,
) -> Result<Report, TransferError> {
    let mut total = 0;
    for table in &TABLES {
        total += source.count(table).await.map_err(reading)?;
    }
    let mut copying = Copying { epoch, report: Report::default(), on_progress, done: 0, total };
    for table in &TABLES {
        copying.table(source, target, table).await?;
    }
    let mut report = copying.report;
    let mut done = 0;
    for (table, written) in TABLES.iter().zip(&mut report.tables) {
        let tell = |rows| {
            on_progress(Progress { stage: Stage::Checking, table: table.name, done: done + rows, total });
        };
        written.target = fingerprint(target, table, &tell).await.map_err(writing)?;
        done += written.target.rows;
    }
    if report.tables.iter().any(|table| table.source != table.target) {
        return Err(TransferError::Differs(Box::new(report)));
    }
    Ok(report)
}

/// The copy under way.
struct Copying<'a> {
    epoch: Option<String>,
    report: Report,
    on_progress: OnProgress<'a>,
    done: u64,
    total: u64,
}

impl Copying<'_> {
    async fn table(
        &mut self,
        source: &mut End,
        target: &mut End,
        table: &'static Table,
    ) -> Result<(), TransferError> {
        let mut hasher = Hasher::default();
        let mut rows = source.rows(table);
        let (mut batch, mut bytes) = (Vec::with_capacity(BATCH_ROWS), 0);
        loop {
            let row = rows.try_next().await.map_err(reading)?;
            let at_end = row.is_none();
            if let Some(mut row) = row {
                self.adjust(table, &mut row).map_err(reading)?;
                bytes += hasher.add(&row);
                batch.push(row);
            }
            if at_end || batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
                self.done += batch.len() as u64;
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_ROWS));
                target.write(table, full).await.map_err(writing)?;
                bytes = 0;
                let (done, total) = (self.done, self.total);
                (self.on_progress)(Progress { stage: Stage::Copying, table: table.name, done, total });
            }
            if at_end {
                break;
            }
        }
        let source = hasher.finish();
        self.report.tables.push(TableReport { name: table.name, source, target: Fingerprint::default() });
        Ok(())
    }

    /// What must not be as it was: texts that cannot be kept everywhere, and the epoch after a restore.
    fn adjust(&mut self, table: &Table, row: &mut Cells) -> Result<(), Error> {
        for cell in row.iter_mut() {
            if let Value::Text(Some(text)) = cell
                && text.contains('\0')
            {
                *text = text.replace('\0', INSTEAD_OF_NUL);
                self.report.replaced += 1;
            }
        }
        if table.name == LOG_HEAD {
            if let (Some(epoch), Some(place)) = (&self.epoch, table.place_of("epoch")) {
                row[place] = Value::from(epoch.as_str());
            }
            self.report.head = head(table, row)?;
        }
        Ok(())
    }
}

fn head(table: &Table, row: &Cells) -> Result<(String, u64), Error> {
    let cell = |name: &str| table.place_of(name).and_then(|place| row.get(place));
    let (Some(Value::Text(Some(epoch))), Some(Value::Int(Some(seq)))) = (cell("epoch"), cell("seq")) else {
        return Err(sqlx::Error::ColumnNotFound("epoch, seq".to_owned()).into());
    };
    let seq = u64::try_from(*seq).map_err(|error| damaged("seq", error))?;
    Ok((epoch.clone(), seq))
}

async fn fingerprint(
    end: &mut End,
    table: &Table,
    tell: &(dyn Fn(u64) + Send + Sync),
) -> Result<Fingerprint, Error> {
    let mut hasher = Hasher::default();
    let mut rows = end.rows(table);
    while let Some(row) = rows.try_next().await? {
        hasher.add(&row);
        if hasher.rows.is_multiple_of(BATCH_ROWS as u64) {
            tell(hasher.rows);
        }
    }
    Ok(hasher.finish())
}

/// Hashes rows, cell by cell: a letter for the type or for NULL, the length, the bytes.
#[derive(Default)]
struct Hasher {
    rows: u64,
    sha: Sha256,
}

impl Hasher {
    /// Answers with the row's size in bytes.
    fn add(&mut self, row: &Cells) -> usize {
        self.rows += 1;
        row.iter().map(|cell| self.cell(cell)).sum()
    }

    fn cell(&mut self, cell: &Value) -> usize {
        match cell {
            Value::Int(Some(number)) => self.bytes(b'i', &number.to_be_bytes()),
            Value::Bool(Some(flag)) => self.bytes(b'b', &[u8::from(*flag)]),
            Value::Text(Some(text)) => self.bytes(b't', text.as_bytes()),
            Value::Bytes(Some(bytes)) => self.bytes(b'x', bytes),
            Value::Id(Some(id)) => self.bytes(b'u', id.as_bytes()),
            Value::Int(None)
            | Value::Bool(None)
            | Value::Text(None)
            | Value::Bytes(None)
            | Value::Id(None) => self.bytes(b'0', &[]),
        }
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) -> usize {
        self.sha.update([kind]);
        self.sha.update((bytes.len() as u64).to_be_bytes());
        self.sha.update(bytes);
        bytes.len()
    }

    fn finish(self) -> Fingerprint {
        Fingerprint { rows: self.rows, hash: self.sha.finalize().into() }
    }
}
