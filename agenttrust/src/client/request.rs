//! One request and its answer: headers, deadline, status, and the shapes that answers come in.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use jiff::fmt::rfc2822;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;

use super::credentials::{AgentCredentials, DpopChallenge, Proven};
use super::{AgentTrustClient, Page, json_rpc, redirects};
use crate::background;
use crate::error::{AgentTrustError, Result};
use crate::model::{Timestamp, headers};
use crate::transport::{TransportBody, TransportError, TransportErrorKind, read_to_limit};

/// The longest answer that is read.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// The number of times that a request is sent again with another proof: its token may be gone, and then a nonce be
/// asked for.
const PROVEN_AGAIN: usize = 2;

/// A request before it is sent.
#[must_use = "nothing is sent until `send` is awaited"]
pub(crate) struct Call<'a> {
    client: &'a AgentTrustClient,
    method: Method,
    path: String,
    body: Result<Bytes>,
    headers: HeaderMap,
    timeout: Duration,
    repeatable: bool,
    credentials: Option<&'a AgentCredentials>,
}

impl AgentTrustClient {
    pub(crate) fn get(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::GET, path.into()).repeatable()
    }

    pub(crate) fn post(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::POST, path.into())
    }

    pub(crate) fn delete(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::DELETE, path.into())
    }

    pub(crate) fn put(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PUT, path.into())
    }

    pub(crate) fn patch(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PATCH, path.into())
    }

    fn call(&self, method: Method, path: String) -> Call<'_> {
        Call {
            client: self,
            method,
            path,
            body: Ok(Bytes::new()),
            headers: HeaderMap::new(),
            timeout: self.inner.timeout,
            repeatable: false,
            credentials: None,
        }
    }
}

impl<'a> Call<'a> {
    /// Sends the client's credentials with it, where they are of this agent.
    pub(crate) fn proven_as(mut self, agent_id: &str) -> Self {
        let credentials = self.client.credentials.as_ref();
        self.credentials = credentials.filter(|credentials| credentials.agent_id() == agent_id);
        self
    }
}

