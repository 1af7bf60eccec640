//! The shares of an answer: what a server says is held until the caller has read it, and all servers together may say
//! more than there is memory for.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;

use super::Proxy;
use super::refusal::Refusal;
use crate::domain::limits::Share;
use crate::domain::{Error, Key};
use crate::wire;
pub(super) use crate::wire::piece;

/// The bytes of each answer that are not counted: nearly all answers are shorter.
const FREE: usize = 64 << 10;

/// The share of the bytes of all answers that one answer takes.
#[derive(Debug)]
pub(super) struct ByteShare {
    share: Share,
    fits: usize,
}

impl ByteShare {
    /// Returns a share for an answer to a caller that is counted as this key.
    pub(super) fn new(proxy: &Proxy, key: &Arc<Key>) -> Result<Self, Refusal> {
        let share = proxy.engine.limits.mcp_bytes.take(key, 0).map_err(Error::from)?;
        Ok(Self { share, fits: FREE })
    }

    /// Makes room for so many bytes in all.
    ///
    /// # Errors
    ///
    /// Refuses where that would be too much for the key, its organisation or all together.
    pub(super) fn fit(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes > self.fits {
            // In steps, so that many small pieces are counted now and then.
            let more = (bytes - self.fits).max(FREE);
            self.share.grow(more).map_err(Error::from)?;
            self.fits += more;
        }
        Ok(())
    }
}

/// The shares of limited things that an answer holds until it is read.
#[derive(Debug, Default)]
pub(super) struct AnswerShares {
    /// The share for what came and was not handed on.
    byte_share: Option<ByteShare>,
    /// Its place among the requests.
    _place: Option<Arc<Share>>,
    /// Its place among the streams.
    _stream: Option<Share>,
}

impl AnswerShares {
    /// Creates the shares of an answer: this one, with a place among the requests or among the streams.
    pub(super) fn new(
        byte_share: ByteShare,
        place: Option<Arc<Share>>,
        stream: Option<Share>,
    ) -> Self {
        Self { byte_share: Some(byte_share), _place: place, _stream: stream }
    }

    /// Makes room for so many bytes in all.
    ///
    /// # Errors
    ///
    /// Refuses where that would be too much.
    pub(super) fn fit(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.byte_share.as_mut().map_or(Ok(()), |byte_share| byte_share.fit(bytes))
    }

    /// Returns a body of these bytes, which holds this until its last piece was taken.
    pub(super) fn body(self, bytes: impl Into<Bytes>) -> Body {
        wire::in_pieces(bytes.into(), self)
    }
}
