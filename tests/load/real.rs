//! The product's own Rust client, with the same record as the lean one.

use switchback_client::{
    Client, ClientConfig, Credential, EventStream, Handle, Status, Transport, TransportPolicy, Update,
};
use switchback_core::wire::{EventBody, ServerFrame};
use tokio::time::Instant;

use crate::line::Target;
use crate::record::{Live, Record};

/// The way in that won, and when its `hello` was there.
#[derive(Clone, Copy)]
struct Opened {
    transport: Transport,
    at: Instant,
}

pub(crate) struct Real {
    pub(crate) handle: Handle,
    stream: EventStream,
    record: Record,
    opened: Option<Opened>,
}

impl Real {
    /// Goes on at the record's cursor.
    pub(crate) fn connect(target: &Target, policy: TransportPolicy, record: Record) -> anyhow::Result<Self> {
        let mut config =
            ClientConfig::new(format!("http://{}", target.address), Credential::Token(target.token.clone()));
        config.transports = policy;
        config.cursor = record.lock().cursor();
        let (handle, stream) = Client::connect(&config)?;
        Ok(Self { handle, stream, record, opened: None })
    }

    /// Notes what it is told until it ends.
    pub(crate) async fn stay(&mut self) {
        while let Some(update) = self.stream.next().await {
            self.take(update);
        }
    }

    /// Ends it; what has no answer yet is lost to whoever waits for it.
    pub(crate) fn leave(&self) {
        self.handle.close();
        self.record.lock().live = None;
    }

    fn take(&mut self, update: Update) {
        let mut record = self.record.lock();
        match update {
            Update::Status(Status::Connecting) => {}
            Update::Status(Status::Waiting { why, .. }) => (record.live, record.lost) = (None, why),
            Update::Status(Status::Live { transport }) => {
                self.opened = Some(Opened { transport, at: Instant::now() });
                record.live = None;
                record.lines += 1;
                if record.epoch.is_none()
                    && let Some(cursor) = self.stream.cursor()
                {
                    record.begin(cursor);
                }
            }
            Update::Event(event) => {
                record.event(event.seq, event.room, event.n);
                if let EventBody::MessagePosted { message } = &event.body {
                    record.newest = Some((message.room, message.id));
                }
            }
            Update::Frame(frame) => {
                if let (ServerFrame::Ready { .. }, Some(Opened { transport, at })) = (*frame, self.opened) {
                    record.live = Some(Live { transport, opened_at: at, ready_at: Instant::now() });
                }
            }
            Update::Reset { cause, snapshot } => {
                record.fault(format!("told to start over: {cause:?}"));
                record.begin(snapshot.cursor);
            }
            Update::Stopped(why) => {
                if why != switchback_client::StopReason::Asked {
                    record.fault(format!("told to stop: {why:?}"));
                }
            }
        }
        if let Some(cursor) = self.stream.cursor() {
            record.caught_up(cursor);
        }
    }
}
