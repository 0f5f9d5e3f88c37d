//! The description of the REST interface, served as `/api/v1/openapi.json` (`OpenAPI` 3.1).
//!
//! It is made from the routes themselves, so no route can be missing; what all of them share
//! (credentials, problems, names) is here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use switchback_core::wire::Problem;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, Content, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder,
};
use utoipa::{IntoResponses, OpenApi as _};

use super::credential::COOKIE_NAME;
use super::rest;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Switchback",
        description = "Team chat that gets through. This is everything that is not live; events and commands go \
                       over `/chat`, see PROTOCOL.md. Times are microseconds since 1970 UTC, ids are UUIDs, errors \
                       are RFC 9457 problems.",
        license(name = "MIT", identifier = "MIT"),
    ),
    servers((url = "/")),
    components(schemas(Problem)),
    security(("session" = []), ("token" = [])),
    tags(
        (name = "session", description = "Coming in and going out"),
        (name = "workspace", description = "The workspace as a whole"),
        (name = "rooms", description = "Rooms, direct conversations, and who is in them"),
        (name = "messages", description = "History and search; writing goes over `/chat`"),
        (name = "people", description = "Who there is"),
        (name = "invitations", description = "Links that let people in, for admins"),
        (name = "tokens", description = "One's API tokens"),
        (name = "description", description = "This document"),
    ),
)]
struct Frame;

/// The document without its paths.
pub(super) fn frame() -> OpenApi {
    let mut frame = Frame::openapi();
    let cookie = ApiKeyValue::with_description(
        COOKIE_NAME,
        "The browser's session, set by signing in; `__Host-switchback_session` over https. Anything but GET \
         must come from the same origin.",
    );
    let components = frame.components.get_or_insert_with(Components::new);
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    frame
}

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document = rest::description();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            name(operation);
        }
    }
    serde_json::to_vec(&document).map(Bytes::from).unwrap_or_default()
});

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "description", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// Handlers are named within their module; in the document names must be unique: `rooms_list`.
fn name(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next();
    let id = operation.operation_id.as_deref().unwrap_or_default();
    operation.operation_id = Some(format!("{}_{id}", tag.map_or("", String::as_str)));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

const UNAUTHORIZED: (&str, &str) = ("401", "No or no valid credential");
const FORBIDDEN: (&str, &str) = ("403", "Known, but not allowed; or sent by another site's page");
const NOT_FOUND: (&str, &str) = ("404", "Does not exist, or the caller may not know that it does");
const BAD_JSON: (&str, &str) = ("400", "The body is not a JSON object");
const CONFLICT: (&str, &str) = ("409", "Contradicts what is there; `field` is at fault");
const TOO_LONG: (&str, &str) = ("413", "Over a limit; `detail` says which");
const MEDIA_TYPE: (&str, &str) = ("415", "The body is not `application/json`");
const BAD_REQUEST: (&str, &str) = ("422", "`field` is missing or wrong");
const RATE_LIMITED: (&str, &str) = ("429", "Too often; `Retry-After` says how long to wait");
const UNAVAILABLE: (&str, &str) = ("503", "Not possible right now, and nothing was written; try again");

/// What may go wrong where something is read.
pub(super) struct ReadProblems;

/// What may go wrong where somebody searches.
pub(super) struct SearchProblems;

/// What may go wrong where something is changed.
pub(super) struct WriteProblems;

/// What may go wrong where somebody comes in.
pub(super) struct EntryProblems;

impl IntoResponses for ReadProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[UNAUTHORIZED, FORBIDDEN, NOT_FOUND, BAD_REQUEST, UNAVAILABLE])
    }
}

impl IntoResponses for SearchProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[UNAUTHORIZED, FORBIDDEN, TOO_LONG, BAD_REQUEST, RATE_LIMITED, UNAVAILABLE])
    }
}

impl IntoResponses for WriteProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            BAD_JSON,
            UNAUTHORIZED,
            FORBIDDEN,
            NOT_FOUND,
            CONFLICT,
            TOO_LONG,
            MEDIA_TYPE,
            BAD_REQUEST,
            RATE_LIMITED,
            UNAVAILABLE,
        ])
    }
}

impl IntoResponses for EntryProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = WriteProblems::responses();
        all.extend(problems(&[
            ("401", "Handle or password is wrong"),
            ("403", "The account is deactivated; or sent by another site's page"),
            ("404", "There is no such link"),
            ("410", "The link was used up, has expired or was ended"),
        ]));
        all
    }
}

fn problems(which: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let problem = |description: &str| {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        ResponseBuilder::new().description(description).content("application/problem+json", content)
    };
    let all = which.iter().fold(ResponsesBuilder::new(), |all, (status, description)| {
        all.response(*status, problem(description))
    });
    all.build().into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use serde_json::Value;

    use super::*;

    const ROUTES: &str = "
        post /setup          post /join
        post /session        get /session        delete /session
        get /sessions        delete /sessions/{id}
        get /snapshot        patch /workspace
        get /rooms           post /rooms         get /rooms/{id}     patch /rooms/{id}
        get /rooms/{id}/messages                 get /rooms/{id}/members
        put /rooms/{id}/members/{user}           delete /rooms/{id}/members/{user}
        post /direct         get /messages/{id}                  get /search
        get /users           get /users/{id}     patch /users/{id}   put /users/me/password
        get /invitations     post /invitations   delete /invitations/{id}
        get /tokens          post /tokens        delete /tokens/{id}
        get /openapi.json";

    fn document() -> Value {
        serde_json::from_slice(&DOCUMENT).unwrap()
    }

    /// Each operation with its method and address.
    fn operations(document: &Value) -> Vec<(String, Value)> {
        let paths = document["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &Value)| {
            let item = item.as_object().unwrap().clone();
            let path = path.clone();
            item.into_iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
        };
        paths.iter().flat_map(of_path).collect()
    }

    #[test]
    fn every_route_is_described() {
        let words: Vec<&str> = ROUTES.split_whitespace().collect();
        let expected: BTreeSet<String> =
            words.chunks(2).map(|pair| format!("{} /api/v1{}", pair[0], pair[1])).collect();
        let found: BTreeSet<String> = operations(&document()).into_iter().map(|(route, _)| route).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_operation_is_complete() {
        let mut names = HashSet::new();
        for (route, operation) in operations(&document()) {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(names.insert(id.clone()), "{id} is there twice");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{route}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{route}");
            let in_path = route.matches('{').count();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let described = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(described, in_path, "{route}");
            let has_body = matches!(route.split(' ').next(), Some("post" | "patch"));
            assert!(!has_body || operation["requestBody"]["required"] == true, "{route}");
            if route != "get /api/v1/openapi.json" {
                let problem = &responses["503"]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{route}");
            }
        }
    }

    #[test]
    fn credentials_are_asked_for_where_they_are_needed() {
        let document = document();
        assert_eq!(document["components"]["securitySchemes"]["session"]["in"], "cookie");
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        assert_eq!(document["security"].as_array().unwrap().len(), 2);
        let open =
            operations(&document).into_iter().filter(|(_, operation)| operation["security"].is_array());
        let open: BTreeSet<String> = open.map(|(route, _)| route.replace("/api/v1", "")).collect();
        let expected = ["get /openapi.json", "post /join", "post /session", "post /setup"];
        assert_eq!(open.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let references: HashSet<&str> =
            text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(references.len() > 20, "{references:?}");
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
        }
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    }
}
