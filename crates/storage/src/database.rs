//! Where a store can be: a directory of its own, or a `PostgreSQL` database.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// Where everything is kept. Written as `sqlite:DIRECTORY` or `postgres://USER@HOST/DATABASE`.
#[derive(Debug, Clone)]
pub enum Database {
    /// A data directory with an `SQLite` database in it, for one server.
    Directory(PathBuf),
    /// A `PostgreSQL` database, for any number of servers.
    Postgres(PostgresAddress),
}

/// How to reach a `PostgreSQL` database. Says neither in logs nor in errors what the password is.
#[derive(Clone)]
pub struct PostgresAddress(Box<PgConnectOptions>);

impl PostgresAddress {
    pub(crate) fn options(&self) -> PgConnectOptions {
        (*self.0).clone()
    }

    /// Whether both name the same database in the same words.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let (one, other) = (&*self.0, &*other.0);
        let options = |address: &PgConnectOptions| address.get_options().map(str::to_owned);
        one.get_host() == other.get_host()
            && one.get_port() == other.get_port()
            && one.get_socket() == other.get_socket()
            && one.get_database() == other.get_database()
            && options(one) == options(other)
    }
}

/// A database's address that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("not a database address ({0}); write sqlite:DIRECTORY or postgres://USER:PASSWORD@HOST/DATABASE")]
pub struct BadAddress(String);

/// What a server is told we are, unless the address says otherwise (`application_name`).
const APPLICATION_NAME: &str = "switchback";

impl FromStr for Database {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(BadAddress("no directory is named".to_owned()));
            }
            return Ok(Self::Directory(path.into()));
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(BadAddress("it begins neither with sqlite: nor with postgres://".to_owned()));
        }
        let options: PgConnectOptions =
            text.parse().map_err(|error: sqlx::Error| BadAddress(error.to_string()))?;
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name(APPLICATION_NAME) };
        Ok(Self::Postgres(PostgresAddress(Box::new(options))))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, database) = (self.0.get_username(), self.0.get_database());
        let database = database.unwrap_or(user);
        match self.0.get_socket() {
            Some(socket) => write!(f, "postgres://{user}@{}/{database}", socket.display()),
            None => write!(f, "postgres://{user}@{}:{}/{database}", self.0.get_host(), self.0.get_port()),
        }
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Database;

    #[test]
    fn an_address_is_a_directory_or_a_server_and_nothing_else() {
        let shown = |text: &str| text.parse::<Database>().map(|database| database.to_string()).ok();
        assert_eq!(shown("sqlite:/var/lib/switchback").as_deref(), Some("sqlite:/var/lib/switchback"));
        assert_eq!(shown("sqlite:///data").as_deref(), Some("sqlite:/data"));
        assert_eq!(shown("sqlite:data").as_deref(), Some("sqlite:data"));
        let server = shown("postgresql://ada@db.example:5433/chat?sslmode=require");
        assert_eq!(server.as_deref(), Some("postgres://ada@db.example:5433/chat"));
        for bad in ["", "sqlite:", "mysql://host/chat", "/var/lib/switchback", "postgres://host:port/chat"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let database: Result<Database, _> = "postgres://ada:s3cret@db/chat".parse();
        assert!(!format!("{database:?}").contains("s3cret"));
        let bad: Result<Database, _> = "postgres://ada:s3cret@db:port/chat".parse();
        assert!(!format!("{bad:?}").contains("s3cret"));
    }
}
