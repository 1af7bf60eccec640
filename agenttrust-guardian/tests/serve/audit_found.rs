//! Faults that only a walk along the log finds, or the start of a Guardian: they are remembered like those that its
//! writer sees.

use agenttrust_testkit::ADMIN;
use serde_json::json;

use crate::audit::Place;
use crate::audit_added::is_allowed;
use crate::program::Program;

#[tokio::test(flavor = "multi_thread")]
async fn fault_that_verification_finds_is_remembered_and_denied_on_until_it_is_accepted() {
    for place in Place::each() {
        let api = place.guardian("one").await;
        let agent = api.agent(&["*"]).await;
        for _ in 0..5 {
            api.agent(&[]).await;
        }
        place.drop_triggers().await;
        place
            .execute("CREATE TABLE kept AS SELECT body FROM audit WHERE log = LOG AND seq = 2")
            .await;
        place.execute("UPDATE audit SET body = '{}' WHERE log = LOG AND seq = 2").await;
        assert!(is_allowed(&api, &agent).await, "nothing has looked there");
        let found = api.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!((&found["ok"], &found["fault"]["seq"]), (&json!(false), &json!(2)), "{found}");
        assert!(!is_allowed(&api, &agent).await);
        let health = api.get("/health", ADMIN).await.body;
        assert_eq!(health["checks"]["audit"], "unhealthy", "{health}");
        // No time mends it, so callers are not told to try again.
        let check = json!({ "agent_id": agent, "action_name": "send_mail" });
        let denied = api.post("/api/v1/agenttrust/check", ADMIN, check).await.body;
        let says = "until an operator has looked at its audit log";
        assert!(denied["reason"].as_str().unwrap().contains(says), "{denied}");
        let refused = api.post("/api/v1/agents", ADMIN, json!({ "name": "late" })).await.body;
        assert!(refused.to_string().contains("until an operator has looked"), "{refused}");
        // Whatever is in its place afterwards.
        place
            .execute("UPDATE audit SET body = (SELECT body FROM kept) WHERE log = LOG AND seq = 2")
            .await;
        assert!(!is_allowed(&api, &agent).await);
        let found = api.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!(found["ok"], false, "{found}");
        api.guardian.close().await;
        let (whole, said) = place.verify();
        assert!(!whole && said.contains("a Guardian saw at"), "{said}");
        let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
        assert!(refused.contains("a Guardian saw at"), "{refused}");
        assert!(place.run("accept", &["--reason", "the row is back"]).status.success());
        let api = place.guardian("one").await;
        assert!(is_allowed(&api, &agent).await);
        let found = api.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!(found["ok"], true, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_that_verification_finds_is_an_error_in_the_log_with_the_row() {
    let place = Place::sqlite();
    place.ten_rows().await;
    place.drop_triggers().await;
    place.execute("UPDATE audit SET body = '{}' WHERE seq = 4").await;
    let environment = [("AGENTTRUST_ADMIN_KEY", ADMIN)];
    let mut program = Program::serve(&["--database", &place.url()], &environment).await;
    let found = program.read("/api/v1/audit/verify", ADMIN).await;
    assert_eq!(found["ok"], false, "{found}");
    program.logs("was changed from outside, so nothing is decided from now on").await;
    let log = program.log();
    let told = log.lines().find(|line| line.contains("so nothing is decided from now on")).unwrap();
    assert!(told.contains("ERROR") && told.contains("row=4"), "{told}");
    program.signal("KILL");
    program.ends().await;
    let (_, said) = place.verify();
    assert!(!said.contains("is whole"), "{said}");
    assert!(place.try_guardian("one").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_in_the_log_of_another_replica_is_told_and_denied_on_by_that_one_alone() {
    for place in Place::each().into_iter().skip(1) {
        let (one, two) = (place.guardian("one").await, place.replica("two").await);
        let agent = one.agent(&["*"]).await;
        two.agent(&[]).await;
        place.drop_triggers().await;
        place.execute("UPDATE audit SET body = '{}' WHERE log = LOG AND seq = 1").await;
        let found = two.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!((&found["ok"], &found["fault"]["log"]), (&json!(false), &json!("one")));
        assert!(is_allowed(&two, &agent).await && is_allowed(&one, &agent).await);
        let found = one.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!(found["ok"], false);
        assert!(is_allowed(&two, &agent).await && !is_allowed(&one, &agent).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn last_row_whose_body_was_changed_is_refused_at_the_start_and_can_be_accepted_as_it_is() {
    for place in Place::each() {
        place.ten_rows().await;
        place.drop_triggers().await;
        // Its hash is as it was.
        place.execute("UPDATE audit SET body = '{}' WHERE log = LOG AND seq = 10").await;
        for says in ["had come to row 10", "a Guardian saw at"] {
            let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
            assert!(refused.contains(says), "{refused}");
        }
        let done = place.run("accept", &["--reason", "nothing else is left"]);
        assert!(done.status.success(), "{done:?}");
        let api = place.guardian("one").await;
        api.agent(&[]).await;
        let found = api.get("/api/v1/audit/verify", ADMIN).await.ok().body;
        assert_eq!(found["ok"], true, "{found}");
        api.guardian.close().await;
        let (whole, said) = place.verify();
        assert!(whole && said.contains("rows up to 10 were accepted as they are"), "{said}");
        place.execute("UPDATE audit SET body = '[]' WHERE log = LOG AND seq = 10").await;
        assert!(!place.verify().0, "it was accepted as it was, and no other");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_behind_the_last_checkpoint_that_was_changed_is_refused_at_the_start() {
    let place = Place::sqlite();
    let database = place.url();
    let environment = [("AGENTTRUST_ADMIN_KEY", ADMIN)];
    let mut program = Program::serve(&["--database", &database], &environment).await;
    for n in 0..6 {
        let body = json!({ "name": format!("agent {n}"), "capabilities": [] });
        program.post("/api/v1/agents", ADMIN, &body).await;
    }
    program.signal("KILL");
    program.ends().await;
    // The checkpoint of the first row is all that there is.
    std::fs::write(place.checkpoints(), "").unwrap();
    place.drop_triggers().await;
    place.execute("UPDATE audit SET body = '{}' WHERE seq = 4").await;
    let Err(refused) = place.try_guardian("one").await else { panic!("it starts") };
    assert!(refused.contains("row 4"), "{refused}");
}
