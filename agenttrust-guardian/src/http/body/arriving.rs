//! A body while it arrives: not larger than it may be, not slower, and counted before it is read.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use http_body_util::BodyExt;

use super::super::Error;
use super::super::admit::Admission;

/// The largest body that is read.
const LIMIT: usize = 1 << 20;
/// The step in which a body is counted that does not say how long it is.
const STEP: usize = 64 << 10;

/// The time that a body may take ...
#[derive(Clone, Copy, Debug)]
struct BodyTimeouts {
    /// ... whatever it brings ...
    to_begin: Duration,
    /// ... and beyond that for each MiB that has arrived.
    a_mib: Duration,
}

const BODY_TIMEOUTS: BodyTimeouts =
    BodyTimeouts { to_begin: Duration::from_secs(10), a_mib: Duration::from_secs(20) };

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Arriving {
    body: Body,
    announced: Option<u64>,
    admission: Option<Arc<Admission>>,
    timeouts: BodyTimeouts,
    /// The time since which more of the body is waited for; `None` where all of it was there at
    /// once.
    waited_since: Option<Instant>,
    arrived: usize,
    held: usize,
}

impl Arriving {
    pub(super) fn new(
        body: Body,
        announced: Option<u64>,
        admission: Option<Arc<Admission>>,
    ) -> Self {
        let timeouts = BODY_TIMEOUTS;
        Self { body, announced, admission, timeouts, waited_since: None, arrived: 0, held: 0 }
    }

    /// Returns the body as a whole.
    pub(super) async fn whole(&mut self) -> Result<Bytes, Error> {
        let announced = self.announced.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > LIMIT) {
            return Err(Error::too_large(LIMIT));
        }
        self.hold(announced.unwrap_or(0))?;
        // Most arrive in one piece, which is not copied.
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(data) = self.next().await? {
            self.arrived = self.arrived.saturating_add(data.len());
            if self.arrived > LIMIT {
                return Err(Error::too_large(LIMIT));
            }
            if self.arrived > self.held {
                self.hold(self.arrived.next_multiple_of(STEP).min(LIMIT))?;
            }
            if whole.is_empty() && first.is_empty() {
                first = data;
                continue;
            }
            if whole.is_empty() {
                whole.reserve(announced.unwrap_or(self.arrived).max(self.arrived));
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&data);
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }

    /// Returns whether it was waited for.
    pub(super) fn took_time(&self) -> bool {
        self.waited_since.is_some()
    }

    /// Counts so many bytes in all.
    fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        if let Some(admission) = &self.admission {
            admission.hold(bytes.saturating_sub(self.held))?;
        }
        self.held = bytes;
        Ok(())
    }

    /// Returns the next piece.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = {
                let mut frame = pin!(self.body.frame());
                match frame.as_mut().now_or_never() {
                    Some(frame) => frame,
                    None => {
                        let since = *self.waited_since.get_or_insert_with(Instant::now);
                        loop {
                            let left = self.timeouts.left(self.arrived, since.elapsed());
                            let Some(left) = left else {
                                return Err(Error::too_slow(self.arrived, since.elapsed()));
                            };
                            let over = pin!(background::sleep(left));
                            if let Either::Left((frame, _)) = select(frame.as_mut(), over).await {
                                break frame;
                            }
                        }
                    }
                }
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame
                .map_err(|_| Error::invalid("body", "broke off before its end; send it again"))?;
            // Trailers are not looked at, and an empty piece is none.
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
    }
}

impl BodyTimeouts {
    /// Returns how long may still be waited after `waited`; nothing where it was too long already.
    fn left(self, arrived: usize, waited: Duration) -> Option<Duration> {
        let arrived = u32::try_from(arrived).unwrap_or(u32::MAX);
        let for_arrived = self.a_mib * arrived / (1 << 20);
        let left = self.to_begin.saturating_add(for_arrived).checked_sub(waited)?;
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use futures_util::StreamExt;
    use futures_util::stream::{self, Stream};

    use super::*;

    fn arriving(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Arriving {
        Arriving::new(Body::from_stream(pieces.map(Ok::<_, std::io::Error>)), None, None)
    }

    #[tokio::test]
    async fn body_that_does_not_come_is_not_waited_for() {
        let stuck = stream::iter([Bytes::from_static(b"{")]).chain(stream::pending());
        let mut stuck = arriving(stuck);
        stuck.timeouts.to_begin = Duration::from_millis(20);
        let error = stuck.whole().await.unwrap_err();
        assert!(error.message().contains("1 bytes of it"), "{error:?}");
        assert_eq!(error.into_response().status(), 408);

        let late = stream::once(async {
            background::sleep(Duration::from_millis(20)).await;
            Bytes::from_static(b"{}")
        });
        let mut late = arriving(late);
        assert_eq!(late.whole().await.unwrap(), "{}");
        assert!(late.took_time());
    }

    #[tokio::test]
    async fn body_that_trickles_gains_no_time_by_it() {
        let drip = stream::repeat(Bytes::from_static(b" ")).then(|piece| async {
            background::sleep(Duration::from_millis(1)).await;
            piece
        });
        let mut drip = arriving(drip);
        drip.timeouts.to_begin = Duration::from_millis(100);
        let error = drip.whole().await.unwrap_err();
        assert_eq!(error.into_response().status(), 408);
    }

    #[test]
    fn body_of_the_largest_size_has_half_a_minute() {
        let left = |arrived, waited| BODY_TIMEOUTS.left(arrived, Duration::from_secs(waited));
        assert_eq!(left(0, 9), Some(Duration::from_secs(1)));
        assert_eq!(left(0, 10), None);
        assert_eq!(left(LIMIT / 2, 19), Some(Duration::from_secs(1)));
        assert_eq!(left(LIMIT, 29), Some(Duration::from_secs(1)));
        assert_eq!(left(LIMIT, 30), None);
    }

    #[tokio::test]
    async fn body_is_what_was_sent_in_however_many_pieces() {
        for pieces in [vec![], vec!["{}"], vec!["", "{", "", "}"], vec!["{", "}", " ", " "]] {
            let sent = pieces.concat();
            let mut body = arriving(stream::iter(pieces.into_iter().map(Bytes::from)));
            assert_eq!(body.whole().await.unwrap(), sent);
            assert!(!body.took_time());
        }
        let large = stream::repeat(Bytes::from_static(&[b' '; 1_000]));
        let error = arriving(large).whole().await.unwrap_err();
        assert_eq!(error.into_response().status(), 413);
    }
}
