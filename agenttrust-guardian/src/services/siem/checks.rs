//! What a destination may be made with.

use reqwest::Url;
use serde_json::json;

use crate::domain::names::{check_distinct_name, check_names};
use crate::domain::{DEFAULT_ORG, DestinationKind, Error, EventFormat, Key, Secret, ids};
use crate::engine::Engine;
use crate::outbound;
use crate::outbound::siem::check_token;
use crate::siem::{Filter, KINDS};
use crate::store::DestinationRow;

/// The largest number of events that are sent at once.
const BATCH_SIZE_MOST: i64 = 1_000;
/// The longest time that an event waits, in seconds.
const FLUSH_SECONDS_MOST: i64 = 3_600;

/// The settings of a destination as they were sent, not checked yet.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) secret: Option<Secret>,
    pub(crate) batch_size: Option<u64>,
    pub(crate) flush_seconds: Option<u64>,
    pub(crate) event_types: Option<Vec<String>>,
    pub(crate) format: Option<EventFormat>,
}

/// Refuses a name that looks like another one, or like the id of a destination: people name one by either.
pub(super) fn check_destination_name(name: &str) -> Result<(), Error> {
    check_distinct_name("name", name)?;
    if name.starts_with(ids::DESTINATION_PREFIX) {
        return Err(Error::invalid("name", "begins as an id does, with dst_; give another name"));
    }
    Ok(())
}

/// Refuses what is never sent to.
pub(super) fn check_endpoint(
    engine: &Engine,
    kind: DestinationKind,
    url: &str,
) -> Result<(), Error> {
    const FIELD: &str = "endpoint_url";
    engine.outbound.endpoint(kind, url).map(drop).map_err(|error| match error {
        outbound::Error::Refused(why) => Error::invalid(FIELD, why),
        other => Error::invalid(FIELD, format!("cannot be used: {other}")),
    })
}

/// Refuses files to organisations that only live here: the folders are the machine's own, and one organisation could
/// write into what another one reads.
pub(super) fn check_owner(kind: DestinationKind, key: &Key) -> Result<(), Error> {
    if kind != DestinationKind::File || key.org_id == DEFAULT_ORG {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "files on the Guardian's machine are for organisation {DEFAULT_ORG:?} alone, and this key is one of {:?}; name a \
         receiver of HTTP or syslog",
        key.org_id
    )))
}

/// Refuses what no receiver of this kind lets in by. The value is repeated nowhere.
pub(super) fn check_secret(kind: DestinationKind, secret: &Secret) -> Result<(), Error> {
    check_token(kind, secret.expose()).map_err(|wrong| Error::invalid("auth_token", wrong))
}

/// Refuses a new destination without the token that every receiver of its kind asks for.
pub(super) fn check_has_secret(row: &DestinationRow) -> Result<(), Error> {
    let missing = match row.kind {
        _ if row.secret.is_some() => return Ok(()),
        DestinationKind::Splunk => {
            "is missing, and Splunk takes nothing without one; give the token of the HTTP Event Collector"
        }
        DestinationKind::Datadog => {
            "is missing, and Datadog takes nothing without an API key; give that"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid("auth_token", missing))
}

/// Returns what is weak about a destination, in a sentence.
pub(crate) fn warning(row: &DestinationRow) -> Option<&'static str> {
    match row.kind {
        DestinationKind::Webhook if row.secret.is_none() => Some(
            "what it is sent is unsigned, because it has no secret: its receiver cannot tell it from what others send",
        ),
        DestinationKind::Splunk if row.secret.is_none() => {
            Some("it has no token, and Splunk takes nothing without one")
        }
        DestinationKind::Datadog if row.secret.is_none() => {
            Some("it has no token, and Datadog takes nothing without an API key")
        }
        _ => None,
    }
}

pub(super) fn check_batch(size: u64) -> Result<i64, Error> {
    within("batch_size", size, BATCH_SIZE_MOST)
}

pub(super) fn check_flush(seconds: u64) -> Result<i64, Error> {
    within("flush_interval_seconds", seconds, FLUSH_SECONDS_MOST)
}

fn within(field: &str, number: u64, most: i64) -> Result<i64, Error> {
    let within = i64::try_from(number).ok().filter(|number| (1..=most).contains(number));
    within.ok_or_else(|| Error::invalid(field, format!("is {number}; use 1 to {most}")))
}

/// Refuses a word that names no kind of event; the details name all there are.
pub(super) fn check_filter(words: &[String]) -> Result<(), Error> {
    const FIELD: &str = "filter_event_types";
    check_names(FIELD, words)?;
    Filter::parse(words).map(drop).map_err(|unknown| {
        let place = words.iter().position(|word| *word == unknown.word).unwrap_or_default();
        let field = format!("{FIELD}[{place}]");
        let details = json!({ "field": &field, "event_types": KINDS });
        Error::invalid(&field, format!("is not known: {unknown}")).with(details)
    })
}

/// Returns where it goes, without what may be as good as a password. The path of a file is not: it is what a file has
/// for that.
pub(crate) fn origin(kind: DestinationKind, endpoint: &str) -> String {
    if kind == DestinationKind::File {
        return endpoint.to_owned();
    }
    // Read as it is called: the parser takes `\` for `/`, and leaves tabs out.
    let Ok(url) = Url::parse(endpoint) else { return "…".to_owned() };
    if kind != DestinationKind::Syslog {
        return format!("{}/…", url.origin().ascii_serialization());
    }
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_tells_the_host_and_not_what_may_be_as_good_as_a_password() {
        for (kind, endpoint, shown) in [
            (DestinationKind::Splunk, "https://a.example/key", "https://a.example/…"),
            (DestinationKind::Splunk, "https://A.example:443/other?k=1", "https://a.example/…"),
            (DestinationKind::Webhook, "https://a.example:8443/x", "https://a.example:8443/…"),
            (
                DestinationKind::Syslog,
                "syslog+tls://Log.example:6514",
                "syslog+tls://log.example:6514",
            ),
            (DestinationKind::File, "file:///var/log/x.jsonl", "file:///var/log/x.jsonl"),
            (DestinationKind::Webhook, "no URL", "…"),
        ] {
            assert_eq!(origin(kind, endpoint), shown);
        }
    }
}
