//! Answers that no server should give.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{Inner, Running, event, events, result};

/// An event as long as a line of a log may be: with short ones it takes a minute until there are too many bytes.
static FLOOD: LazyLock<String> = LazyLock::new(|| {
    let told = json!({
        "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": "x".repeat(8_000) },
    });
    format!("data: {told}\n\n")
});

/// Returns what no server should do.
pub(super) async fn answer(inner: &Arc<Inner>, name: &str, id: &Value) -> Option<Response> {
    let endless = |piece: &'static [u8]| {
        stream::repeat_with(move || Ok::<_, std::io::Error>(Bytes::from_static(piece)))
    };
    let said = |media: &'static str, body: Body| {
        let mut response = Response::new(body);
        response.headers_mut().insert("content-type", HeaderValue::from_static(media));
        response
    };
    Some(match name {
        "html" => said("text/html", Body::from("<html>sign in</html>")),
        "huge" => {
            static PIECE: [u8; 1 << 16] = [b' '; 1 << 16];
            let pieces = endless(&PIECE).take((1 << 30) >> 16);
            let running = Running::begin(inner);
            let counted = pieces.map(move |piece| {
                let _ = &running;
                piece
            });
            said("application/json", Body::from_stream(counted))
        }
        "endless" => {
            // One line of an event after the other.
            static LINE: [u8; 4_096] = {
                let mut line = [b'x'; 4_096];
                line[4_095] = b'\n';
                line
            };
            events(inner, endless(&LINE))
        }
        "flood" => events(inner, endless(FLOOD.as_bytes())),
        "broken" => {
            let first = Ok(Bytes::from_static(b": hello\n\n"));
            let cut = Err(std::io::Error::other("cut"));
            events(
                inner,
                stream::iter([first]).chain(stream::once(async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    cut
                })),
            )
        }
        "redirect" => {
            let to = [("location", "http://169.254.169.254/latest/meta-data/")];
            (StatusCode::TEMPORARY_REDIRECT, to).into_response()
        }
        "other_id" => result(&json!("other"), json!({ "content": [] })),
        "nonsense" => said("application/json", Body::from("{\"jsonrpc\":")),
        "question" => {
            let question =
                json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {} });
            let last = json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [] } });
            let told = json!({ "jsonrpc": "2.0", "method": "notifications/made_up" });
            let all = [event(&question), event(&told), event(&last)];
            events(inner, stream::iter(all.map(Ok)))
        }
        "quiet" => events(inner, stream::pending()),
        "busy" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => return None,
    })
}
