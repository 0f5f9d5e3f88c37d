//! From options to settings: a flag wins over the environment (clap sees to that), the environment
//! over the file, the file over the default. A key of the file that nobody knows is refused by name,
//! because a misspelt option that is silently ignored is found out on the worst day.
//!
//! What holds a secret may also be the name of a file that holds it: whoever can list processes or
//! containers sees their arguments and environment, but no file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use switchback_server::{AddressRange, BusHome, Config, TlsFiles, limits};
use switchback_storage::Database;

use crate::cli::{ConfigArg, DataArgs, LogFormat, ServeArgs, ServeOptions};
use crate::memory;

const DEFAULT_DATA_DIR: &str = "switchback-data";
const DEFAULT_LOG: &str = "info";
const FILE_NAME: &str = "switchback.toml";
/// The longest settings file, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;
/// The longest file with one secret in it, in bytes.
const SECRET_BYTES: u64 = 16 * 1024;
const MIB: u64 = 1024 * 1024;
/// Pages of history are kept in one part in so many of the memory there is.
const HISTORY_CACHE_SHARE: u64 = 32;
/// The least that such a share is, in bytes.
const HISTORY_CACHE_LEAST: u64 = 16 * MIB;
/// The most that such a share is, in bytes.
const HISTORY_CACHE_MOST: u64 = 256 * MIB;

/// Everything `serve` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) database: Database,
    pub(crate) server: Config,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
}

impl Settings {
    /// Settings of a server.
    pub(crate) fn of_server(args: &ServeArgs) -> Result<Self> {
        let (options, file) = with_file(&args.options, &args.config)?;
        let database = database(&options)?;
        let (log, log_format) = (options.log.clone(), options.log_format);
        let server = server(options)?;
        let wants_others = matches!(server.bus, BusHome::Postgres | BusHome::Nats(_));
        if matches!(database, Database::Directory(_)) && wants_others {
            bail!("bus: a data directory is for one server; several need database_url = \"postgres://...\"");
        }
        Ok(Self {
            database,
            log: log.unwrap_or_else(|| DEFAULT_LOG.to_owned()),
            log_format: log_format.unwrap_or(LogFormat::Text),
            server,
            file,
        })
    }

    /// Settings of an admin command, which finds the same data directory as the server.
    pub(crate) fn of_admin(args: &DataArgs) -> Result<Self> {
        let options = ServeOptions {
            data_dir: args.data_dir.clone(),
            database_url: args.database_url.clone(),
            database_url_file: args.database_url_file.clone(),
            ..ServeOptions::default()
        };
        Self::of_server(&ServeArgs { config: args.config.clone(), options })
    }
}

fn data_dir(options: &ServeOptions) -> PathBuf {
    options.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR))
}

/// An empty variable is how a compose file says "not set".
fn database(options: &ServeOptions) -> Result<Database> {
    match options.database_url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => url.parse().context("database_url"),
        None => Ok(Database::Directory(data_dir(options))),
    }
}

/// Empty as above.
fn bus(bus: Option<&str>) -> Result<BusHome> {
    match bus.filter(|bus| !bus.is_empty()) {
        Some(bus) => bus.parse().context("bus"),
        None => Ok(BusHome::default()),
    }
}

/// The options with those of the file behind them.
pub(crate) fn with_file(
    options: &ServeOptions,
    config: &ConfigArg,
) -> Result<(ServeOptions, Option<PathBuf>)> {
    let options = options.clone().with_secrets()?;
    let path = match &config.path {
        Some(path) => Some(path.clone()),
        None => [data_dir(&options).join(FILE_NAME), PathBuf::from(FILE_NAME)]
            .into_iter()
            .find(|path| path.is_file()),
    };
    let Some(path) = path else {
        return Ok((options, None));
    };
    let file = read(&path).and_then(ServeOptions::with_secrets);
    let file = file.with_context(|| format!("in the settings file {}", path.display()))?;
    Ok((options.or(file), Some(path)))
}

fn read(path: &Path) -> Result<ServeOptions> {
    if std::fs::metadata(path).is_ok_and(|found| found.len() > FILE_BYTES) {
        bail!("it is longer than {FILE_BYTES} bytes");
    }
    Ok(toml::from_str(&std::fs::read_to_string(path)?)?)
}

/// What a file holds that is named in place of a secret. An empty name is none.
fn secret(name: &str, given: Option<String>, file: Option<&Path>) -> Result<Option<String>> {
    let given = given.filter(|secret| !secret.is_empty());
    let Some(path) = file.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(given);
    };
    if given.is_some() {
        bail!("{name} and {name}_file: one of them, not both");
    }
    read_secret(path).with_context(|| format!("{name}_file {}", path.display())).map(Some)
}

fn read_secret(path: &Path) -> Result<String> {
    let mut text = String::new();
    File::open(path)?.take(SECRET_BYTES + 1).read_to_string(&mut text)?;
    match text.trim() {
        "" => bail!("it is empty"),
        _ if text.len() as u64 > SECRET_BYTES => bail!("it is longer than {SECRET_BYTES} bytes"),
        secret => Ok(secret.to_owned()),
    }
}

