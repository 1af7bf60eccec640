//! Digests that are of a part of the input: what an approval of one is worth, and that its approver is
//! told so.

use agenttrust_testkit::{ADMIN, Answer};
use serde_json::{Value, json};

use crate::approvals::{DIGEST, approval_serves, digest_of, with_policies};
use crate::support::{Api, open};

const BINDS: &str = "agenttrust-binds";

fn check() -> Value {
    json!({ "action_name": "http/DELETE/payments" })
}

async fn check_by(api: &Api, (agent, key): (&str, &str), headers: &[(&str, &str)]) -> Answer {
    let mut body = check();
    body["agent_id"] = json!(agent);
    api.check_with(key, headers, body).await
}

#[tokio::test]
async fn approval_of_a_part_never_serves_a_check_that_says_otherwise() {
    let digest = "a".repeat(64);
    let whole = [(DIGEST, digest.as_str())];
    let request = [(DIGEST, digest.as_str()), (BINDS, "request")];
    let method = [(DIGEST, digest.as_str()), (BINDS, "method")];
    for (opened, bound_to) in
        [(&request[..], "request"), (&method[..], "method"), (&whole[..], "input")]
    {
        for again in [&request[..], &method[..], &whole[..], &[]] {
            let served = approval_serves((opened, check()), (again, check()), bound_to).await;
            assert_eq!(served, opened == again, "{opened:?} {again:?}");
        }
    }
    let other = "b".repeat(64);
    let other = [(DIGEST, other.as_str()), (BINDS, "request")];
    assert!(!approval_serves((&request, check()), (&other, check()), "request").await);
}

#[tokio::test]
async fn longer_window_is_for_the_whole_input_only_and_the_hold_says_so() {
    let api = with_policies(
        r#"@id("hold") @elevate @window("1h") permit (principal, action, resource);"#,
    )
    .await;
    let (agent, key) = api.worker().await;
    let who = (agent.as_str(), key.as_str());
    let digest = "a".repeat(64);
    for (word, why) in [("request", "without its body"), ("method", "without its messages")] {
        let headers = [(DIGEST, digest.as_str()), (BINDS, word)];
        let held = check_by(&api, who, &headers).await;
        let reason = held.text("reason");
        assert!(reason.contains("one call within 300 s and not the 3600 s"), "{reason}");
        assert!(reason.contains(why), "{reason}");
        let approval = held.held();
        // The approval says of itself when it expires.
        let kept = reason.strip_suffix("; it expires in 5 min");
        assert_eq!(
            api.approval(&approval).await["reason"],
            kept.unwrap_or_else(|| panic!("{reason}"))
        );
        api.approve(ADMIN, &approval).await.ok();
        check_by(&api, who, &headers).await.allowed();
        assert_ne!(check_by(&api, who, &headers).await.held(), approval);
    }
    let whole = check_by(&api, who, &[(DIGEST, &digest)]).await;
    assert!(!whole.text("reason").contains("one call"), "{whole:?}");
}

#[tokio::test]
async fn approver_is_told_that_a_part_is_bound_wherever_the_approval_is_shown() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let input = json!({ "method": "DELETE", "path": "/payments/7" });
    let commitment = digest_of(&input);
    let headers = [(DIGEST, commitment.digest.as_str()), (BINDS, "request")];
    let approval = check_by(&api, (&agent, &key), &headers).await.held();
    let path = format!("/mcp/approvals/{approval}/input");
    let disclosure = json!({ "input": input, "r": commitment.opening });
    api.put(&path, &key, disclosure).await.ok();

    let shown = api.approval(&approval).await;
    assert_eq!(shown["input"], input);
    assert_eq!(shown["bound_to"], "request");
    assert_eq!(shown["input_digest"], commitment.digest);
    let listed = api.get("/mcp/approvals", ADMIN).await.ok().body;
    assert_eq!(listed["approvals"][0]["bound_to"], "request");
    api.approve(ADMIN, &approval).await.ok();
    check_by(&api, (&agent, &key), &headers).await.allowed();
    for decision in api.audit("decision").await {
        let body = &decision["body"];
        assert_eq!((&body["bound_to"], &body["binds"]), (&json!("request"), &json!("request")));
    }
    assert_eq!(api.audit("approval.approved").await[0]["body"]["bound_to"], "request");
}

#[tokio::test]
async fn word_that_is_not_known_comes_twice_or_has_no_digest_is_refused() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let digest = "a".repeat(64);
    let of = (DIGEST, digest.as_str());
    for headers in [
        &[of, (BINDS, "input")][..],
        &[of, (BINDS, "Request")],
        &[of, (BINDS, "request, method")],
        &[of, (BINDS, "request"), (BINDS, "request")],
        &[(BINDS, "request")],
        &[(BINDS, "name")],
        &[(DIGEST, ""), (BINDS, "method")],
    ] {
        let answer = check_by(&api, (&agent, &key), headers).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], BINDS, "{headers:?} {answer:?}");
    }
    // Nothing is said by an empty one.
    check_by(&api, (&agent, &key), &[(BINDS, "")]).await.held();
}

#[tokio::test]
async fn same_idempotency_key_with_another_part_is_another_check() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let digest = "a".repeat(64);
    let ask = async |binds: Option<&'static str>| {
        let mut headers = vec![("idempotency-key", "one"), (DIGEST, digest.as_str())];
        headers.extend(binds.map(|word| (BINDS, word)));
        check_by(&api, (&agent, &key), &headers).await
    };
    let approval = ask(Some("request")).await.held();
    assert_eq!(ask(Some("request")).await.held(), approval);
    for other in [Some("method"), None] {
        ask(other).await.refused(400, "VALIDATION_ERROR");
    }
}
