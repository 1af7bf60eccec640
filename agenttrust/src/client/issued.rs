//! What was issued and opened: which of it to list, and the pages that it comes in.

use super::path::with_query;
use crate::model::{SessionState, TokenState};

/// A page of a list, the newest first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The position of the next page, to ask for as `before`; `None` at the end of the list.
    pub next: Option<String>,
}

impl<T> Page<T> {
    pub(super) fn new(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next }
    }
}

/// Declares which of something to list, as a filter that is built step by step.
macro_rules! filters {
    ($(
        $(#[$about:meta])*
        $name:ident: $things:literal, $by:literal, $state:ident;
    )*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        #[non_exhaustive]
        pub struct $name {
            /// The agent of the tokens or sessions.
            pub agent_id: Option<String>,
            #[doc = concat!("Only those that were ", $by, " with the key of this id.")]
            pub key_id: Option<String>,
            /// The state of the tokens or sessions.
            pub state: Option<$state>,
            /// The position of a page: the [`next`](Page::next) of the page before.
            pub before: Option<String>,
            /// The largest number on a page; 1,000 by default.
            pub limit: Option<u32>,
        }

        impl $name {
            /// Lists only those of this agent.
            #[must_use]
            pub fn agent_id(mut self, agent_id: impl Into<String>) -> Self {
                self.agent_id = Some(agent_id.into());
                self
            }

            #[doc = concat!("Only those that were ", $by, " with the key of this id.")]
            #[must_use]
            pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
                self.key_id = Some(key_id.into());
                self
            }

            /// Lists only those that stand so.
            #[must_use]
            pub fn state(mut self, state: $state) -> Self {
                self.state = Some(state);
                self
            }

            /// Lists only those behind a page, which said this as [`next`](Page::next).
            #[must_use]
            pub fn before(mut self, next: impl Into<String>) -> Self {
                self.before = Some(next.into());
                self
            }

            /// Asks for at most so many, from 1 to 1,000.
            #[must_use]
            pub fn limit(mut self, limit: u32) -> Self {
                self.limit = Some(limit);
                self
            }

            #[doc = concat!("The path of the list of ", $things, " that pass.")]
            pub(super) fn path(&self, path: &str) -> String {
                with_query(path, [
                    ("agent_id", self.agent_id.clone()),
                    ("key_id", self.key_id.clone()),
                    ("state", self.state.map(|state| state.as_str().to_owned())),
                    ("before", self.before.clone()),
                    ("limit", self.limit.map(|limit| limit.to_string())),
                ])
            }
        }
    )*};
}

filters! {
    /// A filter for a list of tokens.
    ///
    /// ```
    /// use agenttrust::client::TokenFilter;
    /// use agenttrust::model::TokenState;
    ///
    /// let filter = TokenFilter::default().agent_id("agt_1").state(TokenState::Active);
    /// assert_eq!(filter.agent_id.as_deref(), Some("agt_1"));
    /// ```
    TokenFilter: "tokens", "issued", TokenState;

    /// A filter for a list of sessions.
    ///
    /// ```
    /// use agenttrust::client::SessionFilter;
    /// use agenttrust::model::SessionState;
    ///
    /// let filter = SessionFilter::default().key_id("key_1").state(SessionState::Open);
    /// assert_eq!(filter.key_id.as_deref(), Some("key_1"));
    /// ```
    SessionFilter: "sessions", "opened", SessionState;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_asks_for_what_it_says_and_no_value_leaves_its_parameter() {
        let path = "/api/v1/agent-tokens";
        assert_eq!(TokenFilter::default().path(path), path);
        let filter = TokenFilter::default().key_id("k&limit=1").state(TokenState::Revoked).limit(7);
        assert_eq!(
            filter.path(path),
            "/api/v1/agent-tokens?key_id=k%26limit%3D1&state=revoked&limit=7"
        );
        let filter = SessionFilter::default().agent_id("a").before("12.ats_1");
        assert_eq!(filter.path("/s"), "/s?agent_id=a&before=12%2Eats%5F1");
    }
}
