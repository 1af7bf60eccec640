//! SIEM streaming without `.await`.

use super::resources::resources;
use super::wait;
use crate::client::{
    AgentTrustClient, DeliveryFilter, Page, Polls, SiemDestinationOptions, StreamFilter,
};
use crate::error::Result;
use crate::model::{
    CreateSiemDestinationRequest, SiemDelivery, SiemDestination, SiemSetAsideList, SiemTest,
    Timestamp, UpdateSiemDestinationRequest,
};

resources! {
    /// The destinations of the audit's events, and the deliveries to them; the async one is
    /// [`crate::client::Streaming`].
    Streaming by streaming {
        /// Makes a destination, which is sent what the audit says from then on, and returns it.
        ///
        /// # Errors
        ///
        /// As for the async [`create`](crate::client::Streaming::create).
        fn create(&self, request: &CreateSiemDestinationRequest) -> SiemDestination;

        /// Does the same as [`create`](Self::create), and says in which form events are sent.
        ///
        /// # Errors
        ///
        /// As for the async [`create_with`](crate::client::Streaming::create_with).
        fn create_with(&self, request: &CreateSiemDestinationRequest, options: &SiemDestinationOptions) -> SiemDestination;

        /// Returns the destinations of the organisation.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Streaming::list).
        fn list(&self) -> Vec<SiemDestination>;

        /// Returns the destination with this id.
        ///
        /// # Errors
        ///
        /// As for the async [`get`](crate::client::Streaming::get).
        fn get(&self, destination_id: &str) -> SiemDestination;

        /// Changes a destination and returns it as it is now.
        ///
        /// # Errors
        ///
        /// As for the async [`update`](crate::client::Streaming::update).
        fn update(&self, destination_id: &str, request: &UpdateSiemDestinationRequest) -> SiemDestination;

        /// Does the same as [`update`](Self::update), and says in which form events are sent.
        ///
        /// # Errors
        ///
        /// As for the async [`update_with`](crate::client::Streaming::update_with).
        fn update_with(&self, destination_id: &str, request: &UpdateSiemDestinationRequest, options: &SiemDestinationOptions) -> SiemDestination;

        /// Deletes a destination.
        ///
        /// # Errors
        ///
        /// As for the async [`delete`](crate::client::Streaming::delete).
        fn delete(&self, destination_id: &str) -> ();

        /// Returns what became of the latest sendings to a destination.
        ///
        /// # Errors
        ///
        /// As for the async [`delivery_log`](crate::client::Streaming::delivery_log).
        fn delivery_log(&self, destination_id: &str) -> Vec<SiemDelivery>;

        /// Returns a page of what became of sendings to a destination.
        ///
        /// # Errors
        ///
        /// As for the async [`delivery_log_with`](crate::client::Streaming::delivery_log_with).
        fn delivery_log_with(&self, destination_id: &str, filter: &DeliveryFilter) -> Page<SiemDelivery>;

        /// Sends a destination one event for trial, and returns what came of it.
        ///
        /// # Errors
        ///
        /// As for the async [`test`](crate::client::Streaming::test).
        fn test(&self, destination_id: &str) -> SiemTest;

        /// Sends a destination once more what happened since a point in time, and returns it.
        ///
        /// # Errors
        ///
        /// As for the async [`replay`](crate::client::Streaming::replay).
        fn replay(&self, destination_id: &str; since: Timestamp) -> SiemDestination;

        /// Returns a page of the events that a destination refused for good and that were set aside.
        ///
        /// # Errors
        ///
        /// As for the async [`set_aside`](crate::client::Streaming::set_aside).
        fn set_aside(&self, destination_id: &str, filter: &DeliveryFilter) -> SiemSetAsideList;
    }
}

impl Streaming<'_> {
    /// Tells `handler` on this thread of each sending to a destination, once, until it answers `false`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use agenttrust::StreamFilter;
    ///
    /// # use agenttrust::blocking::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"logs": [{"id": "dlv_1", "batch_size": 3, "status": "success"}]}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # let mut told = 0;
    /// let filter = StreamFilter {
    ///     destination_id: "siem_1".to_string(),
    ///     poll_interval: Some(Duration::from_secs(2)),
    ///     max_polls: Some(1),
    /// };
    /// client.streaming().subscribe(&filter, |delivery| {
    ///     println!("{}: {} events", delivery.status, delivery.batch_size);
    /// #   told += 1;
    ///     true
    /// })?;
    /// # assert_eq!(told, 1);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for the async [`subscribe`](crate::client::Streaming::subscribe).
    pub fn subscribe(
        &self,
        filter: &StreamFilter,
        mut handler: impl FnMut(&SiemDelivery) -> bool,
    ) -> Result<()> {
        let mut polls = Polls::new(filter);
        loop {
            let listed = self.delivery_log(&filter.destination_id)?;
            match polls.tell(listed, &mut handler) {
                Some(pause) => std::thread::sleep(pause),
                None => return Ok(()),
            }
        }
    }
}
