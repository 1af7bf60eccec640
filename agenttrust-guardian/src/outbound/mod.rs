//! The one client for calls that leave the Guardian.
//!
//! Where they go is written by people, so it is looked at twice: the URL when it is given and before each
//! call, the address when it is connected to. There is no proxy, no redirect, and no answer without end.

pub(crate) mod a2a;
mod address;
mod call;
pub(crate) mod events;
mod resolver;
mod roots;
pub(crate) mod siem;
mod signature;
mod target;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::ClientConfig;
use tokio::sync::OnceCell;

pub(crate) use self::address::Reach;
pub(crate) use self::call::{Incoming, Outgoing};
use self::resolver::Guarded;
pub(crate) use self::roots::Roots;
use self::siem::{DeliveryTimeouts, FilesInUse};
pub(crate) use self::signature::{new_secret, sign};

/// The time that a call of a webhook may take in all ...
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(15);
/// ... and any call to reach the other side.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The number of bytes of a webhook's answer that are read; a longer answer is hung up on.
const ANSWER_MAX_BYTES: usize = 64 << 10;
/// The number of characters of an error that are told.
const ERROR_MAX_CHARS: usize = 300;

/// The time that an idle connection is kept, and the number of them to one host.
const RESTS_FOR: Duration = Duration::from_secs(30);
const RESTING_MOST: usize = 16;
/// The bytes that one answer over HTTP/2 may send before it is read, and that all of one connection may: so an answer
/// that is not read holds little, and does not hold up those beside it.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 64 << 20;
/// The most that the head of an answer over HTTP/2 may hold.
const HEAD_MAX_BYTES: u32 = 64 << 10;

/// The time after which a connection over HTTP/2 that calls wait on is asked again whether it is still there: a dead
/// one would otherwise be given every further call.
const ASKED_EVERY: Duration = Duration::from_secs(10);

/// The reason why a server was not called, or gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A URL that may not be called, with what is wrong with it.
    #[error("the URL {0}")]
    Refused(&'static str),
    /// No connection to it could be made, so nothing was sent.
    #[error("no answer: {0}")]
    Unreached(String),
    /// An answer that did not come, or not in time. The request may have been received.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// An answer that points elsewhere: to where, without path and query.
    #[error(
        "the answer {status} points to {to}, where nothing is sent; give the URL that it is at now"
    )]
    Redirected { status: StatusCode, to: String },
    /// An answer of more than so many bytes.
    #[error("the answer is longer than {0} bytes, which is the most that is read")]
    TooLong(usize),
}

/// The client for calls that leave; clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    reach: Reach,
    roots: Roots,
    // Folders in which files of events may be written.
    folders: Arc<[PathBuf]>,
    files: FilesInUse,
    delivery_timeouts: DeliveryTimeouts,
    // Made when they are first needed: the first reads the system's certificates, which may be missing where
    // nobody is ever called.
    tls: Arc<OnceCell<Client>>,
    plain: Arc<OnceCell<Client>>,
    syslog: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl Outbound {
    /// Creates a client that reaches public addresses, and beside them what was opened.
    pub(crate) fn new(reach: Reach) -> Self {
        Self {
            reach,
            roots: Roots::default(),
            folders: Arc::default(),
            files: FilesInUse::default(),
            delivery_timeouts: DeliveryTimeouts::default(),
            tls: Arc::default(),
            plain: Arc::default(),
            syslog: Arc::default(),
        }
    }

    /// Trusts these authorities, too.
    pub(crate) fn trusting(self, roots: Roots) -> Self {
        Self { roots, ..self }
    }

    /// Writes files of events in these folders, too.
    pub(crate) fn writing_in(self, folders: Vec<PathBuf>) -> Self {
        Self { folders: folders.into(), ..self }
    }

    /// Reads a URL; one that would never be called is refused, and the error says why.
    pub(crate) fn target(&self, text: &str) -> Result<Url, Error> {
        target::parse(text, &self.reach)
    }

    /// Makes a call, and returns its answer as soon as its head is there; works on every runtime.
    ///
    /// What is answered with another place is an error: nothing is sent there, credentials least of all.
    pub(crate) async fn send(&self, request: Outgoing) -> Result<Incoming, Error> {
        target::check(&request.target, &self.reach)?;
        let client = self.client_for(request.target.scheme() != "https").await?;
        call::make(client, request).await
    }

    async fn client_for(&self, plain: bool) -> Result<Client, Error> {
        let kept = if plain { &self.plain } else { &self.tls };
        if let Some(client) = kept.get() {
            return Ok(client.clone());
        }
        // Reading certificates would hold up the caller's runtime.
        let (outbound, kept) = (self.clone(), Arc::clone(kept));
        let made = background::spawn(async move {
            kept.get_or_try_init(|| async { outbound.client(plain) }).await.cloned()
        });
        made.await.unwrap_or_else(|_| Err(Error::Unreached("there is no client".to_owned())))
    }

    /// Posts `body` to a [`target`](Self::target) and returns how it was answered.
    pub(crate) async fn post(
        &self,
        target: Url,
        headers: HeaderMap,
        body: String,
    ) -> Result<StatusCode, Error> {
        let begun = Instant::now();
        let body = Bytes::from(body);
        let (method, first_byte_within) = (Method::POST, WEBHOOK_TIMEOUT);
        let answer =
            self.send(Outgoing { method, target, headers, body, first_byte_within }).await?;
        let status = answer.status;
        // What it says is nobody's business. Read all the same, so that the connection can be used again.
        let _ =
            answer.whole(ANSWER_MAX_BYTES, WEBHOOK_TIMEOUT.saturating_sub(begun.elapsed())).await;
        Ok(status)
    }

    /// Returns the client for calls without TLS, or for those with it: each looks at other addresses.
    fn client(&self, plain: bool) -> Result<Client, Error> {
        let product = concat!("agenttrust-guardian/", env!("CARGO_PKG_VERSION"));
        let builder = Client::builder()
            .default_headers(HeaderMap::from_iter([(
                USER_AGENT,
                HeaderValue::from_static(product),
            )]))
            .dns_resolver(Arc::new(Guarded { reach: self.reach.clone(), plain }))
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            // What was sent once may have been done.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(RESTS_FOR)
            .pool_max_idle_per_host(RESTING_MOST);
        let builder = match plain {
            true => builder.tls_certs_only([]).http1_only(),
            false => builder
                .tls_certs_merge(self.roots.for_https()?)
                .https_only(true)
                .http2_initial_stream_window_size(STREAM_WINDOW)
                .http2_initial_connection_window_size(CONNECTION_WINDOW)
                .http2_max_header_list_size(HEAD_MAX_BYTES)
                .http2_keep_alive_interval(ASKED_EVERY)
                .http2_keep_alive_timeout(CONNECT_TIMEOUT),
        };
        builder.build().map_err(no_answer)
    }
}

/// Returns the error and what led to it, without the URL: that may hold what is as good as a password.
fn no_answer(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut told = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        told.push_str(": ");
        told.push_str(&cause.to_string());
        source = cause.source();
    }
    match error.is_connect() || error.is_builder() {
        true => Error::Unreached(roots::none_is_known(&told).unwrap_or_else(|| cut(&told))),
        false => Error::NoAnswer(cut(&told)),
    }
}

/// Returns as much of a text as is told.
fn cut(text: &str) -> String {
    text.chars().take(ERROR_MAX_CHARS).collect()
}
