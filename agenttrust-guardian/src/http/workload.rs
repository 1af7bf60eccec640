//! Tokens of workloads: a challenge that an agent signs, the token that it is issued, and what one is worth.

use std::time::Duration;

use agenttrust::model::schema::Name;
use agenttrust::model::{
    Challenge, IssueWimseTokenRequest, PopProof, VerifyWimseTokenRequest, WimseToken,
    WimseVerification,
};
use axum::Json;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;

use super::App;
use super::answers::{Conflict, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Target};
use crate::domain::names::{check_name, check_names};
use crate::domain::{Error, Permission};
use crate::services::workload::{self, Issued, NewToken};

/// The time that a token lives, in seconds: by default, at least and at most.
const TTL: u64 = 900;
const TTL_LEAST: u64 = 60;
const TTL_MOST: u64 = 86_400;
/// The largest number of audiences of a token.
const AUDIENCE_MOST: usize = 16;
/// The greatest length of a part of a workload's id.
const PART_MAX_BYTES: usize = 100;
/// The greatest length of a nonce or a signature.
const PROOF_PART_MAX_BYTES: usize = 200;
/// The greatest length of a token.
pub(super) const TOKEN_MAX_BYTES: usize = 16 << 10;

/// Makes a nonce that an agent signs
///
/// The nonce is good for one proof, within five minutes.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/challenge", operation_id = "challenge_agent", tag = "workloads",
    params(("id" = Name, Path, description = "The agent")),
    responses((status = 200, description = "The nonce", body = Challenge), NotFound, Unavailable),
)]
pub(super) async fn challenge(
    engine: App,
    caller: Caller,
    Id(id): Id,
) -> Result<impl IntoResponse, Error> {
    caller.need_for(Permission::IssueTokens, &id)?;
    let (nonce, expires_at) = workload::challenge(&engine, &caller.key, &id)?;
    let mut challenge = Challenge::default();
    challenge.nonce = nonce;
    challenge.expires_at = Some(expires_at);
    Ok(([(CACHE_CONTROL, "no-store")], Json(challenge)))
}

/// Issues a workload token
///
/// With a proof that the agent has its private key, the token is bound to that key. It is then good only with a proof
/// of each request (RFC 9449).
#[utoipa::path(
    post, path = "/api/v1/wimse/token", operation_id = "issue_workload_token", tag = "workloads",
    request_body = IssueWimseTokenRequest,
    responses(
        (
            status = 200, description = "The token, shown this once", body = WimseToken,
            links(("verify" = (operation_id = "verify_workload_token", request_body = json!({ "token": "$response.body#/token" })))),
        ),
        NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn issue(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<impl IntoResponse, Error> {
    caller.need(Permission::IssueTokens)?;
    let body: IssueWimseTokenRequest = payload.json().await?;
    let new = wanted(body)?;
    caller.need_for(Permission::IssueTokens, &new.agent_id)?;
    let Issued { token, workload_id, expires_at } =
        workload::issue(&engine, &caller.key, new).await?;
    let mut issued = WimseToken::default();
    token.expose().clone_into(&mut issued.token);
    issued.workload_id = workload_id;
    issued.trust_domain.clone_from(&engine.settings.trust_domain);
    issued.expires_at = Some(expires_at);
    Ok(([(CACHE_CONTROL, "no-store")], Json(issued)))
}

fn wanted(body: IssueWimseTokenRequest) -> Result<NewToken, Error> {
    check_name("agent_id", &body.agent_id)?;
    let service = part("service_name", body.service_name)?;
    let environment = part("environment", body.environment)?;
    let ttl = body.ttl_seconds.unwrap_or(TTL);
    if !(TTL_LEAST..=TTL_MOST).contains(&ttl) {
        let range = format!("is {ttl}; it is at least {TTL_LEAST} and at most {TTL_MOST} seconds");
        return Err(Error::invalid("ttl_seconds", range));
    }
    let audience = body.audience.unwrap_or_default();
    check_names("audience", &audience)?;
    if audience.len() > AUDIENCE_MOST {
        let many = format!("has {} entries; {AUDIENCE_MOST} is the most", audience.len());
        return Err(Error::invalid("audience", many));
    }
    // What is signed has them joined by commas: two would be as good as one.
    if audience.iter().any(|one| one.contains(',')) {
        return Err(Error::invalid("audience", "has a comma in an entry; send one entry for each"));
    }
    if let Some(PopProof { nonce, signature, .. }) = &body.proof {
        for (field, text) in [("proof.nonce", nonce), ("proof.signature", signature)] {
            if text.is_empty() || text.len() > PROOF_PART_MAX_BYTES {
                let length = format!("is not 1 to {PROOF_PART_MAX_BYTES} bytes long");
                return Err(Error::invalid(field, length));
            }
        }
    }
    let ttl = Duration::from_secs(ttl);
    Ok(NewToken { agent_id: body.agent_id, service, environment, ttl, audience, proof: body.proof })
}

/// Returns a part of the path of a SPIFFE ID; empty is as good as absent.
fn part(field: &str, part: Option<String>) -> Result<Option<String>, Error> {
    let Some(part) = part.filter(|part| !part.is_empty()) else { return Ok(None) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if part.len() > PART_MAX_BYTES || !part.bytes().all(plain) || part == "." || part == ".." {
        let wrong = format!(
            "is no part of a workload's id; give it at most {PART_MAX_BYTES} letters, digits, `.`, `-` and `_`"
        );
        return Err(Error::invalid(field, wrong));
    }
    Ok(Some(part))
}

/// Asks what a workload token is worth now
///
/// It does not work where this Guardian did not sign it, it has expired, its agent is not active or has another key
/// than it is bound to, or the API key that it was issued with was revoked. One that is for certain audiences works at
/// a target that is one of them: the one that the caller names, else the gateway that its key is of; an admin and the
/// agent itself need name none.
///
/// One that has a `key_thumbprint` is good only with a proof (RFC 9449) by that key, of each request that it comes
/// with, which is for its receiver to see to: a session that is begun with both does.
#[utoipa::path(
    post, path = "/api/v1/wimse/verify", operation_id = "verify_workload_token", tag = "workloads",
    params(Target),
    request_body = VerifyWimseTokenRequest,
    responses((status = 200, description = "What it is worth", body = WimseVerification)),
)]
pub(super) async fn verify(
    engine: App,
    caller: Caller,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Json<WimseVerification>, Error> {
    let reach = caller.reach(Permission::IntrospectTokens)?;
    let target = Target::of(&headers)?;
    let body: VerifyWimseTokenRequest = payload.unbegun().json().await?;
    check_token("token", &body.token)?;
    let trust_domain = body.trust_domain_filter.filter(|name| !name.is_empty());
    trust_domain.as_deref().map_or(Ok(()), |name| check_name("trust_domain_filter", name))?;
    Ok(Json(workload::verify(&engine, reach, &body.token, trust_domain.as_deref(), target)))
}

/// Refuses what is no token by its looks alone.
pub(super) fn check_token(field: &str, token: &str) -> Result<(), Error> {
    if token.is_empty() {
        return Err(Error::invalid(field, "is empty; give it a value"));
    }
    if token.len() > TOKEN_MAX_BYTES {
        let long = format!("is {} bytes long; {TOKEN_MAX_BYTES} is the most", token.len());
        return Err(Error::invalid(field, long));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            field,
            "holds more than printable ASCII without spaces; send it as it was issued",
        ));
    }
    Ok(())
}
