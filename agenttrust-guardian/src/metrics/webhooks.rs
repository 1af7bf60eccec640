//! What became of messages to webhooks. No label names one: there may be any number of them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::{Label, Registered};

/// The result of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WebhookResult {
    /// The receiver took it.
    Delivered,
    /// The message did not arrive, and is sent once more later.
    Failed,
    /// The message is not sent any more.
    GivenUp,
}

impl WebhookResult {
    const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::GivenUp];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// The counters of messages.
#[derive(Debug)]
pub(crate) struct Webhooks([Counter; WebhookResult::ALL.len()]);

impl Webhooks {
    pub(super) fn register(registered: &mut Registered<'_>) -> Self {
        let messages = Family::<[Label; 1], Counter>::default();
        let help = "Messages to webhooks, each time that one was sent, by what became of it";
        registered.0.register("webhook_messages", help, messages.clone());
        Self(
            WebhookResult::ALL
                .map(|result| messages.get_or_create(&[("result", result.as_str())]).clone()),
        )
    }

    /// Counts a message.
    pub(crate) fn count(&self, result: WebhookResult) {
        if let Some(counter) = self.0.get(result as usize) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_has_the_counter_of_its_place() {
        for (place, result) in WebhookResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, place);
        }
    }
}
