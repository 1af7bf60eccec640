//! What a card is generated with, beside what is known of its agent.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::word::wire_words;

/// Options for generating a card: extensions of our Guardian. Absent members stay as they were set before.
///
/// ```
/// use agenttrust::model::{CardInterface, CardOptions};
///
/// let options = CardOptions::default()
///     .description("Finds papers and sums them up")
///     .interfaces([CardInterface::new("https://researcher.internal.example/a2a")]);
/// assert_eq!(options.interfaces.map(|interfaces| interfaces.len()), Some(1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CardOptions {
    /// The agent's purpose; with an empty text the Guardian describes the agent itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub description: Option<String>,
    /// The version of the agent; empty for `1.0.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub version: Option<String>,
    /// The ways to reach the agent itself, the preferred one first. Only the Guardian sees them, which hands tasks on
    /// to the agent. With an empty list the agent fetches its tasks from its inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 5))]
    pub interfaces: Option<Vec<CardInterface>>,
    /// The media types that the agent reads; an empty list for `text/plain` and `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub default_input_modes: Option<Vec<String>>,
    /// The media types that it writes, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub default_output_modes: Option<Vec<String>>,
    /// The URL of the agent's documentation; an empty text removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub documentation_url: Option<String>,
    /// A picture of it; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub icon_url: Option<String>,
}

impl CardOptions {
    /// Says what the agent is for.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Gives the agent this version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Says where the agent itself is reached, the preferred way first.
    #[must_use]
    pub fn interfaces(mut self, interfaces: impl IntoIterator<Item = CardInterface>) -> Self {
        self.interfaces = Some(interfaces.into_iter().collect());
        self
    }

    /// Says which media types the agent reads.
    #[must_use]
    pub fn default_input_modes<S: Into<String>>(
        mut self,
        modes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.default_input_modes = Some(modes.into_iter().map(Into::into).collect());
        self
    }

    /// Says which media types it writes.
    #[must_use]
    pub fn default_output_modes<S: Into<String>>(
        mut self,
        modes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.default_output_modes = Some(modes.into_iter().map(Into::into).collect());
        self
    }

    /// Says where more is written about the agent.
    #[must_use]
    pub fn documentation_url(mut self, url: impl Into<String>) -> Self {
        self.documentation_url = Some(url.into());
        self
    }

    /// Gives the agent a picture.
    #[must_use]
    pub fn icon_url(mut self, url: impl Into<String>) -> Self {
        self.icon_url = Some(url.into());
        self
    }
}

/// A way to reach an agent itself.
///
/// `Debug` shows nothing of the address: its path may be as good as a password.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CardInterface {
    /// The address: `https`, at a public address, unless the Guardian is told otherwise.
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub url: String,
    /// The binding of calls.
    #[serde(default)]
    pub protocol_binding: CardBinding,
    /// The version of A2A.
    #[serde(default)]
    pub protocol_version: CardVersion,
}

impl CardInterface {
    /// Makes an interface of A2A 1.0 over JSON-RPC at this address.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Has calls travel so.
    #[must_use]
    pub fn protocol_binding(mut self, binding: CardBinding) -> Self {
        self.protocol_binding = binding;
        self
    }

    /// Speaks this version of A2A.
    #[must_use]
    pub fn protocol_version(mut self, version: CardVersion) -> Self {
        self.protocol_version = version;
        self
    }
}

impl fmt::Debug for CardInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardInterface")
            .field("protocol_binding", &self.protocol_binding)
            .field("protocol_version", &self.protocol_version)
            .finish_non_exhaustive()
    }
}

wire_words! {
    /// The way in which calls of A2A travel.
    pub enum CardBinding as "binding of A2A" {
        /// Calls as JSON-RPC 2.0.
        JsonRpc = "JSONRPC",
        /// Calls as HTTP with JSON bodies; of A2A 1.0.
        HttpJson = "HTTP+JSON",
    }
    default = JsonRpc;
}

wire_words! {
    /// A version of A2A.
    pub enum CardVersion as "version of A2A" {
        /// 1.0.
        V1 = "1.0",
        /// 0.3.
        V03 = "0.3",
    }
    default = V1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_sent_and_the_address_is_not_shown() {
        let options =
            CardOptions::default().interfaces([CardInterface::new("https://a.example/s3cret")]);
        assert_eq!(
            serde_json::to_string(&options).unwrap(),
            r#"{"interfaces":[{"url":"https://a.example/s3cret","protocol_binding":"JSONRPC","protocol_version":"1.0"}]}"#
        );
        assert!(!format!("{options:?}").contains("s3cret"));
        assert_eq!(serde_json::to_string(&CardOptions::default()).unwrap(), "{}");
    }
}