fn server(options: ServeOptions) -> Result<Config> {
    let default = Config::default();
    let ranges = options.trusted_proxies.map(|texts| {
        let texts = texts.iter().filter(|text| !text.trim().is_empty());
        texts.map(|text| Ok(text.trim().parse::<AddressRange>()?)).collect::<Result<Vec<_>>>()
    });
    let trusted_proxies = ranges.transpose().context("trusted_proxies")?.unwrap_or(default.trusted_proxies);
    let drain = options.drain_seconds.map_or(default.drain, Duration::from_secs);
    if drain > limits::DRAIN_MAX {
        bail!("drain_seconds: at most {}", limits::DRAIN_MAX.as_secs());
    }
    // An empty variable is how a compose file says "not set".
    let public_url = options.public_url.filter(|url| !url.is_empty());
    if let Some(url) = &public_url {
        url.parse::<switchback_client::Address>().context("public_url")?;
    }
    let tls = tls(options.tls_cert, options.tls_key)?;
    if tls.is_some() && public_url.as_deref().is_some_and(|url| url.starts_with("http:")) {
        bail!("public_url begins with http://, but with tls_cert people come by https://");
    }
    Ok(Config {
        listen: options.listen.unwrap_or(default.listen),
        public_url,
        tls,
        trusted_proxies,
        drain,
        sign_ins_per_minute: at_least_one("sign_ins_per_minute", options.sign_ins_per_minute)?
            .unwrap_or(default.sign_ins_per_minute),
        commands_per_second: at_least_one("commands_per_second", options.commands_per_second)?
            .unwrap_or(default.commands_per_second),
        commands_burst: at_least_one("commands_burst", options.commands_burst)?
            .unwrap_or(default.commands_burst),
        connections: at_least_one("connections", options.connections)?.unwrap_or(default.connections),
        ring_events: at_least_one("ring_events", options.ring_events)?.unwrap_or(default.ring_events),
        history_cache_bytes: history_cache_bytes(options.history_cache_mib, memory::bytes()),
        bus: bus(options.bus.as_deref())?,
    })
}

