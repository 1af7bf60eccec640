//! What the client sends of delegations, and what it makes of a gateway that knows none of our extensions.

use agenttrust::client::DelegationFilter;
use agenttrust::model::{
    CreateDelegationRequest, Delegation, DelegationRestrictions, DelegationState,
};
use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

/// An id that would leave its path, its segment and the path altogether.
const ODD: &str = "../a?b";
const ODD_SEGMENT: &str = "..%2Fa%3Fb";

/// Returns what the guide says that a delegation is, and nothing of ours.
fn delegation(id: &str) -> Value {
    json!({
        "id": id, "from_agent_id": "a", "to_agent_id": "b", "scope": ["web_search"],
        "expires_at": "2030-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
    })
}

/// Returns a gateway that has the guide's endpoints alone: a member, a query or a header of ours is a 400.
async fn strict(request: Request<Bytes>) -> Result<Response<String>, std::io::Error> {
    const MEMBERS: [&str; 6] = [
        "from_agent_id",
        "to_agent_id",
        "scope",
        "ttl_seconds",
        "restrictions",
        "parent_delegation_id",
    ];
    let body: Value = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
    let members = body.as_object().into_iter().flat_map(|body| body.keys());
    let ours = request.headers().keys().any(|name| name.as_str().starts_with("agenttrust-"));
    let known = members.clone().all(|name| MEMBERS.contains(&name.as_str()));
    if ours || !known || request.uri().query().is_some() {
        return Ok(answer(400, &json!({ "error": "VALIDATION_ERROR", "message": "unknown" })));
    }
    let one = format!("/api/v1/delegations/{ODD_SEGMENT}");
    let said = match (request.method(), request.uri().path()) {
        (&Method::POST, "/api/v1/delegations") => json!({ "delegation": delegation("del-1") }),
        (&Method::GET, "/api/v1/delegations") => json!({ "delegations": [delegation("del-1")] }),
        (&Method::GET, path) if path == one => delegation(ODD),
        (&Method::DELETE, path) if path == one => return Ok(Response::new(String::new())),
        (&Method::POST, path) if path == format!("{one}/session") => json!({
            "session_id": "s-1", "agent_id": "b", "delegation_id": ODD, "source": "delegation",
            "scope_ceiling": ["web_search"],
        }),
        _ => return Ok(answer(404, &json!({ "error": "NOT_FOUND", "message": "no" }))),
    };
    Ok(answer(200, &said))
}

fn answer(status: u16, body: &Value) -> Response<String> {
    Response::builder().status(status).body(body.to_string()).unwrap()
}

fn client() -> AgentTrustClient {
    AgentTrustClient::builder().api_key("k").service(tower::service_fn(strict)).build().unwrap()
}

fn request() -> CreateDelegationRequest {
    CreateDelegationRequest {
        from_agent_id: "a".to_string(),
        to_agent_id: "b".to_string(),
        scope: vec!["web_search".to_string()],
        ttl_seconds: Some(3600),
        restrictions: None,
        parent_delegation_id: None,
    }
}

/// Makes every call, with `$done` around each.
macro_rules! all {
    ($client:ident, $done:ident) => {{
        let made: Delegation = $done!($client.delegations().create(&request()));
        assert_eq!((&*made.id, &*made.scope), ("del-1", &["web_search".to_owned()][..]));
        assert!(made.delegation_chain.is_empty() && made.restrictions.max_calls.is_none());
        assert_eq!(
            made.state,
            DelegationState::Unknown,
            "nothing is taken for active that is not said to be"
        );
        let listed = $done!($client.delegations().list());
        assert_eq!(listed.iter().map(|it| &*it.id).collect::<Vec<_>>(), ["del-1"]);
        let page = $done!($client.delegations().list_with(&DelegationFilter::default()));
        assert!(page.next.is_none());
        assert_eq!($done!($client.delegations().get(ODD)).id, ODD);
        let session = $done!($client.delegations().init_session(ODD));
        assert_eq!(session.delegation_id.as_deref(), Some(ODD));
        $done!($client.delegations().revoke(ODD));
    }};
}

#[tokio::test]
async fn gateway_that_knows_the_guide_alone_is_sent_nothing_else() {
    macro_rules! done {
        ($call:expr) => {
            $call.await.unwrap()
        };
    }
    let client = client();
    all!(client, done);
    let filter = DelegationFilter::default().agent_id("a&limit=9").limit(2).before("1.dlg_1");
    let refused = client.delegations().list_with(&filter).await.unwrap_err();
    assert!(matches!(refused, AgentTrustError::Validation { status: 400, .. }), "{refused:?}");
    for id in ["", ".", ".."] {
        let refused = client.delegations().revoke(id).await.unwrap_err();
        assert!(matches!(refused, AgentTrustError::Validation { status: 0, .. }), "{refused:?}");
    }
}

#[test]
fn gateway_that_knows_the_guide_alone_serves_the_blocking_client_too() {
    macro_rules! done {
        ($call:expr) => {
            $call.unwrap()
        };
    }
    let client = blocking::AgentTrustClient::from(client());
    all!(client, done);
}

#[test]
fn restrictions_and_parents_travel_under_their_documented_names_and_only_where_they_are_said() {
    let sent = serde_json::to_value(request()).unwrap();
    assert_eq!(
        sent,
        json!({ "from_agent_id": "a", "to_agent_id": "b", "scope": ["web_search"], "ttl_seconds": 3600 })
    );
    let restrictions = DelegationRestrictions::default()
        .tools(["github/*"])
        .servers(["github"])
        .max_calls(3)
        .not_after("2030-01-01T00:00:00Z".parse().unwrap());
    let sent = serde_json::to_value(CreateDelegationRequest {
        restrictions: Some(restrictions),
        parent_delegation_id: Some("dlg_1".to_owned()),
        ..request()
    });
    let sent = sent.unwrap();
    assert_eq!(
        sent["restrictions"],
        json!({ "tools": ["github/*"], "servers": ["github"], "max_calls": 3, "not_after": "2030-01-01T00:00:00Z" })
    );
    assert_eq!(sent["parent_delegation_id"], "dlg_1");
}
