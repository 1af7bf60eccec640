//! SIEM streaming: where the audit's events are sent (SDK guide, section 11).

use serde::Serialize;
use serde_json::json;

use super::path::{segment, with_query};
use super::polls::{Polls, StreamFilter};
use super::{AgentTrustClient, DeliveryFilter, Page};
use crate::background;
use crate::error::Result;
use crate::model::{
    CreateSiemDestinationRequest, SiemDelivery, SiemDestination, SiemFormat, SiemSetAsideList,
    SiemTest, Timestamp, UpdateSiemDestinationRequest,
};

const DESTINATIONS: &str = "/api/v1/siem/destinations";

/// See [`AgentTrustClient::streaming`].
#[derive(Clone, Copy, Debug)]
pub struct Streaming<'a> {
    client: &'a AgentTrustClient,
}

/// Settings of a destination that our Guardian knows beyond the guide.
///
/// ```
/// use agenttrust::client::SiemDestinationOptions;
/// use agenttrust::model::SiemFormat;
///
/// let options = SiemDestinationOptions::default().format(SiemFormat::Raw);
/// assert_eq!(options.format, Some(SiemFormat::Raw));
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SiemDestinationOptions {
    /// The form in which events are sent; OCSF by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<SiemFormat>,
}

impl SiemDestinationOptions {
    /// Sends events in this form.
    #[must_use]
    pub fn format(mut self, format: SiemFormat) -> Self {
        self.format = Some(format);
        self
    }
}

#[derive(Serialize)]
struct Said<'a, R> {
    #[serde(flatten)]
    request: &'a R,
    #[serde(flatten)]
    options: &'a SiemDestinationOptions,
}

