//! A call that is asked about: of a tool that the server has, as it was first, and once the Guardian allows it.

use std::pin::pin;
use std::time::Duration;

use agenttrust::{Action, AgentTrustError, DenialResponse, Effect, OnElevation, Permit};
use agenttrust_tower::internal::mcp::{
    Call, INTERNAL_ERROR, INVALID_PARAMS, Kind, Rejection, denied_error, denied_result,
};
use futures_util::future::{Either, select};
use serde_json::{Map, Value, json};

use super::pending::Ticket;
use super::relay::{About, Relay, is_read_by_a_model};
use super::tools::Standing;

/// The time that the server may take to list its tools.
const LISTED_WITHIN: Duration = Duration::from_secs(10);
/// The number of pages that they may take, and of tools on them.
const PAGES_MOST: usize = 100;
const LISTED_MOST: usize = 10_000;
/// The length that all pages may have, as JSON.
const LISTED_MAX_BYTES: usize = 16 << 20;
/// The time between two messages to a client that its call still waits.
const BEAT: Duration = Duration::from_secs(5);
/// The step by which its progress grows: the server's own, which comes after it, is to be more.
const STEP: f64 = 1e-6;

/// The reason why a call is not made.
enum Refusal {
    /// The refusal in the words of MCP: there is no such tool.
    Protocol(Rejection),
    /// The refusal in the words of a denial.
    Denied(DenialResponse),
}

impl From<AgentTrustError> for Refusal {
    fn from(error: AgentTrustError) -> Self {
        Self::Denied(DenialResponse::from_error(error))
    }
}

impl Relay {
    /// Asks about a call, and makes it or tells why not.
    pub(super) async fn call(&self, call: Call, about: About, anew: Vec<u8>, ticket: Ticket) {
        let Ticket { number, unwanted } = ticket;
        let permit = match select(pin!(self.permit(&call, &about)), unwanted).await {
            Either::Left((permit, _)) => permit,
            // It was cancelled: what is approved from now on is for another call.
            Either::Right(_) => return,
        };
        match permit {
            Ok(permit) => match self.to_server.place().await {
                Ok(place) => self.pending.run(&call.id, number, permit, || place.write(anew)),
                Err(_) => drop(permit),
            },
            Err(refusal) if self.pending.refuse(&call.id, number) => {
                // A client that is gone is found out by its own side.
                let _ = self.tell(&answer(call, refusal, about.modern)).await;
            }
            // It was cancelled meanwhile: an answer would be one too many.
            Err(_) => {}
        }
    }

    async fn permit(&self, call: &Call, about: &About) -> Result<Permit, Refusal> {
        let tool = call.kind.tool(Some(&self.server), &call.name);
        let tool = tool.map_err(|reason| Refusal::Denied(DenialResponse::refused(reason)))?;
        let effect = match call.kind {
            Kind::Tool => self.known(&call.name, about).await?,
            kind => kind.effect(),
        };
        let action = |on_elevation| {
            let action = Action::new(tool.clone()).input(&call.input).on_elevation(on_elevation);
            match effect {
                Some(effect) => action.effect(effect),
                None => action,
            }
        };
        let guard = self.asked.guard();
        match (guard.authorize(action(OnElevation::Fail)).await, self.hold) {
            (Err(AgentTrustError::ElevationRequired { approval_id, .. }), Some(hold)) => {
                let waiting = guard.authorize(action(OnElevation::Wait(hold)));
                let permit = self.held(&approval_id, about, waiting).await;
                let permit = permit.map_err(|denial| self.asked.explain(&tool, denial))?;
                // What was approved is the tool as it was described then, which is long ago by now.
                if call.kind == Kind::Tool {
                    self.known(&call.name, about).await?;
                }
                Ok(permit)
            }
            (permit, _) => Ok(permit.map_err(|denial| self.asked.explain(&tool, denial))?),
        }
    }

    /// Waits with the client, which hears of it where it gave a token.
    async fn held(
        &self,
        approval_id: &str,
        about: &About,
        waiting: impl Future<Output = agenttrust::Result<Permit>>,
    ) -> agenttrust::Result<Permit> {
        let mut waiting = pin!(waiting);
        let mut ending = self.ending.subscribe();
        let mut beats = 0.0;
        loop {
            if let Some(token) = &about.token {
                beats += 1.0;
                let message = format!("waits for the approval {approval_id}");
                let params =
                    json!({ "progressToken": token, "progress": beats * STEP, "message": message });
                let told = json!({
                    "jsonrpc": "2.0", "method": "notifications/progress", "params": params,
                });
                let _ = self.tell(&told).await;
            }
            let ended = pin!(ending.wait_for(|ending| *ending));
            let beat = pin!(tokio::time::sleep(BEAT));
            match select(waiting.as_mut(), select(ended, beat)).await {
                Either::Left((permit, _)) => return permit,
                Either::Right((Either::Left(_), _)) => {
                    let message =
                        format!("approval {approval_id} was waited for, and this run ends");
                    let approval_id = approval_id.to_owned();
                    return Err(AgentTrustError::ElevationRequired { message, approval_id });
                }
                Either::Right((Either::Right(_), _)) => {}
            }
        }
    }

