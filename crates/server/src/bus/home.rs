//! Where an operator wants the bus to be at home.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;

/// Where the nodes of one workspace meet. Written as `none`, `postgres` or `nats://HOST:4222`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BusHome {
    /// `PostgreSQL` if that is the database; within the process if it is not.
    #[default]
    Automatic,
    /// Within the process: nodes do not hear of each other, and see each other's events in the
    /// database within a second.
    InProcess,
    /// `LISTEN`/`NOTIFY` in the database.
    Postgres,
    /// NATS servers.
    Nats(NatsAddress),
}

/// One or several addresses of a NATS cluster. Says neither in logs nor in errors what the password is.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsAddress(Vec<ServerAddr>);

/// A bus's address that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a bus ({0}); write none, postgres, or nats://USER:PASSWORD@HOST:4222 (several with commas)")]
pub struct BadBus(&'static str);

impl NatsAddress {
    pub(super) fn servers(&self) -> &[ServerAddr] {
        &self.0
    }
}

impl FromStr for BusHome {
    type Err = BadBus;

    fn from_str(text: &str) -> Result<Self, BadBus> {
        match text {
            "none" => Ok(Self::InProcess),
            "postgres" => Ok(Self::Postgres),
            text if text.starts_with("nats://") || text.starts_with("tls://") => {
                let servers: Option<Vec<ServerAddr>> = text.split(',').map(server).collect();
                servers
                    .map(|servers| Self::Nats(NatsAddress(servers)))
                    .ok_or(BadBus("a NATS address has a mistake in it"))
            }
            _ => Err(BadBus("it is none of these")),
        }
    }
}

fn server(text: &str) -> Option<ServerAddr> {
    text.trim().parse().ok().filter(|server: &ServerAddr| !server.host().is_empty())
}

impl fmt::Display for BusHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Automatic => f.write_str("automatic"),
            Self::InProcess => f.write_str("none"),
            Self::Postgres => f.write_str("postgres"),
            Self::Nats(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, server) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{}://{}:{}", server.scheme(), server.host(), server.port())?;
        }
        Ok(())
    }
}

impl fmt::Debug for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        text.parse::<BusHome>().ok().map(|home| home.to_string())
    }

    #[test]
    fn a_bus_is_one_of_three() {
        assert_eq!(shown("none").as_deref(), Some("none"));
        assert_eq!(shown("postgres").as_deref(), Some("postgres"));
        assert_eq!(shown("nats://bus").as_deref(), Some("nats://bus:4222"));
        assert_eq!(shown("nats://a:1, nats://b:2").as_deref(), Some("nats://a:1,nats://b:2"));
        for bad in ["", "redis://bus", "nats://", "nats://a:port", "nats://a,,"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let home = "nats://ada:s3cret@bus:4222".parse::<BusHome>();
        assert!(!format!("{home:?}").contains("s3cret"));
        let bad = "nats://ada:s3cret@bus:port".parse::<BusHome>();
        assert!(!format!("{bad:?}").contains("s3cret"));
    }
}
