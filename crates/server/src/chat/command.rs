//! One command, from its JSON to the frame that answers it. The same for a WebSocket message and a
//! POST body.

use switchback_core::wire::{Ack, CommandError, Request, ServerFrame};
use switchback_storage::Identity;

use crate::ops::Ops;

/// Carries a command out. The error says which command it answers, if that much could be read.
pub(super) async fn run(ops: &Ops, caller: &Identity, json: &[u8]) -> Result<Ack, CommandError> {
    let Request { id, command } = Request::parse(json)?;
    match ops.execute(caller, command).await {
        Ok(ack) => Ok(Ack { id, ..ack }),
        Err(refusal) => Err(refusal.0.with_id(id)),
    }
}

/// The frame that answers a command.
pub(super) fn answer(outcome: Result<Ack, CommandError>) -> ServerFrame {
    match outcome {
        Ok(ack) => ServerFrame::Ack(ack),
        Err(error) => ServerFrame::Error(error),
    }
}
