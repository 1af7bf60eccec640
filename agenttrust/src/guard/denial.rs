//! How a denial becomes a tool's own output: [`FromDenial`].

use crate::error::AgentTrustError;

/// Outputs that can carry a denial.
///
/// Every `Result` whose error can be made from an [`AgentTrustError`] does: that error itself,
/// `std::io::Error`, `Box<dyn Error>`, `Result<T, String>`, and with the features of those names
///
/// - `axum`: `Response`, alone or as the error, as an RFC 9457 problem;
/// - `rmcp`: `CallToolResult`, alone or on either side of a `Result`, as a result with `isError: true`
///   that the model can read, and every `Result<T, ErrorData>`.
///
/// Implement `From` for your own error:
///
/// ```
/// use agenttrust::{AgentTrustError, FromDenial};
///
/// #[derive(Debug)]
/// enum ToolError {
///     NotAllowed(String),
/// }
///
/// impl From<AgentTrustError> for ToolError {
///     fn from(denial: AgentTrustError) -> Self {
///         Self::NotAllowed(denial.to_string())
///     }
/// }
///
/// let denial = AgentTrustError::ActionDenied { message: "no".into(), check_id: None };
/// let output: Result<u32, ToolError> = FromDenial::from_denial(denial);
/// assert!(matches!(output, Err(ToolError::NotAllowed(_))));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry a denial",
    label = "a guarded call must be able to return a denial instead of this",
    note = "return a `Result` whose error implements `From<agenttrust::AgentTrustError>`",
    note = "or build the output yourself: `#[guarded(on_denied = |error| ...)]`",
    note = "in a guarded `impl` block, a method that is no tool is left out with `#[guarded(skip)]`"
)]
pub trait FromDenial {
    /// Returns the output of a call that did not happen.
    fn from_denial(denial: AgentTrustError) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<AgentTrustError>> FromDenial for Result<T, E> {
    fn from_denial(denial: AgentTrustError) -> Self {
        Err(denial.into())
    }
}

/// A `String` is an error of many tools, and no error of others is turned into one behind their backs.
#[diagnostic::do_not_recommend]
impl<T> FromDenial for Result<T, String> {
    fn from_denial(denial: AgentTrustError) -> Self {
        Err(denial.to_string())
    }
}