/// What is asked for, or a share of what memory there is, in bytes.
fn history_cache_bytes(asked_mib: Option<u64>, memory: Option<u64>) -> usize {
    let share = |all: u64| (all / HISTORY_CACHE_SHARE).clamp(HISTORY_CACHE_LEAST, HISTORY_CACHE_MOST);
    let bytes = asked_mib.map(|mib| mib.saturating_mul(MIB)).or_else(|| memory.map(share));
    bytes.map_or(limits::HISTORY_CACHE_BYTES, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Both or none; an empty variable is how a compose file says "not set".
fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>> {
    let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
    match (given(certificate), given(key)) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => bail!("tls_cert is given without tls_key: TLS needs both, plain HTTP neither"),
        (None, Some(_)) => bail!("tls_key is given without tls_cert: TLS needs both, plain HTTP neither"),
    }
}

fn at_least_one<N: From<u8> + PartialOrd>(name: &str, number: Option<N>) -> Result<Option<N>> {
    match number {
        Some(number) if number < N::from(1) => bail!("{name}: at least 1"),
        number => Ok(number),
    }
}

impl ServeOptions {
    /// Secrets in place of the files that hold them.
    fn with_secrets(self) -> Result<Self> {
        let database_url = secret("database_url", self.database_url, self.database_url_file.as_deref())?;
        let bus = secret("bus", self.bus, self.bus_file.as_deref())?;
        Ok(Self { database_url, database_url_file: None, bus, bus_file: None, ..self })
    }

    /// What is given here, and what is not from `other`.
    fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
            database_url_file: self.database_url_file.or(other.database_url_file),
            bus: self.bus.or(other.bus),
            bus_file: self.bus_file.or(other.bus_file),
            listen: self.listen.or(other.listen),
            public_url: self.public_url.or(other.public_url),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            trusted_proxies: self.trusted_proxies.or(other.trusted_proxies),
            drain_seconds: self.drain_seconds.or(other.drain_seconds),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            sign_ins_per_minute: self.sign_ins_per_minute.or(other.sign_ins_per_minute),
            commands_per_second: self.commands_per_second.or(other.commands_per_second),
            commands_burst: self.commands_burst.or(other.commands_burst),
            connections: self.connections.or(other.connections),
            ring_events: self.ring_events.or(other.ring_events),
            history_cache_mib: self.history_cache_mib.or(other.history_cache_mib),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    fn settings(flags: ServeOptions, file: &str) -> Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, file).unwrap();
        Settings::of_server(&ServeArgs { config: ConfigArg { path: Some(path) }, options: flags })
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let flags = ServeOptions { drain_seconds: Some(3), ..ServeOptions::default() };
        let file = "drain_seconds = 5\nlisten = \"0.0.0.0:9000\"\nlog_format = \"json\"\n\
                    trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\ndata_dir = \"/srv/chat\"";
        let settings = settings(flags, file).unwrap();
        assert_eq!(settings.server.drain, Duration::from_secs(3));
        assert_eq!(settings.server.listen.to_string(), "0.0.0.0:9000");
        assert_eq!(settings.server.trusted_proxies.len(), 2);
        assert_eq!((settings.log.as_str(), settings.log_format), ("info", LogFormat::Json));
        assert_eq!(settings.database.to_string(), "sqlite:/srv/chat");
        assert_eq!(settings.server.bus, BusHome::Automatic);
    }

    #[test]
    fn what_the_file_says_wrong_is_named() {
        let cases = [
            ("listne = \"127.0.0.1:80\"", "listne"),
            ("listen = \"here\"", "listen"),
            ("drain_seconds = 11", "drain_seconds"),
            ("connections = 0", "connections"),
            ("trusted_proxies = [\"10.0.0.0/99\"]", "10.0.0.0/99"),
            ("public_url = \"chat.example.org\"", "public_url"),
            ("listen = ", "listen"),
            ("tls_cert = \"cert.pem\"", "tls_key"),
            ("tls_key = \"key.pem\"", "tls_cert"),
            ("tls_cert = \"c\"\ntls_key = \"k\"\npublic_url = \"http://chat.example.org\"", "public_url"),
            ("bus = \"redis://here\"", "bus"),
            ("bus = \"nats://here\"", "database_url"),
        ];
        for (file, name) in cases {
            let refused = format!("{:#}", settings(ServeOptions::default(), file).unwrap_err());
            assert!(refused.contains(name), "{file}: {refused}");
        }
    }

    #[test]
    fn pages_of_history_take_what_is_asked_for_or_a_share_within_bounds() {
        let bytes = |file: &str| settings(ServeOptions::default(), file).unwrap().server.history_cache_bytes;
        assert_eq!((bytes("history_cache_mib = 0"), bytes("history_cache_mib = 1000")), (0, 1_048_576_000));
        let share_mib = |memory_mib: u64| history_cache_bytes(None, Some(memory_mib << 20)) >> 20;
        assert_eq!([256, 2_048, 65_536].map(share_mib), [16, 64, 256]);
        assert_eq!(history_cache_bytes(None, None), limits::HISTORY_CACHE_BYTES);
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let config = ConfigArg { path: Some("/nowhere/switchback.toml".into()) };
        let refused = Settings::of_server(&ServeArgs { config, ..ServeArgs::default() }).unwrap_err();
        assert!(format!("{refused:#}").contains("/nowhere/switchback.toml"));
    }

    #[test]
    fn the_file_in_the_data_directory_is_found_by_the_server_and_by_admin_commands() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), "ring_events = 77").unwrap();
        let data = DataArgs {
            data_dir: Some(dir.path().to_owned()),
            database_url: None,
            database_url_file: None,
            config: ConfigArg::default(),
        };
        assert_eq!(Settings::of_admin(&data).unwrap().server.ring_events, 77);
    }

    #[test]
    fn tls_takes_two_files_or_none() {
        let flags = |cert: &str, key: &str| ServeOptions {
            tls_cert: Some(cert.into()),
            tls_key: Some(key.into()),
            ..ServeOptions::default()
        };
        let files = settings(flags("cert.pem", "key.pem"), "").unwrap().server.tls.unwrap();
        assert_eq!((files.certificate, files.key), ("cert.pem".into(), "key.pem".into()));
        assert_eq!(settings(flags("", ""), "").unwrap().server.tls, None);
    }

    #[test]
    fn an_empty_public_url_is_none() {
        let flags = ServeOptions { public_url: Some(String::new()), ..ServeOptions::default() };
        assert_eq!(settings(flags, "").unwrap().server.public_url, None);
    }

    #[test]
    fn a_secret_may_be_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        let of = |content: &str, url: Option<&str>, file: &str| {
            std::fs::write(&path, content).unwrap();
            let flags = ServeOptions {
                database_url: url.map(str::to_owned),
                database_url_file: Some(path.clone()),
                ..ServeOptions::default()
            };
            settings(flags, file).map(|settings| settings.database.to_string())
        };
        assert_eq!(of("sqlite:/srv/chat\n", None, "").unwrap(), "sqlite:/srv/chat");
        assert_eq!(of("sqlite:/srv/chat", Some(""), "").unwrap(), "sqlite:/srv/chat");
        // As for every option, what stands in the settings file is what counts least.
        let file = "database_url = \"sqlite:/elsewhere\"";
        assert_eq!(of("sqlite:/srv/chat", None, file).unwrap(), "sqlite:/srv/chat");
        let refused = |content: &str, url| format!("{:#}", of(content, url, "").unwrap_err());
        assert!(refused(" \n", None).contains("empty"));
        assert!(refused(&"x".repeat(20_000), None).contains("longer"));
        assert!(refused("sqlite:/a", Some("sqlite:/b")).contains("not both"));
    }

    #[test]
    fn a_missing_secret_is_named_with_its_file() {
        let flags =
            ServeOptions { database_url_file: Some("/nowhere/url".into()), ..ServeOptions::default() };
        let refused = format!("{:#}", settings(flags, "").unwrap_err());
        assert!(refused.contains("database_url_file /nowhere/url"), "{refused}");
    }
}
