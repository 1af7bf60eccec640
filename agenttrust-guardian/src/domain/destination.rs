//! Where evidence is sent to, and in which form.

use serde::{Deserialize, Serialize};

/// The kind of receiver that a destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SiemDestinationType)]
pub(crate) enum DestinationKind {
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// Datadog's logs.
    Datadog,
    /// Elastic's bulk requests.
    Elastic,
    /// A receiver of Standard Webhooks.
    Webhook,
    /// Syslog (RFC 5424), over TLS or TCP.
    Syslog,
    /// A file of JSON lines.
    File,
}

impl DestinationKind {
    /// All there are.
    pub(crate) const ALL: [Self; 6] =
        [Self::Splunk, Self::Datadog, Self::Elastic, Self::Webhook, Self::Syslog, Self::File];

    /// Returns the word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Splunk => "splunk",
            Self::Datadog => "datadog",
            Self::Elastic => "elastic",
            Self::Webhook => "webhook",
            Self::Syslog => "syslog",
            Self::File => "file",
        }
    }

    /// Returns the kind of this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The form in which an event is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SiemEventFormat)]
pub(crate) enum EventFormat {
    /// An event of OCSF.
    #[default]
    Ocsf,
    /// The row as the audit shows it.
    Raw,
}

impl EventFormat {
    /// All there are.
    pub(crate) const ALL: [Self; 2] = [Self::Ocsf, Self::Raw];

    /// Returns the word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ocsf => "ocsf",
            Self::Raw => "raw",
        }
    }

    /// Returns the format of this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}
