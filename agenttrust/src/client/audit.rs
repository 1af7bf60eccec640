//! The audit: reading, verifying and exporting it.

use super::AgentTrustClient;
use super::export::AuditExport;
use super::path::with_query;
use crate::error::Result;
use crate::model::{AuditCheckpoints, AuditLog, AuditPage, AuditVerification};

/// See [`AgentTrustClient::audit`].
#[derive(Clone, Copy, Debug)]
pub struct Audit<'a> {
    client: &'a AgentTrustClient,
}

/// A filter for a list of entries of the audit.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuditFilter {
    /// The log of the entries, instead of the one that the answering Guardian writes.
    pub log: Option<String>,
    /// The number of the entry after which the list begins.
    pub after: Option<u64>,
    /// The largest number of entries, up to 1,000.
    pub limit: Option<u32>,
    /// The agent that the entries are about.
    pub agent_id: Option<String>,
}

impl AuditFilter {
    /// Reads those of this log, instead of the one that the Guardian which answers writes.
    #[must_use]
    pub fn log(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Lists only those after the entry of this number, as a page says in [`next_after`](AuditPage::next_after).
    #[must_use]
    pub fn after(mut self, number: u64) -> Self {
        self.after = Some(number);
        self
    }

    /// Asks for so many at most, up to 1,000; the gateway says how many otherwise.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Lists only those about this agent.
    #[must_use]
    pub fn agent_id(mut self, agent_id: impl Into<String>) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }
}

/// A filter for a list of checkpoints of the audit.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckpointFilter {
    /// The log of the checkpoints, instead of the one that the answering Guardian writes.
    pub log: Option<String>,
    /// The number of the row before which the list begins.
    pub before: Option<u64>,
    /// The largest number of checkpoints, up to 1,000.
    pub limit: Option<u32>,
}

impl CheckpointFilter {
    /// Reads those of this log, instead of the one that the Guardian which answers writes.
    #[must_use]
    pub fn log(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Lists only those of rows before the row of this number, as a page says in
    /// [`next_before`](AuditCheckpoints::next_before).
    #[must_use]
    pub fn before(mut self, number: u64) -> Self {
        self.before = Some(number);
        self
    }

    /// Asks for so many at most, up to 1,000; the gateway says how many otherwise.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl<'a> Audit<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Returns a page of an audit log, the oldest entries first; of the key's organisation, like everything here.
    ///
    /// ```
    /// use agenttrust::client::AuditFilter;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         let said = match request.uri().query() {
    /// #             Some("agent_id=agt%5F1") => r#"{"entries": [{"seq": 1, "kind": "decision"}], "next_after": 1}"#,
    /// #             Some("after=1&agent_id=agt%5F1") => r#"{"entries": [], "next_after": null}"#,
    /// #             other => panic!("{other:?}"),
    /// #         };
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let mut seen = 0;
    /// let mut filter = AuditFilter::default().agent_id("agt_1");
    /// loop {
    ///     let page = client.audit().list(&filter).await?;
    ///     for entry in &page.entries {
    ///         println!("{} {} {}", entry.at, entry.kind, entry.body);
    /// #       seen += 1;
    ///     }
    ///     // A page without entries may have others after it.
    ///     let Some(next) = page.next_after else { break };
    ///     filter = filter.after(next);
    /// }
    /// # assert_eq!(seen, 1);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that is no auditor's, operator's or
    /// admin's, [`Validation`](crate::AgentTrustError::Validation) for a limit that is out of bounds,
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that shows no audit.
    pub async fn list(&self, filter: &AuditFilter) -> Result<AuditPage> {
        let given = [
            ("log", filter.log.clone()),
            ("after", filter.after.map(|number| number.to_string())),
            ("limit", filter.limit.map(|limit| limit.to_string())),
            ("agent_id", filter.agent_id.clone()),
        ];
        self.client.get(with_query("/api/v1/audit", given)).send().await?.page("entries")
    }

    /// Returns the audit logs: on SQLite there is one, on PostgreSQL one for each replica.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn logs(&self) -> Result<Vec<AuditLog>> {
        self.client.get("/api/v1/audit/logs").send().await?.list("logs")
    }

    /// Returns a page of the checkpoints of an audit log, the newest first. Kept elsewhere, one of them shows later
    /// whether rows were removed from the end, or all was rewritten.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn checkpoints(&self, filter: &CheckpointFilter) -> Result<AuditCheckpoints> {
        let given = [
            ("log", filter.log.clone()),
            ("before", filter.before.map(|number| number.to_string())),
            ("limit", filter.limit.map(|limit| limit.to_string())),
        ];
        let path = with_query("/api/v1/audit/checkpoints", given);
        self.client.get(path).send().await?.page("checkpoints")
    }

    /// Has the Guardian verify every audit log, from its first row to its last, and returns what it found.
    ///
    /// That is one request like any other: where the logs are long, give the client a
    /// [`timeout`](super::AgentTrustClientBuilder::timeout) that is long enough.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = r#"{"ok": true, "rows": 7}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let found = client.audit().verify().await?;
    /// assert!(found.ok, "{:?}", found.fault);
    /// println!("{} rows are whole", found.rows);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list), and [`Api`](crate::AgentTrustError::Api) with status 429 while the audit is
    /// being verified, which one caller at a time may do. A log that is not whole is no error, but
    /// an answer whose [`ok`](AuditVerification::ok) is `false`.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the Guardian goes on to the end.
    pub async fn verify(&self) -> Result<AuditVerification> {
        self.client.get("/api/v1/audit/verify").send().await?.json()
    }

    /// Begins an export of every audit log, to be read entry by entry; see [`AuditExport`].
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |_: http::Request<bytes::Bytes>| async {
    /// #         let said = "{\"seq\": 1}\n{\"seq\": 2}\n";
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let mut seen = 0;
    /// let mut export = client.audit().export().await?;
    /// while let Some(entry) = export.next().await {
    ///     let entry = entry?;
    ///     println!("{} {} {}", entry.log, entry.seq, entry.kind);
    /// #   seen += 1;
    /// }
    /// # assert_eq!(seen, 2);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list), and [`Api`](crate::AgentTrustError::Api) with status 429 while another export
    /// with this key is on its way.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, no export stays open.
    pub async fn export(&self) -> Result<AuditExport> {
        AuditExport::open(self.client, None).await
    }

    /// Does the same as [`export`](Self::export), of this log alone.
    ///
    /// # Errors
    ///
    /// As for [`export`](Self::export), and [`NotFound`](crate::AgentTrustError::NotFound) when there is no such
    /// log.
    ///
    /// # Cancel safety
    ///
    /// As for [`export`](Self::export).
    pub async fn export_log(&self, log: &str) -> Result<AuditExport> {
        AuditExport::open(self.client, Some(log)).await
    }
}
