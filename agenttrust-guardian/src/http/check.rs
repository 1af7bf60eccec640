//! The check: may this agent do this?

use std::sync::Arc;

use agenttrust::Effect;
use agenttrust::model::headers::{
    BINDS, DPOP, ENFORCED, IDEMPOTENCY_KEY, INPUT_DIGEST, KEY_ID, RETRY_AFTER, SCOPES, SESSION,
};
use agenttrust::model::schema::NameOrEmpty;
use agenttrust::model::{Binds, CheckRequest, CheckResult, SUMMARY_MAX_CHARS};
use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tracing::Instrument;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, PartialSchema};

use super::App;
use super::admit::Place;
use super::answers::{NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{described_header as documented, header, trace};
use super::proofs::{SentProof, tell};
use crate::domain::Answer;
use crate::domain::Error;
use crate::domain::Permission;
use crate::domain::digest_of_parts;
use crate::domain::names::{check_name, check_names, check_text};
use crate::engine::Engine;
use crate::pipeline;
use crate::pipeline::{Check, span};

/// The value of a header that counts as absent.
const EMPTY: &str = "";
/// The word for a session id that the guard made up.
const GENERATED: &str = "generated";

/// The headers that a check may have; a gateway that does not know them is not disturbed.
struct CheckHeaders;

impl IntoParams for CheckHeaders {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let digest =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([0-9A-Fa-f]{64})?$"));
        let part = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Binds::ALL.map(Binds::as_str).into_iter().chain([EMPTY])));
        let key =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([0-9A-Fa-f]{16})?$"));
        let session =
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some([GENERATED, EMPTY]));
        let list = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^( *[^, ][^,]{0,197} *(, *[^, ][^,]{0,197} *){0,255})?$"));
        vec![
            documented(
                INPUT_DIGEST,
                "The digest of the input, 64 hexadecimal digits; an approval is bound to it",
                digest,
            ),
            documented(
                BINDS,
                "What the digest is of, where it is not of the whole input; goes with a digest only",
                part,
            ),
            documented(
                KEY_ID,
                "The name of the key that the digest was made under, 16 hexadecimal digits",
                key,
            ),
            documented(
                SESSION,
                "Said of a session id that the guard made up: it is no part of what an approval binds",
                session,
            ),
            documented(SCOPES, "The scopes that the tool declares, separated by commas", list),
            documented(
                IDEMPOTENCY_KEY,
                "A name for this check: within a minute, the same check under it is decided once",
                NameOrEmpty::schema(),
            ),
            documented(
                DPOP,
                "A proof (RFC 9449) that the agent has its private key, with its workload token in Authorization: one that \
                 is there must be right",
                ObjectBuilder::new().schema_type(Type::String),
            ),
        ]
    }
}

