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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call of this will be in memory.
    fn future_bytes<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// The C library keeps blocks of up to 1,032 bytes at hand for each thread. For a larger one it goes
    /// looking, and tens of kilobytes for each post push everything else out of the processor's caches.
    #[test]
    fn what_a_command_takes_while_it_runs_is_small() {
        let bytes = future_bytes(run);
        assert!(bytes <= 1_000, "{bytes} bytes");
    }
}
