//! The audit of requests that make, open or revoke a delegation and are refused. A caller that tries to get more than
//! it may have is seen too, and not only one that succeeds.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Map, Value};

use super::App;
use super::auth::Identified;
use super::body::Sent;
use super::error::Refusal;
use super::params::Id;
use crate::domain::names::check_name;
use crate::services::delegations::{self, Refused};

const DELEGATIONS: &str = "/api/v1/delegations";
/// The members of a body that are recorded.
const NAMED: [&str; 3] = ["from_agent_id", "to_agent_id", "parent_delegation_id"];
/// The number of characters of the answered sentence that are recorded.
const MESSAGE_MOST: usize = 500;

/// Records a refused request in the audit. It runs inside of the middleware that identifies the caller, and records
/// nothing of a caller without a key that works.
pub(super) async fn tell(engine: App, request: Request, next: Next) -> Response {
    let Some(operation) = operation(request.method(), request.uri().path()) else {
        return next.run(request).await;
    };
    let key = match request.extensions().get::<Identified>() {
        Some(Identified(Ok((key, _)))) => Arc::clone(key),
        _ => return next.run(request).await,
    };
    let (mut parts, body) = request.into_parts();
    let sent = Sent::default();
    parts.extensions.insert(sent.clone());
    let id = Id::from_request_parts(&mut parts, &engine).await.ok();
    let response = next.run(Request::from_parts(parts, body)).await;
    // What the Guardian could not do at present was not refused.
    if response.status().is_client_error()
        && let Some(Refusal { code, message }) = response.extensions().get()
    {
        let message = message.chars().take(MESSAGE_MOST).collect();
        let refused = Refused { operation, code, message };
        delegations::refused(&engine, &key, refused, || named(&sent, id));
    }
    response
}

/// Returns what a request is for, if it is for one of these.
fn operation(method: &Method, path: &str) -> Option<&'static str> {
    let below = path.strip_prefix(DELEGATIONS)?;
    match *method {
        Method::POST if below.is_empty() => Some("create"),
        Method::POST if below.starts_with('/') && below.ends_with("/session") => {
            Some("init_session")
        }
        Method::DELETE if below.starts_with('/') => Some("revoke"),
        _ => None,
    }
}

/// Returns what the request names, as far as that can be names.
fn named(sent: &Sent, id: Option<Id>) -> Map<String, Value> {
    let body = sent.bytes().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let in_body = NAMED.into_iter().filter_map(|member| {
        let name = body.as_ref()?.get(member)?.as_str()?;
        check_name(member, name).ok()?;
        Some((member.to_owned(), Value::from(name)))
    });
    let in_path = id.map(|Id(id)| ("delegation_id".to_owned(), Value::from(id)));
    in_body.chain(in_path).collect()
}
