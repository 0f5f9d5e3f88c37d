//! The bus at home in NATS: core publish and subscribe, at most once, which is all a doorbell needs.
//!
//! The client library reconnects by itself and says so on the side. A line that was away is given up
//! here instead, so that what follows from a gap is done in one place for every home.

use async_nats::{ConnectOptions, Event, ServerAddr, Subscriber};
use futures_util::StreamExt as _;
use switchback_core::Epoch;
use tokio::sync::mpsc;

use super::NatsAddress;
use super::relay::{Carrier, Line, LineError};
use crate::limits;

/// Opens lines through a NATS server, or one of several.
pub(crate) struct Nats {
    address: NatsAddress,
    subject: String,
}

/// One connection, subscribed.
pub(crate) struct NatsLine {
    client: async_nats::Client,
    messages: Subscriber,
    events: mpsc::Receiver<Event>,
    subject: String,
}

/// What a NATS server is told we are.
const NAME: &str = "switchback";
/// Events of the connection that wait to be looked at; the first that matters ends the line.
const EVENTS_WAITING: usize = 16;

impl Nats {
    /// Workspaces are kept apart by their log's epoch, so that several can share a server.
    pub(super) fn new(address: NatsAddress, epoch: Epoch) -> Self {
        Self { address, subject: format!("switchback.{epoch}") }
    }
}

impl Carrier for Nats {
    type Line = NatsLine;

    async fn open(&self) -> Result<NatsLine, LineError> {
        let (tell, events) = mpsc::channel(EVENTS_WAITING);
        let servers: Vec<ServerAddr> = self.address.servers().to_vec();
        let each = u32::try_from(servers.len()).unwrap_or(u32::MAX).max(1);
        let options = ConnectOptions::new()
            .name(NAME)
            // One that does not answer must leave time for the next.
            .connection_timeout(limits::BUS_CONNECT / each)
            .ping_interval(limits::BUS_BEAT)
            .subscription_capacity(limits::NATS_WAITING)
            // Each once, and after a break no more than until we have let go of it.
            .max_reconnects(servers.len())
            .event_callback(move |event| {
                // With so many unseen, the first has ended the line already.
                let _ = tell.try_send(event);
                async {}
            });
        let client = options.connect(servers).await?;
        let messages = client.subscribe(self.subject.clone()).await?;
        client.flush().await?;
        Ok(NatsLine { client, messages, events, subject: self.subject.clone() })
    }
}

impl Line for NatsLine {
    fn message_bytes(&self) -> usize {
        self.client
            .server_info()
            .max_payload
            .clamp(limits::NATS_MESSAGE_LEAST_BYTES, limits::NATS_MESSAGE_BYTES)
    }

    async fn send(&mut self, message: String) -> Result<(), LineError> {
        Ok(self.client.publish(self.subject.clone(), message.into()).await?)
    }

    async fn receive(&mut self) -> Result<String, LineError> {
        loop {
            tokio::select! {
                message = self.messages.next() => {
                    let message = message.ok_or_else(|| LineError::from("the subscription has ended"))?;
                    return Ok(String::from_utf8(message.payload.into())?);
                }
                event = self.events.recv() => match event {
                    Some(Event::Connected) => {}
                    Some(event) => return Err(event.to_string().into()),
                    None => return Err("the connection has ended".into()),
                },
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::bus::BusHome;

    /// As much of a NATS server as it takes to be let in.
    async fn welcome(socket: TcpStream) {
        let mut socket = BufReader::new(socket);
        socket
            .write_all(b"INFO {\"server_id\":\"A\",\"max_payload\":1048576,\"proto\":1}\r\n")
            .await
            .unwrap();
        let mut line = String::new();
        while socket.read_line(&mut line).await.unwrap_or(0) > 0 {
            if line.starts_with("PING") && socket.write_all(b"PONG\r\n").await.is_err() {
                return;
            }
            line.clear();
        }
    }

    #[tokio::test]
    async fn of_several_servers_one_that_is_there_is_enough() {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let [there_at, gone_at] = [&there, &gone].map(|listener| listener.local_addr().unwrap());
        drop(gone);
        tokio::spawn(async move {
            while let Ok((socket, _)) = there.accept().await {
                tokio::spawn(welcome(socket));
            }
        });
        let home = format!("nats://{gone_at},nats://{there_at}").parse().unwrap();
        let BusHome::Nats(address) = home else { panic!("{home:?}") };
        let nats = Nats::new(address, "abc.1".parse::<switchback_core::Cursor>().unwrap().epoch);
        // They are tried in any order.
        for _ in 0..10 {
            nats.open().await.unwrap();
        }
    }
}
