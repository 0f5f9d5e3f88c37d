//! What every database holds from its first moment: the head of its log, the workspace's row, and
//! the room that everybody is a member of.

use sha2::{Digest as _, Sha256};
use switchback_core::wire::RoomKind;
use switchback_core::{Epoch, RoomId, Seq};

use crate::Error;
use crate::db::{damaged, values};
use crate::kind::Kind;
use crate::tx::{Entry, Tx, new_id};

/// Until somebody gives it another name.
const WORKSPACE_NAME: &str = "Switchback";
/// The room of all.
const GENERAL_NAME: &str = "general";
/// Characters of a new epoch: enough that two histories never share one by chance.
const EPOCH_CHARS: usize = 8;

/// Where the log begins for this process.
pub(crate) struct Head {
    pub(crate) epoch: Epoch,
    pub(crate) seq: Seq,
}

/// Fills a new database; leaves an old one as it is.
pub(crate) async fn seed(tx: &mut Tx) -> Result<Head, Error> {
    let sql = "INSERT INTO log_head (id, epoch, seq, at) VALUES (1, $1, 0, 0) ON CONFLICT DO NOTHING";
    tx.conn.run(sql, values![new_epoch()]).await?;
    tx.begin().await?;
    if let Err(error) = fill(tx).await {
        tx.rollback().await;
        return Err(error);
    }
    tx.commit().await?;
    let row = tx.conn.one("SELECT epoch, seq FROM log_head WHERE id = 1", values![]).await?;
    let epoch = row.get::<String>("epoch")?.parse().map_err(|error| damaged("epoch", error))?;
    Ok(Head { epoch, seq: row.get("seq")? })
}

async fn fill(tx: &mut Tx) -> Result<(), Error> {
    let sql = "INSERT INTO workspace (id, name) VALUES (1, $1) ON CONFLICT DO NOTHING";
    if tx.conn.run(sql, values![WORKSPACE_NAME]).await? == 0 {
        return Ok(());
    }
    let room = RoomId::from_uuid(new_id());
    let sql = "INSERT INTO rooms (id, kind, name, name_key, topic, archived, general, n, last_seq, \
               last_at, created_at) VALUES ($1, $2, $3, $3, '', FALSE, TRUE, 0, 0, $4, $4)";
    tx.conn.run(sql, values![room, RoomKind::Public, GENERAL_NAME, tx.at()]).await?;
    tx.append(Entry::in_room(Kind::RoomCreated, room, None)).await?;
    Ok(())
}

/// Letters and digits from the hash of a fresh UUID, most of whose bits are random.
pub(crate) fn new_epoch() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let digest = Sha256::digest(new_id().as_bytes());
    digest
        .iter()
        .take(EPOCH_CHARS)
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}
