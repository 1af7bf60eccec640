//! Binding an approval to a unary gRPC call: its method and its one message.

use agenttrust::Action;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Map, Value};

use super::GrpcExtract;
use crate::bind::{BindWhole, WITHIN};
use crate::http::bind::add_described;
use crate::intake::{Bounds, Whole, exact};
use crate::{Denial, GuardLayer, Unread, UnreadReason};

/// The length of what stands in front of each message: a byte for whether it is compressed, and four for its length.
const FRAME: usize = 5;

/// The headers that say what the bytes of a message are.
const OF_THE_MESSAGE: [HeaderName; 2] = [CONTENT_TYPE, HeaderName::from_static("grpc-encoding")];

/// Reads the messages of unary gRPC calls, and binds approvals to them; made by
/// [`GuardLayer::bind_message`](crate::GuardLayer::bind_message).
#[derive(Clone, Copy, Debug)]
pub struct BindMessage {
    bounds: Bounds,
}

impl<D> GuardLayer<GrpcExtract, D> {
    /// Binds approvals of unary calls to their message as well, of up to `limit` bytes.
    ///
    /// The call is read to its end before the Guardian is asked, for at most 30 seconds
    /// ([`body_timeout`](GuardLayer::body_timeout)), and the inner service is given the very bytes that were
    /// digested. See [what an approval is bound to](crate::grpc#messages).
    ///
    /// A longer message is refused with `RESOURCE_EXHAUSTED`, one that does not come in time with
    /// `DEADLINE_EXCEEDED`, one that breaks off with `INVALID_ARGUMENT`; the Guardian is not asked, and the
    /// inner service is not called.
    ///
    /// # Methods that stream
    ///
    /// A call says nowhere in its head whether its method is unary. One whose client streams is refused: as
    /// soon as its second message begins, or when it ends without a message, with `UNIMPLEMENTED`, which is
    /// gRPC's status for another number of messages than the method takes; where the client waits for an
    /// answer after its first message, with `DEADLINE_EXCEEDED`. Leave such methods out with
    /// [`filter`](GuardLayer::filter), and guard them by a layer of their own. Methods whose *server* streams take
    /// one message, and are bound like unary ones.
    ///
    /// ```
    /// use agenttrust::AgentTrustGuard;
    /// use agenttrust_tower::GuardLayer;
    ///
    /// # fn example(guard: AgentTrustGuard) {
    /// let layer = GuardLayer::grpc(guard)
    ///     .bind_message(64 * 1024)
    ///     .filter(|request: &http::Request<tonic::body::Body>| {
    ///         request.uri().path() != "/files.v1.Files/Upload"
    ///     });
    /// // tonic::transport::Server::builder().layer(layer).add_service(..)
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn bind_message(self, limit: usize) -> GuardLayer<GrpcExtract, D, BindMessage> {
        let limit = limit.saturating_add(FRAME);
        self.taking_in(BindMessage { bounds: Bounds { limit, within: WITHIN } })
    }
}

impl BindWhole for BindMessage {
    fn bounds(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    fn reads(&self, _head: &Parts) -> bool {
        true
    }

    fn is_enough(&self, read: &[u8]) -> bool {
        matches!(Message::parse(read), Err(UnreadReason::NotOneMessage)) && !read.is_empty()
    }

    fn bind(&self, action: Action, head: &Parts, whole: &Whole) -> Result<Action, Denial> {
        // What is left of a call that broke off was read to its end, so the connection can go on.
        let message = Message::parse(&whole.bytes)
            .map_err(|reason| Denial::Unread(Unread::new(reason, false)))?;
        let mut input = Map::new();
        input.insert("message".to_owned(), exact(message.bytes));
        if message.compressed {
            input.insert("compressed".to_owned(), true.into());
        }
        add_described(&mut input, head, whole, &OF_THE_MESSAGE)?;
        Ok(action.enclosed(|request| {
            input.insert("request".to_owned(), request);
            Value::Object(input)
        }))
    }
}

/// The one message of a call.
#[derive(Debug, PartialEq, Eq)]
struct Message<'a> {
    compressed: bool,
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(read: &'a [u8]) -> Result<Self, UnreadReason> {
        let Some((frame, bytes)) = read.split_first_chunk::<FRAME>() else {
            let nothing = read.is_empty();
            return Err(if nothing { UnreadReason::NotOneMessage } else { UnreadReason::BrokeOff });
        };
        let [flag, length @ ..] = *frame;
        let length = u64::from(u32::from_be_bytes(length));
        let there = bytes.len() as u64;
        match flag {
            0 | 1 if there == length => Ok(Self { compressed: flag == 1, bytes }),
            0 | 1 if there < length => Err(UnreadReason::BrokeOff),
            _ => Err(UnreadReason::NotOneMessage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unary_call_is_exactly_one_message() {
        let one = b"\0\0\0\0\x02hi";
        assert_eq!(Message::parse(one), Ok(Message { compressed: false, bytes: b"hi" }));
        let compressed = b"\x01\0\0\0\0";
        assert_eq!(Message::parse(compressed), Ok(Message { compressed: true, bytes: b"" }));
        for length in 1..one.len() {
            assert_eq!(Message::parse(&one[..length]), Err(UnreadReason::BrokeOff), "{length}");
        }
        let longest = b"\0\xff\xff\xff\xffhi";
        assert_eq!(Message::parse(longest), Err(UnreadReason::BrokeOff));
        for read in [
            &b""[..],
            b"\0\0\0\0\x02hi!",
            b"\0\0\0\0\x02hi\0\0\0\0\0",
            b"\x02\0\0\0\0",
            b"AAAAAAJoaQ==",
        ] {
            assert_eq!(Message::parse(read), Err(UnreadReason::NotOneMessage), "{read:?}");
        }
    }
}
