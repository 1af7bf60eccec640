//! What a browser asks before it calls another origin: it carries nothing, and nothing else gets by with it.

use std::convert::Infallible;

use agenttrust::{AgentIdentity, AgentTrustGuard};
use agenttrust_tower::{AuthenticateLayer, GuardLayer};
use http::{Method, Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};

type Answer = Response<String>;

/// Says as whom a request came in.
fn whose()
-> impl Service<Request<String>, Response = Answer, Error = Infallible, Future: Send> + Clone {
    service_fn(async |request: Request<String>| {
        let agent = request.extensions().get::<AgentIdentity>();
        let agent = agent.map_or("nobody", AgentIdentity::agent_id);
        Ok(Response::new(format!("{} of {agent}", request.method())))
    })
}

fn with(method: Method, headers: &[(&'static str, &'static str)], body: &str) -> Request<String> {
    let mut request = Request::builder().method(method).uri("/files/a");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).expect("a request")
}

const ORIGIN: (&str, &str) = ("origin", "https://page.example");
const ASKS: (&str, &str) = ("access-control-request-method", "DELETE");
const TOKEN: (&str, &str) = ("authorization", "Bearer at_good");

#[tokio::test]
async fn preflight_passes_as_nobody_and_nothing_else_passes_without_a_token() {
    let guardian = Guardian::new(Script::Allow);
    let service = AuthenticateLayer::new(guardian.client()).layer(whose());
    let answered = async |request: Request<String>| {
        let answer = service.clone().oneshot(request).await.expect("infallible");
        (answer.status().as_u16(), answer.into_body())
    };
    let mut preflight = with(Method::OPTIONS, &[ORIGIN, ASKS], "");
    // Left there by something outside, it is nobody's any more.
    let identity = known(&guardian).await;
    preflight.extensions_mut().insert(identity);
    assert_eq!(answered(preflight).await, (200, "OPTIONS of nobody".to_owned()));
    for request in [
        with(Method::OPTIONS, &[], ""),
        with(Method::OPTIONS, &[ORIGIN], ""),
        with(Method::OPTIONS, &[ASKS], ""),
        with(Method::OPTIONS, &[ORIGIN, ORIGIN, ASKS], ""),
        with(Method::OPTIONS, &[ORIGIN, ASKS, ASKS], ""),
        with(Method::OPTIONS, &[ORIGIN, ASKS], "{}"),
        with(Method::OPTIONS, &[ORIGIN, ASKS, ("authorization", "Bearer at_bad")], ""),
        with(Method::OPTIONS, &[ORIGIN, ASKS, ("dpop", "x")], ""),
        with(Method::GET, &[ORIGIN, ASKS], ""),
        with(Method::DELETE, &[ORIGIN, ASKS], ""),
        with(Method::POST, &[ORIGIN, ASKS], ""),
    ] {
        let what = format!("{} {:?}", request.method(), request.headers());
        assert_eq!(answered(request).await.0, 401, "{what}");
    }
    // With a token it is whoever's that is.
    let asked = answered(with(Method::OPTIONS, &[ORIGIN, ASKS, TOKEN], "")).await;
    assert_eq!(asked, (200, "OPTIONS of agt_2".to_owned()));
}

/// Returns an identity as the layer makes it.
async fn known(guardian: &Guardian) -> AgentIdentity {
    let service = AuthenticateLayer::new(guardian.client()).layer(service_fn(
        async |mut request: Request<String>| {
            let agent = request.extensions_mut().remove::<AgentIdentity>().expect("one");
            let mut answer = Response::new(String::new());
            answer.extensions_mut().insert(agent);
            Ok::<_, Infallible>(answer)
        },
    ));
    let answer = service.oneshot(with(Method::GET, &[TOKEN], "")).await.expect("infallible");
    answer.extensions().get::<AgentIdentity>().expect("one").clone()
}

#[tokio::test]
async fn preflight_is_turned_away_where_that_is_said() {
    let guardian = Guardian::new(Script::Allow);
    let layer = AuthenticateLayer::new(guardian.client()).preflights(false);
    let preflight = with(Method::OPTIONS, &[ORIGIN, ASKS], "");
    let answer = layer.layer(whose()).oneshot(preflight).await.expect("infallible");
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn guard_inside_makes_no_call_of_a_preflight_unless_it_leaves_them_out() {
    let guardian = Guardian::new(Script::Allow);
    let own = guardian.guard();
    let gateway = AgentTrustGuard::gateway(guardian.client()).build();
    for guard in [own, gateway] {
        let authenticate = AuthenticateLayer::new(guardian.client());
        let guarded = authenticate.layer(GuardLayer::http(guard.clone()).layer(whose()));
        let preflight = || with(Method::OPTIONS, &[ORIGIN, ASKS], "");
        let answer = guarded.clone().oneshot(preflight()).await.expect("infallible");
        assert_eq!(answer.status(), 400, "{}", answer.body());
        assert!(answer.body().contains("preflight"), "{}", answer.body());
        let checks = guardian.checks().len();
        let left_out = GuardLayer::http(guard)
            .filter(|request: &Request<String>| !agenttrust_tower::http::is_preflight(request));
        let left_out = authenticate.layer(left_out.layer(whose()));
        let answer = left_out.clone().oneshot(preflight()).await.expect("infallible");
        assert_eq!(answer.body(), "OPTIONS of nobody");
        assert_eq!(guardian.checks().len(), checks, "it was asked about");
        // Everything else is checked as before.
        let call = with(Method::DELETE, &[ORIGIN, ASKS, TOKEN], "");
        assert_eq!(left_out.oneshot(call).await.expect("infallible").body(), "DELETE of agt_2");
        assert_eq!(guardian.checks().len(), checks + 1);
    }
}
