//! The action of a gRPC call: the path says the tool, a table or the name the effect.

use std::collections::HashMap;
use std::sync::Arc;

use agenttrust::internal::NAME_MAX_BYTES;
use agenttrust::{Action, Binds, Effect};
use http::{Method, Request};
use serde_json::json;

use crate::http::resource::host;
use crate::{ExtractAction, Extracted};

/// The prefix of a tool's name ...
const PREFIX: &str = "grpc/";
/// ... and how long the rest of it is at most, in bytes.
const LONGEST_NAME: usize = NAME_MAX_BYTES - PREFIX.len();

const READ: [&str; 9] =
    ["get", "list", "read", "search", "find", "query", "count", "describe", "watch"];
/// The words between two things that one method does.
const AND: [&str; 3] = ["and", "or", "then"];
const DESTRUCTIVE: [&str; 10] = [
    "delete",
    "remove",
    "drop",
    "purge",
    "truncate",
    "destroy",
    "kill",
    "terminate",
    "erase",
    "wipe",
];
/// Money and execution. A hint that is weaker than what these are would be believed by the Guardian.
const POWER: [&str; 7] = ["pay", "refund", "charge", "transfer", "purchase", "exec", "execute"];
const ADMIN: [&str; 4] = ["grant", "revoke", "configure", "admin"];

/// Reads the action of a gRPC call: see [`grpc`](crate::grpc) for what becomes what.
#[derive(Clone, Debug, Default)]
pub struct GrpcExtract {
    effects: Arc<HashMap<String, Effect>>,
}

impl GrpcExtract {
    /// Goes by the names of the methods alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what methods do whose names do not say it, by `package.Service/Method`.
    ///
    /// ```
    /// use agenttrust::Effect;
    /// use agenttrust_tower::grpc::GrpcExtract;
    ///
    /// let extract = GrpcExtract::new().effects([("files.v1.Files/Archive", Effect::Destructive)]);
    /// # let _ = extract;
    /// ```
    pub fn effects<M: Into<String>>(
        mut self,
        effects: impl IntoIterator<Item = (M, Effect)>,
    ) -> Self {
        let named = |(method, effect): (M, Effect)| {
            let method: String = method.into();
            (method.trim_start_matches('/').to_owned(), effect)
        };
        Arc::make_mut(&mut self.effects).extend(effects.into_iter().map(named));
        self
    }

    fn effect(&self, full_name: &str, method: &str) -> Effect {
        if let Some(effect) = self.effects.get(full_name) {
            return *effect;
        }
        let words: Vec<String> = words(method).map(str::to_ascii_lowercase).collect();
        let any = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
        if any(&ADMIN) {
            Effect::Admin
        } else if any(&DESTRUCTIVE) || (any(&POWER) && !begins_with_a_read(&words)) {
            Effect::Destructive
        } else if only_reads(&words) && !any(&POWER) {
            Effect::Read
        } else {
            Effect::Mutating
        }
    }
}

/// Returns whether a method begins with a word for reading, and with each thing that it does beside.
fn only_reads(words: &[String]) -> bool {
    let reads = |word: Option<&String>| word.is_some_and(|word| READ.contains(&word.as_str()));
    let beside = |word: &String| AND.contains(&word.as_str());
    begins_with_a_read(words)
        && words.iter().enumerate().all(|(at, word)| !beside(word) || reads(words.get(at + 1)))
}

fn begins_with_a_read(words: &[String]) -> bool {
    words.first().is_some_and(|word| READ.contains(&word.as_str()))
}

/// Returns the words of a name: `Get`, `File` and `Text` of `GetFileText`, `get_file_text` and `GET_FILE_TEXT`.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        let word = first_word(rest);
        rest = rest.get(word.len()..).unwrap_or_default();
        (!word.is_empty()).then_some(word)
    })
}

