//! `switchback migrate`, `backup` and `restore`: options in, progress and a report out. What is done is
//! the storage's matter.
//!
//! The result goes to standard output; progress goes to standard error.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::{HumanBytes, HumanCount};
use switchback_storage::Database;
use switchback_storage::transfer::{self, Report};

use crate::cli::{BackupArgs, MigrateArgs, RestoreArgs};
use crate::progress::Shown;
use crate::settings::Settings;

/// As much of a hash as a reader compares.
const HASH_SHOWN_BYTES: usize = 8;

pub(crate) async fn migrate(args: MigrateArgs) -> Result<ExitCode> {
    let from: Database = args.from.parse().context("--from")?;
    let to: Database = args.to.parse().context("--to")?;
    let (started, shown) = (Instant::now(), Shown::new());
    let report = transfer::migrate(&from, &to, &|progress| shown.tell(progress)).await?;
    drop(shown);
    let mut text = table(&report);
    text.push_str(&summary(&report, started.elapsed()));
    let _ = write!(
        text,
        "\nEverything is in {to} now. {from} was left as it was. Start the server on the new one:\n\n    {}\n\n\
         Clients go on where they were. Once you have seen that all is well, put {from} away; a server \
         that is started on it again would go on with an old state.\n",
        start(&to)
    );
    print(&text)
}

pub(crate) async fn backup(args: BackupArgs) -> Result<ExitCode> {
    let from = Settings::of_admin(&args.data)?.database;
    let (started, shown) = (Instant::now(), Shown::new());
    let made = transfer::backup(&from, &args.file, args.force, &|progress| shown.tell(progress)).await?;
    drop(shown);
    print(&format!(
        "{}\n{} as of event {}, with {} messages, in {}\n",
        made.path.display(),
        HumanBytes(made.size_bytes),
        made.head,
        HumanCount(made.messages),
        seconds(started.elapsed()),
    ))
}

pub(crate) async fn restore(args: RestoreArgs) -> Result<ExitCode> {
    let to = Settings::of_admin(&args.data)?.database;
    let (started, shown) = (Instant::now(), Shown::new());
    let report = transfer::restore(&args.file, &to, &|progress| shown.tell(progress)).await?;
    drop(shown);
    let mut text = table(&report);
    text.push_str(&summary(&report, started.elapsed()));
    let _ = write!(
        text,
        "\n{} is restored into {to}. Start the server on it:\n\n    {}\n\n\
         Its history has a new name ({}): clients that were open load everything afresh.\n",
        args.file.display(),
        start(&to),
        report.head.0,
    );
    print(&text)
}

/// The command, with an address that is right from anywhere. A password is not shown: who has one
/// puts it where it was.
fn start(database: &Database) -> String {
    match database {
        Database::Directory(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("SWITCHBACK_DATABASE_URL=sqlite:{} switchback serve", path.display())
        }
        Database::Postgres(address) => {
            format!("SWITCHBACK_DATABASE_URL={address} switchback serve    (and its password, if it has one)")
        }
    }
}

/// Every table with its rows and the two hashes, which agree: a difference is an error.
fn table(report: &Report) -> String {
    let mut text = format!("{:12} {:>12}  {:16}  {:16}\n", "table", "rows", "hash read", "hash written");
    for table in &report.tables {
        let (read, written) = (hex(&table.source.hash), hex(&table.target.hash));
        let rows = HumanCount(table.target.rows).to_string();
        let _ = writeln!(text, "{:12} {rows:>12}  {read:16}  {written:16}", table.name);
    }
    text
}

fn summary(report: &Report, took: Duration) -> String {
    let rows = report.rows();
    let each_second = u128::from(rows) * 1_000 / took.as_millis().max(1);
    let mut text = format!(
        "\n{} rows in {}, copied and checked ({each_second} rows/s). Counts and hashes agree.\n",
        HumanCount(rows),
        seconds(took)
    );
    if report.replaced > 0 {
        let _ = writeln!(
            text,
            "{} texts held the character U+0000, which PostgreSQL cannot hold; it is U+FFFD there now.",
            HumanCount(report.replaced)
        );
    }
    text
}

fn hex(hash: &[u8]) -> String {
    hash.iter().take(HASH_SHOWN_BYTES).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn print(text: &str) -> Result<ExitCode> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output is closed")?;
    Ok(ExitCode::SUCCESS)
}
