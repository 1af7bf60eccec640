//! [`Observed`]: an embedded Guardian whose telemetry is counted as it comes in.
//!
//! The audit lists the reports that the Guardian believes, once for each check. Counting where requests come in
//! also shows the report that was sent twice, and the one that should not have been sent at all.

use agenttrust::model::TelemetryReport;
use agenttrust::model::headers::CHECK_IDS;
use agenttrust::{Agent, AgentTrustClient, AgentTrustGuard, TelemetryEvent};
use agenttrust_guardian::Guardian;
use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::admin::Admin;
use crate::bounded::{here, until};
use crate::socket::Socket;
use crate::test_guardian::bot;

const ADMIN_KEY: &str = "sk_live_admin_observed";

/// A Guardian under observation.
#[derive(Debug)]
pub struct Observed {
    router: Router,
    intake: Intake,
}

impl Observed {
    /// Starts one in memory.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start() -> Result<Self> {
        let guardian = Guardian::builder().admin_key(ADMIN_KEY).build_blocking()?;
        let intake = Intake::default();
        let watched = from_fn_with_state(intake.clone(), take_in);
        Ok(Self { router: guardian.router().layer(watched), intake })
    }

    /// Returns a client with an admin's key, without a socket.
    ///
    /// # Errors
    ///
    /// When none can be built.
    pub fn client(&self) -> Result<AgentTrustClient> {
        let service = self
            .router
            .clone()
            .map_request(|request: http::Request<Bytes>| request.map(Body::from));
        Ok(AgentTrustClient::builder().service(service).api_key(ADMIN_KEY).build()?)
    }

    /// Returns the same Guardian on a real socket, and a client with an admin's key that goes there.
    ///
    /// # Errors
    ///
    /// When there is no socket to be had.
    pub fn socket(&self) -> Result<(Socket, AgentTrustClient)> {
        let socket = Socket::serve(self.router.clone())?;
        let client =
            AgentTrustClient::builder().base_url(socket.url()).api_key(ADMIN_KEY).build()?;
        Ok((socket, client))
    }

    /// Registers an agent with these capabilities.
    ///
    /// # Errors
    ///
    /// When the Guardian refuses.
    pub fn agent(&self, capabilities: &[&str]) -> Result<Agent> {
        Ok(here(self.client()?.agents().create(&bot(capabilities)))?)
    }

    /// Returns an admin of the Guardian.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::inside(self.router.clone(), ADMIN_KEY)
    }

    /// Returns what came in.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.intake
    }
}

/// An event that the Guardian took in.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The event.
    pub event: TelemetryEvent,
    /// The check that it names.
    pub check_id: Option<String>,
}

/// The telemetry that a Guardian took in, oldest first.
#[derive(Clone, Debug)]
pub struct Intake {
    taken: watch::Sender<Vec<Taken>>,
}

impl Default for Intake {
    fn default() -> Self {
        Self { taken: watch::Sender::new(Vec::new()) }
    }
}

impl Intake {
    /// Returns all of it.
    #[must_use]
    pub fn all(&self) -> Vec<Taken> {
        self.taken.borrow().clone()
    }

    /// Waits, without making anybody send, until so many events are there.
    pub async fn reaches(&self, count: usize) -> Vec<Taken> {
        let mut taken = self.taken.subscribe();
        let reached = taken.wait_for(|taken| taken.len() >= count).await;
        reached.map(|taken| taken.clone()).unwrap_or_default()
    }

    /// Flushes `guard` until one event is there, then once more: what it has to say is said.
    ///
    /// # Errors
    ///
    /// When a report is not taken, or none comes.
    pub async fn after_flushing(&self, guard: &AgentTrustGuard) -> Result<Vec<Taken>> {
        until("a report", async || {
            guard.flush().await?;
            Ok((!self.all().is_empty()).then_some(()))
        })
        .await?;
        guard.close().await?;
        Ok(self.all())
    }
}

async fn take_in(State(intake): State<Intake>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/api/v1/telemetry/report" {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body that arrives").to_bytes();
    let ids = head.headers.get(CHECK_IDS).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let response = next.run(Request::from_parts(head, Body::from(body.clone()))).await;
    if response.status() == StatusCode::OK {
        let report: TelemetryReport = serde_json::from_slice(&body).expect("a report");
        let mut ids = ids.as_deref().unwrap_or_default().split(',').map(str::trim);
        intake.taken.send_modify(|taken| {
            taken.extend(report.events.into_iter().map(|event| Taken {
                event,
                check_id: ids.next().filter(|id| !["", "-"].contains(id)).map(str::to_owned),
            }));
        });
    }
    response
}
