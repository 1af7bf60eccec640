//! What stands in the path, in the query and in the headers.

use std::collections::HashMap;
use std::str::FromStr;

use agenttrust::Timestamp;
use agenttrust::model::headers::TARGET;
use agenttrust::model::schema::NameOrEmpty;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{IntoParams, PartialSchema as _};

use crate::domain::names::check_name;
use crate::domain::{Error, Trace};

/// The one id or name in a path, decoded and looked at.
#[derive(Debug)]
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| {
            Error::invalid("id", "in the path is not UTF-8 once decoded; encode it again")
        })?;
        check_name("id", &id)?;
        Ok(Self(id))
    }
}

/// The two names in a path, as [`Id`] has the one.
#[derive(Debug)]
pub(super) struct Ids(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((one, other)) = path.map_err(|_| {
            Error::invalid("id", "in the path is not UTF-8 once decoded; encode it again")
        })?;
        check_name("id", &one)?;
        check_name("name", &other)?;
        Ok(Self(one, other))
    }
}

/// The query. What the OpenAPI document does not say of an endpoint does not come here: see `ignored.rs`.
#[derive(Debug)]
pub(super) struct Params(HashMap<String, String>);

impl Params {
    /// Returns this parameter; absent and empty are the same.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Returns this parameter, checked as a name.
    pub(super) fn name(&self, name: &str) -> Result<Option<&str>, Error> {
        let text = self.text(name);
        text.map_or(Ok(()), |text| check_name(name, text))?;
        Ok(text)
    }

    /// Returns this parameter as a number.
    pub(super) fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, Error> {
        let wrong = |_| Error::invalid(name, "is not a whole number in range");
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// Returns this parameter as a point in time. An empty one is an error, not an absent bound.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        let wrong =
            |_| Error::invalid(name, "is no point in time; write it as 2026-01-02T03:04:05Z");
        self.0.get(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// Returns this parameter as `true` or `false`.
    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, Error> {
        let wrong = |_| Error::invalid(name, "is neither true nor false");
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(sent) =
            query.map_err(|_| Error::invalid("query", "cannot be read; encode it again"))?;
        let mut params = HashMap::with_capacity(sent.len());
        for (name, value) in sent {
            // Of two values, whoever is in between may have looked at the other one.
            if params.contains_key(&name) {
                return Err(Error::invalid(&name, "is there more than once; send it once"));
            }
            params.insert(name, value);
        }
        Ok(Self(params))
    }
}

/// Returns this header, if it is there and not empty.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let Some(value) = only(headers, name)? else { return Ok(None) };
    let text = value
        .to_str()
        .map_err(|_| Error::invalid(name, "holds more than printable ASCII characters"))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// Reads the trace of a request; `None` where it is not written as it must be.
pub(super) fn trace(headers: &HeaderMap) -> Option<Trace> {
    Trace::find(|name| headers.get(name)?.to_str().ok())
}

/// Returns the same of a header that may hold any UTF-8.
pub(super) fn text_header<'a>(
    headers: &'a HeaderMap,
    name: &str,
) -> Result<Option<&'a str>, Error> {
    let Some(value) = only(headers, name)? else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Error::invalid(name, "is not UTF-8; send its bytes as they are"))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// Returns this header, which may be there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Error> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    match values.next() {
        Some(_) => Err(Error::invalid(name, "is there more than once; send it once")),
        None => Ok(value),
    }
}

/// The target of a token, as the caller names it in its header.
pub(super) struct Target;

impl Target {
    /// Returns the target that the caller names, if it names one.
    ///
    /// # Errors
    ///
    /// Invalid for what cannot be the name of a target.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<&str>, Error> {
        let target = text_header(headers, TARGET)?;
        target.map_or(Ok(()), |target| check_name(TARGET, target))?;
        Ok(target)
    }
}

impl IntoParams for Target {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let said = "Where the token is used: of one that has an audience, it must name this, or the gateway \
                    that the key is of. UTF-8";
        vec![described_header(TARGET, said, NameOrEmpty::schema())]
    }
}

/// Describes a header that may be sent.
pub(super) fn described_header(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
