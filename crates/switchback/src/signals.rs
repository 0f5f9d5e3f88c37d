//! What the system asks of a running server: to stop, or to read its certificate again.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, Result};
use switchback_server::TlsReload;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How a shell reports a process that a signal ended: 128 and the signal's number (SIGINT).
const EXIT_BY_SECOND_SIGNAL: i32 = 130;

/// The signals that ask for a stop.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Resolves at the first signal; the second one ends the process at once.
    pub(crate) async fn asked(mut self) {
        self.next().await;
        tracing::info!("stopping; once more to stop at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(EXIT_BY_SECOND_SIGNAL);
        });
    }
}

/// SIGHUP, which means two things: "read your files again", from an operator or a certificate's
/// renewal, and "your terminal is gone", from the kernel. The terminal itself tells which.
pub(crate) struct HangUp {
    hang_up: Signal,
    had_terminal: bool,
}

impl HangUp {
    pub(crate) fn listen() -> Result<Self> {
        let hang_up = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        Ok(Self { hang_up, had_terminal: io::stdin().is_terminal() })
    }

    /// Reads the certificate again at each signal. Resolves when the terminal that the server was
    /// started from has been closed; under `nohup` and under a service manager there is none.
    pub(crate) async fn terminal_gone(mut self, tls: Option<TlsReload>) {
        while self.hang_up.recv().await.is_some() {
            if self.had_terminal && !io::stdin().is_terminal() {
                tracing::info!("the terminal was closed; stopping");
                return;
            }
            reload(tls.as_ref()).await;
        }
        std::future::pending::<()>().await;
    }
}

async fn reload(tls: Option<&TlsReload>) {
    let Some(tls) = tls else {
        tracing::info!("SIGHUP: there is nothing to read again, TLS is not on");
        return;
    };
    match tls.reload().await {
        Ok(()) => tracing::info!("certificate and key read again; new connections get them"),
        Err(error) => tracing::error!("the certificate stays as it was: {error}"),
    }
}
