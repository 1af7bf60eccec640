//! [`Filter`]: guarding some requests and passing the others, which the user has to write out.

use std::fmt;

use crate::{ExtractAction, Extracted};

/// Guards the requests that a predicate picks and passes all others; made by
/// [`GuardLayer::filter`](crate::GuardLayer::filter).
#[derive(Clone, Copy)]
pub struct Filter<X, P> {
    extract: X,
    guarded: P,
}

impl<X, P> Filter<X, P> {
    pub(crate) fn new(extract: X, guarded: P) -> Self {
        Self { extract, guarded }
    }
}

impl<Req, X, P> ExtractAction<Req> for Filter<X, P>
where
    X: ExtractAction<Req>,
    P: Fn(&Req) -> bool,
{
    fn extract(&self, request: &Req) -> Extracted {
        if (self.guarded)(request) { self.extract.extract(request) } else { Extracted::Pass }
    }
}

impl<X: fmt::Debug, P> fmt::Debug for Filter<X, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("extract", &self.extract).finish_non_exhaustive()
    }
}
