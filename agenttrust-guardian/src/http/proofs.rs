//! The proof that a request may come with (RFC 9449): it shows that the sender has the key of its workload token. It
//! is in `DPoP`, with the token in `Authorization`, beside the API key. A request that comes with a proof is good only
//! where the proof is right.

use std::sync::Arc;

use agenttrust::model::headers::{API_KEY, DPOP};
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::admit::InProcess;
use super::auth::is_signed;
use super::base::asked_for;
use super::params::header;
use crate::domain::{Error, ErrorKind, Key, Role};
use crate::engine::Engine;
use crate::pipeline::Proof;
use crate::services::workload::{self, Presented};

/// The proof and the token of a request, as they were sent.
#[derive(Clone)]
pub(super) struct SentProof {
    said: Option<Result<Said, Error>>,
}

#[derive(Clone)]
struct Said {
    token: String,
    proof: String,
    method: String,
    /// Its address, in each of the forms by which it may have been reached.
    urls: Vec<String>,
    /// The bases of these.
    names: Vec<String>,
}

impl FromRequestParts<Arc<Engine>> for SentProof {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        engine: &Arc<Engine>,
    ) -> Result<Self, Self::Rejection> {
        let said = presented(&parts.headers).map(|presented| {
            let (token, proof) = presented?;
            let names = names(engine, parts);
            let original = parts.extensions.get::<OriginalUri>();
            let path = original.map_or(&parts.uri, |OriginalUri(uri)| uri).path();
            let urls = names.iter().map(|base| format!("{base}{path}")).collect();
            Ok(Said { token, proof, method: parts.method.as_str().to_owned(), urls, names })
        });
        Ok(Self { said })
    }
}

impl SentProof {
    /// Returns the proof for this agent, if the request came with one: it is right, and still to be used up.
    ///
    /// # Errors
    ///
    /// For a proof that is not right, and for one without its token.
    pub(super) fn prove(
        self,
        engine: &Engine,
        key: &Key,
        agent_id: &str,
    ) -> Result<Option<Proof>, Error> {
        let Some(said) = self.said else { return Ok(None) };
        let proven = said.and_then(|said| {
            let Said { token, proof, method, urls, names } = &said;
            let presented = Presented { token, proof, method, urls };
            workload::prove(engine, key, agent_id, presented, names)
        });
        proven.map(Some).inspect_err(|error| tell(engine, key, "check", agent_id, error))
    }

    /// Returns the same, used up for all that is checked of this request.
    ///
    /// # Errors
    ///
    /// Those of [`prove`](Self::prove), and for one that was used before.
    pub(super) async fn prove_once(
        self,
        engine: &Engine,
        key: &Key,
        agent_id: &str,
        operation: &'static str,
    ) -> Result<Option<Proof>, Error> {
        let Some(proof) = self.prove(engine, key, agent_id)? else { return Ok(None) };
        let used = proof.used_up(engine).await;
        used.map(Some).inspect_err(|error| tell(engine, key, operation, agent_id, error))
    }

    /// Checks that a caller that acts for this agent by one of its keys has proved that it has the agent's key too,
    /// where that is needed. A proof that is there must be right in any case.
    ///
    /// # Errors
    ///
    /// Those of [`prove_once`](Self::prove_once), and where a proof is needed and missing.
    pub(super) async fn need_once(
        self,
        engine: &Engine,
        key: &Key,
        agent_id: &str,
        operation: &'static str,
    ) -> Result<(), Error> {
        let is_proven = self.prove_once(engine, key, agent_id, operation).await?.is_some();
        let agent = engine.registry.agents.get(&key.org_id, agent_id);
        // Operators and admins act by what their own role lets them.
        let needs = key.role == Role::Agent && agent.is_some_and(|it| it.agent.requires_proof);
        if is_proven || !needs {
            return Ok(());
        }
        let error = Error::proof(format!(
            "agent {agent_id:?} needs a proof that it has its private key for this too, and the request came without; send \
             its workload token and a DPoP proof along"
        ));
        tell(engine, key, operation, agent_id, &error);
        Err(error)
    }
}

/// Tells the audit of a proof that was not taken. That one needs a nonce is no refusal.
pub(super) fn tell(
    engine: &Engine,
    key: &Key,
    operation: &'static str,
    agent_id: &str,
    error: &Error,
) {
    if matches!(error.kind(), ErrorKind::Proof | ErrorKind::WorkloadToken) {
        workload::refused(engine, key, operation, agent_id, error);
    }
}

/// Returns the token and the proof in the headers; `None` where there is no proof.
fn presented(headers: &HeaderMap) -> Option<Result<(String, String), Error>> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.trim().split_once(' '));
    let is_proven = token.is_some_and(|(how, _)| how.eq_ignore_ascii_case("dpop"));
    if !headers.contains_key(DPOP) && !is_proven {
        return None;
    }
    Some(read(headers, token))
}

fn read(headers: &HeaderMap, token: Option<(&str, &str)>) -> Result<(String, String), Error> {
    let mut proofs = headers.get_all(DPOP).iter();
    let proof = match (proofs.next().map(HeaderValue::to_str), proofs.next()) {
        (Some(Ok(proof)), None) => proof.trim(),
        (None, _) => {
            return Err(Error::proof("the workload token came without a proof; send one in DPoP"));
        }
        (Some(Err(_)), None) => return Err(Error::proof("the proof in DPoP is no text")),
        (_, Some(_)) => return Err(Error::proof("DPoP is there more than once; send it once")),
    };
    let schemes = ["dpop", "bearer"];
    let token = token.filter(|(how, _)| schemes.iter().any(|it| how.eq_ignore_ascii_case(it)));
    let token = token.map(|(_, token)| token.trim()).filter(|token| is_signed(token));
    // Without a key beside it, what stands there would be one.
    let has_key = header(headers, API_KEY).ok().flatten().is_some();
    match token.filter(|_| has_key) {
        Some(token) => Ok((token.to_owned(), proof.to_owned())),
        None => Err(Error::workload_token(
            "a proof came without a workload token; send the token in Authorization, beside the API key in X-API-Key",
        )),
    }
}

/// Returns under which bases this Guardian is reached: what the operator says, else what was asked for. The program
/// that it is embedded in asks under a base of its own.
fn names(engine: &Engine, parts: &Parts) -> Vec<String> {
    let mut names = engine.settings.public_urls.clone();
    if names.is_empty() || parts.extensions.get::<InProcess>().is_some() {
        names.push(asked_for(engine, parts).0);
    }
    names
}
