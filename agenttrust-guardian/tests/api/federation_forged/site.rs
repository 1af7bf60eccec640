//! A site on a socket that answers for issuers: as they should, and as they should not.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, Uri, header};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The path of a discovery document, below an issuer.
pub(super) const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The answer at a path.
#[derive(Clone, Debug)]
pub(super) enum Page {
    Text(String),
    /// A body of this many bytes.
    Long(usize),
    /// A begin, and then nothing more, ever.
    Hangs,
    /// A byte now and then, for ever.
    Drips,
    /// A redirect to this address.
    Moved(String),
    /// This status, and no body that can be used.
    Status(u16),
}

#[derive(Debug, Default)]
struct Pages {
    by_path: Mutex<HashMap<String, Page>>,
    asked: AtomicUsize,
}

/// A site on a free port of this machine.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) url: String,
    pages: Arc<Pages>,
}

impl Site {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pages = Arc::new(Pages::default());
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&pages));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { url, pages }
    }

    pub(super) fn put(&self, path: &str, page: Page) {
        self.pages.by_path.lock().unwrap().insert(path.to_owned(), page);
    }

    /// Publishes the issuer that is the site itself, with a key of each kind, and more.
    pub(super) fn publish_good(&self, more: &[Value]) {
        let mut keys =
            vec![super::jwk("rsa", "rsa"), super::jwk("p256", "ec"), super::jwk("ed25519", "ed")];
        keys.extend_from_slice(more);
        self.put("/keys", Page::Text(json!({ "keys": keys }).to_string()));
        self.put(WELL_KNOWN, Page::Text(self.document("", json!({})).to_string()));
    }

    /// Returns the discovery document of the issuer at this path, with these members in place of the good ones.
    pub(super) fn document(&self, path: &str, more: Value) -> Value {
        let url = &self.url;
        let issuer = format!("{url}{path}");
        super::with(
            json!({
                "jwks_uri": format!("{url}/keys"),
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "issuer": issuer,
            }),
            more,
        )
    }

    /// Returns how often anything was asked of it.
    pub(super) fn asked(&self) -> usize {
        self.pages.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(pages): State<Arc<Pages>>, uri: Uri) -> Response<Body> {
    pages.asked.fetch_add(1, Ordering::SeqCst);
    let page = pages.by_path.lock().unwrap().get(uri.path()).cloned();
    let json = Response::builder().header(header::CONTENT_TYPE, "application/json");
    let response = match page.unwrap_or(Page::Status(404)) {
        Page::Text(text) => json.body(Body::from(text)),
        Page::Long(bytes) => {
            let chunk = Bytes::from(vec![b' '; 64 << 10]);
            let chunks = std::iter::repeat_n(Ok::<_, Infallible>(chunk), bytes.div_ceil(64 << 10));
            json.body(Body::from_stream(stream::iter(chunks)))
        }
        Page::Hangs => json.body(slowly(Duration::from_secs(3_600))),
        Page::Drips => json.body(slowly(Duration::from_millis(100))),
        Page::Moved(to) => {
            Response::builder().status(302).header("location", to).body(Body::empty())
        }
        Page::Status(status) => Response::builder().status(status).body(Body::from("none")),
    };
    response.unwrap()
}

/// Returns a byte, and the next one after so long.
fn slowly(wait: Duration) -> Body {
    Body::from_stream(stream::unfold(false, move |begun| async move {
        if begun {
            tokio::time::sleep(wait).await;
        }
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), true))
    }))
}
