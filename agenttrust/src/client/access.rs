//! Access: evaluations as AuthZEN 1.0 has them, and requests for access as its draft profile does.

use uuid::Uuid;

use super::AgentTrustClient;
use super::credentials::AgentCredentials;
use super::path::segment;
use super::request::{Answer, Call};
use crate::error::Result;
use crate::model::{
    AGENT_SUBJECT, AccessDecision, AccessDecisions, AccessEvaluation, AccessEvaluations,
    AccessRequest, AccessSubject, AccessTaskResponse, AuthzenConfiguration, CancelAccessRequest,
    headers,
};

const REQUESTS: &str = "/access/v1/requests";
/// The header of AuthZEN that names a request.
const REQUEST_ID: &str = "x-request-id";

/// See [`AgentTrustClient::access`].
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    client: &'a AgentTrustClient,
}

/// Options that travel with an evaluation, or a request for access, beyond its body.
///
/// ```
/// use agenttrust::client::AccessOptions;
///
/// let options = AccessOptions::default().agent_id("agt_1").idempotency_key("order-7");
/// assert_eq!(options.agent_id.as_deref(), Some("agt_1"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AccessOptions {
    /// The agent that acts for a subject that is not an agent; by default the one of the key.
    pub agent_id: Option<String>,
    /// A name for this: asked again under it, an evaluation is decided once (for a minute), and a request for access
    /// opens no second approval (as long as it is among the newest 1,000 of the API key). Made up by default.
    pub idempotency_key: Option<String>,
}

impl AccessOptions {
    /// Sets the agent that acts for a subject that is not an agent.
    #[must_use]
    pub fn agent_id(mut self, agent_id: impl Into<String>) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }

    /// Sets a name for this.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