/// Checks whether an agent may run a tool
///
/// A denial is an answer and no error: `allowed` is false, and `reason` says why.
#[utoipa::path(
    post, path = "/api/v1/agenttrust/check", operation_id = "check", tag = "check",
    params(CheckHeaders),
    request_body = CheckRequest,
    responses(
        (
            status = 200, description = "The decision", body = CheckResult,
            headers(
                ("agenttrust-enforced" = String, description = "Which of `digest` and `scopes` were taken into account"),
                ("agenttrust-retry-after" = u64, description = "The check was not decided in time: ask again after this many milliseconds"),
            ),
            links(("wait" = (operation_id = "get_approval", parameters(("id" = "$response.body#/approval_id")))), ("approve" = (operation_id = "approve", parameters(("id" = "$response.body#/approval_id")))), ("deny" = (operation_id = "deny", parameters(("id" = "$response.body#/approval_id")))), ("disclose" = (operation_id = "disclose_input", parameters(("id" = "$response.body#/approval_id"))))),
        ),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn check(
    engine: App,
    caller: Caller,
    headers: HeaderMap,
    (place, sent_proof): (Place, SentProof),
    payload: Payload,
) -> Result<Response, Error> {
    caller.need(Permission::Check)?;
    // A decision that was begun goes on by itself.
    let (body, bytes): (CheckRequest, Bytes) = payload.unbegun().json_and_bytes().await?;
    caller.need_for(Permission::Check, &body.agent_id)?;
    let check = parse_check(caller, &headers, body)?;
    let proof = sent_proof.prove(&engine, &check.key, &check.agent_id)?;
    let check = Arc::new(Check { _place: place.take(), proof, ..check });
    let span = span::begin(&engine, &check);
    let answer = answer(&engine, Arc::clone(&check), &headers, &bytes);
    let answer = answer.instrument(span.clone()).await.inspect_err(|error| {
        tell(&engine, &check.key, "check", &check.agent_id, error);
    })?;
    span::end(&span, &answer);
    Ok(respond(&answer))
}

/// Decides the check, or says again what was said to its idempotency key.
async fn answer(
    engine: &Arc<Engine>,
    check: Arc<Check>,
    headers: &HeaderMap,
    bytes: &Bytes,
) -> Result<Arc<Answer>, Error> {
    let Some(repeated) = header(headers, IDEMPOTENCY_KEY)? else {
        return pipeline::answer(engine, check).await;
    };
    check_name("Idempotency-Key", repeated)?;
    let body = fingerprint(&check, bytes);
    pipeline::answer_once(engine, check, repeated, body).await
}

fn parse_check(caller: Caller, headers: &HeaderMap, body: CheckRequest) -> Result<Check, Error> {
    check_name("agent_id", &body.agent_id)?;
    check_name("action_name", &body.action_name)?;
    // One published client sends "" where it has no session.
    let session_id = body.session_id.filter(|id| !id.is_empty());
    session_id.as_deref().map_or(Ok(()), |id| check_name("session_id", id))?;
    check_name("action_source", &body.action_source)?;
    let hint = body
        .action_effect
        .map(|word| word.parse::<Effect>())
        .transpose()
        .map_err(|error| Error::invalid("action_effect", format!("is not known: {error}")))?;
    let summary = body.action_input_summary.filter(|summary| !summary.is_empty());
    // Clients cut it themselves. A longer one would be bound beyond what an approver gets to see.
    summary.as_deref().map_or(Ok(()), |text| check_text("action_input_summary", text))?;
    if summary.as_deref().is_some_and(|text| text.chars().count() > SUMMARY_MAX_CHARS) {
        return Err(Error::invalid(
            "action_input_summary",
            format!("is too long; {SUMMARY_MAX_CHARS} characters is the most, so cut it"),
        ));
    }
    let digest =
        header(headers, INPUT_DIGEST)?.map(|hex| digits(INPUT_DIGEST, 64, hex)).transpose()?;
    let binds = header(headers, BINDS)?.map(|word| binds(word, &digest)).transpose()?;
    let session_is_generated = match header(headers, SESSION)? {
        None => false,
        Some(GENERATED) => true,
        Some(_) => return Err(Error::invalid(SESSION, "is not known; use generated")),
    };
    Ok(Check {
        key: caller.key,
        agent_id: body.agent_id,
        session_id,
        session_is_generated,
        tool: body.action_name,
        hint,
        source: body.action_source,
        scopes: header(headers, SCOPES)?.map(scopes).transpose()?,
        digest,
        binds,
        key_id: header(headers, KEY_ID)?.map(|hex| digits(KEY_ID, 16, hex)).transpose()?,
        summary,
        task_message: None,
        proof: None,
        trace: trace(headers),
        access: None,
        _place: None,
    })
}

fn scopes(list: &str) -> Result<Vec<String>, Error> {
    let scopes: Vec<String> = list.split(',').map(|scope| scope.trim().to_owned()).collect();
    check_names(SCOPES, &scopes)?;
    Ok(scopes)
}

/// Returns the hexadecimal digits of the header `name`, which are `count`, in lower case.
fn digits(name: &str, count: usize, hex: &str) -> Result<String, Error> {
    if hex.len() == count && hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        Ok(hex.to_ascii_lowercase())
    } else {
        Err(Error::invalid(name, format!("is not {count} hexadecimal digits")))
    }
}

fn binds(word: &str, digest: &Option<String>) -> Result<Binds, Error> {
    let part =
        word.parse().map_err(|_| Error::invalid(BINDS, "is not known; use request or method"))?;
    if digest.is_none() {
        let alone =
            format!("says what a digest is of, and no digest is given; send {INPUT_DIGEST} too");
        return Err(Error::invalid(BINDS, alone));
    }
    Ok(part)
}

/// Returns what makes a repeated check the same check: the body and the headers that are decided
/// by.
fn fingerprint(check: &Check, body: &Bytes) -> [u8; 32] {
    let scopes = check.scopes.as_ref().map(|scopes| scopes.join(",")).unwrap_or_default();
    let digest = check.digest.as_deref().unwrap_or_default();
    let binds = check.binds.map(Binds::as_str).unwrap_or_default();
    let session = if check.session_is_generated { GENERATED } else { "" };
    // What was answered to somebody who proved who that is, is told to nobody else.
    let proven_by = check.proof.as_ref().map(|proof| &*proof.thumbprint).unwrap_or_default();
    let headers = [scopes.as_str(), digest, binds, session, proven_by].map(str::as_bytes);
    digest_of_parts(std::iter::once(body.as_ref()).chain(headers))
}

fn respond(answer: &Answer) -> Response {
    let mut response = Json::<&CheckResult>(&answer.result).into_response();
    let headers = response.headers_mut();
    if let Some(enforced) = answer.enforced {
        headers.insert(HeaderName::from_static(ENFORCED), HeaderValue::from_static(enforced));
    }
    if let Some(retry_after) = answer.retry_after() {
        let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
        headers.insert(HeaderName::from_static(RETRY_AFTER), HeaderValue::from(millis));
    }
    response
}
