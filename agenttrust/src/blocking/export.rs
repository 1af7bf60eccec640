//! The export of the audit without `.await`.

use bytes::Bytes;

use super::wait;
use crate::client as asynchronous;
use crate::error::Result;
use crate::model::AuditEntry;

/// Audit logs on their way, log by log and oldest entry first: an iterator of entries. The async one is
/// [`crate::client::AuditExport`], which says what it holds and how long it waits.
///
/// ```
/// # use agenttrust::blocking::AgentTrustClient;
/// # let client = AgentTrustClient::builder().service(tower::service_fn(
/// #     |_: http::Request<bytes::Bytes>| async {
/// #         let said = "{\"seq\": 1}\n{\"seq\": 2}\n";
/// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
/// #     },
/// # )).build()?;
/// # let mut seen = 0;
/// for entry in client.audit().export()? {
///     let entry = entry?;
///     println!("{} {} {}", entry.log, entry.seq, entry.kind);
/// #   seen += 1;
/// }
/// # assert_eq!(seen, 2);
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
#[derive(Debug)]
#[must_use = "an export is sent only while it is read"]
pub struct AuditExport {
    /// `None` once waiting for it has failed.
    export: Option<asynchronous::AuditExport>,
}

impl AuditExport {
    pub(super) fn new(export: asynchronous::AuditExport) -> Self {
        Self { export: Some(export) }
    }

    /// Returns the next entry as the line of JSON that it came as, without its end: what is put into a file. `None`
    /// when the export is over, as it is after an error.
    ///
    /// # Errors
    ///
    /// As for the async [`next_line`](crate::client::AuditExport::next_line).
    pub fn next_line(&mut self) -> Option<Result<String>> {
        let line = self.line()?;
        self.read(line, asynchronous::AuditExport::text)
    }

    fn line(&mut self) -> Option<Result<Bytes>> {
        let mut export = self.export.take()?;
        // Most lines are here already, and need nobody to wait.
        if let Some(line) = export.line_at_hand() {
            self.export = Some(export);
            return Some(line);
        }
        let waited = wait(async move {
            let line = export.line().await;
            Ok((export, line))
        });
        match waited {
            Ok((export, line)) => {
                self.export = Some(export);
                line
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Returns a line as what `as_what` makes of it.
    fn read<T>(
        &mut self,
        line: Result<Bytes>,
        as_what: fn(&mut asynchronous::AuditExport, Result<Bytes>) -> Result<T>,
    ) -> Option<Result<T>> {
        match (&mut self.export, line) {
            (Some(export), line) => Some(as_what(export, line)),
            (None, line) => line.err().map(Err),
        }
    }
}

impl Iterator for AuditExport {
    type Item = Result<AuditEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line()?;
        self.read(line, asynchronous::AuditExport::entry)
    }
}