    /// Returns what the annotations of a tool raise it to, where the server has it and it is as it was first.
    async fn known(&self, tool: &str, about: &About) -> Result<Option<Effect>, Refusal> {
        let mut standing = self.tools.standing(tool);
        if standing == Standing::Stale {
            let _one = self.listing.lock().await;
            // Another call may have asked meanwhile.
            standing = self.tools.standing(tool);
            if standing == Standing::Stale {
                let listed = tokio::time::timeout(LISTED_WITHIN, self.list(about)).await;
                let late = "the MCP server did not say in time which tools it has";
                let mut tools = listed.unwrap_or(Err(late)).map_err(|why| {
                    let message = format!("the call was not made: {why}");
                    Refusal::Protocol(Rejection::new(INTERNAL_ERROR, message))
                })?;
                self.tools.listed(&mut tools, true);
                standing = self.tools.standing(tool);
            }
        }
        match standing {
            Standing::Known(effect) => Ok(effect),
            Standing::Changed => Err(Refusal::Denied(DenialResponse::refused(self.changed(tool)))),
            Standing::Unknown | Standing::Stale => {
                let message = format!("the server has no tool {tool:?}; see tools/list");
                Err(Refusal::Protocol(Rejection::new(INVALID_PARAMS, message)))
            }
        }
    }

    /// Returns the message about a tool that differs from what it was first.
    fn changed(&self, tool: &str) -> String {
        let accept = match self.tools.kept_in() {
            Some(file) => {
                format!("take its line out of {}, and start the server again", file.display())
            }
            None => "and start the server again".to_owned(),
        };
        format!(
            "the MCP server describes the tool {tool:?} otherwise than it did first, and what was described then is \
             what was looked at; the call was not made. A person has to look at the tool, {accept} to have it as it \
             is now"
        )
    }

    /// Asks the server for all of its tools.
    async fn list(&self, about: &About) -> Result<Vec<Value>, &'static str> {
        let mut tools = Vec::new();
        let (mut bytes, mut cursor) = (0, None);
        for _ in 0..PAGES_MOST {
            let answer = self.ask_for_page(about, cursor).await;
            let mut answer = answer
                .ok_or("the MCP server is gone, or sent a list of its tools that cannot be read")?;
            let result = answer.get_mut("result").and_then(Value::as_object_mut);
            let result = result.ok_or("the MCP server did not say which tools it has")?;
            if let Some(Value::Array(page)) = result.remove("tools") {
                let written = serde_json::to_vec(&page).map_or(usize::MAX, |page| page.len());
                bytes = written.saturating_add(bytes);
                tools.extend(page);
            }
            cursor = result.remove("nextCursor").filter(|cursor| !cursor.is_null());
            if cursor.is_none() {
                return Ok(tools);
            }
            if tools.len() > LISTED_MOST || bytes > LISTED_MAX_BYTES {
                break;
            }
        }
        Err("the MCP server has more tools than anything looks at")
    }

    async fn ask_for_page(
        &self,
        about: &About,
        cursor: Option<Value>,
    ) -> Option<Map<String, Value>> {
        let (id, answer) = self.pending.ask();
        let mut params = Map::new();
        if !about.meta.is_empty() {
            params.insert("_meta".to_owned(), Value::Object(about.meta.clone()));
        }
        params.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor)));
        let ask = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params });
        self.to_server.write(ask.to_string().into_bytes()).await.ok()?;
        answer.await.ok()
    }
}

/// Returns the answer to the client: what the model can read, where a model reads it.
fn answer(call: Call, refusal: Refusal, modern: bool) -> Value {
    let (member, value) = match refusal {
        Refusal::Protocol(rejection) => return rejection.id(call.id).into_message(),
        Refusal::Denied(denial) if is_read_by_a_model(&call) => {
            ("result", denied_result(&denial, modern))
        }
        Refusal::Denied(denial) => ("error", denied_error(&denial)),
    };
    json!({ "jsonrpc": "2.0", "id": call.id, member: value })
}
