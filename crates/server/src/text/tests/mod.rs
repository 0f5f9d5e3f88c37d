//! What people type and what everybody sees, attacks, and inputs made to hurt.

mod attacks;
mod bounds;
#[path = "../../../../../tests/shared/harmless.rs"]
mod harmless;
mod rendering;
mod vectors;

use std::collections::HashMap;

use switchback_core::{Handle, UserId};
use uuid::Uuid;

/// `ada` and `bob` are known; their ids end in 1 and 2.
fn known() -> HashMap<Handle, UserId> {
    let user = |name, id| (Handle::new(name).ok(), UserId::from_uuid(Uuid::from_u128(id)));
    [user("ada", 1), user("bob", 2)].into_iter().filter_map(|(name, id)| Some((name?, id))).collect()
}

fn to_html(body: &str) -> String {
    super::to_html(body, &known())
}
