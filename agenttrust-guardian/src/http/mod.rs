//! The Guardian as HTTP: one file a resource, and what they share.

mod a2a;
pub(crate) mod admit;
mod agents;
mod answers;
mod approval_list;
mod approvals;
mod audit;
mod auth;
mod authzen;
mod base;
mod bearer;
mod body;
mod cards;
mod check;
mod counting;
mod delegations;
mod error;
mod federation;
mod federation_tokens;
mod finish;
mod health;
#[cfg(feature = "cli")]
mod host_check;
mod ignored;
mod inbox;
mod issued;
mod json_rpc;
mod key_end;
mod keys;
mod mcp_proxy;
mod mcp_servers;
mod metrics;
pub(crate) mod openapi;
mod paging;
mod params;
mod policies;
mod proofs;
mod protected;
mod refused;
mod revocations;
mod sessions;
mod siem;
mod siem_sent;
mod telemetry;
mod tokens;
mod tool_effects;
mod tools;
mod unread_body;
mod webhooks;
mod workload;

use std::sync::Arc;

use agenttrust::model::headers::GUARDIAN;
use axum::Extension;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post, put};

use self::unread_body::UnreadBody;
use crate::domain::Error;
#[cfg(feature = "cli")]
use crate::domain::host::Hosts;
use crate::engine::Engine;
use crate::mcp::Proxy;

/// The engine that every handler is given.
type App = axum::extract::State<Arc<Engine>>;

/// Returns every endpoint.
pub(crate) fn router(engine: Arc<Engine>) -> Router {
    in_touch_router()
        .merge(a2a_router())
        .merge(access_router())
        .merge(siem_router())
        .route_layer(from_fn_with_state(Arc::clone(&engine), in_touch))
        // These answer all the same: a check with a denial, and nothing keeps anyone from taking back.
        .route("/api/v1/agents/{id}/revoke", post(agents::revoke))
        .route("/api/v1/agents/{id}/suspend", post(agents::suspend))
        .route("/api/v1/agent-tokens/revoke", post(tokens::revoke))
        .route("/api/v1/agent-tokens/{id}/revoke", post(issued::revoke_token))
        .route("/api/v1/federation/tokens/revoke", post(federation_tokens::revoke))
        .route("/api/v1/federation/providers/{id}", delete(federation::remove))
        .route("/api/v1/sessions/{id}/revoke", post(issued::revoke_session))
        .route("/api/v1/delegations/{id}", delete(delegations::revoke))
        .route("/api/v1/keys/{id}", delete(keys::revoke))
        .route("/api/v1/agents/{id}/card/publish", delete(cards::withdraw))
        .route_layer(from_fn_with_state(Arc::clone(&engine), still_open))
        .merge(mcp_router(&engine))
        .route("/openapi.json", get(openapi::document))
        .route("/metrics", get(metrics::get_with_key))
        .route("/health", get(health::health))
        .route("/api/v1/agenttrust/check", post(check::check))
        .route("/access/v1/evaluation", post(authzen::evaluation))
        .route("/access/v1/evaluations", post(authzen::evaluations))
        .route("/.well-known/authzen-configuration", get(authzen::configuration))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&engine), refused::tell))
        .layer(from_fn(ignored::tell))
        .layer(from_fn_with_state(Arc::clone(&engine), key_end::end_with_key))
        .layer(from_fn_with_state(Arc::clone(&engine), admit::admit))
        .layer(from_fn(finish::finish))
        .layer(from_fn_with_state(Arc::clone(&engine), counting::count))
        .layer(from_fn(authzen::echo))
        .layer(from_fn(signed))
        .with_state(engine)
}

