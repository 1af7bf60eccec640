//! Bodies: at most 1 MiB, at a pace, a JSON object of members that are known, and an error that names the field.
//!
//! A handler reads its body after it has looked at the caller's role, so that a caller without the permission gets the
//! same answer whatever it sends.

mod arriving;
mod shape;

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use self::arriving::Arriving;
use self::shape::{Seen, Shaped};
use super::admit::Admission;
use super::auth::UNKNOWN;
use super::finish::Finish;
use super::ignored::{Ignored, printable};
use crate::domain::Error;
use crate::domain::Fingerprint;
use crate::engine::Engine;

/// A body that was not read yet.
#[derive(Debug)]
pub(super) struct Payload {
    body: Body,
    announced: Option<u64>,
    /// The admission that the bytes of the body are counted in.
    admission: Option<Arc<Admission>>,
    /// The handle that is told when all of it is there, unless the handler says itself when it begins.
    finish: Option<Finish>,
    /// The secret of the sender's key, which is looked at again if the body takes its time.
    sender: Option<(Arc<Engine>, Fingerprint)>,
    /// The list of members that were not known and skipped.
    ignored: Ignored,
    /// The place for the body as it came, where it is looked at once more.
    sent: Option<Sent>,
}

/// The body as it was sent, for a layer that looks at it once the request is answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<OnceLock<Bytes>>);

impl Sent {
    /// Returns all of it, once it has arrived.
    pub(super) fn bytes(&self) -> Option<&Bytes> {
        self.0.get()
    }
}

impl Payload {
    /// Returns the same body for a handler that says itself when it begins to change something.
    pub(super) fn unbegun(self) -> Self {
        Self { finish: None, ..self }
    }

    /// Returns the names of members that are not known, once it is read.
    pub(super) fn ignored(&self) -> Ignored {
        self.ignored.clone()
    }

    /// Returns the body as it came.
    pub(super) async fn raw(self) -> Result<Bytes, Error> {
        self.bytes().await
    }

    /// Returns the body as a `T`, and as it came.
    pub(super) async fn json_and_bytes<T: DeserializeOwned>(self) -> Result<(T, Bytes), Error> {
        let ignored = self.ignored.clone();
        let bytes = self.bytes().await?;
        Ok((json(&bytes, &ignored)?, bytes))
    }

    async fn bytes(self) -> Result<Bytes, Error> {
        let mut arriving = Arriving::new(self.body, self.announced, self.admission);
        let bytes = arriving.whole().await?;
        if arriving.took_time() {
            still_known(self.sender)?;
        }
        if let Some(finish) = self.finish {
            finish.begin();
        }
        if let Some(sent) = self.sent {
            // Each body is read once.
            let _ = sent.0.set(bytes.clone());
        }
        Ok(bytes)
    }

    /// Returns the body as a `T`.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.json_and_bytes().await.map(|(body, _)| body)
    }

    /// Returns the body as a `T`; an empty one is `{}`.
    pub(super) async fn json_or_empty<T: DeserializeOwned>(self) -> Result<T, Error> {
        let ignored = self.ignored.clone();
        let bytes = self.bytes().await?;
        json(if bytes.is_empty() { b"{}" } else { &bytes }, &ignored)
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
        let ignored = extensions.get::<Ignored>().cloned().unwrap_or_default();
        let sent = extensions.get::<Sent>().cloned();
        // Nothing changes before the body is there.
        let finish = extensions.get::<Finish>().cloned().inspect(Finish::not_yet);
        Ok(Self { body: request.into_body(), announced, admission, finish, sender, ignored, sent })
    }
}

/// Reads an object in JSON, naming the field at fault; tells which members were skipped.
fn json<T: DeserializeOwned>(bytes: &[u8], ignored: &Ignored) -> Result<T, Error> {
    // The parser skips what it ignores without looking whether it is text at all.
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::invalid("body", "is not JSON: it is not UTF-8"))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seen = Seen::default();
    let read = serde_path_to_error::deserialize(Shaped::new(&mut deserializer, &seen));
    let value = read.map_err(|error| {
        let path = printable(&error.path().to_string());
        wrong(path, &error.into_inner(), seen.refusal())
    })?;
    deserializer
        .end()
        .map_err(|error| Error::invalid("body", format!("goes on after its JSON: {error}")))?;
    ignored.add(seen.into_ignored());
    Ok(value)
}

/// Returns what is wrong at `path`: what was `refused` there, else what the parser says.
fn wrong(path: String, error: &serde_json::Error, refused: Option<String>) -> Error {
    let said = printable(&error.to_string());
    let field = match missing_field(&said) {
        Some(missing) if path == "." => missing.to_owned(),
        Some(missing) => format!("{path}.{missing}"),
        None if path == "." => "body".to_owned(),
        None => path,
    };
    if let Some(refused) = refused {
        Error::invalid(&field, refused)
    } else if missing_field(&said).is_some() {
        Error::invalid(&field, "is missing; give it a value")
    } else if error.is_data() {
        Error::invalid(&field, format!("is not as it must be: {said}"))
    } else {
        Error::invalid("body", format!("is not JSON: {said}"))
    }
}

