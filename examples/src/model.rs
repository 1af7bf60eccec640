//! Somewhere to find a model: the endpoint of the environment, or one of this process that plays a
//! script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::Served;

/// A scripted model's answer when it is its turn.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Calls a tool with these arguments, which are text: a model may write anything.
    Calls(&'static str, &'static str),
    /// Says something, and is done.
    Says(&'static str),
    /// Says what came back from its last call of a tool, and is done.
    Relays,
}

/// An OpenAI-compatible endpoint.
#[derive(Debug)]
pub struct ModelEndpoint {
    /// The base URL of the model, such as `http://127.0.0.1:40123/v1`.
    pub base_url: String,
    /// The key that the model takes.
    pub api_key: String,
    /// The name of the model to use.
    pub model: String,
    /// Keeps the socket of a scripted one open.
    _served: Option<Served>,
}

impl ModelEndpoint {
    /// Returns the endpoint of the environment where `OPENAI_BASE_URL` or `OPENAI_API_KEY` names
    /// one, with the model `OPENAI_MODEL`; else one on this machine that plays `script`, over real
    /// HTTP.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub async fn of_env_or_scripted(script: Vec<Turn>) -> anyhow::Result<Self> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (base_url, api_key) = (set("OPENAI_BASE_URL"), set("OPENAI_API_KEY"));
        if base_url.is_some() || api_key.is_some() {
            return Ok(Self {
                base_url: base_url.unwrap_or_else(|| "https://api.openai.com/v1".to_owned()),
                api_key: api_key.unwrap_or_default(),
                model: set("OPENAI_MODEL").unwrap_or_else(|| "gpt-4.1-mini".to_owned()),
                _served: None,
            });
        }
        Self::scripted(script).await
    }

    /// Creates one on this machine that plays `script`, whatever the environment says.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub async fn scripted(script: Vec<Turn>) -> anyhow::Result<Self> {
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(script);
        let served = Served::on_loopback(router).await?;
        Ok(Self {
            base_url: format!("{}/v1", served.url()),
            api_key: "sk-scripted".to_owned(),
            model: "scripted".to_owned(),
            _served: Some(served),
        })
    }
}

/// Plays the next turn. As strict as a real endpoint, so that what works here works there.
async fn complete(State(script): State<Arc<Mutex<VecDeque<Turn>>>>, body: String) -> Response {
    let request: Value = match serde_json::from_str(&body) {
        Ok(request) => request,
        Err(error) => return refuse(&format!("the request is no JSON: {error}")),
    };
    if request["stream"] == true {
        return refuse("this model does not stream");
    }
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(id) = unanswered(messages) {
        return refuse(&format!("the tool call {id:?} has no answer"));
    }
    let turn = script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    match turn {
        None => refuse("the script is at its end"),
        Some(Turn::Calls(tool, arguments)) => {
            let tools = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !tools.iter().any(|offered| offered["function"]["name"] == tool) {
                return refuse(&format!("no tool {tool:?} was offered to the model"));
            }
            // Different at every turn: each call of the conversation must have an id of its own.
            let id = format!("call_{}", messages.len());
            let call = json!({
                "id": id,
                "type": "function",
                "function": { "name": tool, "arguments": arguments },
            });
            answer(&request, json!({ "tool_calls": [call], "content": null }), "tool_calls")
        }
        Some(Turn::Says(text)) => answer(&request, json!({ "content": text }), "stop"),
        Some(Turn::Relays) => {
            let told = messages.iter().rfind(|message| message["role"] == "tool");
            let told = told.map(|message| text_of(&message["content"])).unwrap_or_default();
            answer(&request, json!({ "content": format!("I was told: {told}") }), "stop")
        }
    }
}

/// Returns the id of a tool call that has no answer, if there is one.
fn unanswered(messages: &[Value]) -> Option<&str> {
    let calls = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
    let mut ids = calls.filter_map(|call| call["id"].as_str());
    ids.find(|id| !messages.iter().any(|message| message["tool_call_id"] == *id))
}

/// Returns the text of a message's content, which is a text, or parts with texts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn answer(request: &Value, mut message: Value, finish_reason: &str) -> Response {
    message["role"] = "assistant".into();
    let completion = json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason }],
        "usage": { "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 },
    });
    respond(StatusCode::OK, &completion)
}

fn refuse(why: &str) -> Response {
    let error = json!({
        "message": why, "type": "invalid_request_error", "param": null, "code": null,
    });
    respond(StatusCode::BAD_REQUEST, &json!({ "error": error }))
}

fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
