//! The OpenAPI document: it says of every endpoint what there is to say, and of nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::open;

async fn document() -> Value {
    open().await.get("/openapi.json", "").await.ok().body
}

/// The endpoints that every caller may ask.
const OPEN: [&str; 8] = [
    "/health",
    "/openapi.json",
    "/.well-known/oauth-protected-resource/mcp/{server_id}",
    "/.well-known/oauth-protected-resource/a2a/agents/{id}",
    "/.well-known/jwks.json",
    "/.well-known/authzen-configuration",
    "/a2a/agents/{id}/agent.json",
    "/a2a/agents/{id}/.well-known/agent-card.json",
];

/// Returns method, route and description of every operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(route, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.clone(), route.clone(), operation))
        })
        .collect()
}

#[tokio::test]
async fn document_holds_every_endpoint_of_the_router_and_no_other() {
    let router = include_str!("../../src/http/mod.rs");
    let mut served = BTreeSet::new();
    for line in router.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (route, handlers) = line.split_once("\", ").unwrap();
        for method in ["get", "post", "put", "delete", "patch", "any"] {
            if handlers.starts_with(&format!("{method}("))
                || handlers.contains(&format!(".{method}("))
            {
                served.insert((method.to_owned(), route.to_owned()));
            }
        }
    }
    assert!(served.len() > 30);
    let document = document().await;
    let documented: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, route, _)| (method, route)).collect();
    assert_eq!(documented, served);
}

#[tokio::test]
async fn every_operation_says_what_it_is_and_what_it_answers() {
    let document = document().await;
    let mut ids = BTreeSet::new();
    for (method, route, operation) in operations(&document) {
        let at = format!("{method} {route}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{at} has no id"));
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
        assert!(operation["summary"].as_str().is_some_and(|said| !said.is_empty()), "{at}");
        let tags = operation["tags"].as_array().unwrap();
        let listed = document["tags"].as_array().unwrap();
        assert!(
            tags.len() == 1 && listed.iter().any(|tag| tag["name"] == tags[0]),
            "{at}: {tags:?}"
        );
        let responses = operation["responses"].as_object().unwrap();
        let open = OPEN.contains(&route.as_str());
        assert_eq!(operation["security"] == serde_json::json!([{}]), open, "{at}");
        for status in ["400", "401", "403"] {
            assert_eq!(responses.contains_key(status), !open, "{at}: {status}");
        }
        for of_bodies in ["408", "413"] {
            let told = responses.contains_key(of_bodies);
            assert_eq!(told, operation["requestBody"].is_object(), "{at}: {of_bodies}");
        }
        // What is answered there is what MCP and A2A have, streams and all.
        let of_json_rpc =
            ["/mcp/{server_id}", "/a2a", "/a2a/agents/{id}"].contains(&route.as_str());
        for (status, response) in responses.iter().filter(|_| !of_json_rpc) {
            // What is said by the status alone has no body: there is none, or it is not sent again.
            if ["204", "304"].contains(&status.as_str()) {
                assert!(response["content"].is_null(), "{at}");
                continue;
            }
            let mut content = response["content"].as_object().unwrap().clone();
            // What the profile of AuthZEN has a name for is refused as RFC 9457 has it, and the rest as ever.
            if let Some(problem) = content.remove("application/problem+json") {
                assert!(route.starts_with("/access/v1/requests"), "{at}: {status}");
                let schema = &problem["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/AccessProblem", "{at}: {status}");
                if content.is_empty() {
                    continue;
                }
            }
            assert_eq!(content.len(), 1, "{at}: {status}");
            if status.starts_with('2') {
                continue;
            }
            // A Guardian that is not well says how it is, and refuses nothing.
            let expected = if route == "/health" { "Health" } else { "ApiError" };
            let schema = &content["application/json"]["schema"]["$ref"];
            assert_eq!(schema, &format!("#/components/schemas/{expected}"), "{at}: {status}");
        }
        let named: BTreeSet<_> =
            route.split('{').skip(1).map(|part| part.split('}').next()).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let path: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str())
            .collect();
        assert_eq!(path, named, "{at}");
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document().await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}
