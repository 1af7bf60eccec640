//! What the OpenAPI document says of bodies and queries, tried on every endpoint in it. A body that is no object, a
//! member that is not known, and a parameter of another list are refused, and change nothing.

use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::roles::{AUTHZEN, JSON_RPC, Subjects, request};
use crate::support::{Api, open};

const IGNORED: &str = "agenttrust-ignored";

/// An endpoint that takes a key, as the document describes it.
struct Endpoint {
    method: String,
    route: String,
    operation: Value,
}

impl Endpoint {
    /// Returns whether it is the SDK guide's: those tell what they ignored.
    fn is_guides(&self) -> bool {
        let responses = self.operation["responses"].as_object().unwrap();
        let mut answers = responses.iter().filter(|(status, _)| status.starts_with('2'));
        answers.any(|(_, answer)| answer["headers"].get(IGNORED).is_some())
    }

    /// Returns what its body must be, if it takes one.
    fn schema<'a>(&'a self, document: &'a Value) -> Option<&'a Value> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        schema.is_object().then(|| resolved(document, schema))
    }

    /// Returns the names and schemas of what its query may hold.
    fn parameters(&self) -> Vec<(&str, &Value)> {
        let parameters = self.operation["parameters"].as_array().into_iter().flatten();
        let of_query = parameters.filter(|parameter| parameter["in"] == "query");
        of_query.map(|each| (each["name"].as_str().unwrap(), &each["schema"])).collect()
    }

    fn method(&self) -> Method {
        self.method.to_uppercase().parse().unwrap()
    }
}

async fn document() -> Value {
    open().await.get("/openapi.json", "").await.ok().body
}

fn endpoints(document: &Value) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            // What answers as MCP and A2A have it is tried in `mcp_proxy/bad_input.rs` and in `a2a/bad_input.rs`.
            let tried_elsewhere = [&JSON_RPC[..], &AUTHZEN].concat();
            if operation["security"] != json!([{}]) && !tried_elsewhere.contains(&route.as_str()) {
                let (method, route) = (method.clone(), route.clone());
                found.push(Endpoint { method, route, operation: operation.clone() });
            }
        }
    }
    assert!(found.len() > 40, "{}", found.len());
    found
}

/// Returns the schema itself, where this refers to it; of what may be `null` too, the rest.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolved(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    let options = schema["oneOf"].as_array().into_iter().flatten();
    match options.filter(|option| option["type"] != "null").collect::<Vec<_>>()[..] {
        [only] => resolved(document, only),
        _ => schema,
    }
}

fn is_of(schema: &Value, kind: &str) -> bool {
    let types = &schema["type"];
    types == kind || types.as_array().is_some_and(|types| types.contains(&json!(kind)))
}

/// Returns what requests to all of these are about, for those that are refused and change nothing.
async fn subjects(endpoints: &[Endpoint]) -> Subjects {
    Subjects::of(&endpoints.iter().map(|endpoint| &*endpoint.route).collect::<Vec<_>>()).await
}

/// A step towards something in a body.
#[derive(Clone, Debug)]
enum Step {
    Member(String),
    First,
}

/// Returns where objects belong in a body of this schema, itself left out.
fn objects(document: &Value, schema: &Value, at: &[Step]) -> Vec<Vec<Step>> {
    let schema = resolved(document, schema);
    let mut found = Vec::new();
    if is_of(schema, "object") && !at.is_empty() {
        found.push(at.to_vec());
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let step = Step::Member(name.clone());
        found.extend(objects(document, member, &[at, &[step]].concat()));
    }
    if schema["items"].is_object() {
        found.extend(objects(document, &schema["items"], &[at, &[Step::First]].concat()));
    }
    found
}

/// Puts `value` there.
fn put(body: &mut Value, at: &[Step], value: &Value) {
    match at {
        [] => *body = value.clone(),
        [Step::Member(name), rest @ ..] => {
            if !body.is_object() {
                *body = json!({});
            }
            put(&mut body[name], rest, value);
        }
        [Step::First, rest @ ..] => {
            let mut first = body.get(0).cloned().unwrap_or_default();
            put(&mut first, rest, value);
            *body = json!([first]);
        }
    }
}

/// Returns the path as an error names it.
fn path(at: &[Step]) -> String {
    let mut path = String::new();
    for step in at {
        match step {
            Step::Member(name) if path.is_empty() => path.push_str(name),
            Step::Member(name) => path.push_str(&format!(".{name}")),
            Step::First => path.push_str("[0]"),
        }
    }
    path
}

/// A request to an endpoint in which only what is tried can be in the way, and how much there is to change.
struct Tried<'a> {
    subjects: &'a Subjects,
    method: Method,
    path: String,
    body: Value,
    before: Value,
}

