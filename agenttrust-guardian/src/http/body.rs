//! Bodies: at most 1 MiB, at a pace, JSON, and an error that names the field.
//!
//! A handler reads its body after it has looked at the caller's role, so that what somebody may not
//! do is answered the same whatever they send.

mod arriving;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use self::arriving::Arriving;
use super::admit::Admission;
use super::auth::UNKNOWN;
use super::finish::Finish;
use crate::domain::Error;
use crate::domain::Fingerprint;
use crate::engine::Engine;

/// A body that was not read yet.
#[derive(Debug)]
pub(super) struct Payload {
    body: Body,
    announced: Option<u64>,
    /// Where what is read counts.
    admission: Option<Arc<Admission>>,
    /// Told when all of it is there, unless the handler says itself when it begins.
    finish: Option<Finish>,
    /// By what its sender is known, to be looked at again if the body takes its time.
    sender: Option<(Arc<Engine>, Fingerprint)>,
}

impl Payload {
    /// The same body for a handler that says itself when it begins to change something.
    pub(super) fn unbegun(self) -> Self {
        Self { finish: None, ..self }
    }

    /// The body as it came.
    pub(super) async fn bytes(self) -> Result<Bytes, Error> {
        let mut arriving = Arriving::new(self.body, self.announced, self.admission);
        let bytes = arriving.whole().await?;
        if arriving.took_time() {
            still_known(self.sender)?;
        }
        if let Some(finish) = self.finish {
            finish.begin();
        }
        Ok(bytes)
    }

    /// The body as a `T`.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        json(&self.bytes().await?)
    }

    /// The body as a `T`; an empty one is `{}`.
    pub(super) async fn json_or_empty<T: DeserializeOwned>(self) -> Result<T, Error> {
        let bytes = self.bytes().await?;
        json(if bytes.is_empty() { b"{}" } else { &bytes })
    }
}

/// Refuses a sender whose key was revoked, or rotated away, while its body was on the way.
fn still_known(sender: Option<(Arc<Engine>, Fingerprint)>) -> Result<(), Error> {
    if sender.is_none_or(|(engine, secret)| engine.still_knows(&secret)) {
        return Ok(());
    }
    Err(Error::unauthenticated(UNKNOWN))
}

impl FromRequest<Arc<Engine>> for Payload {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, engine: &Arc<Engine>) -> Result<Self, Self::Rejection> {
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse().ok());
        let extensions = request.extensions();
        let secret = extensions.get::<Fingerprint>();
        let sender = secret.map(|secret| (Arc::clone(engine), *secret));
        let admission = extensions.get::<Arc<Admission>>().cloned();
        // Nothing changes before the body is there.
        let finish = extensions.get::<Finish>().cloned().inspect(Finish::not_yet);
        Ok(Self { body: request.into_body(), announced, admission, finish, sender })
    }
}

/// Reads JSON, naming the field at fault.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // The parser skips what it ignores without looking whether it is text at all.
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::invalid("body", "is not JSON: it is not UTF-8"))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let said = inner.to_string();
        let field = match missing_field(&said) {
            Some(missing) if path == "." => missing.to_owned(),
            Some(missing) => format!("{path}.{missing}"),
            None if path == "." => "body".to_owned(),
            None => path,
        };
        if missing_field(&said).is_some() {
            Error::invalid(&field, "is missing; give it a value")
        } else if inner.is_data() {
            Error::invalid(&field, format!("is not as it must be: {said}"))
        } else {
            Error::invalid("body", format!("is not JSON: {said}"))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| Error::invalid("body", format!("goes on after its JSON: {error}")))?;
    Ok(value)
}

fn missing_field(said: &str) -> Option<&str> {
    said.strip_prefix("missing field `")?.split('`').next()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        name: String,
        #[serde(default)]
        events: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    struct Counted {
        #[serde(deserialize_with = "crate::domain::numbers::whole")]
        line: u32,
    }

    #[test]
    fn whole_number_may_be_written_with_a_fraction_of_zero() {
        let line = |number: &str| {
            let body = format!("{{\"line\": {number}}}");
            json::<Counted>(body.as_bytes()).map(|read| read.line).ok()
        };
        assert_eq!(line("300"), Some(300));
        assert_eq!(line("300.0"), Some(300));
        assert_eq!(line("4294967295.0"), Some(u32::MAX));
        for bad in
            ["300.5", "-1", "-1.0", "4294967296", "1e300", "9007199254740993.0", "\"3\"", "null"]
        {
            assert_eq!(line(bad), None, "{bad}");
        }
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        success: bool,
    }

    fn refused(body: &str) -> String {
        json::<Outer>(body.as_bytes()).unwrap_err().message().to_owned()
    }

    #[test]
    fn error_names_the_field_at_fault() {
        let read: Outer = json(br#"{"name": "x", "events": [{"success": true}]}"#).unwrap();
        assert!(read.name == "x" && read.events[0].success);
        assert!(refused("{}").starts_with("name is missing"));
        assert!(refused(r#"{"name": 1}"#).starts_with("name is not as it must be"));
        let nested = refused(r#"{"name": "x", "events": [{"success": true}, {"success": "no"}]}"#);
        assert!(nested.starts_with("events[1].success "), "{nested}");
        let missing = refused(r#"{"name": "x", "events": [{}]}"#);
        assert!(missing.starts_with("events[0].success is missing"), "{missing}");
        assert!(refused("{").starts_with("body is not JSON"));
        assert!(refused("").starts_with("body is not JSON"));
        assert!(refused(r#"{"name": "x"} {}"#).starts_with("body goes on"));
        assert!(refused("[]").starts_with("body is not as it must be"), "{}", refused("[]"));
        assert!(json::<Outer>(b"{\"name\": \"\xff\"}").is_err());
    }
}
