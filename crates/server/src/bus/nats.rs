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

    const MESSAGE_BYTES: usize = limits::NATS_MESSAGE_BYTES;

    async fn open(&self) -> Result<NatsLine, LineError> {
        let (tell, events) = mpsc::channel(EVENTS_WAITING);
        let options = ConnectOptions::new()
            .name(NAME)
            .connection_timeout(limits::BUS_CONNECT)
            .ping_interval(limits::BUS_BEAT)
            .subscription_capacity(limits::NATS_WAITING)
            // Only until we have let go of it.
            .max_reconnects(1)
            .event_callback(move |event| {
                // With so many unseen, the first has ended the line already.
                let _ = tell.try_send(event);
                async {}
            });
        let servers: Vec<ServerAddr> = self.address.servers().to_vec();
        let client = options.connect(servers).await?;
        let messages = client.subscribe(self.subject.clone()).await?;
        client.flush().await?;
        Ok(NatsLine { client, messages, events, subject: self.subject.clone() })
    }
}

impl Line for NatsLine {
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
