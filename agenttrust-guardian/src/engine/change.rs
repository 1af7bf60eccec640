//! The one way to change something: refuse what could not be recorded, store, follow, record.
//!
//! Taking back is the exception ([`super::taking`]): it is in force in memory first, and is not refused for
//! lack of room.

use std::future::Future;

use super::Engine;
use crate::audit::Record;
use crate::domain::Error;

impl Engine {
    /// Makes a change: `stored` does so in the database, and begins only if the change can be recorded.
    /// Memory follows before this returns, and the audit has the record of what was done.
    ///
    /// # Errors
    ///
    /// Those of `stored`, and unavailable where the audit cannot be written: before, and nothing has changed,
    /// or after, and the message says that it has.
    pub(crate) async fn change<T, E: Into<Error>>(
        &self,
        stored: impl Future<Output = Result<T, E>>,
        record: impl FnOnce(&T) -> Record,
    ) -> Result<T, Error> {
        self.ensure_auditable()?;
        let done = stored.await.map_err(Into::into)?;
        self.sync().await?;
        self.record_audit(record(&done)).await?;
        Ok(done)
    }

    /// Refuses a change that could not be recorded afterwards.
    pub(crate) fn ensure_auditable(&self) -> Result<(), Error> {
        if self.audit.is_healthy() {
            return Ok(());
        }
        Err(Error::unavailable(if self.audit.was_changed() {
            "nothing may change until an operator has looked at the Guardian's audit log; the Guardian's own log says \
             what to do"
        } else {
            "the audit log cannot be written, so nothing may change; try again later"
        }))
    }

    /// Records a change that was made. It is on disk when this returns.
    pub(crate) async fn record_audit(&self, record: Record) -> Result<(), Error> {
        self.audit.append(record).await.map(drop).map_err(|error| {
            tracing::error!(%error, "a change was made and could not be recorded");
            Error::unavailable(
                "the change was made and could not be recorded in the audit log; \
                 look at the Guardian's log",
            )
        })
    }
}
