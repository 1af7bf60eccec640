//! The one service type that requests travel through.

use std::error::Error as StdError;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use super::error::{TransportError, TransportErrorKind};

/// A body that arrives piece by piece.
pub type TransportBody = UnsyncBoxBody<Bytes, TransportError>;

/// The service through which a client sends its requests.
pub type Transport = BoxCloneSyncService<Request<Bytes>, Response<TransportBody>, TransportError>;

/// Makes a [`Transport`] of any service that answers `http` requests.
pub(crate) fn boxed<S, B>(service: S) -> Transport
where
    S: Service<Request<Bytes>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let service = service
        .map_response(|response: Response<B>| {
            response.map(|body| {
                body.map_err(|error| {
                    let error = TransportError::classify(error.into());
                    // A body that breaks off has an answer before it: somebody was there.
                    match error.kind() {
                        TransportErrorKind::Timeout => error,
                        _ => TransportError::new(TransportErrorKind::Broken, error),
                    }
                })
                .boxed_unsync()
            })
        })
        .map_err(|error: S::Error| TransportError::classify(error.into()));
    BoxCloneSyncService::new(service)
}

/// Reads `body` to its end, or gives up past `limit` bytes.
pub(crate) async fn read_to_limit(
    mut body: TransportBody,
    limit: usize,
) -> Result<Bytes, TransportError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if read.len() + data.len() > limit {
            return Err(TransportError::new(
                TransportErrorKind::Broken,
                format!("the answer is longer than {limit} bytes"),
            ));
        }
        if body.is_end_stream() && read.is_empty() {
            return Ok(data);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}
