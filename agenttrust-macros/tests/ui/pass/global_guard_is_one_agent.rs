//! After `install` the process is one agent: in the scope of another one nothing runs, from the first call. What
//! `install` returns sends the reports that still wait when it goes.

#![deny(warnings)]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, guarded};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

#[guarded(effect = "read")]
fn tool() -> Result<&'static str, AgentTrustError> {
    Ok("ran")
}

static REPORTED: AtomicUsize = AtomicUsize::new(0);

async fn allow(request: Request<Bytes>) -> io::Result<Response<Full<Bytes>>> {
    if request.uri().path().ends_with("/report") {
        let body = String::from_utf8_lossy(request.body());
        REPORTED.fetch_add(body.matches("event_type").count(), Ordering::SeqCst);
    }
    Ok(Response::new(Full::from(r#"{"allowed":true,"check_id":"chk_1"}"#)))
}

fn guard(agent: &str) -> AgentTrustGuard {
    let client = AgentTrustClient::builder()
        .base_url("http://guardian.test")
        .service(tower::service_fn(allow))
        .build()
        .unwrap();
    AgentTrustGuard::new(client, agent)
}

pub(super) fn main() {
    let reports = guard("shopbot").install().unwrap();
    assert_eq!(tool().unwrap(), "ran");
    drop(reports);
    assert_eq!(REPORTED.load(Ordering::SeqCst), 1);
    // Another session of the same agent.
    assert_eq!(guard("shopbot").scope_sync(tool).unwrap(), "ran");
    for _ in 0..2 {
        let error = guard("admin-bot").scope_sync(tool).unwrap_err().to_string();
        assert!(error.contains("the scope of agent \"admin-bot\""), "{error}");
        assert!(error.contains("this process is agent \"shopbot\""), "{error}");
        assert!(error.contains("set_global_fallback()"), "{error}");
    }
    let second = guard("admin-bot").install().unwrap_err().to_string();
    assert!(second.contains("set_global_fallback"), "{second}");
}
