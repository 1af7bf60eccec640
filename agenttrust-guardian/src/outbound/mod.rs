//! The one client for calls that leave the Guardian.
//!
//! Where they go is written by people, so it is looked at twice: the URL when it is given and before each
//! call, the address when it is connected to. There is no proxy, no redirect, and no answer without end.

mod address;
mod resolver;
mod signature;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio::sync::OnceCell;

use self::resolver::Guarded;
pub(crate) use self::signature::{new_secret, sign};

/// How long a call may take in all ...
const PATIENCE: Duration = Duration::from_secs(15);
/// ... and how much of that to reach the other side.
const PATIENCE_TO_CONNECT: Duration = Duration::from_secs(5);
/// How much of an answer is read; who says more is hung up on.
const ANSWER_MAX_BYTES: usize = 64 << 10;
/// How much is told of an error.
const ERROR_MAX_CHARS: usize = 300;

/// Why something was not called, or gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Its URL is none that is called; what is wrong with it.
    #[error("the URL {0}")]
    Refused(&'static str),
    /// It could not be reached, or did not answer in time.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// Calls others; clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    private_too: bool,
    // Made when it is first needed: it reads the system's certificates, which may be missing where nobody
    // is ever called.
    client: Arc<OnceCell<Client>>,
}

impl Outbound {
    /// A client that reaches public addresses, and `private_too` those of this machine and of its networks.
    pub(crate) fn new(private_too: bool) -> Self {
        Self { private_too, client: Arc::default() }
    }

    /// Reads a URL; one that would never be called is refused, and the error says why.
    pub(crate) fn target(&self, text: &str) -> Result<Url, Error> {
        target::parse(text, self.private_too)
    }

    /// Posts `body` to a [`target`](Self::target) and returns how it was answered. On the background
    /// runtime only.
    pub(crate) async fn post(
        &self,
        target: Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<StatusCode, Error> {
        let client = self.client.get_or_try_init(|| async { self.client() }).await?;
        let mut answer =
            client.post(target).headers(headers).body(body).send().await.map_err(no_answer)?;
        // What it says is nobody's business. Read all the same, so that the connection can be used again.
        let mut read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > ANSWER_MAX_BYTES {
                break;
            }
        }
        Ok(answer.status())
    }

    fn client(&self) -> Result<Client, Error> {
        let product = concat!("agenttrust-guardian/", env!("CARGO_PKG_VERSION"));
        Client::builder()
            .default_headers(HeaderMap::from_iter([(
                USER_AGENT,
                HeaderValue::from_static(product),
            )]))
            .dns_resolver(Arc::new(Guarded { private_too: self.private_too }))
            .no_proxy()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE_TO_CONNECT)
            .build()
            .map_err(no_answer)
    }
}

/// The error and what led to it, without the URL: that may hold what is as good as a password.
fn no_answer(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut told = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        told.push_str(": ");
        told.push_str(&cause.to_string());
        source = cause.source();
    }
    Error::NoAnswer(told.chars().take(ERROR_MAX_CHARS).collect())
}
