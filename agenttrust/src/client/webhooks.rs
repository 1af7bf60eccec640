//! Webhooks: registering, listing, removing, and what became of their messages.

use super::AgentTrustClient;
use super::path::{segment, with_query};
use crate::error::Result;
use crate::model::{CreateWebhookRequest, Webhook, WebhookDeliveries};

/// See [`AgentTrustClient::webhooks`].
#[derive(Clone, Copy, Debug)]
pub struct Webhooks<'a> {
    client: &'a AgentTrustClient,
}

/// A filter for a list of deliveries, of a webhook or a SIEM destination, or of the rows that a destination refused.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeliveryFilter {
    /// The position of a page: the [`next`](WebhookDeliveries::next) of the page before.
    pub before: Option<String>,
    /// The largest number of items, up to 200.
    pub limit: Option<u32>,
}

impl DeliveryFilter {
    /// Goes on where a page said [`next`](WebhookDeliveries::next).
    #[must_use]
    pub fn before(mut self, next: impl Into<String>) -> Self {
        self.before = Some(next.into());
        self
    }

    /// Asks for so many at most, up to 200; the gateway says how many otherwise.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl<'a> Webhooks<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Registers a webhook and returns it, with the secret that is shown [this once](Webhook::secret). Needs an
    /// admin's key.
    ///
    /// ```
    /// use agenttrust::model::{CreateWebhookRequest, WebhookEvent};
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"id": "whk_1", "secret": "whsec_1"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # fn keep(_: &str) {}
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let hook = client
    ///     .webhooks()
    ///     .create(&CreateWebhookRequest::new(
    ///         "https://example.com/hooks",
    ///         [WebhookEvent::ApprovalPending],
    ///     ))
    ///     .await?;
    /// let secret = hook.secret.expect("shown this once");
    /// keep(secret.as_str());
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a URL that may not be called and for events that
    /// are not known, [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this,
    /// [`Api`](crate::AgentTrustError::Api) with status 429 where the organisation has as many as it may have,
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that has no webhooks.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the webhook may have been registered, and its secret is not shown again: look for it with
    /// [`list`](Self::list) and delete it.
    pub async fn create(&self, request: &CreateWebhookRequest) -> Result<Webhook> {
        self.client.post("/api/v1/webhooks").json(request).send().await?.object("webhook")
    }

    /// Returns the webhooks of the organisation, the oldest first, without their secrets. Needs the key of an auditor,
    /// operator or admin; only an admin's shows whole URLs.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not read them.
    pub async fn list(&self) -> Result<Vec<Webhook>> {
        self.client.get("/api/v1/webhooks").send().await?.list("webhooks")
    }

    /// Deletes a webhook. What it was not told yet, it is not told any more. Needs an admin's key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when no webhook has this id.
    pub async fn delete(&self, webhook_id: &str) -> Result<()> {
        let path = format!("/api/v1/webhooks/{}", segment("webhook id", webhook_id)?);
        self.client.delete(path).send().await?;
        Ok(())
    }

    /// Returns a page of what a webhook was told in the last 30 days, the newest first, and whether it arrived. Needs
    /// the key of an auditor, operator or admin.
    ///
    /// ```
    /// use agenttrust::client::DeliveryFilter;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         let said = match request.uri().query() {
    /// #             None => r#"{"deliveries": [{"id": "msg_2", "status": "waiting"}], "next": "msg_2"}"#,
    /// #             Some(_) => r#"{"deliveries": [{"id": "msg_1", "status": "delivered"}]}"#,
    /// #         };
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let mut seen = 0;
    /// let mut filter = DeliveryFilter::default();
    /// loop {
    ///     let page = client.webhooks().deliveries("whk_1", &filter).await?;
    ///     for delivery in &page.deliveries {
    ///         println!("{} {} after {} attempts", delivery.id, delivery.status, delivery.attempts);
    /// #       seen += 1;
    ///     }
    ///     let Some(next) = page.next else { break };
    ///     filter = filter.before(next);
    /// }
    /// # assert_eq!(seen, 2);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when no webhook has this id,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not read it.
    pub async fn deliveries(
        &self,
        webhook_id: &str,
        filter: &DeliveryFilter,
    ) -> Result<WebhookDeliveries> {
        let path = format!("/api/v1/webhooks/{}/deliveries", segment("webhook id", webhook_id)?);
        let given = [
            ("before", filter.before.clone()),
            ("limit", filter.limit.map(|limit| limit.to_string())),
        ];
        self.client.get(with_query(&path, given)).send().await?.page("deliveries")
    }
}