/// Returns what is answered only where memory follows the database.
fn in_touch_router() -> Router<Arc<Engine>> {
    identity_router()
        .route("/api/v1/agents", post(agents::create).get(agents::list))
        .route("/api/v1/agents/{id}", get(agents::get).patch(agents::update))
        .route("/api/v1/agents/{id}/reactivate", post(agents::reactivate))
        .route("/api/v1/agents/{id}/floor", put(agents::set_floor))
        .route("/api/v1/agents/{id}/inbox/next", post(inbox::next))
        .route("/api/v1/agents/{id}/inbox/{task_id}/complete", post(inbox::complete))
        .route("/api/v1/agents/{id}/inbox/{task_id}/fail", post(inbox::fail))
        .route("/api/v1/agents/{id}/inbox/{task_id}/extend", post(inbox::extend))
        .route("/api/v1/agent-tokens", get(issued::list_tokens))
        .route("/api/v1/agent-tokens/issue", post(tokens::issue))
        .route("/api/v1/agent-tokens/introspect", post(tokens::introspect))
        .route("/api/v1/revocations/stream", get(revocations::stream))
        .route("/api/v1/federation/providers", post(federation::register).get(federation::list))
        .route("/api/v1/federation/providers/{id}", get(federation::get).patch(federation::change))
        .route("/api/v1/federation/tokens/verify", post(federation_tokens::verify))
        .route("/api/v1/federation/tokens/introspect", post(federation_tokens::introspect))
        .route("/api/v1/federation/tokens/issue", post(federation_tokens::issue))
        .route("/api/v1/federation/sessions/init", post(federation_tokens::init_session))
        .route("/api/v1/federation/test", post(federation_tokens::test))
        .route("/api/v1/agenttrust/api-sessions/init", post(sessions::init_api))
        .route("/api/v1/telemetry/report", post(telemetry::report))
        .route("/api/v1/sessions", get(issued::list_sessions))
        .route("/api/v1/delegations", post(delegations::create).get(delegations::list))
        .route("/api/v1/delegations/{id}", get(delegations::get))
        .route("/api/v1/delegations/{id}/session", post(delegations::init_session))
        .route("/mcp/sessions/init", post(sessions::init))
        .route("/mcp/sessions/{id}", get(sessions::get))
        .route("/mcp/approvals", get(approval_list::list))
        .route("/mcp/approvals/{id}", get(approvals::get))
        .route("/mcp/approvals/{id}/approve", post(approvals::approve))
        .route("/mcp/approvals/{id}/deny", post(approvals::deny))
        .route("/mcp/approvals/{id}/input", put(approvals::disclose))
        .route("/mcp/servers", post(mcp_servers::register).get(mcp_servers::list))
        .route("/mcp/servers/{id}", get(mcp_servers::get).delete(mcp_servers::remove))
        .route("/mcp/servers/{id}/tools", get(mcp_servers::list_tools))
        .route("/mcp/servers/{id}/tools/{tool}/accept", post(mcp_servers::accept_tool))
        .route("/api/v1/keys", post(keys::create).get(keys::list))
        .route("/api/v1/keys/{id}/rotate", post(keys::rotate))
        .route("/api/v1/tools", put(tools::declare).get(tools::list))
        .route("/api/v1/tools/{name}", delete(tools::remove))
        .route("/api/v1/tools/{name}/effect", put(tool_effects::set).delete(tool_effects::unset))
        .route("/api/v1/policies", get(policies::get).put(policies::put))
        .route("/api/v1/policies/reload", post(policies::reload))
        .route("/api/v1/webhooks", post(webhooks::create).get(webhooks::list))
        .route("/api/v1/webhooks/{id}", delete(webhooks::remove))
        .route("/api/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/audit/logs", get(audit::logs))
        .route("/api/v1/audit/checkpoints", get(audit::checkpoints))
        .route("/api/v1/audit/verify", get(audit::verify))
        .route("/api/v1/audit/export", get(audit::export))
}

/// Returns the agents behind, for other agents; answered as what is above.
fn a2a_router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/a2a", post(a2a::dispatch))
        .route("/a2a/agents/{id}", post(a2a::to_agent))
        .route("/.well-known/oauth-protected-resource/a2a/agents/{id}", get(a2a::describe))
}

/// Requests for access that was denied; answered as what is above.
fn access_router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/access/v1/requests", post(authzen::submit))
        .route("/access/v1/requests/{id}", get(authzen::read))
        .route("/access/v1/requests/{id}/cancel", post(authzen::cancel))
}

/// Returns where the audit's events are sent; answered as what is above.
fn siem_router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/api/v1/siem/destinations", post(siem::create).get(siem::list))
        .route("/api/v1/siem/destinations/{id}", get(siem::get).put(siem::change))
        .route("/api/v1/siem/destinations/{id}", delete(siem::remove))
        .route("/api/v1/siem/destinations/{id}/logs", get(siem_sent::deliveries))
        .route("/api/v1/siem/destinations/{id}/set-aside", get(siem_sent::set_aside))
        .route("/api/v1/siem/destinations/{id}/test", post(siem_sent::test))
        .route("/api/v1/siem/destinations/{id}/replay", post(siem_sent::replay))
}

