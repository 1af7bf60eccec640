//! The action of an HTTP request: the method says the effect, the route the tool, the URI the input.

use agenttrust::{Action, Binds, Effect};
use http::{Method, Request};

use super::preflight::Preflight;
use super::resource::Resource;
use super::template::{NoTemplate, RouteTemplate};
use crate::{ExtractAction, Extracted};

/// A method is a word; one longer than this is refused rather than made part of a tool's name.
const LONGEST_METHOD: usize = 32;

/// Reads the action of an HTTP request: see [`http`](crate::http) for what becomes what.
#[derive(Debug, Clone)]
pub struct HttpExtract<T = NoTemplate> {
    template: T,
}

impl HttpExtract {
    /// Takes the template from axum's router where there is one.
    pub fn new() -> Self {
        Self { template: NoTemplate }
    }
}

impl Default for HttpExtract {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> HttpExtract<T> {
    /// Returns the route template of requests that no axum router matched: a fixed one, or a closure over
    /// the request. `None` from a closure means `(unmatched)`, which is guarded too.
    ///
    /// ```
    /// use agenttrust_tower::http::HttpExtract;
    ///
    /// // A service for one route:
    /// let one = HttpExtract::new().template("/files/{name}");
    ///
    /// // A service that routes by itself. Answer with the route, never with the path it matched.
    /// let routed = HttpExtract::new().template(|request: &http::Request<String>| {
    ///     request.uri().path().starts_with("/files/").then_some("/files/{name}")
    /// });
    /// # let _ = (one, routed);
    /// ```
    pub fn template<T2>(self, template: T2) -> HttpExtract<T2> {
        HttpExtract { template }
    }
}

impl<B, T> ExtractAction<Request<B>> for HttpExtract<T>
where
    T: RouteTemplate<B>,
{
    fn extract(&self, request: &Request<B>) -> Extracted {
        if Preflight::was(request) {
            return Extracted::refuse(
                "the request is a preflight, which no agent is known for; its server has to answer those outside of the \
                 guard, or to leave them out of it",
            );
        }
        let method = request.method();
        if is_almost_standard(method) {
            return Extracted::refuse(
                "the method of the request differs from one of HTTP's own by upper and lower case alone; \
                 write it in capitals",
            );
        }
        if method.as_str().len() > LONGEST_METHOD {
            return Extracted::refuse("the method of the request is longer than 32 characters");
        }
        let resource = match Resource::from_request(request) {
            Ok(resource) => resource,
            Err(reason) => return Extracted::refuse(reason),
        };
        let action = Action::new(self.tool(request))
            .effect(effect(method))
            .input(&resource.into_input())
            .binds(Binds::Request);
        action.principal_in(request.extensions()).into()
    }
}

impl<T> HttpExtract<T> {
    fn tool<B>(&self, request: &Request<B>) -> String
    where
        T: RouteTemplate<B>,
    {
        #[cfg(feature = "axum")]
        if let Some(template) = super::matched::template(request) {
            return tool(request.method(), Some(template));
        }
        let template = self.template.route_template(request);
        tool(request.method(), template.as_deref())
    }
}

/// Returns whether a server that ignores case would take the method for a standard one, such as `delete` for `DELETE`.
fn is_almost_standard(method: &Method) -> bool {
    let standard = [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::DELETE,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    let almost = |known: &Method| known.as_str().eq_ignore_ascii_case(method.as_str());
    standard.iter().any(|known| known != method && almost(known))
}

fn effect(method: &Method) -> Effect {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Effect::Read,
        Method::DELETE => Effect::Destructive,
        _ => Effect::Mutating,
    }
}

fn tool(method: &Method, template: Option<&str>) -> String {
    match template {
        Some(template) => {
            let template = template.strip_prefix('/').unwrap_or(template);
            format!("http/{method}/{template}")
        }
        None => format!("http/{method}/(unmatched)"),
    }
}
