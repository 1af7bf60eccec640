//! Following the Guardian's revocations.

use std::sync::Arc;

use super::tokens::Tokens;

pub(super) fn follow(tokens: &Arc<Tokens>) {
    let _ = tokens;
}
