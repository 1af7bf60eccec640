//! The OpenAPI document, made from the handlers and from the objects that they take and send.
//!
//! A handler says in its `#[utoipa::path(…)]` what is its own. What is so wherever a key is needed is
//! added here to every endpoint that does not say `security(())`. `tests/contract/openapi.rs` compares the
//! document with the router, and fails where a handler is not listed here.

use std::collections::HashMap;
use std::sync::LazyLock;

use agenttrust::model::ErrorBody;
use agenttrust::model::headers::IGNORED;
use agenttrust::model::schema::NameOrEmpty;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, OneOf, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Description, Ref, RefOr, Schema};
use utoipa::{Modify, OpenApi, PartialSchema, ToSchema};

use super::answers::refusal;
use super::params::described_header;
use super::{
    a2a, agents, approval_list, approvals, audit, authzen, cards, check, delegations, federation,
    federation_tokens, health, inbox, issued, keys, mcp_proxy, mcp_servers, metrics, policies,
    revocations, sessions, siem, siem_sent, telemetry, tokens, tool_effects, tools, webhooks,
    workload,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AgentTrust Guardian",
        description = "Decides whether an AI agent may run a tool. Unknown members of a body and unknown \
                       parameters are refused. Where an endpoint is the SDK guide's, and a client of another \
                       version may say more, they are skipped and named in `AgentTrust-Ignored`, unless they \
                       look like a known one."
    ),
    paths(
        health::health,
        document,
        metrics::get_with_key,
        check::check,
        authzen::evaluation,
        authzen::evaluations,
        authzen::configuration,
        authzen::submit,
        authzen::read,
        authzen::cancel,
        agents::create,
        agents::list,
        agents::get,
        agents::update,
        agents::revoke,
        agents::suspend,
        agents::reactivate,
        agents::set_floor,
        inbox::next,
        inbox::complete,
        inbox::fail,
        inbox::extend,
        cards::generate,
        cards::get,
        cards::options,
        cards::publish,
        cards::withdraw,
        cards::public,
        cards::discover,
        cards::keys,
        cards::rotate,
        tokens::issue,
        tokens::introspect,
        tokens::revoke,
        workload::challenge,
        workload::issue,
        workload::verify,
        issued::list_tokens,
        issued::revoke_token,
        revocations::stream,
        sessions::init,
        sessions::init_api,
        sessions::get,
        issued::list_sessions,
        issued::revoke_session,
        delegations::create,
        delegations::list,
        delegations::get,
        delegations::revoke,
        delegations::init_session,
        federation::register,
        federation::list,
        federation::get,
        federation::change,
        federation::remove,
        federation_tokens::verify,
        federation_tokens::introspect,
        federation_tokens::issue,
        federation_tokens::revoke,
        federation_tokens::init_session,
        federation_tokens::test,
        telemetry::report,
        approval_list::list,
        approvals::get,
        approvals::approve,
        approvals::deny,
        approvals::disclose,
        a2a::to_agent,
        a2a::dispatch,
        a2a::describe,
        mcp_proxy::post,
        mcp_proxy::listen,
        mcp_proxy::end,
        mcp_proxy::describe,
        mcp_servers::register,
        mcp_servers::list,
        mcp_servers::get,
        mcp_servers::remove,
        mcp_servers::list_tools,
        mcp_servers::accept_tool,
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
        siem::create,
        siem::list,
        siem::get,
        siem::change,
        siem::remove,
        siem_sent::deliveries,
        siem_sent::set_aside,
        siem_sent::test,
        siem_sent::replay,
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
        (name = "access", description = "The same, as AuthZEN 1.0 asks; and requests for what was denied, which are experimental"),
        (name = "agents", description = "Who acts, and the floor under their sessions"),
        (name = "cards", description = "What agents tell others of themselves, signed"),
        (name = "tokens", description = "Opaque tokens that speak for an agent"),
        (name = "workloads", description = "Tokens that say which agent a workload is, bound to its key"),
        (name = "sessions", description = "One agent's dealings with one server"),
        (name = "delegations", description = "What one agent lets another do in its place"),
        (name = "federation", description = "Other issuers whose word is taken, and their tokens"),
        (name = "approvals", description = "A person's word on a held action"),
        (name = "webhooks", description = "Receivers of news about approvals, signed as Standard Webhooks has it"),
        (name = "siem", description = "Where the audit's events are sent, and what became of them there"),
        (name = "telemetry", description = "What ran, and how it went"),
        (name = "tools", description = "What is declared of tools"),
        (name = "policies", description = "What decides"),
        (name = "a2a", description = "Agents that others ask, behind the Guardian"),
        (name = "mcp", description = "MCP servers that others wrote, behind the Guardian"),
        (name = "tasks", description = "What one agent asks of another"),
        (name = "keys", description = "API keys"),
        (name = "audit", description = "The hash-chained log of everything decided and changed"),
        (name = "operations", description = "The Guardian itself"),
    ),
)]
struct Document;

