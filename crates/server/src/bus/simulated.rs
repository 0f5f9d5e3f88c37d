//! The doorbell between simulated nodes: packed and understood as on a real line, carried by whoever
//! runs the simulation, who may lose it, double it or be late.

use std::sync::{Arc, Mutex, PoisonError};

use switchback_core::Seq;
use switchback_core::wire::node::{Envelope, NodeFrame, Standing};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::outbox::{Outgoing, Packer};
use super::relay;
use crate::hub::{Hub, Neighbours, Rung};
use crate::limits;
use crate::log::Entry;

/// One node's end of the line.
pub(crate) struct Doorbells {
    packer: Packer,
    hub: Arc<Hub>,
    rings: mpsc::Sender<Rung>,
    outgoing: Mutex<Vec<String>>,
}

impl Doorbells {
    pub(crate) fn new(hub: Arc<Hub>, rings: mpsc::Sender<Rung>) -> Self {
        let packer = Packer::new(Uuid::now_v7(), limits::NATS_MESSAGE_BYTES);
        Self { packer, hub, rings, outgoing: Mutex::default() }
    }

    /// What waits to be carried to the other nodes.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.outgoing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hears another node's message.
    pub(crate) fn hear(&self, message: &str) {
        for frame in Envelope::decode(message).into_iter().flat_map(|envelope| envelope.frames) {
            if let NodeFrame::Head { seq, events } = frame {
                relay::ring(&self.hub, &self.rings, seq, events);
            }
        }
    }
}

impl Neighbours for Doorbells {
    fn ring(&self, head: Seq, events: &[Arc<Entry>]) {
        let messages = self.packer.pack([Outgoing::Head(head, events.to_vec())]);
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner).extend(messages);
    }

    fn standings(&self, _: Vec<Standing>) {}
}
