//! MCP servers: registered and removed by an admin, and their tools, which an operator accepts when they change.

use agenttrust::model::schema::Name;
use agenttrust::model::{McpServer, McpTool};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, Done, NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Ids};
use crate::domain::names::check_name;
use crate::domain::role::Access;
use crate::domain::{Error, ErrorKind, Permission, Secret};
use crate::services::mcp_servers::{self, NewMcpServer};
use crate::services::mcp_tools;

/// The body of `POST /mcp/servers`. It has no `Debug`, because of what it may hold.
#[derive(Deserialize, ToSchema)]
pub(super) struct RegisterMcpServer {
    /// The name that stands before its tools, as in `name/tool`: no `/`, `,` or `*`, no spaces around it.
    #[schema(value_type = Name)]
    name: String,
    /// The address of the server: https, at a public address, unless more was opened.
    #[schema(max_length = 2000)]
    url: String,
    /// The capabilities of the server, for people to read.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Name>>, max_items = 256)]
    capabilities: Option<Vec<String>>,
    /// The value of `Authorization` that is sent to the server, such as `Bearer …`: kept encrypted, and never shown.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 8000)]
    authorization: Option<String>,
}

/// Registers an MCP server
///
/// Its tools are called at `/mcp/{id}`, each call checked first. The tools that it lists first are pinned: one that
/// changes later may not be called until the change is accepted.
#[utoipa::path(
    post, path = "/mcp/servers", operation_id = "register_mcp_server", tag = "mcp",
    request_body = RegisterMcpServer,
    responses(
        (
            status = 201, description = "The server", body = McpServer,
            links(
                ("read" = (operation_id = "get_mcp_server", parameters(("id" = "$response.body#/id")))),
                ("list its tools" = (operation_id = "list_mcp_tools", parameters(("id" = "$response.body#/id")))),
                ("remove" = (operation_id = "remove_mcp_server", parameters(("id" = "$response.body#/id")))),
            ),
        ),
        Conflict, TooMany, Unavailable,
    ),
)]
pub(super) async fn register(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<McpServer>), Error> {
    caller.need(Permission::ManageMcpServers)?;
    let key = &caller.key;
    let body: RegisterMcpServer = payload.json().await.inspect_err(|error| {
        if error.kind() == ErrorKind::Invalid {
            // Not the sentence itself: it may repeat what stands in the place of something else.
            let told = Error::invalid("body", "is no registration of an MCP server");
            mcp_servers::refused(&engine, key, &told, &[]);
        }
    })?;
    let name = body.name.clone();
    let new = NewMcpServer {
        name: body.name,
        url: body.url,
        capabilities: body.capabilities.unwrap_or_default(),
        authorization: body.authorization.map(Secret::from),
    };
    let registered = mcp_servers::register(&engine, key, new).await;
    let told = |error: &Error| mcp_servers::refused(&engine, key, error, &[("name", &name)]);
    Ok((StatusCode::CREATED, Json(registered.inspect_err(told)?)))
}

/// The answer of `GET /mcp/servers`.
#[derive(Serialize, ToSchema)]
pub(super) struct McpServers {
    /// The oldest first.
    servers: Vec<McpServer>,
}

/// Lists the MCP servers of the organisation
///
/// Only operators and admins see whole URLs.
#[utoipa::path(
    get, path = "/mcp/servers", operation_id = "list_mcp_servers", tag = "mcp",
    responses((status = 200, description = "The servers, without what is sent to them as Authorization", body = McpServers)),
)]
pub(super) async fn list(engine: App, caller: Caller) -> Result<Json<McpServers>, Error> {
    caller.need(Permission::ReadMcpServers)?;
    let servers = mcp_servers::list(&engine, caller.org_id(), sees_whole_urls(&caller));
    Ok(Json(McpServers { servers }))
}

