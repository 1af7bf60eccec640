//! The SDK guide, section by section: one suite, in every form in which a Guardian can be used.
//!
//! The suite is written twice, async and blocking, and each runs four times: embedded and served, in
//! the guide's one-client form and with an agent's and an operator's key.

mod asynchronous;
mod blocking;

use agenttrust_tests::bounded::{on_a_plain_thread, threads};
use agenttrust_tests::test_guardian::{Deployment, Keys, TestGuardian};
use anyhow::Result;

use crate::AGENTTRUST;

fn run_async(
    deployment: Deployment,
    keys: Keys,
    section: impl AsyncFnOnce(&TestGuardian) -> Result<()> + Send + 'static,
) -> Result<()> {
    on_a_plain_thread(move || {
        let guardian = TestGuardian::start(deployment, keys)?;
        threads(2).block_on(section(&guardian))
    })
}

fn run_blocking(
    deployment: Deployment,
    keys: Keys,
    section: impl FnOnce(&TestGuardian) -> Result<()> + Send + 'static,
) -> Result<()> {
    on_a_plain_thread(move || section(&TestGuardian::start(deployment, keys)?))
}

macro_rules! suite {
    ($form:ident = $deployment:expr, $keys:expr; $($section:ident)+) => {
        mod $form {
            mod asynchronous {
                use super::super::*;
                $(
                    #[test]
                    fn $section() -> Result<()> {
                        run_async($deployment, $keys, super::super::asynchronous::$section)
                    }
                )+
            }
            mod blocking {
                use super::super::*;
                $(
                    #[test]
                    fn $section() -> Result<()> {
                        run_blocking($deployment, $keys, super::super::blocking::$section)
                    }
                )+
            }
        }
    };
}

macro_rules! in_every_form {
    ($($section:ident)+) => {
        suite!(embedded_with_one_client = Deployment::Embedded, Keys::OneClient; $($section)+);
        suite!(served_to_one_client = Deployment::Served(AGENTTRUST), Keys::OneClient; $($section)+);
        suite!(embedded_with_two_keys = Deployment::Embedded, Keys::AgentAndOperator; $($section)+);
        suite!(served_to_two_keys = Deployment::Served(AGENTTRUST), Keys::AgentAndOperator; $($section)+);
    };
}

in_every_form! {
    section_3_an_agent_is_created_listed_and_revoked_for_good
    section_4_a_token_is_issued_cached_introspected_and_revoked
    section_5_a_check_is_answered_by_its_effect_or_else_by_its_name
    section_6_a_session_counts_its_calls_and_keeps_to_its_mode
    section_7_a_guard_checks_before_and_reports_after
    section_8_a_held_check_succeeds_once_it_is_approved
    section_9_an_approval_is_read_approved_and_denied
    section_11_a_task_is_sent_held_approved_completed_and_cancelled
    section_12_every_error_is_the_one_that_the_guide_names
}

/// In both of these the Guardian was not told to allow self-approval.
mod without_self_approval {
    use super::*;

    macro_rules! the_requester_cannot_decide {
        ($($form:ident = $deployment:expr;)+) => { $(
            #[test]
            fn $form() -> Result<()> {
                let keys = Keys::AgentAndOperator;
                run_async($deployment, keys, asynchronous::a_requester_gets_403_and_the_action_stays_held)?;
                run_blocking($deployment, keys, blocking::a_requester_gets_403_and_the_action_stays_held)
            }
        )+ };
    }

    the_requester_cannot_decide! {
        the_embedded_guardian_refuses_the_requester_and_keeps_the_action_held = Deployment::Embedded;
        the_served_guardian_refuses_the_requester_and_keeps_the_action_held = Deployment::Served(AGENTTRUST);
    }
}
