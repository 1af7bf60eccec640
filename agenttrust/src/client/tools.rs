//! Tools: telling the Guardian what a program can do, before it does it, and what a tool counts as.

use serde_json::json;

use super::AgentTrustClient;
use super::path::segment;
use crate::error::Result;
use crate::model::{Effect, ToolDeclaration, ToolManifest};

/// See [`AgentTrustClient::tools`].
#[derive(Clone, Copy, Debug)]
pub struct Tools<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Tools<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Declares the tools of a program, wholly or not at all, and returns what is in force for them. The
    /// running program's own are in [`manifest`](crate::manifest).
    ///
    /// From then on a check of a declared tool counts as what was declared at least, whatever its caller
    /// hints, and needs the declared scopes too. Tools that the manifest does not name stay as they
    /// are: several programs share an organisation.
    ///
    /// - With an operator's or admin's key, what is declared of a tool replaces what operators and admins
    ///   declared of it before, and may be less.
    /// - With an agent's key only names and effects are taken, of the tools that an active agent of the key may use;
    ///   the others are left out, also of the answer. An effect counts for that agent alone, where it raises what the
    ///   Guardian finds without it: `read` for a tool whose name says nothing stays a hint that each check gives for
    ///   itself. It is kept beside what operators declare and is worth a hint, so the
    ///   [`confidence`](crate::model::CheckResult::confidence) of a check that it decides is 0.9. Scopes, arguments and
    ///   places are not kept. An operator takes it back by removing the tool.
    /// - A gateway's key declares nothing.
    /// - An effect that an operator or admin set for the tool itself stays final, until they take it back.
    ///
    /// In the answer, [`effect`](ToolDeclaration::effect) is what a check counts as when its caller hints
    /// nothing; `None` where the Guardian knows nothing, and such a check counts as mutating. Compare it
    /// with what was declared to see where that did not win. To an agent's key the answer says nothing
    /// else of a tool.
    ///
    /// ```no_run
    /// use agenttrust::{Effect, ToolDeclaration, ToolManifest};
    ///
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// let manifest = ToolManifest::new([
    ///     ToolDeclaration::new("db_delete").effect(Effect::Destructive).scope("db:write"),
    ///     ToolDeclaration::new("weather").effect(Effect::Read),
    /// ]);
    /// for tool in client.tools().declare(&manifest).await? {
    ///     println!("{}: {:?}, {:?}", tool.name, tool.effect, tool.scopes);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a manifest that is too large or says two things of one
    /// tool, [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this or whose agents
    /// are all suspended or revoked, [`Api`](crate::AgentTrustError::Api) with status 409 when the organisation, or the
    /// agent of the key, would have more tools than it may, [`NotFound`](crate::AgentTrustError::NotFound) from a
    /// gateway that takes no manifests. [`ElevationRequired`](crate::AgentTrustError::ElevationRequired), with the
    /// approval that this waits for, where it lowers an effect that policies hold for several approvers: call it again
    /// once as many have approved it.
    pub async fn declare(&self, manifest: &ToolManifest) -> Result<Vec<ToolDeclaration>> {
        // Declaring the same twice changes nothing the second time.
        self.client.put("/api/v1/tools").json(manifest).repeatable().send().await?.list("tools")
    }

    /// Returns every tool that is declared in the key's organisation, ordered by name, with what is in force for
    /// it, and which agents [`raised`](ToolDeclaration::raised) its effect for themselves. Needs the key of an
    /// auditor, operator or admin.
    ///
    /// An agent's key sees names and effects alone, as they are for its agents, of the tools that these may use: of
    /// those that the organisation declared, and those that these agents raised themselves.
    ///
    /// ```no_run
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// for tool in client.tools().list().await? {
    ///     let places: Vec<String> = tool.places.iter().map(ToString::to_string).collect();
    ///     println!("{} at {}", tool.name, places.join(", "));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`declare`](Self::declare).
    pub async fn list(&self) -> Result<Vec<ToolDeclaration>> {
        self.client.get("/api/v1/tools").send().await?.list("tools")
    }

    /// Forgets what was declared of a tool, also by agents. An effect that was [set](Self::set_effect) stays.
    /// Needs the key of an operator or admin.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for a tool of which nothing is declared,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this.
    /// [`ElevationRequired`](crate::AgentTrustError::ElevationRequired), with the approval that this waits for, where
    /// it lowers an effect that policies hold for several approvers: call it again once as many have approved it.
    pub async fn remove(&self, tool: &str) -> Result<()> {
        let path = format!("/api/v1/tools/{}", segment("tool name", tool)?);
        self.client.delete(path).send().await?;
        Ok(())
    }

    /// Sets the effect of a tool: final, whatever anybody declares or hints. Needs the key of an operator or
    /// admin.
    ///
    /// ```
    /// use agenttrust::Effect;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!(request.uri().path(), "/api/v1/tools/http%2FPOST%2Fsearch/effect");
    /// #         Ok::<_, std::io::Error>(http::Response::new(String::new()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// // It only looks something up, for all that it is a POST.
    /// client.tools().set_effect("http/POST/search", Effect::Read).await?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this,
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that takes no effects.
    /// [`ElevationRequired`](crate::AgentTrustError::ElevationRequired), with the approval that this waits for, where
    /// it lowers an effect that policies hold for several approvers: call it again once as many have approved it.
    pub async fn set_effect(&self, tool: &str, effect: Effect) -> Result<()> {
        let path = format!("/api/v1/tools/{}/effect", segment("tool name", tool)?);
        // Setting the same effect twice changes nothing the second time.
        self.client.put(path).json(&json!({ "effect": effect })).repeatable().send().await?;
        Ok(())
    }

    /// Unsets the effect of a tool, which from then on counts as what is declared of it, hinted and named. Needs
    /// the key of an operator or admin.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for a tool whose effect is not set,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this.
    /// [`ElevationRequired`](crate::AgentTrustError::ElevationRequired), with the approval that this waits for, where
    /// it lowers an effect that policies hold for several approvers: call it again once as many have approved it.
    pub async fn unset_effect(&self, tool: &str) -> Result<()> {
        let path = format!("/api/v1/tools/{}/effect", segment("tool name", tool)?);
        self.client.delete(path).send().await?;
        Ok(())
    }
}
