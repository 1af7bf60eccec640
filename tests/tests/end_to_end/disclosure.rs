//! What the approver sees of a held call's input, who else does not, and that nothing of it stays behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use agenttrust::model::CreateKeyRequest;
use agenttrust::{Action, AgentTrustError, AgentTrustGuard, Effect, blocking};
use agenttrust_guardian::Guardian;
use agenttrust_tests::test_guardian::bot;
use anyhow::Result;
use serde_json::Value;

use crate::AGENTTRUST;
use crate::machine::{Machine, Served, call, held, path};

/// An input that is found wherever a byte of it goes.
const CANARY: &str = "order-canary-1f6d";
const UNSEEN: &str =
    "its approver sees no input, which `disclose_on_elevation(true)` on the guard would show";

impl Machine {
    /// Returns the files of this machine that hold the canary.
    fn with_canary(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path()).unwrap();
        let holding = files.filter_map(|file| {
            let file = file.unwrap();
            let bytes = fs::read(file.path()).unwrap();
            let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            found.then(|| file.file_name().into_string().unwrap())
        });
        holding.collect()
    }

    /// Runs the agent on the file of this machine, with the Guardian in its own process.
    fn call_embedded(&self, agent: &str, way: &str) -> String {
        self.call_embedded_with(agent, way, CANARY)
    }

    fn call_embedded_with(&self, agent: &str, way: &str, order: &str) -> String {
        let (database, state) = (self.database(), self.state());
        let environment = [
            ("AGENT_ID", agent),
            ("AGENTTRUST_DATABASE", path(&database)),
            ("AGENTTRUST_STATE", path(&state)),
        ];
        call(["embedded", way, order], &environment)
    }
}

