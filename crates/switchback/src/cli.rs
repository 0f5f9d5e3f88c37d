//! The command line: what can be asked for, and the text of `--help`.
//!
//! A server's options are one struct that is read from flags and environment (clap) and from the
//! file (serde), so that an option cannot exist in one place and be missing in another. Defaults are
//! not given to clap: they come last, after the file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use switchback_core::{DisplayName, Handle};

const ABOUT_OPTIONS: &str = "\
Each option of `serve` is also an environment variable (shown beside it) and a line of a TOML file, \
in lower case with underscores:

    listen = \"0.0.0.0:8080\"
    public_url = \"https://chat.example.org\"
    trusted_proxies = [\"10.0.0.0/8\"]

A flag wins over the environment, the environment over the file, the file over the default.";

const MIGRATE_EXAMPLE: &str = "\
    switchback migrate --from sqlite:/var/lib/switchback --to postgres://switchback@db.example.org/switchback

A password is better in the environment (SWITCHBACK_TO, SWITCHBACK_FROM, PGPASSWORD) than on the command line, \
where everybody on the machine can read it.";

/// Team chat that gets through.
///
/// Without a command it serves: `switchback` is `switchback serve`.
#[derive(Debug, Parser)]
#[command(name = "switchback", version, after_help = ABOUT_OPTIONS, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::doc_markdown, reason = "the text of --help, where a name stands as it is")]
pub(crate) enum Command {
    /// Runs the server (the default).
    #[command(after_help = ABOUT_OPTIONS)]
    Serve(Box<ServeArgs>),
    /// Chats in the terminal.
    ///
    /// Lines of standard input become messages; `/rooms`, `/join NAME` and `/quit` do what they say.
    Chat(ChatArgs),
    /// Says which ways in get through from here, and what to change where they do not.
    ///
    /// Exits with 0 when at least one way works, with 1 otherwise.
    Doctor(DoctorArgs),
    /// Asks the server on this machine whether it can serve, as a container's health check does.
    ///
    /// Exits with 0 when it can, with 1 otherwise and says why.
    Health(HealthArgs),
    /// Copies a whole workspace into an empty database, from SQLite to PostgreSQL or back.
    ///
    /// Everything comes along: messages, accounts, who is signed in, read positions. Clients go on where
    /// they were. No server may run meanwhile; the source is left as it is. What was interrupted is
    /// started again by the same command.
    #[command(after_help = MIGRATE_EXAMPLE)]
    Migrate(MigrateArgs),
    /// Writes everything, as of one moment, into one file; a server may go on running.
    ///
    /// The file is an SQLite database, whatever it was taken from, and can be restored into either. It
    /// holds private messages and password hashes: only its owner can read it.
    Backup(BackupArgs),
    /// Puts a backup into an empty database.
    ///
    /// Clients that were open load everything afresh, because they may have seen what the backup does
    /// not hold. The backup stays as it is.
    Restore(RestoreArgs),
    /// Works on the data directory, whether a server is running or not.
    #[command(subcommand)]
    Admin(AdminCommand),
}

/// `serve`'s options as flags and environment.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    #[command(flatten)]
    pub(crate) options: ServeOptions,
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigArg {
    /// The TOML file [default: switchback.toml in the data directory or here, if there is one]
    #[arg(long = "config", env = "SWITCHBACK_CONFIG", value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

/// `serve`'s options, from whatever source; what is `None` was not given there.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServeOptions {
    /// Where everything is kept; made if need be [default: ./switchback-data]
    #[arg(long, env = "SWITCHBACK_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The database: `sqlite:DIRECTORY` or `postgres://USER:PASSWORD@HOST/DATABASE` (15 or newer; a
    /// password is better in the environment or the file) [default: a file in the data directory]
    #[arg(long, env = "SWITCHBACK_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// A file that holds the database's URL, so that a password need not stand elsewhere
    #[arg(long, env = "SWITCHBACK_DATABASE_URL_FILE", value_name = "FILE")]
    pub(crate) database_url_file: Option<PathBuf>,
    /// Where several servers on one database hear of each other: `postgres`, `nats://HOST:4222` (with
    /// commas: several), or `none` [default: postgres, if that is the database]
    #[arg(long, env = "SWITCHBACK_BUS", hide_env_values = true, value_name = "BUS")]
    pub(crate) bus: Option<String>,
    /// A file that holds it, if there is a password in it
    #[arg(long, env = "SWITCHBACK_BUS_FILE", value_name = "FILE")]
    pub(crate) bus_file: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "SWITCHBACK_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The address people open, for links and the check of where requests come from
    /// [default: taken from each request]
    #[arg(long, env = "SWITCHBACK_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Certificate in PEM (the server's own first, then those that signed it): serves HTTPS, without
    /// a proxy; read again on SIGHUP [default: none, plain HTTP]
    #[arg(long, env = "SWITCHBACK_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key in PEM; read again on SIGHUP [default: none]
    #[arg(long, env = "SWITCHBACK_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Proxies whose X-Forwarded-For is believed: addresses or ranges, separated by commas
    /// [default: loopback, `127.0.0.0/8,::1`]
    #[arg(long, env = "SWITCHBACK_TRUSTED_PROXIES", value_name = "RANGES", value_delimiter = ',')]
    pub(crate) trusted_proxies: Option<Vec<String>>,
    /// How long a stop waits for what is under way, 0 to 10 seconds [default: 10]
    #[arg(long, env = "SWITCHBACK_DRAIN_SECONDS", value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(0..=10))]
    pub(crate) drain_seconds: Option<u64>,
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter like
    /// `info,switchback_server=debug` [default: info]
    #[arg(long, env = "SWITCHBACK_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// How it is logged [default: text]
    #[arg(long, env = "SWITCHBACK_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Sign-ins that one address may try per minute [default: 30]
    #[arg(long, env = "SWITCHBACK_SIGN_INS_PER_MINUTE", value_name = "NUMBER")]
    pub(crate) sign_ins_per_minute: Option<u32>,
    /// Messages and other commands of one person per second, in the long run [default: 200]
    #[arg(long, env = "SWITCHBACK_COMMANDS_PER_SECOND", value_name = "NUMBER")]
    pub(crate) commands_per_second: Option<u32>,
    /// The same at once [default: 4000]
    #[arg(long, env = "SWITCHBACK_COMMANDS_BURST", value_name = "NUMBER")]
    pub(crate) commands_burst: Option<u32>,
    /// Connections open at once; the limit of open files lowers it [default: 60000]
    #[arg(long, env = "SWITCHBACK_CONNECTIONS", value_name = "NUMBER")]
    pub(crate) connections: Option<usize>,
    /// Events kept in memory for live delivery [default: 8192]
    #[arg(long, env = "SWITCHBACK_RING_EVENTS", value_name = "NUMBER")]
    pub(crate) ring_events: Option<usize>,
    /// Memory for pages of history that were read before, in MiB
    /// [default: a 32nd of the machine's or the container's memory, 16 to 256]
    #[arg(long, env = "SWITCHBACK_HISTORY_CACHE_MIB", value_name = "NUMBER")]
    pub(crate) history_cache_mib: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// A server somewhere, and who asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoteArgs {
    /// The server's address, like `https://chat.example.org`
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// An API token (`switchback admin create-token` or the account's page)
    #[arg(long, env = "SWITCHBACK_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Certificates in PEM to trust beside the well-known ones
    #[arg(long, env = "SWITCHBACK_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The proxy to go by, or `none` [default: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say]
    #[arg(long, env = "SWITCHBACK_PROXY", hide_env_values = true, value_name = "URL")]
    pub(crate) proxy: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ChatArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Sign in with this handle; the password is asked for, or taken from `SWITCHBACK_PASSWORD`
    #[arg(long, env = "SWITCHBACK_HANDLE", value_name = "HANDLE", conflicts_with = "token")]
    pub(crate) handle: Option<String>,
    /// The room to begin in, or @handle for a direct conversation
    #[arg(long, env = "SWITCHBACK_ROOM", value_name = "NAME", default_value = "general")]
    pub(crate) room: String,
    /// Which way in to take
    #[arg(long, env = "SWITCHBACK_TRANSPORT", value_name = "WAY", default_value = "auto")]
    pub(crate) transport: WayIn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WayIn {
    /// The best that gets through.
    Auto,
    /// WebSocket or nothing.
    Websocket,
    /// Event stream or nothing.
    Sse,
    /// Batches or nothing.
    Batch,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// How long to watch whether quiet connections stay open; 0 leaves it out
    #[arg(long, env = "SWITCHBACK_IDLE", value_name = "SECONDS", default_value_t = 40)]
    pub(crate) idle: u64,
    /// Print the findings as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct HealthArgs {
    /// The server's address [default: where `serve` with the same settings listens]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Where `serve` listens
    #[arg(long, env = "SWITCHBACK_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The certificate, if `serve` has one: then it is asked over TLS, whatever the certificate says
    #[arg(long, env = "SWITCHBACK_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Where the settings file may lie
    #[arg(long, env = "SWITCHBACK_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// The addresses are texts here: clap would quote a bad one in full, password and all.
#[derive(Debug, Clone, Args)]
pub(crate) struct MigrateArgs {
    /// Where everything is: `sqlite:DIRECTORY` or `postgres://USER:PASSWORD@HOST/DATABASE`
    #[arg(long, env = "SWITCHBACK_FROM", hide_env_values = true, value_name = "URL")]
    pub(crate) from: String,
    /// Where it goes; an empty database, or a directory without one
    #[arg(long, env = "SWITCHBACK_TO", hide_env_values = true, value_name = "URL")]
    pub(crate) to: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// Which data directory.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataArgs {
    /// The server's data directory [default: ./switchback-data]
    #[arg(long, env = "SWITCHBACK_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server's database, if it is not in the data directory
    #[arg(long, env = "SWITCHBACK_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// A file that holds the database's URL
    #[arg(long, env = "SWITCHBACK_DATABASE_URL_FILE", value_name = "FILE")]
    pub(crate) database_url_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Makes an account
    CreateUser(CreateUserArgs),
    /// Makes an API token; it is printed alone on the last line
    CreateToken(CreateTokenArgs),
    /// Sets another password and ends the account's sessions
    ResetPassword(ResetPasswordArgs),
    /// Prints a new one-time address at which the owner's account is made
    SetupLink(DataArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CreateUserArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// How others call them: `ada` for @ada
    #[arg(long, value_name = "HANDLE")]
    pub(crate) handle: Handle,
    /// Their name as shown [default: the handle]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<DisplayName>,
    /// What they may do
    #[arg(long, value_name = "ROLE", default_value = "member")]
    pub(crate) role: RoleArg,
    /// Take the password from the first line of standard input instead of asking for it
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// Takes part.
    Member,
    /// Also invites, deactivates, archives, deletes others' messages.
    Admin,
    /// Also makes admins and owners.
    Owner,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CreateTokenArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Whose
    #[arg(long, value_name = "HANDLE")]
    pub(crate) user: Handle,
    /// What it is for
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ResetPasswordArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Whose
    #[arg(long, value_name = "HANDLE")]
    pub(crate) user: Handle,
    /// Take the password from the first line of standard input instead of asking for it
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_names_every_option_with_its_variable_and_its_default() {
        let help = Cli::command().render_long_help().to_string();
        let options = [
            ("--config", "SWITCHBACK_CONFIG", "switchback.toml"),
            ("--data-dir", "SWITCHBACK_DATA_DIR", "./switchback-data"),
            ("--database-url", "SWITCHBACK_DATABASE_URL", "a file in"),
            ("--database-url-file", "SWITCHBACK_DATABASE_URL_FILE", "password"),
            ("--listen", "SWITCHBACK_LISTEN", "127.0.0.1:8080"),
            ("--public-url", "SWITCHBACK_PUBLIC_URL", "each request"),
            ("--tls-cert", "SWITCHBACK_TLS_CERT", "none, plain HTTP"),
            ("--tls-key", "SWITCHBACK_TLS_KEY", "none"),
            ("--trusted-proxies", "SWITCHBACK_TRUSTED_PROXIES", "127.0.0.0/8,::1"),
            ("--drain-seconds", "SWITCHBACK_DRAIN_SECONDS", "10"),
            ("--log", "SWITCHBACK_LOG", "info"),
            ("--log-format", "SWITCHBACK_LOG_FORMAT", "text"),
            ("--sign-ins-per-minute", "SWITCHBACK_SIGN_INS_PER_MINUTE", "30"),
            ("--commands-per-second", "SWITCHBACK_COMMANDS_PER_SECOND", "200"),
            ("--commands-burst", "SWITCHBACK_COMMANDS_BURST", "4000"),
            ("--connections", "SWITCHBACK_CONNECTIONS", "60000"),
            ("--ring-events", "SWITCHBACK_RING_EVENTS", "8192"),
            ("--history-cache-mib", "SWITCHBACK_HISTORY_CACHE_MIB", "256"),
            ("--bus", "SWITCHBACK_BUS", "postgres"),
            ("--bus-file", "SWITCHBACK_BUS_FILE", "password"),
        ];
        for (flag, variable, default) in options {
            assert!(help.contains(flag) && help.contains(variable), "{flag}");
            let entry = help.split(&format!("{flag} <")).nth(1).unwrap_or_default();
            let entry = entry.split("\n      --").next().unwrap_or_default();
            assert!(entry.contains(default), "{flag}: {entry}");
        }
    }

    #[test]
    fn the_defaults_in_the_help_are_the_servers() {
        let server = switchback_server::Config::default();
        assert_eq!(server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!((server.drain.as_secs(), server.sign_ins_per_minute), (10, 30));
        assert_eq!((server.commands_per_second, server.commands_burst), (200, 4000));
        assert_eq!((server.connections, server.ring_events), (60_000, 8_192));
    }

    #[test]
    fn without_a_command_it_serves() {
        let cli = Cli::try_parse_from(["switchback", "--listen", "127.0.0.1:0"]);
        assert!(cli.is_ok_and(|cli| cli.command.is_none() && cli.serve.options.listen.is_some()));
    }
}
