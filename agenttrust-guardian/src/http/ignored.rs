//! What a request holds that is not known and is skipped, said in the header `AgentTrust-Ignored` of its answer.
//!
//! Nothing is skipped without a word: an endpoint of ours refuses what it does not know, and one of the SDK guide
//! refuses what looks like a known name and names the rest. Of a body, its type says which it is
//! (`body/shape.rs`); of the parameters of the query, which are known the OpenAPI document says.

use std::sync::{Arc, Mutex, PoisonError};

use agenttrust::model::headers::IGNORED;
use axum::extract::{MatchedPath, Query, Request};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::auth::Identified;
use super::openapi;
use crate::domain::spelling::member_meant;
use crate::domain::{Error, is_unseen};

/// The largest number of names in the header ...
const NAMES_MOST: usize = 16;
/// ... and how many characters of each.
const NAME_MOST: usize = 100;
/// The number of characters of what a caller sent that a sentence about it repeats.
const REPEATED_MOST: usize = 300;

/// The names that were skipped in one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignored(Arc<Mutex<Vec<String>>>);

impl Ignored {
    pub(super) fn add(&self, names: Vec<String>) {
        if !names.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
        }
    }

    /// Refuses one of these names, or one that looks like it, with where it `belongs`.
    pub(super) fn refuse(&self, belongs: &[(&str, &str)]) -> Result<(), Error> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = names.iter().find_map(|name| {
            let meant = member_meant(name, belongs.iter().map(|(meant, _)| *meant))?;
            let (_, place) = belongs.iter().find(|(one, _)| *one == meant)?;
            Some((name, place))
        });
        match wrong {
            None => Ok(()),
            Some((name, place)) => {
                let name = printable(name);
                Err(Error::invalid(&name, format!("is not known here; use {place}")))
            }
        }
    }

    /// Returns the names as a header lists them; `None` where there are none.
    pub(super) fn to_header(&self) -> Option<HeaderValue> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let more = (names.len() > NAMES_MOST).then(|| "...".to_owned());
        let named = names.iter().take(NAMES_MOST).map(|name| in_a_list(name));
        let list: Vec<String> = named.chain(more).collect();
        // What is left in a name can stand in a header.
        Some(list.join(", ")).filter(|list| !list.is_empty())?.parse().ok()
    }
}

/// Returns a name that a caller made up, so that it can stand in a list in a header.
fn in_a_list(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
    name.chars().take(NAME_MOST).map(plain).collect()
}

/// Returns what a caller sent, so that it can stand in a sentence.
pub(super) fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() || is_unseen(c) { '\u{fffd}' } else { c };
    let end = text.char_indices().nth(REPEATED_MOST).map(|(end, _)| end);
    let more = end.map(|_| "...");
    let shown = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    shown.chars().map(plain).chain(more.unwrap_or_default().chars()).collect()
}

/// Returns the middleware.
pub(super) async fn tell(mut request: Request, next: Next) -> Response {
    let ignored = Ignored::default();
    if let Err(error) = look(&request, &ignored) {
        return error.into_response();
    }
    request.extensions_mut().insert(ignored.clone());
    let mut response = next.run(request).await;
    if let Some(names) = ignored.to_header() {
        response.headers_mut().insert(IGNORED, names);
    }
    response
}

/// Looks at the parameters of the query that the endpoint does not know.
fn look(request: &Request, ignored: &Ignored) -> Result<(), Error> {
    let (uri, extensions) = (request.uri(), request.extensions());
    // A caller without a key that works learns nothing but that, and what needs none is for probes.
    let known_caller = extensions.get::<Identified>().is_some_and(|of| of.0.is_ok());
    if uri.query().is_none_or(str::is_empty) || !known_caller {
        return Ok(());
    }
    let route = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = route.and_then(|route| openapi::endpoint(request.method(), route));
    // What cannot be read at all, the endpoint refuses.
    let (Some(endpoint), Ok(Query(sent))) =
        (endpoint, Query::<Vec<(String, String)>>::try_from_uri(uri))
    else {
        return Ok(());
    };
    let known = || endpoint.parameters.iter().map(String::as_str);
    for (name, _) in sent {
        if known().any(|known| known == name) {
            continue;
        }
        let problem = match member_meant(&name, known()) {
            Some(meant) => format!("is no parameter here; did you mean {meant:?}?"),
            None if endpoint.is_guides => {
                ignored.add(vec![name]);
                continue;
            }
            None if endpoint.parameters.is_empty() => {
                "is no parameter here, where no parameter is taken; leave it out".to_owned()
            }
            None => {
                let list = endpoint.parameters.join(", ");
                format!("is no parameter here; there is {list}, so leave it out")
            }
        };
        return Err(Error::invalid(&printable(&name), problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_bounded_and_holds_no_more_than_a_header_may() {
        let ignored = Ignored::default();
        assert_eq!(ignored.to_header(), None);
        ignored.add(vec!["a,b".to_owned(), "é\r\nset-cookie: x".to_owned(), "x".repeat(10_000)]);
        ignored.add((0..1_000).map(|n| format!("n{n}")).collect());
        let header = ignored.to_header().unwrap();
        let text = header.to_str().unwrap();
        assert!(text.starts_with("a?b, ???set-cookie:?x, xxx"), "{text}");
        assert!(text.ends_with("n12, ...") && text.len() < 2_000, "{text}");
    }
}
