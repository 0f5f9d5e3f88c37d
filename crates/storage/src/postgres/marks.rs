//! Marking rooms as read for many people at once: two statements while the head is locked, whatever
//! their number, where one by one it would be five for each.
//!
//! As with posts, only what simply goes through is done here. A mark that changes nothing, comes
//! twice in the group or is refused is left to the ordinary path.

use std::collections::HashSet;

use sqlx::{PgConnection, Postgres, Row as _};
use switchback_core::Seq;
use switchback_core::wire::Timestamp;
use uuid::Uuid;

use crate::Error;
use crate::postgres::in_time;
use crate::tx::Tx;
use crate::write::messages::ReadMark;

/// The positions of the events that tell of the marks; `None` stands for one that the ordinary path
/// must look at. An error leaves the transaction good for nothing but to be rolled back.
pub(crate) async fn mark_read(tx: &mut Tx, marks: &[ReadMark]) -> Result<Vec<Option<Seq>>, Error> {
    let (head, at) = (tx.seq(), tx.at());
    let mut seqs = vec![None; marks.len()];
    let Some(conn) = tx.conn.postgres() else { return Ok(seqs) };
    let done = in_time(mark_on(conn, marks, head, at)).await;
    let moved = tx.conn.kept(done)?;
    for (seq, index) in (head + 1..).zip(moved) {
        if let Some(slot) = seqs.get_mut(index) {
            *slot = Some(seq);
        }
        tx.appended_through(seq, None);
    }
    Ok(seqs)
}

/// Moves what moves, and logs it; returns the marks' indexes in the order of their events.
async fn mark_on(
    conn: &mut PgConnection,
    marks: &[ReadMark],
    head: Seq,
    at: Timestamp,
) -> Result<Vec<usize>, sqlx::Error> {
    let mut once = HashSet::new();
    let of_group = marks.iter().enumerate().filter(|(_, mark)| once.insert((mark.user, mark.room)));
    let of_group: Vec<usize> = of_group.map(|(index, _)| index).collect();
    let moved = Rows::of(&of_group, marks, head).update(conn).await?;
    let first = i64::try_from(head + 1).unwrap_or(i64::MAX);
    Rows::of(&moved, marks, head).log(conn, first, at).await?;
    Ok(moved)
}

/// Marks, column by column.
#[derive(Default)]
struct Rows {
    places: Vec<i64>,
    users: Vec<Uuid>,
    rooms: Vec<Uuid>,
    read_seqs: Vec<i64>,
}

impl Rows {
    /// The marks at these indexes, none beyond the head.
    fn of(indexes: &[usize], marks: &[ReadMark], head: Seq) -> Self {
        let mut rows = Self::default();
        for (index, mark) in indexes.iter().filter_map(|index| Some((*index, marks.get(*index)?))) {
            rows.places.push(i64::try_from(index).unwrap_or(i64::MAX));
            rows.users.push(mark.user.as_uuid());
            rows.rooms.push(mark.room.as_uuid());
            rows.read_seqs.push(i64::try_from(mark.seq.min(head)).unwrap_or(i64::MAX));
        }
        rows
    }

    /// Returns the indexes of those that moved.
    async fn update(self, conn: &mut PgConnection) -> Result<Vec<usize>, sqlx::Error> {
        let sql = "UPDATE memberships m SET read_seq = p.read_seq \
                   FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[]) \
                   AS p (place, member, room, read_seq) JOIN users u ON u.id = p.member AND u.active \
                   WHERE m.room_id = p.room AND m.user_id = p.member AND m.read_seq < p.read_seq \
                   RETURNING p.place";
        let query = sqlx::query::<Postgres>(sql)
            .bind(self.places)
            .bind(self.users)
            .bind(self.rooms)
            .bind(self.read_seqs);
        let rows = query.fetch_all(conn).await?;
        let mut moved = Vec::with_capacity(rows.len());
        for row in &rows {
            moved.push(usize::try_from(row.try_get::<i64, _>("place")?).unwrap_or(usize::MAX));
        }
        moved.sort_unstable();
        Ok(moved)
    }

    /// One event each, from `first` on.
    async fn log(self, conn: &mut PgConnection, first: i64, at: Timestamp) -> Result<(), sqlx::Error> {
        if self.users.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO events (seq, at, kind, room_id, actor, subject, detail) \
                   SELECT $1 + p.nth - 1, $2, 'read.marked', p.room, p.member, p.member, p.read_seq::text \
                   FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) WITH ORDINALITY \
                   AS p (member, room, read_seq, nth)";
        let query = sqlx::query::<Postgres>(sql)
            .bind(first)
            .bind(at)
            .bind(self.users)
            .bind(self.rooms)
            .bind(self.read_seqs);
        query.execute(conn).await.map(drop)
    }
}
