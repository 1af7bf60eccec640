//! Actions: may this call run? (SDK guide, section 5.)

use std::time::Duration;

use super::AgentTrustClient;
use super::request::Failed;
use crate::error::{AgentTrustError, Result};
use crate::model::{
    ActionCheckRequest, Binds, CheckRequest, CheckResult, headers, truncate_summary,
};

/// See [`AgentTrustClient::actions`].
#[derive(Clone, Copy, Debug)]
pub struct Actions<'a> {
    client: &'a AgentTrustClient,
}

/// Options that travel with a check beyond its body; a gateway may ignore all of it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckOptions {
    /// The digest of the input, so that an approval is bound to it.
    pub input_digest: Option<String>,
    /// The part of the input that the digest covers, where it is not the whole input; without a digest it does nothing.
    pub binds: Option<Binds>,
    /// The name of the key that the digest was made under; see [`key_id`](crate::guard::digest::key_id).
    pub key_id: Option<String>,
    /// Whether the session id was made up, and so is no part of what an approval binds.
    pub session_is_generated: bool,
    /// The scopes that the tool declares, none of them empty, with a comma or with white space around it.
    pub scopes: Vec<String>,
    /// A name for this check, so that a repeated request opens no second approval and gets the decision that
    /// the first one did not wait for. Without it, an approval that serves once can be used by a decision
    /// whose caller was told to ask again.
    pub idempotency_key: Option<String>,
    /// The longest time to wait for the answer; the client's own limit by default.
    pub timeout: Option<Duration>,
}

impl CheckOptions {
    /// Sets the digest of the input, so that an approval is bound to it.
    #[must_use]
    pub fn input_digest(mut self, digest: impl Into<String>) -> Self {
        self.input_digest = Some(digest.into());
        self
    }

    /// Sets what the digest is of, where it is not of the whole input.
    #[must_use]
    pub fn binds(mut self, binds: impl Into<Option<Binds>>) -> Self {
        self.binds = binds.into();
        self
    }

    /// Sets the name of the key that the digest was made under; see [`key_id`](crate::guard::digest::key_id).
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// Sets whether the session id was made up, and so is no part of what an approval binds.
    #[must_use]
    pub fn session_is_generated(mut self, generated: bool) -> Self {
        self.session_is_generated = generated;
        self
    }

    /// Sets the scopes that the tool declares, none of them empty, with a comma or with white space around it.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a name for this check, so that a repeated request opens no second approval and gets the decision that
    /// the first one did not wait for. Without it, an approval that serves once can be used by a decision
    /// whose caller was told to ask again.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets how long to wait for the answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// The answer to a check, and what of the extensions the gateway took into account.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckResponse {
    /// The answer.
    pub result: CheckResult,
    /// Whether the digest was taken into account.
    pub digest_enforced: bool,
    /// Whether the declared scopes were.
    pub scopes_enforced: bool,
    /// After how long to ask again, under the same [`idempotency_key`](CheckOptions::idempotency_key),
    /// where the Guardian could not decide in time. Such an answer allows nothing and denies nothing.
    pub retry_after: Option<Duration>,
}

impl<'a> Actions<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Asks whether an action may run. The first 200 characters of the summary travel.
    ///
    /// A denial is an answer here, not an error: look at [`allowed`](CheckResult::allowed). The guard
    /// makes errors of denials, and asks again where the Guardian could not decide in time; here that is
    /// an answer too, which [`check_with`](Self::check_with) tells from a denial.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for an unknown effect or an empty name,
    /// [`NotFound`](crate::AgentTrustError::NotFound) for an unknown agent, and whatever keeps the
    /// question from being asked.
    pub async fn check(&self, request: &ActionCheckRequest) -> Result<CheckResult> {
        Ok(self.check_with(request, &CheckOptions::default()).await?.result)
    }

    /// Does the same as [`check`](Self::check), with more.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check), and [`Validation`](crate::AgentTrustError::Validation) for options
    /// that say what a digest is of and have none, and for a scope that would be another one on its way.
    pub async fn check_with(
        &self,
        request: &ActionCheckRequest,
        options: &CheckOptions,
    ) -> Result<CheckResponse> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let body = CheckRequest {
            session_id: given(&request.session_id),
            action_effect: request.action_effect.clone(),
            action_input_summary: given(truncate_summary(&request.tool_input_summary)),
            ..CheckRequest::new(&request.agent_id, &request.tool_name)
        };
        Ok(self.send(&body, options).await?)
    }

    /// Sends a check as it travels.
    pub(crate) async fn send(
        &self,
        body: &CheckRequest,
        options: &CheckOptions,
    ) -> Result<CheckResponse, Failed> {
        refuse_scopes(&body.action_name, &options.scopes)?;
        let mut call = self.client.post("/api/v1/agenttrust/check").json(body);
        call = call.proven_as(&body.agent_id);
        if let Some(digest) = &options.input_digest {
            call = call.header(headers::INPUT_DIGEST, digest);
        }
        match (options.binds, &options.input_digest) {
            (Some(part), Some(_)) => call = call.header(headers::BINDS, part.as_str()),
            (Some(part), None) => {
                return Err(AgentTrustError::invalid(format!(
                    "the check says that its digest is of the {} alone, and has no digest; give it one \
                     with `input_digest`",
                    part.as_str()
                ))
                .into());
            }
            (None, _) => {}
        }
        if let Some(key_id) = &options.key_id {
            call = call.header(headers::KEY_ID, key_id);
        }
        if options.session_is_generated {
            call = call.header(headers::SESSION, "generated");
        }
        if !options.scopes.is_empty() {
            call = call.header(headers::SCOPES, &options.scopes.join(","));
        }
        if let Some(key) = &options.idempotency_key {
            call = call.header(headers::IDEMPOTENCY_KEY, key).repeatable();
        }
        if let Some(timeout) = options.timeout {
            call = call.timeout(timeout);
        }
        let answer = call.ask().await?;
        let enforced = answer.headers.get(headers::ENFORCED).and_then(|value| value.to_str().ok());
        let says = |word| enforced.is_some_and(|all| all.split(',').any(|one| one.trim() == word));
        Ok(CheckResponse {
            result: answer.json()?,
            digest_enforced: says("digest"),
            scopes_enforced: says("scopes"),
            retry_after: answer.retry_after(),
        })
    }
}

/// Refuses scopes that the Guardian would read as others: they travel in one list, parted by commas, and white space
/// around them is taken off.
pub(crate) fn refuse_scopes(tool: &str, scopes: &[impl AsRef<str>]) -> Result<()> {
    for scope in scopes.iter().map(AsRef::as_ref) {
        let why = if scope.is_empty() {
            "which is empty; name it, or remove it"
        } else if scope.contains(',') {
            "which has a comma in it and would be read as several; declare each one by itself"
        } else if scope.trim() != scope {
            "which begins or ends with white space and would be read without it; take that off"
        } else {
            continue;
        };
        return Err(AgentTrustError::invalid(format!(
            "tool {tool:?} declares the scope {scope:?}, {why}"
        )));
    }
    Ok(())
}
