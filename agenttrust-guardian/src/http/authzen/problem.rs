//! Refusals of requests for access: as RFC 9457 has it where the profile has a name for them, else as any other.

use agenttrust::model::AccessProblem;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::super::error::Refusal;
use crate::services::access::{Problem, Refused};

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (problem, detail) = match self {
            Self::Error(error) => return error.into_response(),
            Self::Problem(problem, detail) => (problem, detail),
        };
        let status = match problem {
            Problem::NotRequestable | Problem::InvalidDenialBinding => StatusCode::BAD_REQUEST,
            Problem::ExpiredDenial | Problem::TaskExpired => StatusCode::GONE,
            Problem::DuplicateRequest | Problem::InvalidTaskState => StatusCode::CONFLICT,
            Problem::UnknownTask => StatusCode::NOT_FOUND,
        };
        let mut body = AccessProblem::default();
        body.kind = problem.urn();
        problem.title().clone_into(&mut body.title);
        body.status = status.as_u16();
        body.detail.clone_from(&detail);
        let refusal = Refusal { code: "ACCESS_REQUEST", message: detail.into() };
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        (status, kind, Extension(refusal), Json(body)).into_response()
    }
}
