//! What an approval binds, as the guard tells it: session, key, and all of what was written about the input.

use agenttrust::guard::digest::{commit, key_id};
use agenttrust::{
    Action, ActionCheckRequest, AgentTrustError, AgentTrustGuard, CheckOptions, Effect,
};
use serde_json::json;

use crate::scripted::{Say, Scripted};

const KEY: [u8; 32] = [7; 32];

fn header(scripted: &Scripted, check: usize, name: &str) -> Option<String> {
    let value = scripted.checks()[check].0.get(name).cloned()?;
    Some(value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_is_said_to_be_made_up_where_the_guard_made_it_up() {
    let scripted = Scripted::says([Say::allowed()]);
    let builder = || AgentTrustGuard::builder(scripted.client(), "agent-1");
    drop(builder().build().authorize(Action::new("a")).await.unwrap());
    drop(builder().session_id("monday").build().authorize(Action::new("a")).await.unwrap());
    let identity = agenttrust::AgentIdentity::new("agent-2", "ats_1");
    let acting = builder().build().acting_for(&identity);
    drop(acting.authorize(Action::new("a")).await.unwrap());
    let said: Vec<_> = (0..3).map(|at| header(&scripted, at, "agenttrust-session")).collect();
    assert_eq!(said, [Some("generated".to_owned()), None, None]);
}

#[tokio::test]
async fn a_digest_travels_with_the_name_of_its_key_and_nothing_without_one() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").binding_key(KEY).build();
    drop(guard.authorize(Action::new("a").input(&json!({ "to": "bob" }))).await.unwrap());
    drop(guard.authorize(Action::new("a")).await.unwrap());
    let named = header(&scripted, 0, "agenttrust-key-id").unwrap();
    assert_eq!(named, key_id(&KEY));
    assert_eq!(named.len(), 16);
    assert_ne!(named, key_id(&[8; 32]));
    assert_eq!(header(&scripted, 1, "agenttrust-key-id"), None);
}

#[tokio::test]
async fn a_summary_that_goes_on_is_bound_as_a_whole_and_seen_to_go_on() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").binding_key(KEY).build();
    let (short, long) = ("é".repeat(200), "é".repeat(201));
    guard.check("mail", &short).await.unwrap();
    guard.check("mail", &long).await.unwrap();
    let checks = scripted.checks();
    assert_eq!(checks[0].1["action_input_summary"], short);
    assert_eq!(header(&scripted, 0, "agenttrust-input-digest"), None);
    let seen = checks[1].1["action_input_summary"].as_str().unwrap();
    assert_eq!(seen, format!("{}…", "é".repeat(199)));
    let digest = commit(&KEY, &json!(long)).unwrap().digest;
    assert_eq!(header(&scripted, 1, "agenttrust-input-digest"), Some(digest));
}

#[tokio::test]
async fn a_hold_under_a_random_key_says_that_it_ends_with_the_process() {
    let scripted = Scripted::says([Say::held()]);
    let builder = || AgentTrustGuard::builder(scripted.client(), "agent-1");
    let held = async |guard: AgentTrustGuard, action: Action| {
        guard.authorize(action).await.unwrap_err().to_string()
    };
    let with_input = || Action::new("a").input(&1);
    let said = held(builder().build(), with_input()).await;
    assert!(said.contains("before this process ends: its key is random"), "{said}");
    assert!(said.contains("AGENTTRUST_STATE"), "{said}");
    // A key that was given outlives the process, and so does what is bound to no digest.
    for said in [
        held(builder().binding_key(KEY).build(), with_input()).await,
        held(builder().build(), Action::new("a").summary("s")).await,
    ] {
        assert!(!said.contains("this process ends"), "{said}");
    }
}

#[tokio::test]
async fn a_session_id_that_no_guardian_takes_is_refused_before_anything_is_sent() {
    let scripted = Scripted::says([Say::allowed()]);
    let long = "s".repeat(10_000);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").session_id(long).build();
    let error = guard.authorize(Action::new("a")).await.unwrap_err();
    assert!(matches!(error, AgentTrustError::Validation { .. }), "{error}");
    assert!(error.to_string().contains("longer than 200 bytes"), "{error}");
    assert!(scripted.checks().is_empty());
}

#[tokio::test]
async fn a_state_file_that_cannot_be_used_is_said_by_every_call() {
    let scripted = Scripted::says([Say::allowed()]);
    let folder = std::env::temp_dir();
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").state_file(folder).build();
    for _ in 0..2 {
        let error = guard.authorize(Action::new("a")).await.unwrap_err().to_string();
        assert!(error.contains("is no file; name a file"), "{error}");
    }
    assert!(scripted.checks().is_empty());
}

#[tokio::test]
async fn a_call_that_declares_no_effect_is_refused_where_one_is_required() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").require_effect(true).build();
    let error = guard.authorize(Action::new("tidy")).await.unwrap_err().to_string();
    assert!(error.contains("\"tidy\" did not run, because it declares no effect"), "{error}");
    assert!(scripted.checks().is_empty());
    drop(guard.authorize(Action::new("tidy").effect(Effect::Read)).await.unwrap());
}

#[tokio::test]
async fn a_scope_that_would_be_read_as_another_one_is_refused_before_anything_is_sent() {
    let scripted = Scripted::says([Say::allowed()]);
    let builder = || AgentTrustGuard::builder(scripted.client(), "agent-1");
    // Nor does it run because nobody can be asked.
    let guards = [builder().build(), builder().fail_open(true).trust_gateway_scopes(true).build()];
    for (scope, why) in [
        ("db:read,db:write", "has a comma in it and would be read as several"),
        (" db:write", "begins or ends with white space"),
        ("db:write\t", "begins or ends with white space"),
        ("", "is empty"),
    ] {
        let refused = |error: AgentTrustError| {
            assert!(matches!(error, AgentTrustError::Validation { status: 0, .. }), "{error:?}");
            let text = error.to_string();
            let named = format!("tool \"tidy\" declares the scope {scope:?}");
            assert!(text.contains(&named) && text.contains(why), "{text}");
        };
        for guard in &guards {
            let action = || Action::new("tidy").scopes(["db:read", scope]);
            refused(guard.authorize(action()).await.unwrap_err());
            refused(guard.authorize_blocking(action().scope("a")).unwrap_err());
        }
        let request = ActionCheckRequest {
            agent_id: "agent-1".to_owned(),
            action: "tool_call".to_owned(),
            session_id: String::new(),
            tool_name: "tidy".to_owned(),
            tool_input_summary: String::new(),
            action_effect: None,
        };
        let options = CheckOptions::default().scopes([scope]);
        let client = scripted.client();
        refused(client.actions().check_with(&request, &options).await.unwrap_err());
    }
    assert!(scripted.checks().is_empty());
    // One with a space inside is one.
    let spaced = Action::new("tidy").scope("db write");
    drop(guards[1].authorize(spaced).await.unwrap());
    assert_eq!(header(&scripted, 0, "agenttrust-scopes"), Some("db write".to_owned()));
}

#[tokio::test]
async fn a_permit_says_which_approval_it_used() {
    let body = json!({ "allowed": true, "check_id": "chk_1", "approval_id": "apr_7" });
    let scripted = Scripted::says([Say::Answer(200, vec![], body), Say::allowed()]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").build();
    let used = async || {
        let permit = guard.authorize(Action::new("tidy")).await.unwrap();
        permit.approval_id().map(str::to_owned)
    };
    assert_eq!([used().await, used().await], [Some("apr_7".to_owned()), None]);
}
