//! The action of a gRPC call: the path says the tool, a table or the name the effect.

use std::collections::HashMap;
use std::sync::Arc;

use agenttrust::{Action, Effect};
use http::{Method, Request};
use serde_json::json;

use crate::http::extract::as_identified;
use crate::{ExtractAction, Extracted};

/// As long as a tool's name may be for a Guardian, with `grpc/` in front.
const LONGEST_PATH: usize = 250;

const READ: [&str; 10] =
    ["Get", "List", "Read", "Search", "Find", "Query", "Count", "Describe", "Watch", "Check"];
const DESTRUCTIVE: [&str; 7] = ["Delete", "Remove", "Drop", "Purge", "Truncate", "Destroy", "Kill"];
const ADMIN: [&str; 4] = ["Grant", "Revoke", "Configure", "Admin"];

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

    /// What methods do whose names do not say it, by `package.Service/Method`.
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
        let begins = |words: &[&str]| words.iter().any(|word| begins_with_word(method, word));
        if begins(&ADMIN) {
            Effect::Admin
        } else if begins(&DESTRUCTIVE) {
            Effect::Destructive
        } else if begins(&READ) {
            Effect::Read
        } else {
            Effect::Mutating
        }
    }
}

/// `GetFile` begins with the word `Get`, `Getaway` does not.
fn begins_with_word(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

impl<B> ExtractAction<Request<B>> for GrpcExtract {
    fn extract(&self, request: &Request<B>) -> Extracted {
        if *request.method() != Method::POST {
            return Extracted::refuse("a gRPC call is a POST request");
        }
        let Some((full_name, method)) = method_of(request.uri().path()) else {
            return Extracted::refuse(
                "the path of a gRPC call is /package.Service/Method, of at most 250 characters",
            );
        };
        let authority = request.uri().authority().map(|authority| authority.as_str());
        let host = request.headers().get(http::header::HOST).map(|host| host.as_bytes());
        let input = json!({
            "authority": authority,
            "host": host.map(String::from_utf8_lossy),
            "method": full_name,
        });
        let action = Action::new(format!("grpc/{full_name}"))
            .effect(self.effect(full_name, method))
            .input(&input);
        as_identified(action, request).into()
    }
}

/// `package.Service/Method`, and the method alone. Names only: a path that a server might decode to
/// another one is none.
fn method_of(path: &str) -> Option<(&str, &str)> {
    let full_name = path.strip_prefix('/').filter(|name| name.len() <= LONGEST_PATH)?;
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
    fn the_first_word_of_a_method_says_what_it_does() {
        let extract = GrpcExtract::new().effects([("/a.B/GetAway", Effect::Admin)]);
        for (method, effect) in [
            ("GetFile", Effect::Read),
            ("Get", Effect::Read),
            ("Getaway", Effect::Mutating),
            ("GetAway", Effect::Admin),
            ("ListFiles", Effect::Read),
            ("DeleteFile", Effect::Destructive),
            ("RevokeKey", Effect::Admin),
            ("SendMail", Effect::Mutating),
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
