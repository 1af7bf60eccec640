//! Agents asked by A2A: `/a2a/agents/{id}`, in both of its versions, and `/a2a` in the guide's own words.
//!
//! A request is read, told apart and done by the services. The answer is what is kept here of the task, and never the
//! very words of the agent behind.
//!
//! - `request.rs` is what came, `request_context.rs` who sent it, `ask.rs` and `params.rs` what it asks for.
//! - `answer.rs` does it, `streaming.rs` where the answer is a stream; `encode.rs` is how it is said, and `refusal.rs`
//!   how it is told no.
//! - `guide.rs` is the dialect of the SDK guide; `metadata.rs` is what a client of OAuth is told.

mod answer;
mod ask;
mod encode;
mod guide;
mod metadata;
mod params;
mod refusal;
mod request;
mod request_context;
mod streaming;

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;

use self::answer::Turn;
pub(crate) use self::metadata::asking;
use self::refusal::{Failure, Refusal};
use self::request::Request;
pub(crate) use self::request_context::RequestContext;
use crate::domain::Error;
use crate::domain::task::Version;
use crate::engine::Engine;
use crate::services::agents::known;
use crate::wire;

/// The names of what a request said that is not known and was skipped; an answer has them beside it.
#[derive(Clone, Debug)]
pub(crate) struct Skipped(pub(crate) Vec<String>);

/// Answers a request to an agent, in the version that is said; where none is, in 0.3.
///
/// # Errors
///
/// Not found for an agent that is not there, forbidden for a caller that may not ask.
pub(crate) async fn to_agent(
    engine: &Arc<Engine>,
    context: RequestContext,
    (target, said): (&str, Option<&str>),
    body: Bytes,
) -> Result<Response, Error> {
    known(engine, &context.key.org_id, target)?;
    let answered = async {
        let Request { id, method, params, spelled } = Request::read(&body)?;
        drop(body);
        let answered = async {
            let version = match said {
                None => Version::V03,
                Some(said) => Version::of(said).ok_or_else(|| Refusal::version(said))?,
            };
            let mut ask = ask::read(version, &method, params)?;
            let skipped = Skipped(ask.take_skipped());
            let turn = Turn { engine, context, target, version, id: id.clone(), spelled };
            let mut response = turn.answered(ask).await?;
            response.extensions_mut().insert(skipped);
            Ok(response)
        };
        answered.await.map_err(|failure: Failure| match failure {
            Failure::Protocol(refusal) => Failure::Protocol(refusal.id(&id)),
            other => other,
        })
    };
    match answered.await {
        Ok(response) => Ok(response),
        Err(Failure::Protocol(refusal)) => {
            Ok(wire::json(StatusCode::OK, refusal.to_json().to_string()))
        }
        Err(Failure::Other(error)) => Err(*error),
    }
}

/// Answers a request in the guide's dialect.
///
/// # Errors
///
/// The errors that HTTP has a status for.
pub(crate) async fn to_all(
    engine: &Arc<Engine>,
    context: RequestContext,
    body: Bytes,
) -> Result<Response, Error> {
    guide::answer(engine, context, &body).await
}