impl<'a> Tried<'a> {
    async fn of(subjects: &'a Subjects, endpoint: &Endpoint) -> Self {
        let (method, path, body) = request(subjects, &endpoint.method, &endpoint.route);
        let before = things(&subjects.harness).await;
        Self { subjects, method, path, body: body.unwrap_or_else(|| json!({})), before }
    }

    async fn send(&self, body: &Value) -> Answer {
        self.subjects.harness.ask(self.method.clone(), &self.path, ADMIN, Some(body.clone())).await
    }

    async fn refuses(&self, body: &Value, field: &str) -> Answer {
        let answer = self.send(body).await;
        let at = format!("{} {} {body}: {answer:?}", self.method, self.path);
        assert_eq!(answer.status, 400, "{at}");
        assert_eq!(answer.body["error"], "VALIDATION_ERROR", "{at}");
        assert_eq!(answer.body["details"]["field"], field, "{at}");
        answer
    }

    async fn has_changed_nothing(&self) {
        assert_eq!(
            things(&self.subjects.harness).await,
            self.before,
            "{} {}",
            self.method,
            self.path
        );
    }
}

/// Returns everything that a request could change.
async fn things(api: &Api) -> Value {
    // That a request was refused is recorded of some, and changes nothing.
    let mut refused = 0;
    for kind in [
        "delegation.refused",
        "federation.provider_refused",
        "federation.tested",
        "federation.token_refused",
        "mcp_server.refused",
        "siem.destination_refused",
    ] {
        refused += api.audit(kind).await.len() as u64;
    }
    let mut things = vec![json!(api.audit_rows().await - refused)];
    for list in [
        "/api/v1/agents",
        "/api/v1/agent-tokens",
        "/api/v1/sessions",
        "/api/v1/delegations",
        "/mcp/approvals",
        "/api/v1/tools",
        "/api/v1/policies",
        "/api/v1/webhooks",
        "/api/v1/siem/destinations",
        "/mcp/servers",
        "/api/v1/federation/providers",
    ] {
        let mut listed = api.get(list, ADMIN).await.ok().body;
        // How far behind it is, is not changed by requests.
        for destination in listed["destinations"].as_array_mut().into_iter().flatten() {
            destination["lag_seconds"].take();
        }
        things.push(listed);
    }
    things.into()
}

#[tokio::test]
async fn what_is_no_object_is_refused_wherever_one_belongs_and_changes_nothing() {
    let document = document().await;
    let (mut bodies, mut inner) = (0, 0);
    let endpoints = endpoints(&document);
    let subjects = subjects(&endpoints).await;
    for endpoint in endpoints {
        let Some(schema) = endpoint.schema(&document) else { continue };
        let tried = Tried::of(&subjects, &endpoint).await;
        bodies += 1;
        let members: Vec<&Value> = tried.body.as_object().unwrap().values().collect();
        for bad in [json!([]), json!(members), json!(null), json!(7), json!("x"), json!(true)] {
            tried.refuses(&bad, "body").await;
        }
        for at in objects(&document, schema, &[]) {
            inner += 1;
            for bad in [json!([]), json!(["x"]), json!(null), json!(7), json!("x")] {
                let mut body = tried.body.clone();
                put(&mut body, &at, &bad);
                tried.refuses(&body, &path(&at)).await;
            }
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let member = resolved(&document, member);
            let single = ["string", "integer", "boolean"].iter().any(|kind| is_of(member, kind));
            let mut bad = Vec::new();
            if single || is_of(member, "array") {
                bad.push(json!({}));
                bad.push(json!({ "x": null }));
            }
            if single {
                bad.push(json!([]));
                bad.push(json!(["x"]));
            }
            for bad in bad {
                let mut body = tried.body.clone();
                body[name] = bad;
                tried.refuses(&body, name).await;
            }
        }
        tried.has_changed_nothing().await;
    }
    assert!(bodies > 20 && inner >= 6, "{bodies} bodies, {inner} objects in them");
}

#[tokio::test]
async fn misspelt_member_is_refused_by_every_endpoint_with_the_one_that_was_meant() {
    let document = document().await;
    let mut members = 0;
    let endpoints = endpoints(&document);
    let subjects = subjects(&endpoints).await;
    for endpoint in endpoints {
        let Some(schema) = endpoint.schema(&document) else { continue };
        let tried = Tried::of(&subjects, &endpoint).await;
        // What the document knows, the type knows, or it could not be meant.
        let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name);
        for name in names.filter(|name| name.len() > 1) {
            members += 1;
            let camel =
                name.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
            for misspelt in [format!("{name}{}", &name[name.len() - 1..]), camel.collect()] {
                let mut body = tried.body.clone();
                body[&misspelt] = json!("x");
                let answer = tried.refuses(&body, &misspelt).await;
                let message = answer.text("message");
                let meant = format!("{misspelt} is not known; did you mean {name:?}?");
                assert_eq!(message, meant, "{}", endpoint.route);
            }
        }
        tried.has_changed_nothing().await;
    }
    assert!(members > 40, "{members}");
}

