//! What a request is: the one question a layer has to answer before it can ask a Guardian.

use std::borrow::Cow;

use agenttrust::Action;

/// The result of an extractor for a request.
///
/// There is no way to answer "I do not know": a request that cannot be read is
/// [`Refuse`](Extracted::Refuse)d, and letting one through unchecked is always written out as
/// [`Pass`](Extracted::Pass).
#[derive(Debug)]
pub enum Extracted {
    /// Ask the Guardian about this action, and call the inner service only with its permit.
    Guard(Action),
    /// Call the inner service without asking: nothing is checked, nothing is reported.
    Pass,
    /// Do not call the inner service and do not ask: the request cannot be read as an action.
    ///
    /// The reason is a sentence for the sender of the request.
    Refuse(Cow<'static, str>),
}

impl Extracted {
    /// Creates a refusal with its reason: a sentence for the sender of the request.
    pub fn refuse(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Refuse(reason.into())
    }
}

impl From<Action> for Extracted {
    fn from(action: Action) -> Self {
        Self::Guard(action)
    }
}

/// Says which [`Action`] a request is.
///
/// Any closure `Fn(&Req) -> Action` or `Fn(&Req) -> Extracted` is one; for HTTP there is a ready
/// one, [`HttpExtract`](crate::http::HttpExtract).
///
/// ```
/// use agenttrust::{Action, Effect};
/// use agenttrust_tower::{ExtractAction, Extracted};
///
/// struct Command {
///     verb: &'static str,
///     file: String,
/// }
///
/// let extract = |command: &Command| match command.verb {
///     "ping" => Extracted::Pass,
///     "read" => Action::new("read_file").effect(Effect::Read).input(&command.file).into(),
///     "delete" => Action::new("delete_file").effect(Effect::Destructive).input(&command.file).into(),
///     _ => Extracted::refuse("the verb is not one of ping, read and delete"),
/// };
///
/// let unknown = Command { verb: "format", file: "/".into() };
/// assert!(matches!(extract.extract(&unknown), Extracted::Refuse(_)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which action a `{Req}` is",
    label = "cannot read an action from `{Req}`",
    note = "give the layer an extractor: `GuardLayer::new(guard).extract(|request: &{Req}| Action::new(..))`, or start from `GuardLayer::http(guard)`"
)]
pub trait ExtractAction<Req> {
    /// Reads `request`; returns what is to be done with it.
    ///
    /// Called once a call, before anything else. It sees the request and cannot change it, so that
    /// what was checked is what runs. Give the action an input
    /// ([`Action::input`]) that names everything the call acts on: an approval is bound to it.
    fn extract(&self, request: &Req) -> Extracted;
}

impl<F, Req, R> ExtractAction<Req> for F
where
    F: Fn(&Req) -> R,
    R: Into<Extracted>,
{
    fn extract(&self, request: &Req) -> Extracted {
        self(request).into()
    }
}

/// The extractor of a layer that was not given one; it reads nothing, so the layer does not compile
/// around a service before [`GuardLayer::extract`](crate::GuardLayer::extract).
#[derive(Debug, Clone, Copy)]
pub struct NoExtractor;