impl<'a> Streaming<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Makes a destination, which is sent what the audit says from then on, and returns it. Needs an admin's key.
    ///
    /// ```
    /// use agenttrust::CreateSiemDestinationRequest;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"id": "siem_1", "name": "Splunk HEC", "destination_type": "splunk"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let destination = client
    ///     .streaming()
    ///     .create(&CreateSiemDestinationRequest {
    ///         name: "Splunk HEC".to_string(),
    ///         destination_type: "splunk".to_string(),
    ///         endpoint_url: "https://splunk.example.com/services/collector".to_string(),
    ///         auth_token: Some("secret".to_string()),
    ///         batch_size: None,
    ///         flush_interval_seconds: None,
    ///         filter_event_types: None,
    ///     })
    ///     .await?;
    /// println!("Destination ID: {}", destination.id);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a type or a kind of events that is not known, a URL that
    /// may not be called, and numbers out of bounds; [`Authorization`](crate::AgentTrustError::Authorization) for a key
    /// that is no admin's; [`Api`](crate::AgentTrustError::Api) with status 429 where the organisation has as many as
    /// it may have.
    pub async fn create(&self, request: &CreateSiemDestinationRequest) -> Result<SiemDestination> {
        self.create_with(request, &SiemDestinationOptions::default()).await
    }

    /// Does the same as [`create`](Self::create), and says in which form events are sent: an extension of ours.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub async fn create_with(
        &self,
        request: &CreateSiemDestinationRequest,
        options: &SiemDestinationOptions,
    ) -> Result<SiemDestination> {
        let call = self.client.post(DESTINATIONS).json(&Said { request, options });
        call.send().await?.object("destination")
    }

    /// Returns the destinations of the organisation.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not read them.
    pub async fn list(&self) -> Result<Vec<SiemDestination>> {
        self.client.get(DESTINATIONS).send().await?.list("destinations")
    }

    /// Returns the destination with this id, with its delay and its last error.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such destination.
    pub async fn get(&self, destination_id: &str) -> Result<SiemDestination> {
        self.client.get(path(destination_id)?).send().await?.object("destination")
    }

    /// Changes a destination and returns it as it is now. Absent members of `request` stay as they are. Needs an
    /// admin's key.
    ///
    /// With [`is_active`](UpdateSiemDestinationRequest::is_active) it is paused and resumed: what happens in between is
    /// sent once it is active again.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such destination, and
    /// [`Validation`](crate::AgentTrustError::Validation) as for [`create`](Self::create), and for a URL of another
    /// host without the token.
    pub async fn update(
        &self,
        destination_id: &str,
        request: &UpdateSiemDestinationRequest,
    ) -> Result<SiemDestination> {
        self.update_with(destination_id, request, &SiemDestinationOptions::default()).await
    }

    /// Does the same as [`update`](Self::update), and says in which form events are sent: an extension of ours.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub async fn update_with(
        &self,
        destination_id: &str,
        request: &UpdateSiemDestinationRequest,
        options: &SiemDestinationOptions,
    ) -> Result<SiemDestination> {
        let call = self.client.put(path(destination_id)?).json(&Said { request, options });
        call.send().await?.object("destination")
    }

    /// Deletes a destination. What it was not sent yet, it is not sent any more. Needs an admin's key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such destination.
    pub async fn delete(&self, destination_id: &str) -> Result<()> {
        self.client.delete(path(destination_id)?).send().await.map(drop)
    }

    /// Returns what became of the latest sendings to a destination, as the gateway lists them: at ours the newest 200,
    /// the newest first.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such destination.
    pub async fn delivery_log(&self, destination_id: &str) -> Result<Vec<SiemDelivery>> {
        self.client.get(format!("{}/logs", path(destination_id)?)).send().await?.list("logs")
    }

    /// Returns a page of what became of sendings to a destination, the newest first: an extension of ours. Our Guardian
    /// keeps the newest 1,000 of a destination.
    ///
    /// # Errors
    ///
    /// As for [`delivery_log`](Self::delivery_log).
    pub async fn delivery_log_with(
        &self,
        destination_id: &str,
        filter: &DeliveryFilter,
    ) -> Result<Page<SiemDelivery>> {
        let path = format!("{}/logs", path(destination_id)?);
        self.client.get(paged(&path, filter)).send().await?.page_of_items("logs")
    }

    /// Sends a destination one event for trial, now, and returns what came of it. Needs an admin's key.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"success": false, "status_code": 403, "error_message": "Invalid token"}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let test = client.streaming().test("siem_1").await?;
    /// if !test.success {
    ///     println!("it did not arrive: {}", test.error_message.unwrap_or_default());
    /// }
    /// # assert_eq!(test.status_code, Some(403));
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such destination. A receiver that does not take
    /// the event is an answer, with [`success`](SiemTest::success) `false`.
    pub async fn test(&self, destination_id: &str) -> Result<SiemTest> {
        self.client.post(format!("{}/test", path(destination_id)?)).send().await?.json()
    }

    /// Sends a destination once more what happened since a point in time, and returns it: an extension of ours. Events
    /// keep their ids, by which a receiver knows those that it has. Needs an admin's key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such destination, and
    /// [`Validation`](crate::AgentTrustError::Validation) for a time to come.
    pub async fn replay(&self, destination_id: &str, since: Timestamp) -> Result<SiemDestination> {
        let call = self.client.post(format!("{}/replay", path(destination_id)?));
        call.json(&json!({ "since": since })).send().await?.object("destination")
    }

    /// Returns a page of the events that a destination refused for good and that were set aside, so that others could
    /// follow, the newest first: an extension of ours.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such destination.
    pub async fn set_aside(
        &self,
        destination_id: &str,
        filter: &DeliveryFilter,
    ) -> Result<SiemSetAsideList> {
        let path = format!("{}/set-aside", path(destination_id)?);
        self.client.get(paged(&path, filter)).send().await?.page("set_aside")
    }

    /// Tells `handler` of each sending to a destination that the delivery log lists, once, in the order of the list:
    /// now, and after each pause of what has come since. It ends when the handler answers `false`, and after
    /// [`max_polls`](StreamFilter::max_polls) looks.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use agenttrust::StreamFilter;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"logs": [{"id": "dlv_1", "batch_size": 3, "status": "success"}]}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let filter = StreamFilter {
    ///     destination_id: "siem_1".to_string(),
    ///     poll_interval: Some(Duration::from_millis(1)),
    ///     max_polls: Some(2),
    /// };
    /// let mut sent = 0;
    /// client
    ///     .streaming()
    ///     .subscribe(&filter, |delivery| {
    ///         sent += delivery.batch_size;
    ///         true
    ///     })
    ///     .await?;
    /// assert_eq!(sent, 3);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`delivery_log`](Self::delivery_log); the first one ends it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends it between two calls of the handler. What that was told stays told.
    pub async fn subscribe(
        &self,
        filter: &StreamFilter,
        mut handler: impl FnMut(&SiemDelivery) -> bool,
    ) -> Result<()> {
        let mut polls = Polls::new(filter);
        loop {
            let listed = self.delivery_log(&filter.destination_id).await?;
            match polls.tell(listed, &mut handler) {
                Some(pause) => background::sleep(pause).await,
                None => return Ok(()),
            }
        }
    }
}

fn paged(path: &str, filter: &DeliveryFilter) -> String {
    let limit = filter.limit.map(|limit| limit.to_string());
    with_query(path, [("before", filter.before.clone()), ("limit", limit)])
}

fn path(destination_id: &str) -> Result<String> {
    Ok(format!("{DESTINATIONS}/{}", segment("destination id", destination_id)?))
}
