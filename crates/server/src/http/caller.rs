//! Who asks, as a handler's argument.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use switchback_core::wire::ErrorCode;
use switchback_storage::Identity;

use super::credential::presented;
use super::problem::Refused;
use crate::app::App;
use crate::ops::{Ops, Refusal};

/// Somebody signed in; anybody else gets a 401.
#[derive(Debug)]
pub(super) struct Caller(pub(super) Identity);

impl FromRequestParts<App> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        Ok(Self(app.ops.identify(secret(&parts.headers)?).await?))
    }
}

/// A secret that is still to be looked up, together with what it is presented for. Without one: a 401.
#[derive(Debug)]
pub(super) struct Secret(pub(super) String);

impl FromRequestParts<App> for Secret {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refused> {
        Ok(Self(secret(&parts.headers)?.to_owned()))
    }
}

fn secret(headers: &HeaderMap) -> Result<&str, Refused> {
    let detail = "sign in first: send a session cookie or `Authorization: Bearer`";
    let presented = presented(headers).ok_or_else(|| Refusal::unauthorized(detail))?;
    Ok(presented.secret())
}

/// Who asks, for pages that look different to strangers. `Err`: it cannot be told right now.
pub(super) async fn known(ops: &Ops, headers: &HeaderMap) -> Result<Option<Identity>, Refusal> {
    let Some(presented) = presented(headers) else { return Ok(None) };
    match ops.identify(presented.secret()).await {
        Ok(identity) => Ok(Some(identity)),
        Err(refusal) if refusal.code() == ErrorCode::Unauthorized => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
