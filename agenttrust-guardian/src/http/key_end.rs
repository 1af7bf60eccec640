//! Reading with a key ends with the key. If a request is under way when its key is revoked, or its secret rotated away,
//! it is answered 401, and a body that is on its way breaks off.
//!
//! Only requests that read: what one begins to change is finished.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};
use tokio::sync::broadcast::error::RecvError;

use super::App;
use super::auth::{Identified, UNKNOWN};
use crate::domain::{Error, Fingerprint};
use crate::engine::Engine;

/// The longest time after which a secret is looked at again, even if nothing ends it.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(3_600);

/// Returns the middleware, inside of the one that identifies the caller.
pub(super) async fn end_with_key(engine: App, request: Request, next: Next) -> Response {
    let secret = match request.extensions().get::<Identified>() {
        Some(Identified(Ok((_, secret)))) if request.method().is_safe() => *secret,
        _ => return next.run(request).await,
    };
    let engine = Arc::downgrade(&engine);
    let answer = pin!(next.run(request));
    match select(answer, pin!(end_of(Weak::clone(&engine), secret))).await {
        Either::Left((response, _)) => response.map(|body| cut(body, engine, secret)),
        Either::Right(_) => Error::unauthenticated(UNKNOWN).into_response(),
    }
}

/// Waits until the secret works no more, without keeping the Guardian alive.
async fn end_of(engine: Weak<Engine>, secret: Fingerprint) {
    let left = |engine: &Engine| engine.registry.keys.lasts(&secret, engine.clock.now());
    let Some(mut news) = engine.upgrade().map(|engine| engine.revocations.listen()) else { return };
    while let Some(left) = engine.upgrade().and_then(|engine| left(&engine)) {
        // Whatever is heard: memory says so already, and it costs little to look.
        let over = pin!(background::sleep(left.min(LOOKED_AT_EVERY)));
        if let Either::Left((Err(RecvError::Closed), _)) = select(pin!(news.recv()), over).await {
            return;
        }
    }
}

/// Returns the same body, but that it breaks off when the secret works no more. One that is there whole stays itself.
fn cut(body: Body, engine: Weak<Engine>, secret: Fingerprint) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    let end: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(end_of(engine, secret));
    let parts = stream::unfold(Some((body.into_data_stream(), end)), |on_its_way| async {
        let (mut parts, end) = on_its_way?;
        match select(pin!(parts.next()), end).await {
            Either::Left((part, end)) => {
                let part: Result<Bytes, io::Error> = part?.map_err(io::Error::other);
                Some((part, Some((parts, end))))
            }
            // Not as if it were whole.
            Either::Right(_) => Some((Err(io::Error::other(UNKNOWN)), None)),
        }
    });
    Body::from_stream(parts)
}
