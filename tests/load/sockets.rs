//! What the kernel has of a server's connections, as `/proc/net/tcp` tells it.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context as _, Result};

/// An established connection (`TCP_ESTABLISHED`).
const ESTABLISHED: &str = "01";

/// Of each of its connections over IPv4, bytes that wait to be sent or acknowledged, by the peer's
/// address as the kernel writes it.
pub(crate) fn unsent(port: u16) -> Result<HashMap<String, u64>> {
    let table = fs::read_to_string("/proc/net/tcp").context("no /proc/net/tcp")?;
    Ok(of_port(&table, port))
}

fn of_port(table: &str, port: u16) -> HashMap<String, u64> {
    let ending = format!(":{port:04X}");
    let connection = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, state, queues) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let unsent = u64::from_str_radix(queues.split_once(':')?.0, 16).ok()?;
        (local.ends_with(&ending) && state == ESTABLISHED).then(|| (remote.to_owned(), unsent))
    };
    table.lines().filter_map(connection).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_side_of_each_connection_is_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n   \
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n   \
                     1: 0100007F:1F90 0100007F:C350 01 0001A2B3:00000000 01:00000014\n   \
                     2: 0100007F:C350 0100007F:1F90 01 00000000:00004000 00:00000000\n";
        assert_eq!(of_port(table, 0x1f90), HashMap::from([("0100007F:C350".to_owned(), 0x1a2b3)]));
    }
}
