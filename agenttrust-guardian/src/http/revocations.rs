//! The stream of revocations, as server-sent events: `ready` once nothing is missed any more, then a `revocation` for
//! each. It ends with `lagged` for a reader that fell too far behind. It ends without a word when the reader's secret
//! works no more, or the Guardian stops.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;
use agenttrust::model::Revocation;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use utoipa::ToSchema;

use super::App;
use super::answers::{TooMany, Unavailable};
use super::auth::Caller;
use crate::domain::Error;
use crate::domain::limits::Share;
use crate::domain::{Fingerprint, Key, Permission};
use crate::engine::Engine;
use crate::engine::revocations::RevocationEvent;

/// The silence after which a comment is sent, so that a reader can tell a dead connection from a
/// quiet Guardian, and the Guardian a dead reader.
const BEAT: Duration = Duration::from_secs(15);

/// An event of the stream.
#[derive(Debug, ToSchema)]
#[schema(as = RevocationEvent)]
pub(super) struct StreamedEvent {
    #[schema(value_type = String, pattern = "^(ready|revocation|lagged)$")]
    event: &'static str,
    /// JSON: of a `revocation` its `kind` and what it is of, else `{}`.
    data: String,
}

/// Follows what is revoked
///
/// The stream says `ready` once nothing is missed any more, then a `revocation` for each. It has no
/// end; a comment every 15 seconds says that it is alive.
#[utoipa::path(
    get, path = "/api/v1/revocations/stream", operation_id = "watch_revocations", tag = "tokens",
    responses(
        (status = 200, description = "Server-sent events", body = StreamedEvent, content_type = "text/event-stream"),
        TooMany, Unavailable,
    ),
)]
pub(super) async fn stream(engine: App, caller: Caller) -> Result<Response, Error> {
    caller.need(Permission::WatchRevocations)?;
    let closing = engine.closing();
    if *closing.borrow() {
        return Err(Error::unavailable("the Guardian is stopping; try again later"));
    }
    let place = engine.limits.streams.take(&caller.key, 1)?;
    let (events, Caller { key, secret, named }) = (engine.revocations.listen(), caller);
    let engine = Arc::downgrade(&engine);
    let watch = Watch { engine, events, closing, key, secret, named, beat: BEAT, _place: place };
    // It may have been revoked after it was looked up and before anybody listened for that.
    if !watch.key_works() {
        return Err(Error::unauthenticated("the API key was revoked; use another one"));
    }
    let events = stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Said::Next(bytes) => Some((bytes, Some(watch))),
            Said::Last(bytes) => Some((bytes, None)),
            Said::Nothing => None,
        }
    });
    let events = stream::once(async { event("ready", &serde_json::json!({})) }).chain(events);
    let headers = [
        (CONTENT_TYPE.as_str(), "text/event-stream"),
        (CACHE_CONTROL.as_str(), "no-store"),
        // nginx would hold events back until it has enough of them.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response())
}

/// The stream of one reader. It does not keep a Guardian alive that no other part of the program
/// holds.
struct Watch {
    engine: Weak<Engine>,
    events: broadcast::Receiver<Arc<RevocationEvent>>,
    closing: watch::Receiver<bool>,
    key: Arc<Key>,
    secret: Fingerprint,
    /// The one agent whose revocations are told, where the reader speaks for one.
    named: Option<String>,
    beat: Duration,
    _place: Share,
}

/// The piece that the reader is sent next.
enum Said {
    Next(Bytes),
    Last(Bytes),
    Nothing,
}

impl Watch {
    /// Returns what is said next, as soon as there is something to say.
    async fn next(&mut self) -> Said {
        // One for all that is heard meanwhile: news of others is silence to this reader.
        let mut beat = pin!(background::sleep(self.beat));
        loop {
            let received = {
                let closed = pin!(async {
                    // The other end lives as long as the Guardian, and so does the stream.
                    let _ = self.closing.wait_for(|closing| *closing).await;
                });
                let heard = pin!(self.events.recv());
                match select(closed, select(heard, beat.as_mut())).await {
                    Either::Left(_) => return Said::Nothing,
                    Either::Right((Either::Left((received, _)), _)) => Some(received),
                    Either::Right((Either::Right(_), _)) => None,
                }
            };
            // Whatever woke it: nobody says so when the overlap of a rotated key ends.
            if !self.key_works() {
                return Said::Nothing;
            }
            let Some(received) = received else {
                return Said::Next(Bytes::from_static(b": nothing new\n\n"));
            };
            match received.as_deref() {
                Ok(RevocationEvent::Revoked(org_id, revocation))
                    if self.is_told(org_id, revocation) =>
                {
                    return Said::Next(event("revocation", revocation));
                }
                Ok(RevocationEvent::Revoked(..) | RevocationEvent::Keys) => {}
                Ok(RevocationEvent::Uncounted) | Err(RecvError::Lagged(_)) => {
                    return Said::Last(event("lagged", &serde_json::json!({})));
                }
                Err(RecvError::Closed) => return Said::Nothing,
            }
        }
    }

    /// Returns whether the reader hears of this revocation, which was made in this organisation.
    fn is_told(&self, org_id: &str, revocation: &Revocation) -> bool {
        let agent_id = match revocation {
            Revocation::Token { agent_id, .. } | Revocation::Agent { agent_id, .. } => agent_id,
            // It may concern whoever it likes.
            _ => return org_id == self.key.org_id,
        };
        let named = self.named.as_ref();
        org_id == self.key.org_id && named.is_none_or(|named| named == agent_id)
    }

