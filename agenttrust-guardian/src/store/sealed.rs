//! The columns that hold sealed secrets, or such as were kept before secrets were sealed.

use super::db::query;
use super::{Store, StoreError};

/// The number of secrets that are looked at at once.
const PAGE: i64 = 500;

/// A kind of thing that has a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretOf {
    Webhook,
    McpServer,
    CardKey,
    TaskPush,
    SiemDestination,
}

/// A secret that is kept, and its owner.
#[derive(Clone)]
pub(crate) struct KeptSecret {
    pub(crate) id: String,
    pub(crate) text: String,
}

// It may be one in clear.
impl std::fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SecretOf {
    pub(crate) const ALL: [Self; 5] =
        [Self::Webhook, Self::McpServer, Self::CardKey, Self::TaskPush, Self::SiemDestination];

    /// Returns what the secret of this one is sealed for.
    pub(crate) fn about(self, id: &str) -> String {
        match self {
            Self::Webhook => format!("webhook:{id}"),
            Self::McpServer => format!("mcp_server:{id}"),
            Self::CardKey => format!("card_key:{id}"),
            Self::TaskPush => format!("task_push:{id}"),
            Self::SiemDestination => format!("siem_destination:{id}"),
        }
    }

    fn list(self) -> &'static str {
        match self {
            Self::Webhook => "SELECT id, secret FROM webhooks WHERE id > $1 ORDER BY id LIMIT $2",
            Self::McpServer => {
                "SELECT id, credentials FROM mcp_servers \
                 WHERE id > $1 AND credentials IS NOT NULL ORDER BY id LIMIT $2"
            }
            Self::CardKey => "SELECT id, secret FROM card_keys WHERE id > $1 ORDER BY id LIMIT $2",
            Self::TaskPush => {
                "SELECT id, secret FROM task_pushes \
                 WHERE id > $1 AND secret IS NOT NULL ORDER BY id LIMIT $2"
            }
            Self::SiemDestination => {
                "SELECT id, secret FROM siem_destinations \
                 WHERE id > $1 AND secret IS NOT NULL ORDER BY id LIMIT $2"
            }
        }
    }

    fn replace(self) -> &'static str {
        match self {
            Self::Webhook => "UPDATE webhooks SET secret = $3 WHERE id = $1 AND secret = $2",
            Self::McpServer => {
                "UPDATE mcp_servers SET credentials = $3 WHERE id = $1 AND credentials = $2"
            }
            Self::CardKey => "UPDATE card_keys SET secret = $3 WHERE id = $1 AND secret = $2",
            Self::TaskPush => "UPDATE task_pushes SET secret = $3 WHERE id = $1 AND secret = $2",
            Self::SiemDestination => {
                "UPDATE siem_destinations SET secret = $3 WHERE id = $1 AND secret = $2"
            }
        }
    }
}

impl Store {
    /// Returns some of the secrets that are kept, by their ids, from the first one after `after` on; no secrets at the
    /// end.
    pub(crate) async fn kept_secrets(
        &self,
        of: SecretOf,
        after: String,
    ) -> Result<Vec<KeptSecret>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<(String, String)> =
                query(of.list()).bind(after).bind(PAGE).fetch_all(&db).await?;
            Ok(rows.into_iter().map(|(id, text)| KeptSecret { id, text }).collect())
        })
        .await
    }

    /// Puts other texts in the place of these, all or none; one that was replaced meanwhile stays. Returns how many
    /// were.
    pub(crate) async fn replace_secrets(
        &self,
        of: SecretOf,
        replaced: Vec<(KeptSecret, String)>,
    ) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock("secrets").await?;
            let mut count = 0;
            for (before, after) in replaced {
                let replace = query(of.replace()).bind(before.id).bind(before.text).bind(after);
                count += replace.execute(&mut transaction).await?;
            }
            transaction.commit().await?;
            Ok(count)
        })
        .await
    }
}
