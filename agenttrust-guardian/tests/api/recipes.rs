//! The policies that the documentation hands out, in force: each does what it says.

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use serde_json::json;

use crate::support::{Api, open};

const DEFAULT: &str = include_str!("../../policies/default.cedar");
const GUESSED_EFFECTS: &str = include_str!("../../policies/recipes/guessed-effects.cedar");

/// Returns a Guardian with the default set and this recipe.
async fn with(recipe: &str) -> Api {
    let api = open().await;
    let files = [("default.cedar", DEFAULT), ("recipe.cedar", recipe)];
    let files = files.map(|(name, text)| json!({ "name": name, "text": text }));
    api.put("/api/v1/policies", ADMIN, json!({ "files": files })).await.ok();
    api
}

/// Checks a call, with the effect that its program declares, if it declares one.
async fn check(api: &Api, agent: &str, key: &str, tool: &str, effect: Option<&str>) -> Answer {
    let body = json!({ "agent_id": agent, "action_name": tool, "action_effect": effect });
    api.check_as(key, body).await
}

#[tokio::test]
async fn a_guessed_effect_is_held_and_a_declared_one_is_not() {
    let api = with(GUESSED_EFFECTS).await;
    let (agent, key) = api.worker().await;
    for (tool, confidence) in [("list_files", 0.6), ("send_mail", 0.6), ("frobnicate", 0.3)] {
        let guessed = check(&api, &agent, &key, tool, None).await;
        let approval = guessed.held();
        assert_eq!(guessed.body["confidence"], confidence);
        assert!(guessed.text("reason").contains("only guessed"), "{guessed:?}");

        let declared = check(&api, &agent, &key, tool, Some("mutating")).await;
        assert_eq!(declared.allowed().body["confidence"], 0.9);

        // Somebody looked at it.
        api.approve(ADMIN, &approval).await.ok();
        check(&api, &agent, &key, tool, None).await.allowed();
    }
    // What destroys is held as the default set has it, however it is known.
    check(&api, &agent, &key, "tidy", Some("destructive")).await.held();
}

#[tokio::test]
async fn an_operators_word_on_the_effect_is_no_guess() {
    let api = with(GUESSED_EFFECTS).await;
    let (agent, key) = api.worker().await;
    check(&api, &agent, &key, "frobnicate", None).await.held();
    let operator = api.key(Role::Operator, &[]).await;
    api.put("/api/v1/tools/frobnicate/effect", &operator, json!({ "effect": "read" })).await.ok();
    let known = check(&api, &agent, &key, "frobnicate", None).await;
    assert_eq!(known.allowed().body["confidence"], 1.0);
}

#[tokio::test]
async fn without_its_elevate_a_guessed_effect_is_denied() {
    let denying = GUESSED_EFFECTS.replace("@elevate\n", "");
    assert_ne!(denying, GUESSED_EFFECTS);
    let api = with(&denying).await;
    let (agent, key) = api.worker().await;
    for tool in ["list_files", "frobnicate"] {
        check(&api, &agent, &key, tool, None).await.denied("only guessed");
        check(&api, &agent, &key, tool, Some("read")).await.allowed();
    }
}
