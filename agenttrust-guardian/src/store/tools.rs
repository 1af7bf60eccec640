//! The table of effects that an operator or admin set for a tool.

use agenttrust::{Effect, Timestamp};

use super::{Store, StoreError, unreadable};

const SET: &str = "INSERT INTO tool_effects (org_id, tool, effect, set_by, set_at) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (org_id, tool) DO UPDATE \
                   SET effect = excluded.effect, set_by = excluded.set_by, set_at = excluded.set_at";
const LIST: &str = "SELECT org_id, tool, effect FROM tool_effects";

impl Store {
    /// Sets the effect of a tool.
    pub(crate) async fn set_tool_effect(
        &self,
        org_id: String,
        tool: String,
        effect: Effect,
        set_by: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |pool| async move {
            sqlx::query(SET)
                .bind(org_id)
                .bind(tool)
                .bind(effect.as_str())
                .bind(set_by)
                .bind(now.unix_micros())
                .execute(&pool)
                .await
                .map(drop)
        })
        .await
    }

    /// Every effect that was set, with organisation and tool.
    pub(crate) async fn tool_effects(&self) -> Result<Vec<((String, String), Effect)>, StoreError> {
        self.run(|pool| async move {
            let rows: Vec<(String, String, String)> = sqlx::query_as(LIST).fetch_all(&pool).await?;
            rows.into_iter()
                .map(|(org_id, tool, effect)| {
                    let effect = effect.parse().map_err(|error| unreadable("effect", error))?;
                    Ok(((org_id, tool), effect))
                })
                .collect()
        })
        .await
    }
}