fn missing_field(said: &str) -> Option<&str> {
    said.strip_prefix("missing field `")?.split('`').next()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn read<T: DeserializeOwned>(body: &str) -> Result<T, Error> {
        json(body.as_bytes(), &Ignored::default())
    }

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
            read::<Counted>(&body).map(|read| read.line).ok()
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
        read::<Outer>(body).unwrap_err().message().to_owned()
    }

    #[test]
    fn error_names_the_field_at_fault() {
        let outer: Outer = read(r#"{"name": "x", "events": [{"success": true}]}"#).unwrap();
        assert!(outer.name == "x" && outer.events[0].success);
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
        assert!(json::<Outer>(b"{\"name\": \"\xff\"}", &Ignored::default()).is_err());
    }

    #[test]
    fn list_is_no_object_at_any_depth() {
        // By itself, serde takes it for one.
        assert!(serde_json::from_str::<Outer>(r#"["x", [[true]]]"#).is_ok());
        for body in [
            r#"["x"]"#,
            r#"["x", []]"#,
            r#"{"name": "x", "events": [[true]]}"#,
            r#"{"name": "x", "events": [{"success": true}, [true]]}"#,
        ] {
            assert!(refused(body).contains("invalid type: sequence, expected an object"), "{body}");
        }
        assert!(refused("null").starts_with("body is not as it must be"), "{}", refused("null"));
        assert!(refused(r#"{"name": "x", "name": "y"}"#).contains("duplicate field"));
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Closed {
        mode: Option<agenttrust::SessionMode>,
        #[serde(default)]
        scope_ceiling: Vec<Limit>,
        #[serde(default)]
        free: serde_json::Map<String, serde_json::Value>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limit {
        most: u32,
    }

    #[test]
    fn member_that_a_type_does_not_take_is_named_with_the_known_one() {
        let refused = |body: &str| read::<Closed>(body).unwrap_err().message().to_owned();
        assert_eq!(
            refused(r#"{"scopeCeiling": []}"#),
            "scopeCeiling is not known; did you mean \"scope_ceiling\"?"
        );
        assert_eq!(
            refused(r#"{"color": 1}"#),
            "color is not known; there is mode, scope_ceiling, free, so leave it out"
        );
        assert_eq!(
            refused(r#"{"scope_ceiling": [{"most": 1}, {"mots": 1}]}"#),
            "scope_ceiling[1].mots is not known; did you mean \"most\"?"
        );
        // What a caller made up is shown cut, and rewrites no terminal.
        let long = refused(&format!(r#"{{"\u001b[2J\u202e{}": 1}}"#, "x".repeat(100_000)));
        assert!(long.len() < 1_000 && !long.contains(['\u{1b}', '\u{202e}']), "{long}");
        let taken: Closed =
            read(r#"{"mode": null, "free": {"Mode": [1], "x": {"y": 1}}}"#).unwrap();
        assert!(taken.mode.is_none() && taken.free.len() == 2);
    }

    #[test]
    fn member_of_a_map_that_is_there_twice_is_refused_like_one_of_a_struct() {
        for (body, name) in [
            (r#"{"free": {"x": 1, "y": 2, "x": 3}}"#, "`x`"),
            (r#"{"free": {"x": 1, "\u0078": 1}}"#, "`x`"),
            (r#"{"free": {}, "free": {}}"#, "`free`"),
        ] {
            let refused = read::<Closed>(body).unwrap_err().message().to_owned();
            assert!(refused.starts_with("free") || refused.starts_with("body"), "{refused}");
            assert!(refused.contains(&format!("duplicate field {name}")), "{refused}");
        }
        let many = format!(r#"{{"free": {{"{0}": 1, "{0}": 2}}}}"#, "x".repeat(100_000));
        let refused = read::<Closed>(&many).unwrap_err().message().to_owned();
        assert!(refused.len() < 1_000, "{}", refused.len());
        let taken: Closed = read(r#"{"free": {"x": 1, "X": 1}}"#).unwrap();
        assert_eq!(taken.free.len(), 2);
    }

    #[test]
    fn word_is_a_string_and_nothing_that_holds_one() {
        let mode = |mode: &str| read::<Closed>(&format!(r#"{{"mode": {mode}}}"#));
        assert_eq!(mode(r#""open""#).unwrap().mode, Some(agenttrust::SessionMode::Open));
        for bad in [r#"{"open": null}"#, r#"["open"]"#, "1", "true"] {
            let refused = mode(bad).unwrap_err();
            assert!(refused.message().starts_with("mode is not as it must be"), "{refused:?}");
        }
        assert!(serde_json::from_str::<Closed>(r#"{"mode": {"open": null}}"#).is_ok());
    }

    #[test]
    fn member_of_an_open_type_is_noted_unless_a_known_one_was_meant() {
        let ignored = Ignored::default();
        let body =
            br#"{"trace": 1, "name": "x", "events": [{"success": true, "sucess": 1}], "z": []}"#;
        json::<Outer>(body, &ignored).unwrap();
        assert_eq!(ignored.to_header().unwrap(), "trace, z");
        for misspelt in ["Name", "nmae", "event", "events_"] {
            let body = format!(r#"{{"name": "x", "{misspelt}": []}}"#);
            assert!(refused(&body).contains("is not known; did you mean"), "{}", refused(&body));
        }
    }
}
