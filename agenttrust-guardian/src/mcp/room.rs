//! Room for answers: what a server says is held until the caller has read it, and all servers together may say more
//! than there is memory for.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

use super::Proxy;
use super::refusal::Refusal;
use crate::domain::limits::Share;
use crate::domain::{Error, Key};

/// So much of each answer is not counted: nearly all are shorter.
const FREE: usize = 64 << 10;

/// The room that one answer takes.
#[derive(Debug)]
pub(super) struct Room {
    share: Share,
    fits: usize,
}

impl Room {
    /// Room for an answer to a caller with this key.
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

    /// A body of these bytes, which holds the room until it is read.
    pub(super) fn body(self, bytes: Bytes) -> Body {
        if self.fits == FREE {
            return Body::from(bytes);
        }
        Body::new(Full::new(bytes).map_frame(move |frame| {
            let _ = &self.share;
            frame
        }))
    }
}