#[tokio::test]
async fn unknown_member_is_refused_by_our_endpoints_and_named_by_those_of_the_guide() {
    const UNKNOWN: &str = "zzz_of_another_version";
    let document = document().await;
    let mut guides = 0;
    let endpoints = endpoints(&document);
    let subjects = subjects(&endpoints).await;
    for endpoint in endpoints {
        let Some(schema) = endpoint.schema(&document) else { continue };
        let tried = Tried::of(&subjects, &endpoint).await;
        let mut body = tried.body.clone();
        body[UNKNOWN] = json!({ "anything": [1] });
        // The document says so too, or clients would be made that send it.
        let closed = schema["additionalProperties"] == false;
        assert_eq!(closed, !endpoint.is_guides(), "{} {}", endpoint.method, endpoint.route);
        if closed {
            let answer = tried.refuses(&body, UNKNOWN).await;
            assert!(answer.text("message").contains("is not known; "), "{answer:?}");
            for at in objects(&document, schema, &[]) {
                let mut inner = schema;
                for step in &at {
                    inner = resolved(
                        &document,
                        match step {
                            Step::Member(name) => &inner["properties"][name],
                            Step::First => &inner["items"],
                        },
                    );
                }
                if inner["properties"].is_object() {
                    let mut body = tried.body.clone();
                    put(&mut body, &at, &json!({ UNKNOWN: 1 }));
                    tried.refuses(&body, &format!("{}.{UNKNOWN}", path(&at))).await;
                }
            }
            tried.has_changed_nothing().await;
        } else {
            guides += 1;
            let own = Subjects::of(&[&endpoint.route]).await;
            let tried = Tried::of(&own, &endpoint).await;
            let mut body = tried.body.clone();
            body[UNKNOWN] = json!({ "anything": [1] });
            let answer = tried.send(&body).await.ok();
            assert_eq!(answer.headers[IGNORED], UNKNOWN, "{} {answer:?}", endpoint.route);
            let own = Subjects::of(&[&endpoint.route]).await;
            let known = Tried::of(&own, &endpoint).await;
            let answer = known.send(&known.body).await.ok();
            assert!(!answer.headers.contains_key(IGNORED), "{} {answer:?}", endpoint.route);
        }
    }
    assert!(guides >= 10, "{guides}");
}

#[tokio::test]
async fn telemetry_events_take_anything() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let event = json!({ "event_type": "step_end", "eventType": 1, "durationMs": {}, "zzz": [1] });
    let body = json!({ "agent_id": agent, "session_id": "s", "events": [event] });
    let answer = api.post("/api/v1/telemetry/report", &key, body).await.ok();
    assert!(!answer.headers.contains_key(IGNORED), "{answer:?}");
    assert_eq!(answer.body["events_processed"], 1);
}

#[tokio::test]
async fn refusal_tells_what_was_ignored_beside_it_in_a_header_that_is_bounded() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let mut body = json!({ "agent_id": agent, "action_name": "x", "action_effect": "harmless" });
    for n in 0..1_000 {
        body[format!("zzz {n},\r\nset-cookie: é{}", "z".repeat(500))] = json!(n);
    }
    let answer = api.check_as(&key, body).await;
    answer.refused(400, "VALIDATION_ERROR");
    let named = answer.headers[IGNORED].to_str().unwrap();
    assert!(named.len() < 2_000 && named.ends_with(", ..."), "{named}");
    assert_eq!(named.split(", ").count(), 17, "{named}");
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn unknown_parameter_is_refused_by_our_endpoints_and_named_by_those_of_the_guide() {
    let document = document().await;
    let api = open().await;
    let mut parameters = 0;
    for endpoint in endpoints(&document) {
        let asks = async |api: &Api, path: &str, query: &str, body: Option<Value>| {
            api.ask(endpoint.method(), &format!("{path}?{query}"), ADMIN, body).await
        };
        let at = format!("{} {}", endpoint.method, endpoint.route);
        let anywhere = endpoint.route.replace(['{', '}'], "");
        for (name, _) in endpoint.parameters() {
            parameters += 1;
            for misspelt in [format!("{name}{}", &name[name.len() - 1..]), name.to_uppercase()] {
                let answer = asks(&api, &anywhere, &format!("{misspelt}=1"), None).await;
                answer.refused(400, "VALIDATION_ERROR");
                assert_eq!(answer.body["details"]["field"], misspelt, "{at}: {answer:?}");
                assert!(
                    answer.text("message").contains(&format!("did you mean {name:?}?")),
                    "{at}"
                );
            }
        }
        if endpoint.is_guides() {
            let subjects = Subjects::of(&[&endpoint.route]).await;
            let Tried { path, body, .. } = Tried::of(&subjects, &endpoint).await;
            let body = endpoint.schema(&document).map(|_| body);
            let answer = asks(&subjects.harness, &path, "zzz=1", body).await.ok();
            assert_eq!(answer.headers[IGNORED], "zzz", "{at}: {answer:?}");
        } else {
            let answer = asks(&api, &anywhere, "zzz=1", None).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.body["details"]["field"], "zzz", "{at}: {answer:?}");
        }
        // Whose key does not work learns that and nothing else.
        let answer = api.ask(endpoint.method(), &format!("{anywhere}?zzz=1"), "sk_no", None).await;
        answer.refused(401, "AUTH_FAILED");
    }
    assert!(parameters > 20, "{parameters}");
    // What needs no key is for probes, which add what they like.
    api.get("/health?zzz=1", "").await.ok();
}

