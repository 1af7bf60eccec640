//! The token that binds a request for access to the denial that it comes after. It says all that must be known again,
//! so nothing of a denial is kept, and another replica takes the request as well.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::background;
use agenttrust::model::AccessDenial;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::asked::{Bound, Evaluation};
use super::refusal::{Problem, Refused};
use crate::domain::{Error, Key, ids};
use crate::engine::Engine;
use crate::jose::{Expected, Refusal, Typ, Unverified};
use crate::services::card_keys;

/// The time for which access can be requested after a denial.
const REQUESTABLE_FOR: Duration = Duration::from_secs(600);

/// The token by which access can be requested, and its end.
#[derive(Debug)]
pub(crate) struct Requestable {
    pub(crate) expires_at: Timestamp,
    pub(crate) token: String,
}

/// The claims of the token.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The agent that asked.
    sub: String,
    iat: i64,
    exp: i64,
    jti: String,
    org_id: String,
    /// The id of the check that was denied.
    evaluation_id: String,
    denial_expires_at: Timestamp,
    binding_context_members: Vec<String>,
    binding_hash: String,
}

/// A denial that a token was verified for.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) evaluation_id: String,
    /// The bound part of the submission, which is what was denied.
    pub(super) bound: Bound,
}

/// Returns whether access can be requested here: there is a key by which the key is kept that signs denials.
pub(crate) fn is_requestable(engine: &Engine) -> bool {
    engine.sealer.has_key()
}

/// Says how access can be requested that was denied to this agent as `evaluation_id`; `None` where no token can be
/// signed at present.
pub(crate) async fn requestable(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
    evaluation: &Evaluation,
    evaluation_id: &str,
) -> Option<Requestable> {
    if !is_requestable(engine) {
        return None;
    }
    let limit = engine.settings.check_deadline;
    let making = make(engine, key, agent_id, evaluation, evaluation_id);
    let late = |_| Err(Error::busy("the database was too busy to make the key that signs denials"));
    let made = background::timeout(limit, making).await.unwrap_or_else(late);
    made.inspect_err(|error| {
        let message = error.message();
        tracing::warn!(message, evaluation_id, "access cannot be requested after this denial");
    })
    .ok()
}

async fn make(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
    evaluation: &Evaluation,
    evaluation_id: &str,
) -> Result<Requestable, Error> {
    card_keys::ensure(engine, key).await?;
    let bound = Bound::of(evaluation, None)?;
    let now = engine.clock.now();
    let exp = now.saturating_add(REQUESTABLE_FOR).unix_seconds();
    let whole = exp.checked_mul(1_000_000).and_then(Timestamp::from_unix_micros);
    let expires_at = whole.unwrap_or(now);
    let issuer = issuer(engine);
    let claims = Claims {
        iss: issuer.clone(),
        aud: issuer,
        sub: agent_id.to_owned(),
        iat: now.unix_seconds(),
        exp,
        jti: ids::new("dny_"),
        org_id: key.org_id.clone(),
        evaluation_id: evaluation_id.to_owned(),
        denial_expires_at: expires_at,
        binding_hash: bound.binding_hash(),
        binding_context_members: bound.members,
    };
    // Texts, numbers and lists of texts always serialise.
    let token = card_keys::sign_denial(engine, &serde_json::to_vec(&claims).unwrap_or_default())?;
    Ok(Requestable { expires_at, token })
}

/// Returns the issuer and the audience of such tokens: this Guardian, whichever replica of it.
fn issuer(engine: &Engine) -> String {
    match engine.settings.public_url() {
        Some(url) => url.to_owned(),
        None => format!("https://{}", engine.settings.trust_domain),
    }
}

/// Sees that this evaluation is the one that was denied to this agent of the key's organisation.
pub(super) fn verified(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
    evaluation: &Evaluation,
    denial: &AccessDenial,
) -> Result<Denied, Refused> {
    let foreign = |detail: &str| Problem::InvalidDenialBinding.because(detail);
    let Some(token) = &denial.binding_token else {
        return Err(foreign(
            "denial.binding_token is missing; send back the one of context.access_request as it came",
        ));
    };
    let claims = signed(engine, token)?;
    if claims.org_id != key.org_id || claims.sub != agent_id {
        return Err(foreign(
            "the denial was another caller's; evaluate again, and request access then",
        ));
    }
    let now = engine.clock.now();
    if claims.denial_expires_at <= now {
        return Err(expired());
    }
    if denial.expires_at != Some(claims.denial_expires_at) {
        return Err(foreign(
            "denial.expires_at is not that of the denial; send context.access_request.expires_at as it came",
        ));
    }
    let evaluation_id = denial.evaluation_id.as_ref();
    if evaluation_id.is_some_and(|id| *id != claims.evaluation_id) {
        return Err(foreign(
            "denial.evaluation_id is not that of the denial; send context.evaluation_id as it came",
        ));
    }
    let bound = Bound::of(evaluation, Some(claims.binding_context_members))?;
    if bound.binding_hash() != claims.binding_hash {
        return Err(foreign(
            "subject, action, resource or context is not what was denied; send them as they were evaluated",
        ));
    }
    Ok(Denied { evaluation_id: claims.evaluation_id, bound })
}

/// Returns what the token says, if this Guardian signed it.
fn signed(engine: &Engine, token: &str) -> Result<Claims, Refused> {
    let refused = |refusal: Refusal| {
        match refusal {
        refusal if refusal.is_expired() => expired(),
        refusal => Problem::InvalidDenialBinding.because(format!(
            "denial.binding_token is not this Guardian's ({refusal}); send back the one of context.access_request as \
             it came"
        )),
    }
    };
    let token = Unverified::read(token).map_err(refused)?;
    let issuer = issuer(engine);
    let audiences = [issuer.clone()];
    let expected = Expected {
        issuer: &issuer,
        audiences: &audiences,
        typ: Typ::Denial,
        now: engine.clock.now(),
    };
    let claims = card_keys::verify(engine, &token, &expected).map_err(refused)?;
    serde_json::from_value(Value::Object(claims.all)).map_err(|_| {
        Problem::InvalidDenialBinding
            .because("denial.binding_token was made by another version; evaluate again")
    })
}

fn expired() -> Refused {
    Problem::ExpiredDenial
        .because("access can be requested for ten minutes after a denial; evaluate again, and request it then")
}
