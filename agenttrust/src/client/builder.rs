//! Settings of a client.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body::Body;
use tower::Service;

use super::cache::TokenCache;
use super::{AgentTrustClient, Inner};
use crate::error::{AgentTrustError, Result};
use crate::model::headers;
use crate::transport::{self, Transport};

const DEFAULT_URL: &str = "http://localhost:8080";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings of an [`AgentTrustClient`]; see [`AgentTrustClient::builder`].
#[derive(Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentTrustClientBuilder {
    base_url: Option<String>,
    api_key: Option<String>,
    timeout: Option<Duration>,
    transport: Option<Transport>,
    token_cache: Option<bool>,
    system_proxy: bool,
    default_headers: Vec<(String, String)>,
    inputs_stay_here: bool,
}

impl AgentTrustClientBuilder {
    /// Returns settings taken from the environment.
    pub(super) fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        Self {
            base_url: set("AGENTTRUST_URL").or_else(|| set("AGENTTRUST_BASE_URL")),
            api_key: set("AGENTTRUST_API_KEY"),
            system_proxy: true,
            ..Self::default()
        }
    }

    /// Sets the gateway's address; `http://localhost:8080` by default. A trailing `/` is dropped.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the API key, `sk_live_…`. It is sent to the gateway's address and nowhere else.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sends this header with every request, for what stands in front of the gateway. What the client sends itself
    /// under the same name is sent instead; of several defaults of one name, the last.
    ///
    /// ```
    /// use agenttrust::AgentTrustClient;
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let client = AgentTrustClient::builder()
    ///     .default_header("x-tenant", "shop")
    /// #   .service(tower::service_fn(|request: http::Request<bytes::Bytes>| async move {
    /// #       assert_eq!(request.headers()["x-tenant"], "shop");
    /// #       Ok::<_, std::io::Error>(http::Response::new(r#"{"status": "healthy"}"#.to_owned()))
    /// #   }))
    ///     .build()?;
    /// client.health().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.default_headers.push((name.into(), value.into()));
        self
    }

    /// Sets how long one request may take in all; 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets whether tokens are kept and handed out again until 30 seconds before they expire; they are by
    /// default.
    pub fn token_cache(mut self, on: bool) -> Self {
        self.token_cache = Some(on);
        self
    }

    /// Sets whether the proxy of the environment (`HTTPS_PROXY` and its like) is used; it is by
    /// [`from_env`](AgentTrustClient::from_env) only, and never to this machine itself.
    ///
    /// Over plain `http` a proxy sees the API key and could answer in the Guardian's place.
    pub fn system_proxy(mut self, on: bool) -> Self {
        self.system_proxy = on;
        self
    }

    /// Sets whether what this client's Guardian is shown stays on this machine and out of others' reach; guards of the
    /// client then show approvers the inputs of held calls unless they were built not to.
    #[doc(hidden)]
    pub fn inputs_stay_here(mut self, stay: bool) -> Self {
        self.inputs_stay_here = stay;
        self
    }

    /// Sends requests through `service` instead of reqwest: an in-process router, a stack of
    /// middleware, a scripted answer in a test.
    ///
    /// ```
    /// use agenttrust::AgentTrustClient;
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let client = AgentTrustClient::builder()
    ///     .service(tower::service_fn(|request: http::Request<bytes::Bytes>| async move {
    ///         assert_eq!(request.uri().path(), "/health");
    ///         Ok::<_, std::io::Error>(http::Response::new(http_body_util::Full::new(
    ///             bytes::Bytes::from(r#"{"status": "healthy"}"#),
    ///         )))
    ///     }))
    ///     .build()?;
    /// assert_eq!(client.health().await?.status, "healthy");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).map_err(|e: Box<dyn std::error::Error>| e)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn service<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.transport = Some(transport::boxed(service));
        self
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Validation`](AgentTrustError::Validation) when the base URL is no `http` or `https` address, or begins
    /// with `https` on a machine without certificates of authorities, or the key or a default header holds what no
    /// header can carry.
    pub fn build(self) -> Result<AgentTrustClient> {
        let base_url = self.base_url.filter(|url| !url.is_empty());
        let base_url = checked_url(base_url.as_deref().unwrap_or(DEFAULT_URL))?;
        let api_key = self.api_key.filter(|key| !key.is_empty()).map(header_of).transpose()?;
        let default_headers = headers_of(self.default_headers)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport(&base_url, self.system_proxy)?,
        };
        Ok(AgentTrustClient {
            inner: Arc::new(Inner {
                transport,
                base_url,
                api_key,
                default_headers,
                timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
                inputs_stay_here: self.inputs_stay_here,
                tokens: TokenCache::new(self.token_cache.unwrap_or(true)),
                said_ignored: Once::new(),
            }),
            credentials: None,
        })
    }
}

#[cfg(feature = "reqwest")]
fn default_transport(base_url: &str, system_proxy: bool) -> Result<Transport> {
    let uri = base_url.parse().map_err(|_| AgentTrustError::invalid("the base URL is no URL"))?;
    let http = transport::pool::PooledHttp::new(&uri, system_proxy);
    Ok(transport::boxed(http.map_err(AgentTrustError::invalid)?))
}

#[cfg(not(feature = "reqwest"))]
fn default_transport(_: &str, _: bool) -> Result<Transport> {
    Err(AgentTrustError::invalid(
        "this client has no transport; enable the `reqwest` feature or give one with `service(..)`",
    ))
}

fn header_of(key: String) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(key).map_err(|_| {
        AgentTrustError::invalid(
            "the API key holds a character that no header can carry; copy it again, without line breaks",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the default headers. Their values may be secrets.
fn headers_of(given: Vec<(String, String)>) -> Result<HeaderMap> {
    let mut all = HeaderMap::new();
    for (name, value) in given {
        let wrong = |what: &str| {
            let shown: String = name.chars().take(40).collect();
            AgentTrustError::invalid(format!("the default header {shown:?} {what}"))
        };
        let header = HeaderName::try_from(&name)
            .map_err(|_| wrong("is no name of a header; use letters, digits and dashes"))?;
        if header == headers::API_KEY {
            return Err(wrong("is for the API key; give that with `api_key`"));
        }
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| wrong("has a value with a character that no header can carry"))?;
        value.set_sensitive(true);
        all.insert(header, value);
    }
    Ok(all)
}

fn checked_url(url: &str) -> Result<String> {
    let wrong = |why: &str| {
        // What stands before an `@`, or in a query, could be a secret.
        let shown = url.rsplit('@').next().unwrap_or(url);
        let shown = shown.split(['?', '#']).next().unwrap_or(shown);
        AgentTrustError::invalid(format!(
            "the base URL {shown:?} {why}; write it like http://localhost:8080"
        ))
    };
    let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err(wrong("is neither http nor https")),
        None => return Err(wrong("has no scheme")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
    if authority.host().is_empty() {
        return Err(wrong("has no host"));
    }
    if authority.as_str().contains('@') {
        return Err(wrong("holds credentials, which belong into `api_key`"));
    }
    let port = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    if !port.is_empty() && authority.port_u16().is_none() {
        return Err(wrong("has a port that is no number from 0 to 65535"));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(wrong("has a query or a fragment"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

impl fmt::Debug for AgentTrustClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTrustClientBuilder")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let built = AgentTrustClient::builder().base_url(url).build();
        built.expect_err("this is no base URL").to_string()
    }

    #[test]
    fn a_base_url_that_is_none_is_an_error_at_build() {
        assert!(refusal("not a url").contains("is no URL"));
        assert!(refusal("localhost:8080").contains("has no scheme"));
        assert!(refusal("/just/a/path").contains("has no scheme"));
        assert!(refusal("ftp://example.com").contains("neither http nor https"));
        assert!(refusal("http://").contains("is no URL"));
        assert!(refusal("http://host:99999").contains("port"));
        assert!(refusal("http://host/?key=secret").contains("query"));
        assert!(!refusal("http://host/?key=secret").contains("secret"));
    }

    #[test]
    fn credentials_in_the_base_url_are_refused_and_not_repeated() {
        let said = refusal("http://user:hunter2@example.com");
        assert!(said.contains("credentials") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn trailing_slashes_are_dropped_and_a_prefix_is_kept() {
        let client = AgentTrustClient::builder().base_url("https://example.com/gate//").build();
        assert_eq!(client.expect("a URL").base_url(), "https://example.com/gate");
    }

    #[test]
    fn an_empty_base_url_means_the_default() {
        let client = AgentTrustClient::builder().base_url("").build().expect("the default");
        assert_eq!(client.base_url(), DEFAULT_URL);
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_an_error_that_does_not_repeat_it() {
        let built = AgentTrustClient::builder().api_key("sk_live_secret\n").build();
        let said = built.expect_err("a line break").to_string();
        assert!(said.contains("API key") && !said.contains("secret"), "{said}");
    }

    #[test]
    fn a_default_header_that_is_none_is_an_error_that_does_not_repeat_its_value() {
        for (name, value, why) in [
            ("x tenant", "secret", "is no name"),
            ("", "secret", "is no name"),
            ("x-tenant", "secret\n", "no header can carry"),
            ("X-API-Key", "secret", "`api_key`"),
        ] {
            let built = AgentTrustClient::builder().default_header(name, value).build();
            let said = built.expect_err("it is no header").to_string();
            assert!(said.contains(why) && !said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let builder = AgentTrustClient::builder().api_key("sk_live_secret");
        assert!(!format!("{builder:?}").contains("secret"));
        assert!(!format!("{:?}", builder.build().expect("a client")).contains("secret"));
    }
}
