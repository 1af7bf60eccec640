//! The OpenAPI document, made from the handlers and from the objects that they take and send.
//!
//! A handler says in its `#[utoipa::path(…)]` what is its own. What is so wherever a key is needed is
//! added here to every endpoint that does not say `security(())`. `tests/contract/openapi.rs` compares the
//! document with the router, and fails where a handler is not listed here.

use std::sync::LazyLock;

use agenttrust::model::ErrorBody;
use agenttrust::model::schema::NameOrEmpty;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{OneOf, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, RefOr, Schema};
use utoipa::{Modify, OpenApi, PartialSchema};

use super::answers::refusal;
use super::params::described_header;
use super::{
    agents, approval_list, approvals, audit, check, health, issued, keys, metrics, policies,
    revocations, sessions, telemetry, tokens, tool_effects, tools, webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AgentTrust Guardian",
        description = "Decides whether an AI agent may run a tool. Unknown members of a body and unknown \
                       parameters are ignored, except where a schema refuses them."
    ),
    paths(
        health::health,
        document,
        metrics::get_with_key,
        check::check,
        agents::create,
        agents::list,
        agents::get,
        agents::revoke,
        agents::suspend,
        agents::reactivate,
        agents::set_floor,
        tokens::issue,
        tokens::introspect,
        tokens::revoke,
        issued::list_tokens,
        issued::revoke_token,
        revocations::stream,
        sessions::init,
        sessions::init_api,
        sessions::get,
        issued::list_sessions,
        issued::revoke_session,
        telemetry::report,
        approval_list::list,
        approvals::get,
        approvals::approve,
        approvals::deny,
        approvals::disclose,
        keys::create,
        keys::list,
        keys::revoke,
        keys::rotate,
        tools::declare,
        tools::list,
        tools::remove,
        policies::get,
        policies::put,
        policies::reload,
        tool_effects::set,
        tool_effects::unset,
        webhooks::create,
        webhooks::list,
        webhooks::remove,
        webhooks::deliveries,
        audit::list,
        audit::logs,
        audit::checkpoints,
        audit::verify,
        audit::export,
    ),
    components(schemas(ErrorBody)),
    security(("api_key" = []), ("bearer" = [])),
    modifiers(&Keyed),
    tags(
        (name = "check", description = "May this agent do this?"),
        (name = "agents", description = "Who acts, and the floor under their sessions"),
        (name = "tokens", description = "Opaque tokens that speak for an agent"),
        (name = "sessions", description = "One agent's dealings with one server"),
        (name = "approvals", description = "A person's word on a held action"),
        (name = "webhooks", description = "Who is told of approvals, signed as Standard Webhooks has it"),
        (name = "telemetry", description = "What ran, and how it went"),
        (name = "tools", description = "What is declared of tools"),
        (name = "policies", description = "What decides"),
        (name = "keys", description = "API keys"),
        (name = "audit", description = "The hash-chained log of everything decided and changed"),
        (name = "operations", description = "The Guardian itself"),
    ),
)]
struct Document;

/// Made once: it is the same for every caller.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| text().into());

/// The OpenAPI document of the Guardian, as JSON.
pub(crate) fn text() -> String {
    // What is written here always can be: strings and numbers under names that are strings.
    Document::openapi().to_pretty_json().unwrap_or_else(|_| "{}".to_owned())
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_openapi", tag = "operations", security(()),
    responses((status = 200, description = "This document", body = Object, content_type = "application/json")),
)]
pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// What is so wherever a key is needed.
struct Keyed;

impl Modify for Keyed {
    fn modify(&self, document: &mut Description) {
        let components = document.components.get_or_insert_default();
        let key = ApiKeyValue::with_description("X-API-Key", "An API key, `sk_live_…`");
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some("The same API key".to_owned());
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        for (name, path) in &mut document.paths.paths {
            let exempt = matches!(name.as_str(), "/health" | "/metrics");
            let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete];
            for operation in operations.into_iter().flatten() {
                if !exempt {
                    misdirected(operation);
                }
                if operation.security.is_none() {
                    keyed(operation);
                }
                if let Some(RefOr::T(body)) = &mut operation.request_body {
                    for content in body.content.values_mut() {
                        if let RefOr::T(content) = content
                            && let Some(RefOr::T(Schema::OneOf(one_of))) = &content.schema
                            && let Some(given) = unless_null(one_of)
                        {
                            content.schema = Some(given);
                        }
                    }
                }
            }
        }
    }
}

fn misdirected(operation: &mut Operation) {
    let (status, refusal) = refusal(
        "421",
        "`agenttrust serve` is asked under a host, or by a page of one, that is none of its names",
    );
    operation.responses.responses.entry(status).or_insert(refusal);
}

fn keyed(operation: &mut Operation) {
    let mut refusals = vec![
        refusal("400", "The request is not as it must be; `details.field` names what is at fault"),
        refusal("401", "No API key, or none that works"),
        refusal("403", "A key of this role may not do this, or not for this agent"),
        refusal(
            "429",
            "The key, or its organisation, has as much under way as it may; `Retry-After` says when to try again",
        ),
        refusal(
            "503",
            "This Guardian has as much under way as it takes, or is out of touch with its database",
        ),
    ];
    if operation.request_body.is_some() {
        refusals.push(refusal(
            "408",
            "The body was too slow: it has 10 seconds, and 20 more for each MiB that arrived",
        ));
        refusals.push(refusal("413", "The body is larger than 1 MiB"));
    }
    for (status, refusal) in refusals {
        operation.responses.responses.entry(status).or_insert(refusal);
    }
    let said = "The agent that the caller speaks for and no other; a key may name only its own";
    let header = described_header("X-Agent-ID", said, NameOrEmpty::schema());
    operation.parameters.get_or_insert_default().push(RefOr::T(header));
}

/// What a body is that may be left out: utoipa says `null` for that, which is not taken.
fn unless_null(one_of: &OneOf) -> Option<RefOr<Schema>> {
    let is_null = |item: &&RefOr<Schema>| {
        let null = Type::Null.into();
        matches!(item, RefOr::T(Schema::Object(object)) if object.schema_type == null)
    };
    match one_of.items.iter().filter(|item| !is_null(item)).collect::<Vec<_>>()[..] {
        [given] => Some(given.clone()),
        _ => None,
    }
}
