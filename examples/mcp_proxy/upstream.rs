//! The way to the server behind: to the one that was named, whatever a client says, and with nothing of
//! the client's but its message.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

/// The server that is guarded.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    client: Client,
    url: Url,
}

impl Upstream {
    pub(crate) fn new(url: Url) -> anyhow::Result<Self> {
        ensure!(matches!(url.scheme(), "http" | "https"), "{url} is not over HTTP");
        let client = Client::builder()
            // Wherever the server would send us, and whatever proxy the environment names: nobody has
            // been asked about a message that goes there.
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .build()
            .context("no HTTP client to be had")?;
        Ok(Self { client, url })
    }
}

/// The headers that a message needs on its way there. `Authorization`, cookies and the headers of the connection are
/// not among them: what is not named here does not travel.
const THERE: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, HeaderName::from_static("last-event-id")];
/// The headers that an answer needs on its way back.
const BACK: [HeaderName; 4] = [ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER];

/// Sends a request on, and its answer back as it comes.
pub(crate) async fn forward(State(upstream): State<Upstream>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // There already: the layer has read it, up to its own limit.
    let Ok(message) = to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // The path and the query are the client's to write, and nobody has looked into them: not sent on.
    let sent = upstream
        .client
        .request(head.method, upstream.url)
        .headers(only(&THERE, &head.headers))
        .body(message)
        .send()
        .await;
    match sent {
        Ok(answer) => {
            let (mut head, body) = axum::http::Response::from(answer).into_parts();
            head.headers = only(&BACK, &head.headers);
            Response::from_parts(head, Body::new(body))
        }
        Err(error) => {
            // Where the server is, is not for the client to know.
            eprintln!("the server behind does not answer: {:#}", anyhow::Error::from(error));
            (StatusCode::BAD_GATEWAY, "the MCP server does not answer").into_response()
        }
    }
}

/// Returns these headers and MCP's own, which all begin alike.
fn only(named: &[HeaderName], headers: &HeaderMap) -> HeaderMap {
    let goes = |name: &HeaderName| named.contains(name) || name.as_str().starts_with("mcp-");
    headers
        .iter()
        .filter(|(name, _)| goes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
