//! Attributes around and inside the function stay its own.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

/// Documented.
#[guarded]
#[must_use]
#[inline]
pub(crate) fn outer(n: u8) -> Result<u8, AgentTrustError> {
    #![allow(unused_variables)]
    let unused = n;
    Ok(n)
}

#[deprecated = "use `outer`"]
#[guarded]
fn old(n: u8) -> Result<u8, AgentTrustError> {
    Ok(n)
}

#[guarded]
#[expect(unused_variables)]
async fn expected(n: u8) -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded]
unsafe fn raw(pointer: *const u8) -> Result<u8, AgentTrustError> {
    Ok(unsafe { *pointer })
}

#[guarded(on_denied = |_| 0)]
extern "C" fn foreign(n: u8) -> u8 {
    n
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    outer(1).unwrap_err();
    #[expect(deprecated)]
    old(1).unwrap_err();
    expected(1).await.unwrap_err();
    unsafe { raw(std::ptr::null()) }.unwrap_err();
    assert_eq!(foreign(1), 0);
}