/// Returns the router of agents' cards and workload tokens, which the same keys sign.
fn identity_router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/api/v1/agents/{id}/card", post(cards::generate).get(cards::get))
        .route("/api/v1/agents/{id}/card/options", get(cards::options))
        .route("/api/v1/agents/{id}/card/publish", put(cards::publish))
        .route("/api/v1/cards/keys/rotate", post(cards::rotate))
        .route("/a2a/agents/{id}/agent.json", get(cards::public))
        .route("/a2a/agents/{id}/.well-known/agent-card.json", get(cards::discover))
        .route("/.well-known/jwks.json", get(cards::keys))
        .route("/api/v1/agents/{id}/challenge", post(workload::challenge))
        .route("/api/v1/wimse/token", post(workload::issue))
        .route("/api/v1/wimse/verify", post(workload::verify))
}

/// Returns the MCP servers behind.
fn mcp_router(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    let proxy = Proxy::new(Arc::clone(engine));
    Router::new()
        .route("/mcp/{server_id}", post(mcp_proxy::post).get(mcp_proxy::listen))
        .route("/mcp/{server_id}", delete(mcp_proxy::end))
        .route("/.well-known/oauth-protected-resource/mcp/{server_id}", get(mcp_proxy::describe))
        .route_layer(from_fn_with_state(Arc::clone(engine), still_open))
        .layer(Extension(proxy))
}

/// Says whose answer it is: a 503 without that came from something in between. Outside of all else, it sees to what of
/// the request is still on its way then.
async fn signed(request: Request, next: Next) -> Response {
    let (request, rest) = UnreadBody::of(request);
    let mut response = next.run(request).await;
    if let Some(rest) = rest {
        rest.settle(&mut response).await;
    }
    response.headers_mut().insert(GUARDIAN, HeaderValue::from_static("1"));
    response
}

/// Refuses what would be answered from a memory that others may have overtaken.
async fn in_touch(engine: App, request: Request, next: Next) -> Result<Response, Error> {
    need_in_touch(&engine)?;
    Ok(next.run(request).await)
}

fn need_in_touch(engine: &Engine) -> Result<(), Error> {
    if engine.is_in_touch() {
        return Ok(());
    }
    Err(Error::unavailable(
        "this Guardian is out of touch with its database; try again, or ask another replica",
    ))
}

/// Refuses what nothing is there for any more.
async fn still_open(engine: App, request: Request, next: Next) -> Result<Response, Error> {
    match engine.ended() {
        None => Ok(next.run(request).await),
        Some(why) => Err(Error::unavailable(why)),
    }
}

/// Returns the same, for a listener that answers under these names alone.
#[cfg(feature = "cli")]
pub(crate) fn named_router(router: Router, engine: Arc<Engine>, hosts: Hosts) -> Router {
    let known = (engine, Arc::new(hosts));
    router.layer(from_fn_with_state(known, host_check::refuse_others)).layer(from_fn(signed))
}

/// Returns the router of the metrics alone, for every caller that reaches it.
#[cfg(feature = "cli")]
pub(crate) fn metrics_router(engine: Arc<Engine>) -> Router {
    let numbers =
        Router::new().route("/metrics", get(metrics::get_without_key)).fallback(unknown_route);
    numbers.layer(from_fn(signed)).with_state(engine)
}

/// Returns what is answered where there is no room for another connection.
#[cfg(feature = "cli")]
pub(crate) fn full_router() -> Router {
    Router::new().fallback(async || error::no_connection()).layer(from_fn(signed))
}

async fn unknown_route(uri: Uri) -> Error {
    let path = uri.path();
    // Of a base URL with a path of its own that is taken off nowhere.
    let beyond = path.split_once("/api/v1/").filter(|(before, _)| !before.is_empty());
    let hint = beyond.map_or_else(String::new, |(before, _)| {
        format!("; leave {before:?} out of the base URL, or have a proxy take it off")
    });
    Error::not_found(format!("there is no endpoint {path:?}{hint}"))
}

async fn wrong_method(method: Method, uri: Uri) -> Error {
    error::wrong_method(&method, uri.path())
}