impl Served {
    /// Asks with a key of `role`, bound to `agents`, and returns what is printed.
    fn seen_by(&self, role: &str, agents: &[&str], arguments: &[&str]) -> String {
        let made = self.made_key(role, agents);
        let output = Command::new(AGENTTRUST)
            .env_clear()
            .args(arguments)
            .env("AGENTTRUST_URL", &self.url)
            .env("AGENTTRUST_API_KEY", made)
            .output()
            .unwrap();
        assert!(output.status.success(), "{role}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn made_key(&self, role: &str, agents: &[&str]) -> String {
        let client = blocking::AgentTrustClient::builder()
            .base_url(&self.url)
            .api_key(crate::machine::ADMIN)
            .build()
            .unwrap();
        let wanted = CreateKeyRequest::new(role.parse().unwrap()).agents(agents.iter().copied());
        client.keys().create(&wanted).unwrap().key.unwrap().as_str().to_owned()
    }
}

#[test]
fn an_agent_with_its_guardian_on_a_file_shows_its_input_to_those_who_decide_and_to_no_one_else() {
    for way in ["async", "blocking"] {
        let machine = Machine::new();
        let (agent, _) = machine.serve().agent();
        let said = machine.call_embedded(&agent, way);
        assert!(!said.contains("approver"), "{said}");
        let approval = held(&said);
        assert!(!machine.with_canary().is_empty(), "it was not disclosed");
        let served = machine.serve();
        let (list, show) =
            (["approvals", "list", "--json"], ["approvals", "show", &approval, "--json"]);
        for decider in ["operator", "admin"] {
            let shown: Value = serde_json::from_str(&served.seen_by(decider, &[], &show)).unwrap();
            assert_eq!(shown["input"]["order"], CANARY, "{decider}");
            assert_eq!(shown["agent_name"], "shopbot");
            assert_eq!(
                (&shown["bound_to"], &shown["input_shown"]),
                (&"input".into(), &true.into())
            );
            let listed: Value = serde_json::from_str(&served.seen_by(decider, &[], &list)).unwrap();
            assert_eq!(listed[0], shown, "the list shows what the single one shows");
        }
        for (role, agents) in [("auditor", &[][..]), ("agent", &[agent.as_str()][..])] {
            for arguments in [&list[..], &show[..]] {
                let shown = served.seen_by(role, agents, arguments);
                assert!(
                    !shown.contains(CANARY) && shown.contains("\"input_shown\": true"),
                    "{role}: {shown}"
                );
            }
        }
        let shown = served.printed(&["approvals", "show", &approval]);
        assert!(shown.contains(CANARY) && shown.contains(&format!("shopbot ({agent})")), "{shown}");
    }
}

#[test]
fn nothing_of_a_disclosed_input_is_left_once_it_is_decided_and_the_guardian_stopped() {
    // In the row itself, and on pages of its own.
    for (verb, times) in [("approve", 1), ("deny", 1), ("approve", 600), ("deny", 600)] {
        for killed in [false, true] {
            let machine = Machine::new();
            let (agent, _) = machine.serve().agent();
            let order = CANARY.repeat(times);
            let approval = held(&machine.call_embedded_with(&agent, "async", &order));
            assert!(!machine.with_canary().is_empty(), "it was not disclosed");
            let served = machine.serve();
            served.printed(&["approvals", verb, &approval]);
            // What a killed one left is gone with the next, and not only once that stops.
            let _next = if killed {
                served.kill();
                Some(machine.serve())
            } else {
                drop(served);
                None
            };
            let left = machine.with_canary();
            assert!(left.is_empty(), "{verb}, {times} times, killed: {killed}: {left:?}");
        }
    }
}

#[test]
fn a_file_that_others_can_read_is_told_nothing_and_the_hold_says_so() {
    let machine = Machine::new();
    let (agent, _) = machine.serve().agent();
    fs::set_permissions(machine.database(), fs::Permissions::from_mode(0o640)).unwrap();
    let said = machine.call_embedded(&agent, "async");
    assert!(said.contains(UNSEEN), "{said}");
    assert!(machine.with_canary().is_empty());
}

#[test]
fn a_served_guardian_is_told_nothing_and_error_and_approval_say_so() {
    let machine = Machine::new();
    let served = machine.serve();
    for way in ["async", "blocking"] {
        let (agent, key) = served.agent();
        let environment = [
            ("AGENT_ID", agent.as_str()),
            ("AGENTTRUST_URL", &served.url),
            ("AGENTTRUST_API_KEY", &key),
        ];
        let said = call(["served", way, CANARY], &environment);
        assert!(said.contains(UNSEEN) && !said.contains(CANARY), "{said}");
        let shown = served.printed(&["approvals", "show", &held(&said)]);
        assert!(shown.contains("not shown [29 chars]"), "{shown}");
        assert!(shown.contains("build it with `disclose_on_elevation(true)`"), "{shown}");
        assert!(!shown.contains(CANARY));
    }
    assert!(machine.with_canary().is_empty());
    served.printed(&["approvals", "list"]);
    drop(served);
    assert!(machine.with_canary().is_empty());
}

#[tokio::test]
async fn a_guardian_in_memory_is_shown_inputs_unless_the_guard_was_built_otherwise() -> Result<()> {
    let guardian = Guardian::builder().build().await?;
    let client = guardian.client();
    let agent = client.agents().create(&bot(&["refund"])).await?;
    let action = || Action::new("refund").effect(Effect::Destructive).input(&CANARY);
    let shown = async |guard: AgentTrustGuard| {
        let Err(AgentTrustError::ElevationRequired { message, approval_id }) =
            guard.authorize(action()).await
        else {
            panic!("it is held")
        };
        anyhow::Ok((message, client.approvals().get(&approval_id).await?))
    };
    let (message, approval) = shown(AgentTrustGuard::new(guardian.client(), &agent.id)).await?;
    assert!(!message.contains("approver"), "{message}");
    assert_eq!((approval.input, approval.input_shown), (Some(CANARY.into()), Some(true)));
    let quiet = AgentTrustGuard::builder(guardian.client(), &agent.id).disclose_on_elevation(false);
    let (message, approval) = shown(quiet.build()).await?;
    assert!(message.contains(UNSEEN), "{message}");
    assert_eq!((approval.input, approval.input_shown), (None, Some(false)));
    guardian.close().await;
    Ok(())
}
