//! Whether a call may be made: asked as everything else is asked, with the input bound that is handed on.

use std::sync::Arc;

use agenttrust::guard::digest::{Commitment, commit, key_id};
use agenttrust::{AgentTrustError, DenialResponse, Effect};
use agenttrust_tower::internal::mcp::{JsonRpc, Kind};
use http::HeaderMap;
use serde_json::Value;
use tracing::Instrument as _;

use super::Proxy;
use super::refusal::Refusal;
use super::subject::Subject;
use super::tools::check_of;
use crate::domain::limits::Share;
use crate::domain::{DecisionKind, Error, Permission, Trace};
use crate::manifest::PinnedTool;
use crate::pipeline::{self, Check, span};
use crate::registry::McpServerEntry;
use crate::services::approvals;

/// A call that is to be checked.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The action that the Guardian is asked about.
    pub(super) action: String,
    hint: Option<Effect>,
    trace: Option<Trace>,
    input: Value,
    commitment: Commitment,
}

/// The outcome of a check.
#[derive(Debug)]
pub(super) enum Checked {
    /// A call that may be made, with the id of the check.
    Allowed(Option<String>),
    /// A call that waits for this approval, and the answer that says so.
    Held(String, DenialResponse),
    /// A call that may not be made.
    Denied(DenialResponse),
}

impl Call {
    /// Returns the call in a message, with what is bound of it: its input, to this server and to the tool as it is
    /// `pinned`. An approval of it serves no other server of the same name, and no tool that is described otherwise.
    ///
    /// # Errors
    ///
    /// Refuses an input that could not be bound.
    pub(super) fn of(
        proxy: &Proxy,
        (server, pinned): (&McpServerEntry, Option<&PinnedTool>),
        (message, headers): (&JsonRpc, &HeaderMap),
        (kind, action): (Kind, String),
    ) -> Result<Self, Refusal> {
        let input = kind.input(message.params().cloned().map(Value::Object));
        let digest = pinned.map_or("", |pinned| pinned.digest.as_str());
        let key = proxy.engine.mcp_keys.binding_of(&server.row.id, digest);
        let commitment = commit(&key, &input)
            .map_err(|error| Refusal::invalid(error.to_string()).id(message.id()))?;
        let hint = pinned.and_then(|pinned| pinned.effect_hint).max(kind.effect());
        let trace = super::trace::find(message, headers);
        Ok(Self { action, hint, trace, input, commitment })
    }

    fn check(&self, proxy: &Proxy, subject: &Subject, place: Option<Arc<Share>>) -> Check {
        let chars = self.input.to_string().chars().count();
        Check {
            digest: Some(self.commitment.digest.clone()),
            key_id: Some(key_id(&proxy.engine.mcp_keys.binding)),
            summary: Some(format!("[{chars} chars]")),
            trace: self.trace.clone(),
            _place: place,
            ..check_of(subject, self.action.clone(), self.hint)
        }
    }

    /// Asks whether the call may be made, and shows the approver what it is where it is held.
    ///
    /// # Errors
    ///
    /// Those of a check: forbidden and not found.
    pub(super) async fn ask(
        &self,
        proxy: &Proxy,
        subject: &Subject,
        place: Option<Arc<Share>>,
    ) -> Result<Checked, Error> {
        let engine = &proxy.engine;
        let check = Arc::new(self.check(proxy, subject, place));
        let span = span::begin(engine, &check);
        let answer = pipeline::answer(engine, check).instrument(span.clone()).await?;
        span::end(&span, &answer);
        let result = &answer.result;
        let said = result.reason.clone().unwrap_or_default();
        Ok(match answer.decision {
            DecisionKind::Allow => Checked::Allowed(result.check_id.clone()),
            DecisionKind::Deny => {
                let check_id = result.check_id.clone();
                let error = AgentTrustError::ActionDenied { message: said, check_id };
                Checked::Denied(DenialResponse::from_error(error))
            }
            DecisionKind::Undecided => Checked::Denied(DenialResponse::busy(said)),
            DecisionKind::Hold => {
                let approval_id = result.approval_id.clone().unwrap_or_default();
                let unseen = self.disclose(proxy, subject, &approval_id).await;
                let message = format!("{said}; approval {approval_id}{unseen}");
                let error = AgentTrustError::ElevationRequired {
                    message,
                    approval_id: approval_id.clone(),
                };
                Checked::Held(approval_id, DenialResponse::from_error(error))
            }
        })
    }

    /// Shows the approver the input where that stays here; returns what is told where it is not seen.
    async fn disclose(&self, proxy: &Proxy, subject: &Subject, approval_id: &str) -> String {
        let engine = &proxy.engine;
        if !engine.settings.is_private {
            return "; its approver sees no input, because others can read what is in the Guardian's database"
                .to_owned();
        }
        let shown = (self.input.clone(), self.commitment.opening.clone());
        let reach = subject.reach(Permission::DiscloseInput);
        match approvals::disclose(engine, reach, approval_id, shown, || {}).await {
            Ok(()) => String::new(),
            Err(error) => {
                format!("; its approver could not be shown the input: {}", error.message())
            }
        }
    }
}