impl Call<'_> {
    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).map(Bytes::from).map_err(AgentTrustError::Json);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.headers.insert(HeaderName::from_static(name), value);
            }
            Err(_) => {
                self.body = Err(AgentTrustError::invalid(format!(
                    "{value:?} cannot travel in the header {name}; use visible ASCII characters"
                )));
            }
        }
        self
    }

    /// Does the same as [`header`](Self::header), of a header that may hold any text without control characters.
    pub(crate) fn text_header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_bytes(value.as_bytes()) {
            Ok(value) => {
                self.headers.insert(HeaderName::from_static(name), value);
            }
            Err(_) => {
                self.body = Err(AgentTrustError::invalid(format!(
                    "{value:?} cannot travel in the header {name}; leave its control characters out"
                )));
            }
        }
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Says that sending it twice does what sending it once does.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Sends it and returns the answer, if it is 2xx.
    pub(crate) async fn send(self) -> Result<Answer> {
        Ok(self.ask().await?)
    }

    /// Does the same as [`send`](Self::send); a failure says when to ask again, where the Guardian said so.
    pub(crate) async fn ask(mut self) -> Result<Answer, Failed> {
        let body = std::mem::replace(&mut self.body, Ok(Bytes::new()))?;
        let limit = self.timeout;
        background::timeout(limit, async {
            match self.attempt(body.clone()).await {
                // A kept-alive connection may break just as it is used again, and those beside it with it; the
                // transport takes a fresh one now.
                Err(first) if self.repeatable && first.broke() => match self.attempt(body).await {
                    // The first one may have been acted upon, which a gateway that is gone by now does
                    // not undo.
                    Err(second) if second.error.is_unreachable() => Err(first),
                    answer => answer,
                },
                answer => answer,
            }
        })
        .await
        .unwrap_or_else(|elapsed| Err(TransportError::classify(elapsed.into()).into()))
    }

    /// Sends the request, once, and returns a 2xx answer whose body is still to come in. It has no deadline: the reader
    /// of the body knows how long that may take.
    pub(crate) async fn open_stream(mut self, accept: &'static str) -> Result<Opened, Failed> {
        let body = std::mem::replace(&mut self.body, Ok(Bytes::new()))?;
        let (headers, body) = self.exchange(body, accept).await?;
        Ok(Opened { headers, body })
    }

    async fn attempt(&self, body: Bytes) -> Result<Answer, Failed> {
        let (headers, body) = self.exchange(body, "application/json").await?;
        Ok(Answer { headers, body: read_to_limit(body, ANSWER_LIMIT).await? })
    }

    /// Sends it and returns headers and body of the answer, if it is 2xx. With credentials each sending has a proof of
    /// its own: one that was sent is used up, whatever became of it.
    async fn exchange(
        &self,
        body: Bytes,
        accept: &'static str,
    ) -> Result<(HeaderMap, TransportBody), Failed> {
        let Some(credentials) = self.credentials else {
            return self.send_once(body, accept, None).await;
        };
        let mut answer = self.send_proven(credentials, body.clone(), accept).await;
        let mut heard = None;
        for _ in 0..PROVEN_AGAIN {
            let Err(Failed { challenge: Some(challenge), .. }) = &answer else { break };
            // Asked for the same thing twice, giving it does not help.
            if heard.replace(std::mem::discriminant(challenge))
                == Some(std::mem::discriminant(challenge))
            {
                break;
            }
            match self.send_proven(credentials, body.clone(), accept).await {
                // Refused just before, the Guardian is there: that is the answer, not that it cannot be reached now.
                Err(second) if second.error.is_unreachable() => break,
                second => answer = second,
            }
        }
        answer
    }

    /// Sends it with a proof of its own, and takes in what the answer says of that.
    async fn send_proven(
        &self,
        credentials: &AgentCredentials,
        body: Bytes,
        accept: &'static str,
    ) -> Result<(HeaderMap, TransportBody), Failed> {
        let url = format!("{}{}", self.client.inner.base_url, self.path);
        let proven = credentials.prove(self.method.as_str(), &url).await?;
        let answer = self.send_once(body, accept, Some(&proven)).await;
        match &answer {
            Ok((headers, _)) => credentials.keep_nonce(headers),
            Err(Failed { challenge: Some(challenge), .. }) => credentials.hear(challenge, &proven),
            Err(_) => {}
        }
        answer
    }

    /// Sends it, as it is.
    async fn send_once(
        &self,
        body: Bytes,
        accept: &'static str,
        proven: Option<&Proven>,
    ) -> Result<(HeaderMap, TransportBody), Failed> {
        let inner = &*self.client.inner;
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(format!("{}{}", inner.base_url, self.path))
            .body(body)
            .map_err(|_| {
                AgentTrustError::invalid(format!("{:?} is no path of a gateway", self.path))
            })?;
        *request.headers_mut() = inner.default_headers.clone();
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(key) = &inner.api_key {
            headers.insert(HeaderName::from_static(headers::API_KEY), key.clone());
        }
        if let Some(proven) = proven {
            headers.insert(AUTHORIZATION, secret(format!("Bearer {}", proven.token))?);
            headers.insert(HeaderName::from_static(headers::DPOP), secret(proven.proof.clone())?);
        }

        let (head, body) = inner.transport.clone().oneshot(request).await?.into_parts();
        self.say_ignored(&head.headers);
        if head.status.is_success() {
            return Ok((head.headers, body));
        }
        let body = read_to_limit(body, ANSWER_LIMIT).await?;
        let signed = head.headers.contains_key(headers::GUARDIAN);
        let asked = (inner.base_url.as_str(), self.path.as_str());
        let error = redirects::error(asked, head.status, &head.headers).unwrap_or_else(|| {
            AgentTrustError::from_answer(head.status.as_u16(), &body, signed)
                .with_hint(self.hint(head.status, signed))
        });
        let too_much = matches!(error.status(), Some(429 | 503));
        let retry_after = too_much.then(|| seconds(&head.headers)).flatten().filter(|_| signed);
        let challenge = DpopChallenge::of(head.status, &head.headers);
        Err(Failed { error, retry_after, fault: json_rpc::fault_code(&body), challenge })
    }
}

impl Call<'_> {
    /// Says, once for each client, that the Guardian skips something of what is sent.
    fn say_ignored(&self, headers: &HeaderMap) {
        let Some(names) = headers.get(headers::IGNORED).and_then(|names| names.to_str().ok())
        else {
            return;
        };
        self.client.inner.said_ignored.call_once(|| {
            tracing::warn!(
                method = %self.method,
                path = %self.path,
                names,
                "the Guardian does not know a part of this request and skipped it; bring the older of the two up \
                 to date (this is said once)"
            );
        });
    }

    /// Returns what is wrong with the client itself, where a refusal comes from that.
    fn hint(&self, status: StatusCode, signed: bool) -> Option<&'static str> {
        let inner = &*self.client.inner;
        match status {
            StatusCode::UNAUTHORIZED if inner.api_key.is_none() => Some(
                "this client has no API key: set AGENTTRUST_API_KEY for `from_env`, or give one with `api_key`",
            ),
            // Our Guardian would have said that it is one.
            StatusCode::NOT_FOUND if !signed && ends_in_api(&inner.base_url) => Some(
                "the base URL ends in /api, with which every path begins already: leave it out",
            ),
            _ => None,
        }
    }
}

