//! Looking after a Guardian by the client alone: every resource for that, embedded and served, async and
//! blocking.

/// Tests that are written once and run in every form: `done!` around a call is `.await` in one and nothing in
/// the other.
macro_rules! in_every_form {
    ($(fn $name:ident($people:ident) $told:block)+) => {
        mod asynchronous {
            use super::*;
            use agenttrust::AgentTrustClient as Client;

            macro_rules! done {
                ($call:expr) => {
                    $call.await
                };
            }

            $(
                #[test]
                fn $name() -> anyhow::Result<()> {
                    async fn told($people: &People<Client>) -> anyhow::Result<()> {
                        $told
                        Ok(())
                    }
                    People::meet(|people| agenttrust_tests::bounded::one_thread().block_on(told(people)))
                }
            )+
        }

        #[allow(clippy::while_let_on_iterator, reason = "in the other form an export is no iterator")]
        mod blocking {
            use super::*;
            use agenttrust::blocking::AgentTrustClient as Client;

            macro_rules! done {
                ($call:expr) => {
                    $call
                };
            }

            $(
                #[test]
                fn $name() -> anyhow::Result<()> {
                    fn told($people: &People<Client>) -> anyhow::Result<()> {
                        $told
                        Ok(())
                    }
                    People::meet(told)
                }
            )+
        }
    };
}

mod agents;
mod audit;
mod policies;
mod tools;
mod webhooks;

use agenttrust::model::CheckResult;
use agenttrust::{ActionCheckRequest, AgentTrustClient, AgentTrustError};
use agenttrust_tests::bounded::{here, on_a_plain_thread};
use agenttrust_tests::test_guardian::{Deployment, Keys, TestGuardian};
use anyhow::{Context, Result};

use crate::AGENTTRUST;

/// The users of a Guardian, each with a client of one form.
struct People<C> {
    admin: C,
    operator: C,
    /// A client with the key of the agent.
    agent: C,
    agent_id: String,
}

impl<C: From<AgentTrustClient> + 'static> People<C> {
    /// Runs `told` with those of an embedded Guardian, and with those of a served one.
    fn meet(told: fn(&Self) -> Result<()>) -> Result<()> {
        for deployment in [Deployment::Embedded, Deployment::Served(AGENTTRUST)] {
            on_a_plain_thread(move || {
                let guardian = TestGuardian::start(deployment, Keys::AgentAndOperator)?;
                let test_agent = here(guardian.test_agent(&["*"]))?;
                let people = Self {
                    admin: guardian.admin_client()?.into(),
                    operator: test_agent.approver.into(),
                    agent: test_agent.client.into(),
                    agent_id: test_agent.agent.id,
                };
                told(&people).with_context(|| format!("{deployment:?}"))
            })?;
        }
        Ok(())
    }

    /// Returns a check of this tool for the agent.
    fn check_of(&self, tool: &str) -> ActionCheckRequest {
        ActionCheckRequest {
            agent_id: self.agent_id.clone(),
            action: "tool_call".to_string(),
            tool_name: tool.to_string(),
            tool_input_summary: String::new(),
            session_id: String::new(),
            action_effect: None,
        }
    }
}

#[track_caller]
fn assert_forbidden<T: std::fmt::Debug>(answer: Result<T, AgentTrustError>) {
    let refused = matches!(answer, Err(AgentTrustError::Authorization { status: 403, .. }));
    assert!(refused, "{answer:?}");
}

#[track_caller]
fn assert_unknown<T: std::fmt::Debug>(answer: Result<T, AgentTrustError>) {
    let refused = matches!(answer, Err(AgentTrustError::NotFound { status: 404, .. }));
    assert!(refused, "{answer:?}");
}

#[track_caller]
fn assert_status<T: std::fmt::Debug>(answer: Result<T, AgentTrustError>, status: u16) {
    let error = answer.unwrap_err();
    assert_eq!(error.status(), Some(status), "{error:?}");
}

#[track_caller]
fn assert_denied(answer: &CheckResult, why: &str) {
    let said = answer.reason.as_deref().unwrap_or_default();
    assert!(!answer.allowed && said.contains(why), "{answer:?}");
}

#[track_caller]
fn assert_held(answer: &CheckResult, why: &str) {
    assert_eq!(answer.elevation_required, Some(true), "{answer:?}");
    assert_denied(answer, why);
}
