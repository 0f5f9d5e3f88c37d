//! A port that stays one's own, for a program that is told where to listen.

use std::io::Result;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of this machine that nobody else is given while this is kept: neither another listener that
/// lets the system choose, nor a connection on its way out. Only to ask which port is free is not enough:
/// two programs that sat on one port have had tests wait for each other's servers.
///
/// Bound with `SO_REUSEADDR` and never listened on: whoever sets the same option, as servers do, may
/// listen on it, and until then connections to it are refused (Linux `inet_csk_bind_conflict`,
/// `__inet_hash_connect`; other systems may refuse the server).
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _kept: TcpSocket,
}

impl Port {
    pub(crate) fn keep() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: socket.local_addr()?, _kept: socket })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::io::ErrorKind;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_kept_port_is_for_the_server_that_is_told_of_it() {
        let port = Port::keep().unwrap();
        let refused = TcpStream::connect(port.address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        // Who does not set the option is refused; that the system gives it to nobody follows from the same marks
        // and cannot be waited for.
        let other = TcpSocket::new_v4().unwrap();
        assert_eq!(other.bind(port.address).unwrap_err().kind(), ErrorKind::AddrInUse);
        let server = TcpSocket::new_v4().unwrap();
        server.set_reuseaddr(true).unwrap();
        server.bind(port.address).unwrap();
        let server = server.listen(1).unwrap();
        let (accepted, connected) = tokio::join!(server.accept(), TcpStream::connect(port.address));
        assert_eq!(accepted.unwrap().1, connected.unwrap().local_addr().unwrap());
    }
}
