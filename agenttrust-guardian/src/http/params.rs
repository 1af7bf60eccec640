//! What stands in the path and in the query.

use std::collections::HashMap;
use std::str::FromStr;

use agenttrust::Timestamp;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;

use super::ApiError;
use crate::names::check_name;

/// The one id or name in a path, decoded and looked at.
#[derive(Debug)]
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| {
            ApiError::invalid("id", "in the path is not UTF-8 once decoded; encode it again")
        })?;
        check_name("id", &id)?;
        Ok(Self(id))
    }
}

/// The query. What an endpoint does not know is ignored, as in bodies.
#[derive(Debug)]
pub(super) struct Params(HashMap<String, String>);

impl Params {
    /// This parameter; absent and empty are the same.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// This parameter, checked as a name.
    pub(super) fn name(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let text = self.text(name);
        text.map_or(Ok(()), |text| check_name(name, text))?;
        Ok(text)
    }

    /// This parameter as a number.
    pub(super) fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, ApiError> {
        let wrong = |_| ApiError::invalid(name, "is not a whole number in range");
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// This parameter as a point in time.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let wrong =
            |_| ApiError::invalid(name, "is no point in time; write it as 2026-01-02T03:04:05Z");
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// This parameter as `true` or `false`.
    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let wrong = |_| ApiError::invalid(name, "is neither true nor false");
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Query(params) =
            query.map_err(|_| ApiError::invalid("query", "cannot be read; encode it again"))?;
        Ok(Self(params))
    }
}
