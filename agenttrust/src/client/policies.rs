//! Policies: which are in force, and putting others in their place.

use serde_json::json;

use super::AgentTrustClient;
use crate::error::Result;
use crate::model::{PoliciesInForce, PolicyFile};

/// See [`AgentTrustClient::policies`].
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Policies<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Returns the policies in force. Needs the key of an auditor, operator or admin.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let said = r#"{"source": "built_in", "sha256": "00", "policies": [
    /// #     {"id": "hold", "effect": "forbid", "elevate": {"quorum": 2}}]}"#;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     move |_: http::Request<bytes::Bytes>| async move {
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let now = client.policies().get().await?;
    /// for policy in &now.policies {
    ///     let quorum = policy.elevate.as_ref().map(|elevate| elevate.quorum);
    ///     println!("{} ({}) at {}, approvers: {quorum:?}", policy.id, policy.effect, policy.place);
    /// }
    /// assert!(now.error.is_none(), "a newer set cannot be used");
    /// # assert_eq!(now.policies[0].elevate.as_ref().unwrap().quorum, 2);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not read them,
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that shows none.
    pub async fn get(&self) -> Result<PoliciesInForce> {
        self.client.get("/api/v1/policies").send().await?.object("policies")
    }

    /// Puts these policies in force instead of those that are, and returns what is in force then: all of them
    /// or nothing. Needs an admin's key of the Guardian's own organisation.
    ///
    /// ```
    /// use agenttrust::model::PolicyFile;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"source": "api", "policies": [{"id": "reads", "effect": "permit"}]}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let text = r#"@id("reads") permit (principal, action == Action::"read", resource);"#;
    /// let now = client.policies().put(&[PolicyFile::new("reads.cedar", text)]).await?;
    /// assert!(now.policies.iter().any(|policy| policy.id == "reads"));
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for policies that are not valid, with the place where
    /// they are not; [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this;
    /// [`Api`](crate::AgentTrustError::Api) with status 409 where a folder, or the program that holds the
    /// Guardian, gives the policies, and with 413 where they are too long. After each of them the old ones are
    /// in force.
    pub async fn put(&self, files: &[PolicyFile]) -> Result<PoliciesInForce> {
        let call = self.client.put("/api/v1/policies").json(&json!({ "files": files }));
        // Putting the same set twice changes nothing the second time.
        call.repeatable().send().await?.object("policies")
    }

    /// Has the Guardian read its policy folder now, and returns what is in force then. It looks at the folder
    /// all the time; this says whether what is there can be used. Needs the same key as [`put`](Self::put).
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this;
    /// [`Api`](crate::AgentTrustError::Api) with status 409 where there is no folder, and where what it holds
    /// cannot be used, with the place: then the old policies stay in force.
    pub async fn reload(&self) -> Result<PoliciesInForce> {
        let call = self.client.post("/api/v1/policies/reload");
        call.repeatable().send().await?.object("policies")
    }
}
