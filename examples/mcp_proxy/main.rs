//! A guard in front of an MCP server that you did not write: a reverse proxy over streamable HTTP.
//!
//! ```sh
//! PORT=3001 npx @modelcontextprotocol/server-everything streamableHttp   # a server, say this one
//! cargo run --example mcp_proxy -- --upstream http://127.0.0.1:3001/mcp
//! ```
//!
//! An agent says who it is with its token (`Authorization: Bearer at_...`); one to try it with is printed at the start.
//! The token has to be for this server: its audience is `everything`, or the name that `--server` gives. All requests
//! pass, but each call of a tool is checked first, as that agent and under the name `everything/TOOL`. It is reported
//! by what the server answered.
//!
//! - `guardian.rs` is who is asked: a Guardian of this process, or the one of `AGENTTRUST_URL`.
//! - `sessions.rs` keeps each MCP session to the agent that opened it.
//! - `upstream.rs` is the way to the server: to this one only, and without the agent's credentials.

mod guardian;
mod sessions;
mod upstream;

use std::net::SocketAddr;

use agenttrust::AgentTrustGuard;
use agenttrust_examples::asks_for_help;
use agenttrust_tower::{AuthenticateLayer, McpHttpLayer};
use anyhow::{Context as _, bail};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use reqwest::Url;
use tokio::net::TcpListener;

use self::guardian::Asked;
use self::sessions::Sessions;
use self::upstream::Upstream;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if asks_for_help() {
        println!("{USE}");
        return Ok(());
    }
    let options = Options::from_args(std::env::args().skip(1))?;
    let upstream = Upstream::new(options.upstream)?;
    let asked = Asked::from_env(&options.server).await?;
    // Asks for the agents that it is shown tokens of, each in a session of its own.
    let guard = AgentTrustGuard::gateway(asked.client())
        // Whoever approves sees what: the arguments of a held call, and of no other, go to the Guardian.
        .disclose_on_elevation(true)
        .build();

    let proxy = Router::new()
        .route("/mcp", any(upstream::forward))
        .with_state(upstream)
        // The layer that was added last runs first: who is it, is the session theirs, and then, may they?
        .layer(McpHttpLayer::new(guard.clone()).server(options.server.clone()))
        .layer(from_fn_with_state(Sessions::new(), sessions::of_their_agents))
        // A token for another server is none here, and a revoked one is none from that moment on.
        .layer(
            AuthenticateLayer::new(asked.client())
                .audience(options.server)
                .follow_revocations(true),
        );

    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("{} is not free to listen on", options.listen))?;
    eprintln!("listening on http://{}/mcp", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, proxy) => served?,
        // Not gracefully: the streams of a server have no end that could be waited for.
        _ = tokio::signal::ctrl_c() => {}
    }
    guard.close().await?;
    Ok(())
}

/// The options of the command line.
struct Options {
    upstream: Url,
    /// The server's name at the Guardian.
    server: String,
    listen: SocketAddr,
}

const USE: &str = "use mcp_proxy --upstream URL [--server NAME] [--listen ADDRESS:PORT]";

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let (mut upstream, mut server) = (None, "everything".to_owned());
        // On the loopback address: tokens travel in the clear until there is TLS in front of this.
        let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
        while let Some(flag) = args.next() {
            let value = args.next().with_context(|| format!("{flag} needs a value; {USE}"))?;
            match flag.as_str() {
                "--upstream" => {
                    let url = value.parse().with_context(|| format!("{value:?} is no URL"))?;
                    upstream = Some(url);
                }
                "--server" => server = value,
                "--listen" => {
                    listen = value.parse().with_context(|| format!("{value:?} is no address"))?;
                }
                _ => bail!("{flag:?} is not understood; {USE}"),
            }
        }
        let upstream = upstream.with_context(|| format!("no server to guard; {USE}"))?;
        Ok(Self { upstream, server, listen })
    }
}