/// Reads an MCP server
#[utoipa::path(
    get, path = "/mcp/servers/{id}", operation_id = "get_mcp_server", tag = "mcp",
    params(("id" = Name, Path, description = "The server")),
    responses((status = 200, description = "The server", body = McpServer), NotFound),
)]
pub(super) async fn get(engine: App, caller: Caller, Id(id): Id) -> Result<Json<McpServer>, Error> {
    caller.need(Permission::ReadMcpServers)?;
    let server = mcp_servers::known(&engine, caller.org_id(), &id)?;
    Ok(Json(mcp_servers::show(&server.row, sees_whole_urls(&caller))))
}

/// Returns whether the caller may look after servers: the path of a URL may be as good as a password.
fn sees_whole_urls(caller: &Caller) -> bool {
    caller.need(Permission::AcceptMcpTools).is_ok()
}

/// Removes an MCP server
///
/// Its gateway key is revoked with it, and the sessions that agents have at it.
#[utoipa::path(
    delete, path = "/mcp/servers/{id}", operation_id = "remove_mcp_server", tag = "mcp",
    params(("id" = Name, Path, description = "The server")),
    responses((status = 200, description = "It is removed", body = Done), NotFound, Unavailable),
)]
pub(super) async fn remove(engine: App, caller: Caller, Id(id): Id) -> Result<Json<Done>, Error> {
    caller.need(Permission::ManageMcpServers)?;
    let removed = mcp_servers::remove(&engine, &caller.key, &id).await;
    removed.inspect_err(|error| {
        mcp_servers::refused(&engine, &caller.key, error, &[("server_id", &id)]);
    })?;
    Ok(Json(Done { status: "removed" }))
}

/// The answer of `GET /mcp/servers/{id}/tools`.
#[derive(Serialize, ToSchema)]
pub(super) struct McpTools {
    /// The tools, ordered by name.
    tools: Vec<McpTool>,
}

/// Lists what is known of the tools of an MCP server
///
/// They are as an agent that called there was last told. The key of an agent sees the tools that its agents may use.
#[utoipa::path(
    get, path = "/mcp/servers/{id}/tools", operation_id = "list_mcp_tools", tag = "mcp",
    params(("id" = Name, Path, description = "The server")),
    responses((status = 200, description = "The tools", body = McpTools), NotFound, Unavailable),
)]
pub(super) async fn list_tools(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<McpTools>, Error> {
    let access = caller.need(Permission::ReadMcpServers)?;
    let server = mcp_servers::known(&engine, caller.org_id(), &id)?;
    let own: Vec<&str> = caller.agents().collect();
    let agents = (access != Access::Any).then_some(&own[..]);
    let tools = mcp_tools::list(&engine, &server, agents).await?;
    Ok(Json(McpTools { tools }))
}

/// The body of `POST /mcp/servers/{id}/tools/{tool}/accept`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptMcpTool {
    /// The digest of the definition that was looked at.
    #[schema(value_type = Name)]
    digest: String,
}

/// Accepts the changed description of a tool
///
/// The tool may be called from then on, as its server describes it now. A weaker effect is not taken over: set it for
/// the tool where it is meant.
#[utoipa::path(
    post, path = "/mcp/servers/{id}/tools/{tool}/accept", operation_id = "accept_mcp_tool", tag = "mcp",
    params(
        ("id" = Name, Path, description = "The server"),
        ("tool" = Name, Path, description = "The tool, by its name at the server"),
    ),
    request_body = AcceptMcpTool,
    responses((status = 200, description = "The tool as it is pinned now", body = McpTool), NotFound, Conflict, Unavailable),
)]
pub(super) async fn accept_tool(
    engine: App,
    caller: Caller,
    Ids(id, tool): Ids,
    payload: Payload,
) -> Result<Json<McpTool>, Error> {
    caller.need(Permission::AcceptMcpTools)?;
    let AcceptMcpTool { digest } = payload.json().await?;
    check_name("digest", &digest)?;
    let accepted = async {
        let server = mcp_servers::known(&engine, caller.org_id(), &id)?;
        mcp_tools::accept(&engine, &caller.key, &server, (&tool, &digest)).await
    };
    let accepted = accepted.await.inspect_err(|error| {
        let named = [("server_id", &*id), ("tool", &*tool), ("digest", &*digest)];
        mcp_servers::refused(&engine, &caller.key, error, &named);
    })?;
    Ok(Json(accepted))
}
