//! What a layer says of every call, and which calls it leaves alone.

use agenttrust::{Action, Effect, OnElevation};
use agenttrust_tower::GuardLayer;
use std::time::Duration;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::guardian::{Check, Guardian, Script};

/// Returns what is asked of a call under a layer made by `refine`.
async fn asked(
    refine: impl FnOnce(
        GuardLayer<fn(&String) -> Action, agenttrust_tower::DenyAsError>,
    ) -> GuardLayer<fn(&String) -> Action, agenttrust_tower::DenyAsError>,
) -> Check {
    let guardian = Guardian::new(Script::Allow);
    let extract: fn(&String) -> Action =
        |to| Action::new("send_mail").effect(Effect::Destructive).scope("mail:send").input(to);
    let service = refine(GuardLayer::new(guardian.guard()).extract(extract))
        .layer(service_fn(|to: String| async move { Ok::<_, BoxError>(to) }));
    service.oneshot("ada".to_owned()).await.expect("allowed");
    let [check] = &guardian.checks()[..] else { panic!("one call is one check") };
    check.clone()
}

#[tokio::test]
async fn a_layer_that_says_nothing_asks_as_the_extractor_says() {
    let check = asked(|layer| layer).await;
    assert_eq!(check.tool, "send_mail");
    assert_eq!(check.effect, "destructive");
    assert_eq!(check.scopes, "mail:send");
}

#[tokio::test]
async fn a_layer_names_the_tool_and_the_effect_anew_and_adds_scopes() {
    let check =
        asked(|layer| layer.tool("mail").effect(Effect::Mutating).scopes(["net:out"])).await;
    assert_eq!(check.tool, "mail");
    assert_eq!(check.effect, "mutating");
    assert_eq!(check.scopes, "mail:send,net:out");
    assert!(!check.digest.is_empty());
}

#[tokio::test]
async fn a_layer_says_what_a_held_call_does() {
    let guardian = Guardian::new(Script::Hold);
    let service = GuardLayer::new(guardian.guard())
        .extract(|to: &String| Action::new("send_mail").input(to))
        .on_elevation(OnElevation::Wait(Duration::from_secs(60)))
        .layer(service_fn(|to: String| async move { Ok::<_, BoxError>(to) }));
    let waiting = tokio::spawn(service.oneshot("ada".to_owned()));
    guardian.asked(1).await;
    guardian.approve();
    waiting.await.expect("no panic").expect("approved");
    assert_eq!(guardian.checks().len(), 2);
}

#[tokio::test]
async fn only_what_is_picked_is_guarded() {
    let guardian = Guardian::new(Script::Deny);
    let service = GuardLayer::new(guardian.guard())
        .extract(|to: &String| Action::new("send_mail").input(to))
        .filter(|to: &String| to != "myself")
        .layer(service_fn(|to: String| async move { Ok::<_, BoxError>(to) }));
    service.clone().oneshot("myself".to_owned()).await.expect("it passes");
    assert!(guardian.checks().is_empty());
    service.oneshot("ada".to_owned()).await.expect_err("it is denied");
    assert_eq!(guardian.checks().len(), 1);
}
