//! The keys that sign cards: rotated with an overlap, shared by replicas, and never in clear.

use std::time::Duration;

use agenttrust::AgentCard;
use agenttrust::model::CardSignatureError;
use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, eventually_within};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{KEYS, ROTATE, card_of, generate, public_of, publish, published, read, trusted};
use crate::support::{Api, open, open_with};

const SECRET_KEY: &str = "0f1e";
/// The time by which another replica knows: a second is promised, the rest is for a machine that is busy.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

async fn rotate(api: &Api, overlap: u64) -> Vec<Value> {
    let keys = api.post(ROTATE, ADMIN, json!({ "overlap": overlap })).await.ok().body;
    keys["keys"].as_array().unwrap().clone()
}

async fn public(api: &Api, agent: &str) -> AgentCard {
    let (status, _, bytes) = read(api, &public_of(agent), &[]).await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn who_trusts_the_former_key_believes_cards_for_the_overlap_and_no_longer() {
    let api = open().await;
    let agent = published(&api).await;
    let first = trusted(&api).await;
    assert_eq!(first.len(), 1);
    let before = public(&api, &agent).await;
    let keys = rotate(&api, 3_600).await;
    assert_eq!(keys.len(), 2);
    assert!(keys[0].get("ends_at").is_none() && keys[1]["ends_at"].is_string(), "{keys:?}");
    assert_eq!(keys[1]["kid"], first[0].kid().unwrap());
    assert!(
        keys.iter()
            .all(|key| key.get("d").is_none() && key["alg"] == "EdDSA" && key["use"] == "sig")
    );
    let both = trusted(&api).await;
    let card = public(&api, &agent).await;
    assert_eq!(card.signatures.len(), 2);
    assert!(card.verify_signature(&first).is_ok() && card.verify_signature(&both[..1]).is_ok());
    // A card that others kept goes with the keys that are published now.
    assert!(before.verify_signature(&both).is_ok());

    // No time at all: the former ones are taken for nothing, however long they had.
    assert_eq!(rotate(&api, 0).await.len(), 1);
    let now = trusted(&api).await;
    let card = public(&api, &agent).await;
    assert_eq!(card.signatures.len(), 1);
    assert!(matches!(card.verify_signature(&both), Err(CardSignatureError::Untrusted(_))));
    assert!(card.verify_signature(&now).is_ok());
    assert!(matches!(before.verify_signature(&now), Err(CardSignatureError::Untrusted(_))));
    let rows = api.audit("card_key.rotated").await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["body"]["overlap_seconds"], 0);
    assert_eq!(rows[1]["body"]["earlier"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn as_many_keys_sign_as_may_and_no_more() {
    let api = open().await;
    let agent = published(&api).await;
    for count in 2..=5 {
        assert_eq!(rotate(&api, 3_600).await.len(), count);
    }
    let before = api.get(KEYS, "").await.ok().body;
    api.post(ROTATE, ADMIN, json!({ "overlap": 3_600 }))
        .await
        .refused(429, "TOO_MANY")
        .says("overlap");
    assert_eq!(api.get(KEYS, "").await.ok().body, before);
    assert_eq!(public(&api, &agent).await.signatures.len(), 5);
    assert_eq!(rotate(&api, 0).await.len(), 1);
    for bad in [json!({ "overlap": 2_592_001 }), json!({ "overlap": -1 }), json!({ "overlaps": 1 })]
    {
        api.post(ROTATE, ADMIN, bad).await.refused(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn keys_of_every_organisation_are_rotated_by_an_admin_of_the_first_alone() {
    let api = open().await;
    let theirs = api.guardian.create_key_in("org_theirs", Role::Admin, &[]).await.unwrap();
    api.post(ROTATE, &theirs, json!({})).await.refused(403, "AUTH_DENIED");
    let body = json!({ "name": "worker" });
    let agent = api.post("/api/v1/agents", &theirs, body).await.ok().text("id");
    api.post(&card_of(&agent), &theirs, json!({})).await.ok();
    api.get(&card_of(&agent), ADMIN).await.refused(404, "NOT_FOUND");
    // Whose card was the first is not told.
    assert!(api.audit("card_key.made").await[0]["actor"].is_null());
}

#[tokio::test]
async fn there_is_no_key_until_there_is_a_card_and_none_is_ever_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    assert_eq!(api.get(KEYS, "").await.ok().body, json!({ "keys": [] }));
    let agent = published(&api).await;
    let (_, tag, bytes) = read(&api, &public_of(&agent), &[]).await;
    api.guardian.close().await;
    // The same card, signed by the same key, after a restart.
    let api = open_with(|builder| builder.database(&database)).await;
    assert_eq!(read(&api, &public_of(&agent), &[]).await, (StatusCode::OK, tag, bytes));
    api.guardian.close().await;
    let kept = std::fs::read(&database).unwrap();
    let sealed = kept.windows(9).filter(|it| *it == b"sealed.1.").count();
    assert!(sealed >= 1, "the private half is sealed");
}

#[tokio::test]
async fn key_that_seals_is_replaced_and_cards_are_signed_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let (old, new) = (SECRET_KEY.repeat(16), "1e0f".repeat(16));
    let sealed_by =
        |keys: String| open_with(|builder| builder.database(&database).secret_key(keys));
    let api = sealed_by(old.clone()).await;
    let agent = published(&api).await;
    let before = read(&api, &public_of(&agent), &[]).await;
    api.guardian.close().await;
    for keys in [format!("{new},{old}"), new] {
        let api = sealed_by(keys).await;
        assert_eq!(read(&api, &public_of(&agent), &[]).await, before);
        api.guardian.close().await;
    }
}

#[tokio::test]
async fn replicas_that_need_the_first_key_or_another_at_once_agree_on_one() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let replica = |name: &str| {
        let name = name.to_owned();
        open_with(|builder| {
            builder.database(fresh.url()).secret_key(SECRET_KEY.repeat(16)).replica(name)
        })
    };
    let (one, two) = (replica("one").await, replica("two").await);
    let (first, second) = (one.agent(&["search"]).await, one.agent(&["search"]).await);
    let known =
        async || two.get(&format!("/api/v1/agents/{second}"), ADMIN).await.status.is_success();
    eventually_within(TOLD_WITHIN, "the other replica was not told", known).await;
    let (made, too) =
        tokio::join!(generate(&one, &first, json!({})), generate(&two, &second, json!({})));
    made.ok();
    too.ok();
    publish(&one, &first).await.ok();
    let same = async || one.get(KEYS, "").await.ok().body == two.get(KEYS, "").await.ok().body;
    eventually_within(TOLD_WITHIN, "the replicas do not agree", same).await;
    assert_eq!(trusted(&one).await.len(), 1);
    assert_eq!(one.audit("card_key.made").await.len() + two.audit("card_key.made").await.len(), 1);

    let body = json!({ "overlap": 3_600 });
    let (made, too) =
        tokio::join!(one.post(ROTATE, ADMIN, body.clone()), two.post(ROTATE, ADMIN, body));
    made.ok();
    too.ok();
    eventually_within(TOLD_WITHIN, "the replicas do not agree", same).await;
    let keys = one.get(KEYS, "").await.ok().body["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 3);
    assert_eq!(keys.iter().filter(|key| key.get("ends_at").is_none()).count(), 1);
    let alike = async || {
        read(&one, &public_of(&first), &[]).await == read(&two, &public_of(&first), &[]).await
    };
    eventually_within(TOLD_WITHIN, "the replicas serve different cards", alike).await;
    let card = public(&two, &first).await;
    for key in trusted(&one).await {
        assert!(card.verify_signature(&[key]).is_ok());
    }
    // Taken back at one, it is gone at the other.
    one.post(&format!("/api/v1/agents/{first}/revoke"), ADMIN, json!({})).await.ok();
    let gone = async || read(&two, &public_of(&first), &[]).await.0 == StatusCode::NOT_FOUND;
    eventually_within(TOLD_WITHIN, "the other replica was not told", gone).await;
}

#[tokio::test]
async fn without_the_key_that_seals_nothing_is_signed_and_only_who_may_know_is_told_why() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let api = open_with(|builder| builder.database(fresh.url())).await;
    let agent = api.agent(&["search"]).await;
    let refused = generate(&api, &agent, json!({})).await;
    refused.refused(503, "UNAVAILABLE").says("AGENTTRUST_SECRET_KEY");
    api.get(&card_of(&agent), ADMIN).await.refused(404, "NOT_FOUND");
    api.guardian.close().await;

    let sealed_by = |key: &str| {
        let key = key.repeat(16);
        open_with(|builder| builder.database(fresh.url()).secret_key(key))
    };
    let api = sealed_by(SECRET_KEY).await;
    generate(&api, &agent, json!({})).await.ok();
    publish(&api, &agent).await.ok();
    api.guardian.close().await;

    // The former key is lost.
    let api = sealed_by("1e0f").await;
    api.get(&card_of(&agent), ADMIN).await.refused(503, "UNAVAILABLE").says("add the former key");
    let (status, _, bytes) = read(&api, &public_of(&agent), &[]).await;
    let told = String::from_utf8(bytes).unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!told.contains("AGENTTRUST_SECRET_KEY") && !told.contains("key "), "{told}");
    // A new one is what there is to do.
    rotate(&api, 3_600).await;
    let card = public(&api, &agent).await;
    assert_eq!(card.signatures.len(), 1, "the former one does not open");
    assert!(card.verify_signature(&trusted(&api).await).is_ok());
}
