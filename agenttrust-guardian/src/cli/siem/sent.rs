//! `agenttrust siem test|logs|set-aside|replay`: what was sent, and what became of it.

use std::process::ExitCode;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::client::DeliveryFilter;
use agenttrust::model::{SiemDelivery, SiemSetAside};
use clap::Args;
use serde_json::json;

use super::destination::{find, tell};
use super::words::failed;
use crate::cli::out;
use crate::cli::remote::Remote;
use crate::clock::before;
use crate::domain::GuardianError;
use crate::domain::duration;

/// The longest that something may be replayed from, where it is said as how long ago.
const AGO_MOST: Duration = Duration::from_secs(10 * 366 * 86_400);

pub(super) async fn test(said: &str, remote: &Remote) -> Result<ExitCode, GuardianError> {
    let client = remote.client()?;
    let found = find(&client, said).await?;
    let told = client.streaming().test(&found.id).await.map_err(failed)?;
    let status = told.status_code.map(|status| format!(" ({status})")).unwrap_or_default();
    match (remote.json, told.success) {
        (true, _) => out::json(&told)?,
        (false, true) => out::say(&format!("the receiver took it{status}"))?,
        (false, false) => {
            let why = told.error_message.as_deref().unwrap_or("it did not say why");
            out::say(&format!("the receiver did not take it{status}: {}", out::harmless(why)))?;
        }
    }
    Ok(if told.success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The page of what was sent.
#[derive(Debug, Args)]
pub(in crate::cli) struct Records {
    /// The id of the destination, dst_…, or its name
    destination: String,
    /// List so many at most, up to 200
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
    /// Go on where a list ended: what it said as next
    #[arg(long, value_name = "NEXT")]
    before: Option<String>,
}

impl Records {
    fn filter(&self) -> DeliveryFilter {
        let mut filter = DeliveryFilter::default();
        (filter.limit, filter.before) = (self.limit, self.before.clone());
        filter
    }

    pub(super) async fn deliveries(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let found = find(&client, &self.destination).await?;
        let page = client.streaming().delivery_log_with(&found.id, &self.filter()).await;
        let page = page.map_err(failed)?;
        if remote.json {
            return out::json(&json!({ "logs": page.items, "next": page.next }));
        }
        if page.items.is_empty() {
            return out::say("nothing was sent to it yet");
        }
        let row = |it: &SiemDelivery| {
            let code = it.status_code.map(|code| code.to_string()).unwrap_or_default();
            let error = it.error_message.clone().unwrap_or_default();
            let at = out::when_exactly(it.delivered_at);
            [at, it.batch_size.to_string(), it.status.clone(), code, error]
        };
        let rows: Vec<_> = page.items.iter().map(row).collect();
        out::table(["WHEN", "EVENTS", "CAME OF IT", "STATUS", "WHAT WAS WRONG"], &rows)?;
        note_next(page.next);
        Ok(())
    }

    pub(super) async fn set_aside(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let found = find(&client, &self.destination).await?;
        let page = client.streaming().set_aside(&found.id, &self.filter()).await;
        let page = page.map_err(failed)?;
        if remote.json {
            let (rows, dropped) = (page.set_aside, page.dropped);
            let shown = json!({ "set_aside": rows, "dropped": dropped, "next": page.next });
            return out::json(&shown);
        }
        if page.set_aside.is_empty() {
            return out::say("nothing is set aside");
        }
        let row = |it: &SiemSetAside| {
            let code = it.status_code.map(|code| code.to_string()).unwrap_or_default();
            let row = match it.log.as_str() {
                "" => it.seq.to_string(),
                log => format!("{log} {}", it.seq),
            };
            [out::when_exactly(it.set_aside_at), it.kind.clone(), row, code, it.reason.clone()]
        };
        let rows: Vec<_> = page.set_aside.iter().map(row).collect();
        out::table(["WHEN", "KIND", "ROW OF THE AUDIT", "STATUS", "WHY"], &rows)?;
        if page.dropped > 0 {
            eprintln!("note: {} that were set aside earlier are not kept any more", page.dropped);
        }
        note_next(page.next);
        Ok(())
    }
}

fn note_next(next: Option<String>) {
    if let Some(next) = next {
        eprintln!("note: there is more; go on with --before {}", out::harmless(&next));
    }
}

/// The events that are to be sent once more.
#[derive(Debug, Args)]
pub(in crate::cli) struct Again {
    /// The id of the destination, dst_…, or its name
    destination: String,
    /// From when on: a time such as 2026-01-02T03:04:05Z, or how long ago such as 90m or 2d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Timestamp,
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Some(ago) = duration::parse(text, &duration::UNITS, AGO_MOST) {
        return Ok(before(Timestamp::now(), ago));
    }
    text.parse().map_err(|_| "write it as 2026-01-02T03:04:05Z, or as 90m, 2h or 2d".to_owned())
}

impl Again {
    pub(super) async fn run(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let found = find(&client, &self.destination).await?;
        let sent_back = client.streaming().replay(&found.id, self.since).await.map_err(failed)?;
        tell(&sent_back, remote)
    }
}