impl<'a> Access<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Asks whether a subject may do something to a resource. A denial is an answer here: look at
    /// [`decision`](AccessDecision::decision), and at [`AccessRequest::of`] for one that approval can be asked for.
    ///
    /// ```
    /// use agenttrust::model::{
    ///     AccessAction, AccessEvaluation, AccessRequest, AccessResource, AccessSubject,
    /// };
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         let said = match request.uri().path() {
    /// #             "/access/v1/requests" => r#"{"task": {"id": "apr_1", "status": "pending"}}"#,
    /// #             "/access/v1/requests/apr_1" => {
    /// #                 r#"{"task": {"id": "apr_1", "status": "approved"},
    /// #                     "result": {"mode": "reevaluate", "approval": {"id": "apr_1"}}}"#
    /// #             }
    /// #             _ if request.body().windows(8).any(|part| part == b"approval") => r#"{"decision": true}"#,
    /// #             _ => {
    /// #                 r#"{"decision": false, "context": {"access_request": {
    /// #                     "expires_at": "2100-01-01T00:00:00Z", "binding_token": "a.b.c"}}}"#
    /// #             }
    /// #         };
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let asked = AccessEvaluation::new(
    ///     AccessSubject::agent("agt_1"),
    ///     AccessAction::new("files_delete"),
    ///     AccessResource::new("file", "draft.md"),
    /// );
    /// let denied = client.access().evaluate(&asked).await?;
    /// assert!(!denied.decision);
    ///
    /// // Ask for approval, and evaluate the same once more with it.
    /// let request = AccessRequest::of(&asked, &denied).expect("it can be approved");
    /// let opened = client.access().request(&request.justified_by("it is a duplicate")).await?;
    /// let task = client.access().task(&opened.task.id).await?;
    /// if let Some(approval) = task.approval() {
    ///     let allowed = client.access().evaluate(&asked.with_approval(approval)).await?;
    ///     assert!(allowed.decision);
    /// }
    /// # else { unreachable!() }
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for an evaluation that lacks something or says too much, and
    /// whatever keeps the question from being asked.
    pub async fn evaluate(&self, evaluation: &AccessEvaluation) -> Result<AccessDecision> {
        self.evaluate_with(evaluation, &AccessOptions::default()).await
    }

    /// Does the same as [`evaluate`](Self::evaluate), and says which agent acts for the subject.
    ///
    /// # Errors
    ///
    /// As for [`evaluate`](Self::evaluate).
    pub async fn evaluate_with(
        &self,
        evaluation: &AccessEvaluation,
        options: &AccessOptions,
    ) -> Result<AccessDecision> {
        let call = self.client.post("/access/v1/evaluation").json(evaluation);
        self.send(call, Some(&evaluation.subject), (REQUEST_ID, options)).await?.json()
    }

    /// Asks several evaluations at once, and returns their decisions in the same order: fewer of them where it was to
    /// stop early ([`EvaluationsSemantic`](crate::model::EvaluationsSemantic)).
    ///
    /// # Errors
    ///
    /// As for [`evaluate`](Self::evaluate); one of several that cannot be made is a decision with an
    /// [`error`](crate::model::AccessDecisionContext::error), which permits nothing.
    pub async fn evaluations(&self, evaluations: &AccessEvaluations) -> Result<AccessDecisions> {
        self.evaluations_with(evaluations, &AccessOptions::default()).await
    }

    /// Does the same as [`evaluations`](Self::evaluations), and says which agent acts for the subjects.
    ///
    /// # Errors
    ///
    /// As for [`evaluations`](Self::evaluations).
    pub async fn evaluations_with(
        &self,
        evaluations: &AccessEvaluations,
        options: &AccessOptions,
    ) -> Result<AccessDecisions> {
        let first = || evaluations.evaluations.first().and_then(|one| one.subject.as_ref());
        let subject = evaluations.subject.as_ref().or_else(first);
        let call = self.client.post("/access/v1/evaluations").json(evaluations);
        self.send(call, subject, (REQUEST_ID, options)).await?.json()
    }

    /// Returns what the gateway says of itself as a policy decision point.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that does not speak AuthZEN.
    pub async fn configuration(&self) -> Result<AuthzenConfiguration> {
        self.client.get("/.well-known/authzen-configuration").send().await?.json()
    }

    /// Requests access that was denied and can be approved, and returns the task that stands for it. Experimental, as
    /// [the profile](crate::model::ACCESS_REQUEST_PROFILE) is.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a request that is not of the denial that it names, or
    /// comes too late; [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not ask for that
    /// subject.
    pub async fn request(&self, request: &AccessRequest) -> Result<AccessTaskResponse> {
        self.request_with(request, &AccessOptions::default()).await
    }

    /// Does the same as [`request`](Self::request), under a name of the caller's own, and says which agent acts for the
    /// subject.
    ///
    /// # Errors
    ///
    /// As for [`request`](Self::request), and [`Api`](crate::AgentTrustError::Api) with status 409 where another
    /// request was made under that name.
    pub async fn request_with(
        &self,
        request: &AccessRequest,
        options: &AccessOptions,
    ) -> Result<AccessTaskResponse> {
        let call = self.client.post(REQUESTS).json(request);
        let named = (headers::IDEMPOTENCY_KEY, options);
        self.send(call, Some(&request.subject), named).await?.json()
    }

    /// Returns where a request for access stands, and the approval once there is one.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when no task has this id, or not any more.
    pub async fn task(&self, task_id: &str) -> Result<AccessTaskResponse> {
        self.client.get(path(task_id)?).send().await?.json()
    }

    /// Cancels a request for access that is not decided yet, and returns where it stands.
    ///
    /// # Errors
    ///
    /// [`Api`](crate::AgentTrustError::Api) with status 409 for one that is decided,
    /// [`NotFound`](crate::AgentTrustError::NotFound) when no task has this id.
    pub async fn cancel(
        &self,
        task_id: &str,
        request: &CancelAccessRequest,
    ) -> Result<AccessTaskResponse> {
        let call = self.client.post(format!("{}/cancel", path(task_id)?)).json(request);
        call.send().await?.json()
    }

    /// Sends a question under a name, so that sending it again does no more, and with the proof of the agent that asks
    /// where the client has its credentials.
    async fn send(
        &self,
        mut call: Call<'_>,
        subject: Option<&AccessSubject>,
        (header, options): (&'static str, &AccessOptions),
    ) -> Result<Answer> {
        let key = options.idempotency_key.clone();
        let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
        call = call.header(header, &key).repeatable();
        if let Some(agent_id) = &options.agent_id {
            call = call.header(headers::AGENT_ID, agent_id);
        }
        let subject = subject.filter(|subject| subject.kind == AGENT_SUBJECT);
        let asking = subject.map(|agent| agent.id.as_str()).or(options.agent_id.as_deref());
        let own = self.client.credentials.as_ref().map(AgentCredentials::agent_id);
        if let Some(agent_id) = asking.or(own) {
            call = call.proven_as(agent_id);
        }
        call.send().await
    }
}

fn path(task_id: &str) -> Result<String> {
    Ok(format!("{REQUESTS}/{}", segment("task id", task_id)?))
}
