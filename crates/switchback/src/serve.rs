//! `switchback serve`: open the store, bind, tell people where, serve until a signal.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use switchback_server::{Server, StartError, limits};
use switchback_storage::{Database, Store};

use crate::cli::ServeArgs;
use crate::logging;
use crate::settings::Settings;
use crate::signals::{HangUp, Stop};

pub(crate) async fn run(args: &ServeArgs) -> Result<ExitCode> {
    let Settings { database, mut server, log, log_format, file } = Settings::of_server(args)?;
    logging::start(&log, log_format)?;
    if let Some(file) = file {
        tracing::info!(file = %file.display(), "settings read");
    }
    server.connections = connections(server.connections);
    // Before anything can be written: from here on a signal stops in good order.
    let stop = Stop::listen()?;
    let hang_up = HangUp::listen()?;
    let store = Store::open_patiently(&database).await?;
    let server = match Server::bind(server, store.clone()).await {
        Ok(server) => server,
        Err(error) => {
            store.close().await;
            return Err(not_started(error));
        }
    };
    // Before the log line for which scripts wait; nobody may be reading, and that is fine.
    let _ = io::stdout().write_all(greeting(&server, &database).as_bytes());
    let tls = server.tls_reload();
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{}", server.local_addr());
    let stop = async {
        tokio::select! {
            () = stop.asked() => {}
            () = hang_up.terminal_gone(tls) => {}
        }
    };
    server.run(stop).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// As many connections as the limit of open files leaves, after raising it as far as it goes.
fn connections(wanted: usize) -> usize {
    let open_files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            return wanted;
        }
    };
    let possible = usize::try_from(open_files.saturating_sub(limits::DESCRIPTORS_RESERVED)).unwrap_or(wanted);
    if possible < wanted {
        tracing::info!(
            open_files,
            connections = possible,
            "the limit of open files allows fewer connections"
        );
    }
    wanted.min(possible)
}

/// What a person wants to know who has just started it.
fn greeting(server: &Server, database: &Database) -> String {
    let (place, hint) = match database {
        Database::Directory(data_dir) => {
            let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.clone());
            let hint = "(README.txt in there says what is what and how to back it up).\n";
            (data_dir.display().to_string(), hint)
        }
        Database::Postgres(address) => (address.to_string(), ""),
    };
    let url = server.base_url();
    match server.setup_url() {
        Some(setup) => format!(
            "\nSwitchback keeps everything in {place}\n{hint}\n\
             Nobody owns this workspace yet. Open this address once to become its owner:\n\n    \
             {setup}\n\n\
             From then on everybody opens {url}\n\n"
        ),
        None => format!("\nSwitchback keeps everything in {place}\nOpen {url}\n\n"),
    }
}

/// Says what to do about it.
fn not_started(error: StartError) -> anyhow::Error {
    let StartError::Listen { address, source } = &error else {
        return error.into();
    };
    let other = address.port().checked_add(1).unwrap_or(8080);
    match source.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "{address} is taken: another program, maybe another Switchback, listens there. Stop it, or choose \
             another port: --listen {}:{other}",
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => anyhow!(
            "not allowed to listen on {address}: ports below 1024 belong to the system. Take a higher one \
             (--listen {}:8080) and put a proxy in front",
            address.ip()
        ),
        io::ErrorKind::AddrNotAvailable => {
            anyhow!("{address} is not an address of this machine: use 127.0.0.1, or 0.0.0.0 for all of them")
        }
        _ => error.into(),
    }
}