    /// Returns whether the reader could open the stream now.
    fn key_works(&self) -> bool {
        self.engine.upgrade().is_some_and(|engine| engine.still_knows(&self.secret))
    }
}

fn event(event: &'static str, data: &impl Serialize) -> Bytes {
    // What is written here always can be: strings under names that are strings.
    let data = serde_json::to_string(data).unwrap_or_else(|_| "{}".to_owned());
    let StreamedEvent { event, data } = StreamedEvent { event, data };
    Bytes::from(format!("event: {event}\ndata: {data}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DEFAULT_ORG, Role, Secret};
    use crate::guardian::Guardian;
    use crate::services::keys::{self, Maker, NewKey};
    use crate::store::{KeyEnd, Rotation};

    /// Returns a Guardian and a gateway of this organisation that listens there.
    async fn watch(org_id: &str, beat: Duration) -> (Guardian, Watch) {
        let guardian = Guardian::in_memory().await.unwrap();
        let engine = guardian.engine();
        let hash = Secret::random("sk_live_").unwrap().fingerprint();
        let new = NewKey::new(org_id, Role::Gateway, hash);
        keys::create(engine, new, Maker::Program("test")).await.unwrap();
        let key = engine.registry.keys.get(&hash, engine.clock.now()).unwrap();
        let watch = Watch {
            engine: Arc::downgrade(engine),
            events: engine.revocations.listen(),
            closing: engine.closing(),
            secret: hash,
            named: None,
            beat,
            _place: engine.limits.streams.take(&key, 1).unwrap(),
            key,
        };
        (guardian, watch)
    }

    /// Returns the agent that was named, else all that was said.
    fn agent(said: Said) -> String {
        let Said::Next(bytes) = said else { panic!("it is over") };
        let said = String::from_utf8(bytes.to_vec()).unwrap();
        said.split('"').rev().nth(1).unwrap_or(&said).to_owned()
    }

    #[tokio::test]
    async fn reader_hears_of_its_own_organisation_only() {
        let (guardian, mut watch) = watch("org_other", BEAT).await;
        let revocations = &guardian.engine().revocations;
        revocations.announce(DEFAULT_ORG, Revocation::of_agent("agt_theirs"));
        revocations.announce("org_other", Revocation::of_agent("agt_ours"));
        assert_eq!(agent(watch.next().await), "agt_ours");
    }

    #[tokio::test]
    async fn quiet_stream_still_says_that_it_is_there() {
        let beat = Duration::from_millis(50);
        let (guardian, mut watch) = watch(DEFAULT_ORG, beat).await;
        assert_eq!(agent(watch.next().await), ": nothing new\n\n");
        // News of others does not put it off.
        let said = watch.next();
        let others = async {
            for _ in 0..100 {
                guardian.engine().revocations.announce("org_other", Revocation::Unknown);
                tokio::time::sleep(beat / 5).await;
            }
        };
        match select(pin!(said), pin!(others)).await {
            Either::Left((said, _)) => assert_eq!(agent(said), ": nothing new\n\n"),
            Either::Right(_) => panic!("nothing is said while there is news of others"),
        }
    }

    /// Gives the reader's key another secret; the one before works on for `overlap`.
    async fn rotate(engine: &Engine, id: &str, overlap: Duration) {
        let now = engine.clock.now();
        let rotation = Rotation {
            id: id.to_owned(),
            org_id: DEFAULT_ORG.to_owned(),
            hash: Secret::random("sk_live_").unwrap().fingerprint(),
            old_until: now.saturating_add(overlap),
            now,
        };
        assert!(engine.store.rotate_key(rotation).await.unwrap());
        engine.sync().await.unwrap();
    }

    #[tokio::test]
    async fn stream_ends_when_its_secret_was_rotated_away() {
        // No beat comes to its help.
        let (guardian, mut watch) = watch(DEFAULT_ORG, Duration::from_secs(3_600)).await;
        rotate(guardian.engine(), &watch.key.id, Duration::ZERO).await;
        let ended = tokio::time::timeout(Duration::from_secs(30), watch.next()).await;
        assert!(matches!(ended, Ok(Said::Nothing)));
    }

    #[tokio::test]
    async fn stream_goes_on_until_the_overlap_of_a_rotation_ends() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let (guardian, mut watch) = watch(DEFAULT_ORG, Duration::from_millis(50)).await;
        let engine = guardian.engine();
        rotate(engine, &watch.key.id, HOUR).await;
        assert_eq!(agent(watch.next().await), ": nothing new\n\n");
        engine.clock.advance(HOUR);
        assert!(matches!(watch.next().await, Said::Nothing));
        // Nor is it told of what it would have heard of.
        engine.revocations.announce(DEFAULT_ORG, Revocation::of_agent("agt_later"));
        watch.beat = HOUR;
        assert!(matches!(watch.next().await, Said::Nothing));
    }

    #[tokio::test]
    async fn stream_ends_when_another_process_revoked_its_key() {
        let (guardian, mut watch) = watch(DEFAULT_ORG, Duration::from_secs(3_600)).await;
        let engine = guardian.engine();
        let (id, now) = (watch.key.id.clone(), engine.clock.now());
        // The database is changed, and nobody tells this process.
        let org_id = DEFAULT_ORG.to_owned();
        let end = KeyEnd { id, org_id, reason: String::new(), take_issued: false, now };
        engine.store.revoke_key(end).await.unwrap();
        engine.sync().await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(30), watch.next()).await;
        assert!(matches!(ended, Ok(Said::Nothing)));
    }
}
