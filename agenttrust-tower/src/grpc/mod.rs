//! gRPC: what a method does, how it is told no, and how its stream ended.
//!
//! [`GuardLayer::grpc`] fits tonic's servers and clients, and every other service over
//! `http::Request<B>` and `http::Response<B2>` that speaks gRPC.
//!
//! # The action
//!
//! | of the call | becomes |
//! |---|---|
//! | `/files.v1.Files/DeleteFile` | the tool `grpc/files.v1.Files/DeleteFile` |
//! | the table of [`GrpcExtract::effects`], else the words of the method's name | the effect |
//!
//! | the words, in capitals or not; of several rows the first | effect |
//! |---|---|
//! | `Grant`, `Revoke`, `Configure` or `Admin` anywhere | `admin` |
//! | `Delete`, `Remove`, `Drop`, `Purge`, `Truncate`, `Destroy`, `Kill`, `Terminate`, `Erase` or `Wipe` anywhere: `FindAndDelete` | `destructive` |
//! | `Pay`, `Refund`, `Charge`, `Transfer`, `Purchase`, `Exec` or `Execute` anywhere | `destructive`; `mutating` behind a word of the next row that is first |
//! | `Get`, `List`, `Read`, `Search`, `Find`, `Query`, `Count`, `Describe` or `Watch` first, and nothing else after an `And` | `read` |
//! | anything else | `mutating` |
//!
//! What is no `POST` to `/package.Service/Method` is refused.
//!
//! # What an approval is bound to
//!
//! The authority and the method. **Not the messages**: they are a stream, which this layer does not
//! read. The check says so (`AgentTrust-Binds: method`): the approver is shown `bound_to: method`, and the
//! approval serves once. Where an approval must cover what is in a message, bind it, or guard the function
//! that has read it (`#[agenttrust::guarded]`).
//!
//! # Messages
//!
//! With [`bind_message`](GuardLayer::bind_message) the one message of a unary call is read first, and the
//! approval is bound to the whole call (`bound_to: input`):
//!
//! ```json
//! {
//!   "request": { "host": null, "authority": "files.example", "method": "files.v1.Files/DeleteFile" },
//!   "headers": { "content-type": "application/grpc" },
//!   "message": { "base64": "CgVhLnR4dP8=" }
//! }
//! ```
//!
//! The message is there byte for byte, as the body of an HTTP request is ([`http`](crate::http#bodies)), with
//! `compressed` where its frame says so, and the headers `Content-Type` and `Grpc-Encoding`. No other metadata.
//!
//! # The outcome
//!
//! By the `grpc-status` of the head or of the trailers: `grpc NOT_FOUND` is a failure's type. A stream is reported when
//! it ends, fails or is dropped before its end (`Cancelled`), with the time to that point. One that ends without a
//! status is `grpc UNKNOWN`, as the protocol has it.

mod bind;
mod deny;
mod extract;

use agenttrust::{AgentTrustGuard, Effect};

pub use self::bind::BindMessage;
pub use self::deny::GrpcDeny;
pub use self::extract::GrpcExtract;
use crate::{GuardLayer, Guarded};

impl GuardLayer<GrpcExtract, GrpcDeny> {
    /// Creates a layer for gRPC services, with the action and the denials of [`grpc`](crate::grpc).
    ///
    /// ```
    /// use agenttrust::{AgentTrustGuard, Effect};
    /// use agenttrust_tower::GuardLayer;
    ///
    /// # fn example(guard: AgentTrustGuard) {
    /// let layer = GuardLayer::grpc(guard)
    ///     .effects([("files.v1.Files/Archive", Effect::Destructive)])
    ///     // Probes come from no agent.
    ///     .filter(|request: &http::Request<tonic::body::Body>| {
    ///         !request.uri().path().starts_with("/grpc.health.v1.Health/")
    ///     });
    /// // tonic::transport::Server::builder().layer(layer).add_service(..)
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn grpc(guard: AgentTrustGuard) -> Self {
        GuardLayer::new(guard).extract(GrpcExtract::new()).deny_with(GrpcDeny)
    }
}

impl<D, I> GuardLayer<GrpcExtract, D, I> {
    /// Sets what methods do whose names do not say it: [`GrpcExtract::effects`].
    pub fn effects<M: Into<String>>(self, effects: impl IntoIterator<Item = (M, Effect)>) -> Self {
        self.map_extract(|extract| extract.effects(effects))
    }
}

/// A guarded service can be used where tonic needs to know its name.
impl<S: tonic::server::NamedService, X, D, I> tonic::server::NamedService for Guarded<S, X, D, I> {
    const NAME: &'static str = S::NAME;
}