/// The endpoints of the SDK guide, which published clients call: what they send beyond what is known here is
/// named and skipped. Every other endpoint is of our own.
const GUIDES: [&str; 46] = [
    "create_siem_destination",
    "list_siem_destinations",
    "get_siem_destination",
    "update_siem_destination",
    "delete_siem_destination",
    "list_siem_deliveries",
    "test_siem_destination",
    "register_federation_provider",
    "list_federation_providers",
    "remove_federation_provider",
    "verify_federated_token",
    "introspect_federated_token",
    "issue_federated_token",
    "revoke_federated_token",
    "init_federated_session",
    "generate_agent_card",
    "get_agent_card",
    "publish_agent_card",
    "get_public_agent_card",
    "register_mcp_server",
    "list_mcp_servers",
    "get_mcp_server",
    "remove_mcp_server",
    "create_delegation",
    "list_delegations",
    "get_delegation",
    "revoke_delegation",
    "init_delegated_session",
    "create_agent",
    "list_agents",
    "get_agent",
    "revoke_agent",
    "issue_token",
    "introspect_token",
    "revoke_token",
    "check",
    "report_telemetry",
    "init_session",
    "get_session",
    "init_api_session",
    "challenge_agent",
    "issue_workload_token",
    "verify_workload_token",
    "get_approval",
    "approve",
    "deny",
];

/// The facts about an endpoint that are looked up when a request for it comes.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Whether it is the SDK guide's.
    pub(super) is_guides: bool,
    /// The parameters of its query.
    pub(super) parameters: Vec<String>,
}

/// Returns what the document says of the endpoint of this method and route.
pub(super) fn endpoint(method: &Method, route: &str) -> Option<&'static Endpoint> {
    static ENDPOINTS: LazyLock<HashMap<String, [Option<Endpoint>; 5]>> = LazyLock::new(|| {
        let paths = Document::openapi().paths.paths.into_iter();
        paths.map(|(route, mut item)| (route, operations(&mut item).map(described))).collect()
    });
    let place = match *method {
        Method::GET | Method::HEAD => 0,
        Method::PUT => 1,
        Method::POST => 2,
        Method::DELETE => 3,
        Method::PATCH => 4,
        _ => return None,
    };
    ENDPOINTS.get(route)?.get(place)?.as_ref()
}

/// Returns the operations of a path, by their methods.
fn operations(path: &mut PathItem) -> [Option<&mut Operation>; 5] {
    let PathItem { get, put, post, delete, patch, .. } = path;
    [get, put, post, delete, patch].map(Option::as_mut)
}

fn described(operation: Option<&mut Operation>) -> Option<Endpoint> {
    let operation = operation?;
    let parameters =
        operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => {
                Some(parameter.name.clone())
            }
            _ => None,
        });
    Some(Endpoint { is_guides: is_guides(operation), parameters: parameters.collect() })
}

fn is_guides(operation: &Operation) -> bool {
    operation.operation_id.as_deref().is_some_and(|id| GUIDES.contains(&id))
}

/// The document, made once: it is the same for every caller.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| text().into());

/// Returns the OpenAPI document of the Guardian, as JSON.
pub(crate) fn text() -> String {
    // What is written here always can be: strings and numbers under names that are strings.
    Document::openapi().to_pretty_json().unwrap_or_else(|_| "{}".to_owned())
}

/// Sends this document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_openapi", tag = "operations", security(()),
    responses((status = 200, description = "This document", body = Object, content_type = "application/json")),
)]
pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// The additions to every operation that needs a key.
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
            for operation in operations(path).into_iter().flatten() {
                if !exempt {
                    misdirected(operation);
                }
                if operation.security.is_none() {
                    keyed(operation);
                }
                if matches!(name.as_str(), "/mcp/{server_id}" | "/a2a") {
                    refused_as_json_rpc_has_it(operation);
                }
                if matches!(name.as_str(), "/mcp/{server_id}" | "/a2a" | "/a2a/agents/{id}") {
                    in_a_session(operation);
                }
                if is_guides(operation) {
                    tells_what_it_ignored(operation);
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
        "`agenttrust serve` is asked under a host, or by a page of one, that is not one of its names",
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

/// Says that an error may be a message of JSON-RPC.
fn refused_as_json_rpc_has_it(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && !status.starts_with('2')
        {
            let either = [ErrorBody::name().into_owned(), "JsonRpcMessage".to_owned()];
            let either = either.map(|name| RefOr::from(Ref::from_schema_name(name)));
            let schema = Schema::OneOf(OneOf { items: either.into(), ..OneOf::default() });
            let content = Content::new(Some(schema));
            response.content.insert("application/json".to_owned(), content.into());
        }
    }
}

/// Describes the header that names a session.
fn in_a_session(operation: &mut Operation) {
    if let Some(parameters) = &mut operation.parameters {
        let said = "The session that calls are checked in, of a caller with a key";
        let header = described_header("X-Session-ID", said, NameOrEmpty::schema());
        parameters.push(RefOr::T(header));
    }
}

/// Describes the header that names what was skipped.
fn tells_what_it_ignored(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            let said = "What of the body or the query is not known here and was skipped, separated by commas";
            let text = ObjectBuilder::new().schema_type(Type::String);
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(said)).build();
            response.headers.insert(IGNORED.to_owned(), RefOr::T(header));
        }
    }
}

/// Returns what a body is that may be left out: utoipa says `null` for that, which is not taken.
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