/// Returns `Get` of `GetFile`, `getFile`, `get_file` and `GET_FILE`; all of `Getaway`.
fn first_word(name: &str) -> &str {
    let upper = name.chars().take_while(char::is_ascii_uppercase).count();
    let rest = name.get(upper..).unwrap_or_default();
    let lower = rest.chars().take_while(char::is_ascii_lowercase).count();
    // The last of several capitals begins the next word, where that goes on in small letters.
    let length = if upper > 1 && lower > 0 { upper - 1 } else { upper + lower };
    name.get(..length).unwrap_or(name)
}

impl<B> ExtractAction<Request<B>> for GrpcExtract {
    fn extract(&self, request: &Request<B>) -> Extracted {
        if *request.method() != Method::POST {
            return Extracted::refuse("a gRPC call is a POST request");
        }
        let Some((full_name, method)) = method_of(request.uri().path()) else {
            return Extracted::refuse(
                "the path of a gRPC call is /package.Service/Method, of at most 195 characters",
            );
        };
        let authority = request.uri().authority().map(|authority| authority.as_str());
        let host = match host(request.headers()) {
            Ok(host) => host,
            Err(reason) => return Extracted::refuse(reason),
        };
        let input = json!({ "authority": authority, "host": host, "method": full_name });
        let action = Action::new(format!("{PREFIX}{full_name}"))
            .effect(self.effect(full_name, method))
            .input(&input)
            .binds(Binds::Method);
        action.principal_in(request.extensions()).into()
    }
}

/// Returns `package.Service/Method`, and the method alone. A path that a server might decode to another one is refused.
fn method_of(path: &str) -> Option<(&str, &str)> {
    let full_name = path.strip_prefix('/').filter(|name| name.len() <= LONGEST_NAME)?;
    let (service, method) = full_name.split_once('/')?;
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    };
    (is_name(service) && is_name(method)).then_some((full_name, method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_method_say_what_it_does() {
        let extract = GrpcExtract::new().effects([("/a.B/GetAway", Effect::Admin)]);
        for (method, effect) in [
            ("GetFile", Effect::Read),
            ("GetFileAndListTags", Effect::Read),
            ("GetAndDelete", Effect::Destructive),
            ("FindOneAndDelete", Effect::Destructive),
            ("list_then_purge", Effect::Destructive),
            ("GetDeleted", Effect::Read),
            ("GetAndIncrement", Effect::Mutating),
            ("ReadOrCreate", Effect::Mutating),
            ("ListAnd", Effect::Mutating),
            ("GetAndGrant", Effect::Admin),
            ("CheckOut", Effect::Mutating),
            ("Get", Effect::Read),
            ("Getaway", Effect::Mutating),
            ("GetAway", Effect::Admin),
            ("ListFiles", Effect::Read),
            ("DeleteFile", Effect::Destructive),
            ("RevokeKey", Effect::Admin),
            ("TerminateInstance", Effect::Destructive),
            ("ChargeCard", Effect::Destructive),
            ("CardRefund", Effect::Destructive),
            ("GetCharge", Effect::Mutating),
            ("ListCharges", Effect::Read),
            ("SendMail", Effect::Mutating),
            ("deleteFile", Effect::Destructive),
            ("delete_file", Effect::Destructive),
            ("DELETE_FILE", Effect::Destructive),
            ("DELETEFile", Effect::Destructive),
            ("GetURL", Effect::Read),
            ("Get2", Effect::Read),
            ("deleted", Effect::Mutating),
            ("_delete", Effect::Destructive),
        ] {
            assert_eq!(extract.effect(&format!("a.B/{method}"), method), effect, "{method}");
        }
    }

    #[test]
    fn what_is_no_method_of_a_service_is_refused() {
        assert_eq!(method_of("/a.B/C"), Some(("a.B/C", "C")));
        let long = format!("/a.B/{}", "C".repeat(300));
        for path in
            ["/", "/a.B", "/a.B/", "//C", "/a.B/C/D", "/a.B/%43", "a.B/C", "/a.B/C D", &long]
        {
            assert_eq!(method_of(path), None, "{path}");
        }
    }
}
