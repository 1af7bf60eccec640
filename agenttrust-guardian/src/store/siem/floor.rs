//! What may be let go of a log, as far as destinations are concerned.

use super::super::db::query;
use super::super::{Store, StoreError};

const FLOOR: &str = "SELECT MIN(COALESCE(siem_cursors.seq, 0)) FROM siem_destinations LEFT JOIN siem_cursors \
                     ON siem_cursors.destination_id = siem_destinations.id AND siem_cursors.log = $1";

impl Store {
    /// Returns up to which row of a log nothing is owed to any destination, paused ones included; `None` where there is
    /// no destination.
    pub(crate) async fn siem_floor(&self, log: String) -> Result<Option<i64>, StoreError> {
        self.run(move |db| async move {
            let (floor,): (Option<i64>,) = query(FLOOR).bind(log).fetch_one(&db).await?;
            Ok(floor)
        })
        .await
    }
}
