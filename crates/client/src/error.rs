//! What can go wrong, sorted by what the caller can do about it.

use http::StatusCode;
use switchback_core::wire::{CommandError, Problem};

use crate::DialError;
use crate::address::BadAddress;
use crate::dial::BadCertificates;
use crate::proxy::BadProxy;

/// A client could not even begin: its configuration is wrong. What the network does is never here,
/// because the client keeps trying.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not an address.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// Not certificates.
    #[error(transparent)]
    Certificates(#[from] BadCertificates),
    /// Not a proxy.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// The token or cookie cannot stand in a header.
    #[error("the credential holds characters that a header cannot carry")]
    Credential,
}

/// A command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server said no, and will say no again.
    #[error("{}", .0.detail)]
    Refused(CommandError),
    /// Nobody knows: the client stopped, or it was an ephemeral command and the way was closed. A
    /// post with the same nonce may be tried again at any time.
    #[error("the connection was lost before the server answered")]
    Lost,
}

/// A REST request failed.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// The server said what is wrong.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// Somebody answered, but not as this server does: a proxy, a portal, another program.
    #[error("the answer is not Switchback's: {status} with {content_type}")]
    Foreign {
        /// Its status.
        status: StatusCode,
        /// Its content type, or `no content type`.
        content_type: String,
    },
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer did not come in time.
    #[error("no answer within {} s", crate::limits::REST_REQUEST.as_secs())]
    Timeout,
    /// The answer is too long.
    #[error("the answer is longer than {} bytes", crate::limits::REST_BODY_BYTES)]
    TooLong,
    /// The answer has another shape than this version knows.
    #[error("the answer cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
}

impl RestError {
    /// The status of the server's own answer, if it gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Foreign { status, .. } => Some(status.as_u16()),
            _ => None,
        }
    }
}
