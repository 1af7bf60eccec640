//! The client's resources without `.await` for those who look after a Guardian.

use std::time::Duration;

use super::export::AuditExport;
use super::resources::resources;
use super::wait;
use crate::client::{
    AgentTrustClient, AuditFilter, CheckpointFilter, DeliveryFilter, RevokeKeyOptions,
};
use crate::error::Result;
use crate::model::{
    ApiKey, AuditCheckpoints, AuditLog, AuditPage, AuditVerification, CreateKeyRequest,
    CreateWebhookRequest, Effect, KeyRevocation, PoliciesInForce, PolicyFile, ToolDeclaration,
    ToolManifest, Webhook, WebhookDeliveries,
};

resources! {
    /// Declaring what a program can do, and what a tool counts as; the async one is [`crate::client::Tools`].
    Tools by tools {
        /// Declares the tools of a program and returns what is in force for them.
        ///
        /// # Errors
        ///
        /// As for the async [`declare`](crate::client::Tools::declare).
        fn declare(&self, manifest: &ToolManifest) -> Vec<ToolDeclaration>;

        /// Returns every tool that is declared in the key's organisation, ordered by name.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Tools::list).
        fn list(&self) -> Vec<ToolDeclaration>;

        /// Forgets what was declared of a tool, also by agents.
        ///
        /// # Errors
        ///
        /// As for the async [`remove`](crate::client::Tools::remove).
        fn remove(&self, tool: &str) -> ();

        /// Sets the effect of a tool: final, whatever anybody declares or hints.
        ///
        /// # Errors
        ///
        /// As for the async [`set_effect`](crate::client::Tools::set_effect).
        fn set_effect(&self, tool: &str; effect: Effect) -> ();

        /// Unsets the effect of a tool.
        ///
        /// # Errors
        ///
        /// As for the async [`unset_effect`](crate::client::Tools::unset_effect).
        fn unset_effect(&self, tool: &str) -> ();
    }

    /// Making, listing, rotating and revoking API keys; the async one is [`crate::client::Keys`].
    Keys by keys {
        /// Makes a key and returns it, with the secret that is shown this once.
        ///
        /// # Errors
        ///
        /// As for the async [`create`](crate::client::Keys::create).
        fn create(&self, request: &CreateKeyRequest) -> ApiKey;

        /// Returns the keys of the organisation, revoked ones too, without what is secret.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Keys::list).
        fn list(&self) -> Vec<ApiKey>;

        /// Gives a key another secret; the one that it has now still works for `overlap`.
        ///
        /// # Errors
        ///
        /// As for the async [`rotate`](crate::client::Keys::rotate).
        fn rotate(&self, key_id: &str; overlap: Duration) -> ApiKey;

        /// Revokes a key.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke`](crate::client::Keys::revoke).
        fn revoke(&self, key_id: &str) -> ();

        /// Revokes a key, says why, and returns what went with it.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke_with`](crate::client::Keys::revoke_with).
        fn revoke_with(&self, key_id: &str, options: &RevokeKeyOptions) -> KeyRevocation;
    }

    /// Reading the policies in force, and putting others in their place; the async one is
    /// [`crate::client::Policies`].
    Policies by policies {
        /// Returns the policies in force.
        ///
        /// # Errors
        ///
        /// As for the async [`get`](crate::client::Policies::get).
        fn get(&self) -> PoliciesInForce;

        /// Puts these policies in force instead of those that are, and returns what is in force then.
        ///
        /// # Errors
        ///
        /// As for the async [`put`](crate::client::Policies::put).
        fn put(&self, files: &[PolicyFile]) -> PoliciesInForce;

        /// Has the Guardian read its policy folder now, and returns what is in force then.
        ///
        /// # Errors
        ///
        /// As for the async [`reload`](crate::client::Policies::reload).
        fn reload(&self) -> PoliciesInForce;
    }

    /// Reading, verifying and exporting the audit; the async one is [`crate::client::Audit`].
    Audit by audit {
        /// Returns a page of an audit log, the oldest entries first.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Audit::list).
        fn list(&self, filter: &AuditFilter) -> AuditPage;

        /// Returns the audit logs.
        ///
        /// # Errors
        ///
        /// As for the async [`logs`](crate::client::Audit::logs).
        fn logs(&self) -> Vec<AuditLog>;

        /// Returns a page of the checkpoints of an audit log, the newest first.
        ///
        /// # Errors
        ///
        /// As for the async [`checkpoints`](crate::client::Audit::checkpoints).
        fn checkpoints(&self, filter: &CheckpointFilter) -> AuditCheckpoints;

        /// Has the Guardian verify every audit log, and returns what it found.
        ///
        /// # Errors
        ///
        /// As for the async [`verify`](crate::client::Audit::verify).
        fn verify(&self) -> AuditVerification;
    }

    /// Registering, listing and deleting webhooks; the async one is [`crate::client::Webhooks`].
    Webhooks by webhooks {
        /// Registers a webhook and returns it, with the secret that is shown this once.
        ///
        /// # Errors
        ///
        /// As for the async [`create`](crate::client::Webhooks::create).
        fn create(&self, request: &CreateWebhookRequest) -> Webhook;

        /// Returns the webhooks of the organisation, without their secrets.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Webhooks::list).
        fn list(&self) -> Vec<Webhook>;

        /// Deletes a webhook.
        ///
        /// # Errors
        ///
        /// As for the async [`delete`](crate::client::Webhooks::delete).
        fn delete(&self, webhook_id: &str) -> ();

        /// Returns a page of what a webhook was told, and whether it arrived.
        ///
        /// # Errors
        ///
        /// As for the async [`deliveries`](crate::client::Webhooks::deliveries).
        fn deliveries(&self, webhook_id: &str, filter: &DeliveryFilter) -> WebhookDeliveries;
    }
}

impl Audit<'_> {
    /// Begins an export of every audit log, to be read entry by entry; see [`AuditExport`].
    ///
    /// # Errors
    ///
    /// As for the async [`export`](crate::client::Audit::export).
    pub fn export(&self) -> Result<AuditExport> {
        let client = self.client.clone();
        wait(async move { client.audit().export().await }).map(AuditExport::new)
    }

    /// Does the same as [`export`](Self::export), of this log alone.
    ///
    /// # Errors
    ///
    /// As for the async [`export_log`](crate::client::Audit::export_log).
    pub fn export_log(&self, log: &str) -> Result<AuditExport> {
        let (client, log) = (self.client.clone(), log.to_owned());
        wait(async move { client.audit().export_log(&log).await }).map(AuditExport::new)
    }
}
