//! The input of an HTTP action: which resource the request is for, as exactly as its head says.

use std::borrow::Cow;

use http::header::HOST;
use http::{HeaderMap, Request};
use serde_json::{Map, Value};

/// All members of a request's head that say what it acts on. An approval is bound to all of them.
pub(super) struct Resource(Map<String, Value>);

impl Resource {
    /// Reads it off `request`; the error is the reason why it cannot be read.
    pub(super) fn from_request<B>(request: &Request<B>) -> Result<Self, Cow<'static, str>> {
        let uri = request.uri();
        let mut resource = Self(Map::new());
        resource.set("method", request.method().as_str());
        // One server may serve many hosts, and the same path is another resource on each.
        if let Some(authority) = uri.authority() {
            resource.set("authority", authority.as_str());
        }
        if let Some(host) = host(request.headers())? {
            resource.set("host", host);
        }
        resource.set("path", uri.path());
        if let Some(query) = uri.query() {
            resource.set("query", query);
        }
        #[cfg(feature = "axum")]
        {
            // Nesting strips the prefix off the URI, and with it the parameters in the prefix.
            if let Some(path) = super::matched::original_path(request)
                && path != uri.path()
            {
                resource.set("original_path", path);
            }
            if let Some(parameters) = super::matched::parameters(request)? {
                resource.set("parameters", parameters);
            }
        }
        Ok(resource)
    }

    pub(super) fn into_input(self) -> Value {
        Value::Object(self.0)
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

/// Returns the one `Host` header; the error is the reason why it cannot be read.
pub(crate) fn host(headers: &HeaderMap) -> Result<Option<&str>, Cow<'static, str>> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return Ok(None);
    };
    // The inner service might go by either of two.
    if hosts.next().is_some() {
        return Err("the request has more than one Host header".into());
    }
    match host.to_str() {
        Ok(host) => Ok(Some(host)),
        Err(_) => Err("the Host header of the request is not text".into()),
    }
}