/// Returns a header whose value is not shown.
fn secret(value: String) -> Result<HeaderValue> {
    let value = HeaderValue::try_from(value);
    let mut value = value.map_err(|_| {
        AgentTrustError::invalid("the workload token holds a character that no header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn ends_in_api(base_url: &str) -> bool {
    base_url.ends_with("/api") || base_url.ends_with("/api/v1")
}

/// Returns how many seconds `Retry-After` says. Our Guardian never sends its other form, a date.
fn seconds(headers: &HeaderMap) -> Option<Duration> {
    number(headers, RETRY_AFTER.as_str()).map(Duration::from_secs)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The reason why there is no 2xx answer.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: AgentTrustError,
    /// The time after which to ask again, where our Guardian has too much to do and named one: a 429 of any other
    /// server says nothing of it.
    pub(crate) retry_after: Option<Duration>,
    /// The number of the error, where it is one of JSON-RPC.
    pub(crate) fault: Option<i64>,
    /// The challenge to the proof that came with the request, where another proof may be better.
    pub(crate) challenge: Option<DpopChallenge>,
}

impl Failed {
    /// Returns the same once more, for another one who waited for what failed.
    pub(crate) fn copied(&self) -> Self {
        Self {
            error: self.error.copied(),
            retry_after: self.retry_after,
            fault: self.fault,
            challenge: None,
        }
    }

    /// Returns whether the connection was made and then broke.
    fn broke(&self) -> bool {
        matches!(&self.error, AgentTrustError::Network(error)
            if error.kind() == TransportErrorKind::Broken)
    }
}

impl From<Failed> for AgentTrustError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl From<AgentTrustError> for Failed {
    fn from(error: AgentTrustError) -> Self {
        Self { error, retry_after: None, fault: None, challenge: None }
    }
}

impl From<TransportError> for Failed {
    fn from(error: TransportError) -> Self {
        Self::from(AgentTrustError::from(error))
    }
}

/// A 2xx answer whose body comes in yet.
pub(crate) struct Opened {
    pub(crate) headers: HeaderMap,
    pub(crate) body: TransportBody,
}

/// A 2xx answer.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Returns after how long to ask again what was not decided.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        number(&self.headers, headers::RETRY_AFTER).map(Duration::from_millis)
    }

    /// Returns how long after the question `end` is, a time by the clock of the gateway: what its header `Date` leaves,
    /// and none where it has no such header. The second that the header does not tell is taken for over.
    pub(crate) fn left_until(&self, end: Timestamp) -> Option<Duration> {
        let date = self.headers.get(DATE)?.to_str().ok()?;
        let date = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
        let date = Timestamp::from_unix_micros(date.as_microsecond())?;
        Some(date.saturating_add(Duration::from_secs(1)).until(end))
    }

    /// Returns whether there is no body.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Returns the body, which is one object; an empty one reads as `{}`.
    ///
    /// Looks at the first byte before it reads: serde would take a list for the members of an object, in order, and
    /// `[true]` must never be read as a permission.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        match self.body.trim_ascii_start().first() {
            None | Some(b'{') => self.parse_body(),
            Some(_) => Err(AgentTrustError::Json(not_an_object())),
        }
    }

    fn parse_body<T: DeserializeOwned>(&self) -> Result<T> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(AgentTrustError::Json)
    }

    /// Returns one object, bare or wrapped as `{"name": {…}}`.
    pub(crate) fn object<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let mut value: Value = self.json()?;
        if let Some(wrapped) = value.get_mut(name).filter(|inner| inner.is_object()) {
            value = wrapped.take();
        }
        serde_json::from_value(value).map_err(AgentTrustError::Json)
    }

    /// Returns a page of a list, and what the answer says beside it: `{"name": […], …}`, or the list alone.
    pub(crate) fn page<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let mut value: Value = self.parse_body()?;
        if value.is_array() {
            value = serde_json::json!({ name: value });
        } else if let Some(page) = value.as_object_mut()
            && page.get(name).is_some_and(Value::is_null)
        {
            page.remove(name);
        }
        serde_json::from_value(value).map_err(AgentTrustError::Json)
    }

    /// Returns a list, bare or wrapped as `{"name": […]}`; `null` reads as empty.
    pub(crate) fn list<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        self.page_of_items(name).map(|page| page.items)
    }

    /// Returns one page of a list: as [`list`](Self::list), with what to ask for the next one by.
    pub(crate) fn page_of_items<T: DeserializeOwned>(&self, name: &str) -> Result<Page<T>> {
        let mut value: Value = self.parse_body()?;
        let next = value.get("next").and_then(Value::as_str).map(str::to_owned);
        if value.is_object() {
            value = value.get_mut(name).map(Value::take).unwrap_or_default();
        }
        let items: Option<Vec<T>> = serde_json::from_value(value).map_err(AgentTrustError::Json)?;
        Ok(Page::new(items.unwrap_or_default(), next))
    }
}

fn not_an_object() -> serde_json::Error {
    serde::de::Error::custom("the answer is not a JSON object")
}