/// Returns lists of what was sent to receivers, and of rows: with the route of each its path and a cursor.
async fn lists_of_things(api: &Api) -> [(&'static str, String, String); 4] {
    let hook = json!({ "url": "https://hooks.example.com/", "events": ["approval.approved"] });
    let hook = api.post("/api/v1/webhooks", ADMIN, hook).await.ok().text("id");
    let to = json!({
        "name": "prod", "destination_type": "webhook", "endpoint_url": "https://hooks.example.com/",
        "filter_event_types": ["siem.events_cut"],
    });
    let to = api.post("/api/v1/siem/destinations", ADMIN, to).await.ok().text("id");
    [
        (
            "/api/v1/webhooks/{id}/deliveries",
            format!("/api/v1/webhooks/{hook}/deliveries"),
            "msg_0197f0f0f0f07000800000000000abcd".to_owned(),
        ),
        (
            "/api/v1/siem/destinations/{id}/logs",
            format!("/api/v1/siem/destinations/{to}/logs"),
            "sdl_0197f0f0f0f07000800000000000abcd".to_owned(),
        ),
        (
            "/api/v1/siem/destinations/{id}/set-aside",
            format!("/api/v1/siem/destinations/{to}/set-aside"),
            "sas_0197f0f0f0f07000800000000000abcd".to_owned(),
        ),
        // Counts rows.
        ("/api/v1/audit/checkpoints", "/api/v1/audit/checkpoints".to_owned(), "7".to_owned()),
    ]
}

#[tokio::test]
async fn cursor_of_another_list_is_refused_by_every_paged_list() {
    let document = document().await;
    let api = open().await;
    let (agent, key) = api.worker().await;
    for n in 0..2 {
        api.session(ADMIN, &agent, json!({})).await.ok();
        api.token(&agent, &["*"]).await;
        api.check(&key, &agent, &format!("delete_{n}")).await.held();
        let other = api.agent(&[]).await;
        let give = json!({ "from_agent_id": agent, "to_agent_id": other, "scope": ["search"] });
        api.post("/api/v1/delegations", ADMIN, give).await.ok();
    }
    let next =
        async |path: &str| api.get(&format!("{path}?limit=1"), ADMIN).await.ok().text("next");
    let mut lists = vec![
        ("/mcp/approvals", "/mcp/approvals".to_owned(), next("/mcp/approvals").await),
        (
            "/api/v1/agent-tokens",
            "/api/v1/agent-tokens".to_owned(),
            next("/api/v1/agent-tokens").await,
        ),
        ("/api/v1/sessions", "/api/v1/sessions".to_owned(), next("/api/v1/sessions").await),
        (
            "/api/v1/delegations",
            "/api/v1/delegations".to_owned(),
            next("/api/v1/delegations").await,
        ),
    ];
    lists.extend(lists_of_things(&api).await);
    let paged = endpoints(&document);
    let mut paged: Vec<&str> = paged
        .iter()
        .filter(|endpoint| endpoint.parameters().iter().any(|(name, _)| *name == "before"))
        .map(|endpoint| endpoint.route.as_str())
        .collect();
    paged.sort_unstable();
    lists.sort_unstable();
    assert_eq!(paged, lists.iter().map(|(route, ..)| *route).collect::<Vec<_>>());
    for (route, path, own) in &lists {
        for (of, _, cursor) in &lists {
            let answer = api.get(&format!("{path}?before={cursor}"), ADMIN).await;
            if cursor == own {
                answer.ok();
            } else {
                println!("{route} with a cursor of {of}: {}", answer.body["message"]);
                answer.refused(400, "VALIDATION_ERROR");
                assert_eq!(answer.body["details"]["field"], "before", "{answer:?}");
            }
        }
    }
}
