//! The product's own Rust client, with the same record as the lean one.

use switchback_client::{
    Client, ClientConfig, Credential, EventStream, Handle, Status, TransportPolicy, Update,
};
use switchback_core::wire::{EventBody, ServerFrame};
use tokio::time::Instant;

use crate::line::Target;
use crate::record::{Live, Record};

pub(crate) struct Real {
    pub(crate) handle: Handle,
    stream: EventStream,
    record: Record,
    /// When it began to look for the way in that it now has.
    asked_at: Instant,
    opened: Option<switchback_client::Transport>,
}

impl Real {
    /// Goes on at the record's cursor.
    pub(crate) fn connect(target: &Target, policy: TransportPolicy, record: Record) -> anyhow::Result<Self> {
        let mut config =
            ClientConfig::new(format!("http://{}", target.address), Credential::Token(target.token.clone()));
        config.transports = policy;
        config.cursor = record.lock().cursor();
        let (handle, stream) = Client::connect(&config)?;
        Ok(Self { handle, stream, record, asked_at: Instant::now(), opened: None })
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
            Update::Status(Status::Connecting) => self.asked_at = Instant::now(),
            Update::Status(Status::Waiting { why, .. }) => (record.live, record.lost) = (None, why),
            Update::Status(Status::Live { transport }) => {
                (self.opened, record.live) = (Some(transport), None);
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
                if let (ServerFrame::Ready { .. }, Some(transport)) = (*frame, self.opened) {
                    record.live = Some(Live { transport, asked_at: self.asked_at, ready_at: Instant::now() });
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
