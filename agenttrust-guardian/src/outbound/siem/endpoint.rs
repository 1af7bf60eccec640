//! Where events are sent to.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;

use super::super::Error;
use super::syslog::Peer;
use crate::domain::DestinationKind;

/// The place that events are sent to: parsed, and permitted when it was read.
#[derive(Clone)]
pub(crate) struct Endpoint {
    kind: DestinationKind,
    place: Place,
}

#[derive(Clone)]
pub(super) enum Place {
    Url(Url),
    Peer(Peer),
    File(PathBuf),
}

impl Endpoint {
    pub(super) fn new(kind: DestinationKind, place: Place) -> Self {
        Self { kind, place }
    }

    pub(super) fn kind(&self) -> DestinationKind {
        self.kind
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

// Its path may be as good as a password.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Returns the URL of what a vendor's path names: a URL without a path has it, and another one ends with it.
pub(super) fn with_path(mut url: Url, paths: &[&str], wrong: &'static str) -> Result<Url, Error> {
    let path = url.path().trim_end_matches('/').to_owned();
    match paths {
        [first, ..] if path.is_empty() => url.set_path(first),
        _ if paths.iter().any(|of_vendor| path.ends_with(of_vendor)) => url.set_path(&path),
        _ => return Err(Error::Refused(wrong)),
    }
    Ok(url)
}
