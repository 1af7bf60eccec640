//! Issuers that answer, change their keys, stop answering and never end, each on a real socket.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust_testkit::Issuer;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::rate_limiter::Rate;
use super::{FRESH_FOR, ISSUER_READ_TIMEOUT, IssuerKeys, KNOWN_FOR};
use crate::clock::Clock;
use crate::jose::{KeySet, Unverified};
use crate::outbound::{Outbound, Reach};

const FAST: Rate = Rate { apart: Duration::ZERO, burst: 1_000, refill: Duration::from_millis(1) };

struct Trial {
    clock: Arc<Clock>,
    keys: IssuerKeys,
}

impl Trial {
    fn new(rate: Rate) -> Self {
        let clock = Arc::new(Clock::default());
        let outbound = Outbound::new(Reach::new(true, &[]));
        Self { keys: IssuerKeys::with_rate(outbound, Arc::clone(&clock), rate), clock }
    }

    /// Returns whether the keys of this provider have the one that a token names, or why there are no keys.
    async fn knows(&self, jwks_uri: &str, token: &str) -> Result<bool, String> {
        let token = Unverified::read(token).unwrap();
        let keys = self.keys.for_token("fedp_1", jwks_uri, &token).await;
        keys.map(|keys: Arc<KeySet>| keys.knows(&token)).map_err(|why| why.to_string())
    }
}

fn keys_of(issuer: &Issuer) -> String {
    format!("{}/keys", issuer.url())
}

fn token(issuer: &Issuer) -> String {
    issuer.token("alice", serde_json::json!({}))
}

/// Returns a token by a key that no issuer here has.
async fn stray() -> String {
    let stranger = Issuer::start().await;
    (0..100).for_each(|_| stranger.rotate());
    token(&stranger)
}

/// Returns an issuer that answers each request with these bytes, and then nothing more.
async fn answering(head: &'static str, body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let body = body.clone();
            tokio::spawn(async move {
                let mut asked = [0; 4_096];
                let _ = socket.read(&mut asked).await;
                let _ = socket.write_all(head.as_bytes()).await;
                let _ = socket.write_all(&body).await;
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
        }
    });
    url
}

async fn took<T>(doing: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let done = doing.await;
    (done, begun.elapsed())
}

#[tokio::test]
async fn new_key_is_known_at_once_and_a_withdrawn_one_is_gone_with_it() {
    let (trial, issuer) = (Trial::new(Rate::default()), Issuer::start().await);
    let (at, old) = (keys_of(&issuer), token(&issuer));
    for n in 0..5 {
        issuer.rotate();
        let fresh = token(&issuer);
        // While others go on asking, each by the newest key that there is.
        let asked = join_all((0..50).map(|_| trial.knows(&at, &fresh))).await;
        assert!(asked.iter().all(|known| *known == Ok(true)), "{n}: {asked:?}");
    }
    assert_eq!(trial.knows(&at, &old).await, Ok(false));
}

#[tokio::test]
async fn many_at_once_share_one_read() {
    let (trial, issuer) = (Trial::new(Rate::default()), Issuer::start().await);
    let (at, token) = (keys_of(&issuer), token(&issuer));
    let asked = join_all((0..500).map(|_| trial.knows(&at, &token))).await;
    assert!(asked.iter().all(|known| *known == Ok(true)));
    assert_eq!(issuer.keys_read(), 1);
    join_all((0..500).map(|_| trial.knows(&at, &token))).await;
    assert_eq!(issuer.keys_read(), 1);
}

#[tokio::test]
async fn withdrawn_key_is_refused_once_what_is_known_is_five_minutes_old() {
    let (trial, issuer) = (Trial::new(FAST), Issuer::start().await);
    let (at, old) = (keys_of(&issuer), token(&issuer));
    assert_eq!(trial.knows(&at, &old).await, Ok(true));
    issuer.rotate();
    trial.clock.advance(FRESH_FOR - Duration::from_secs(1));
    assert_eq!(trial.knows(&at, &old).await, Ok(true));
    trial.clock.advance(Duration::from_secs(2));
    assert_eq!(trial.knows(&at, &old).await, Ok(false));
}

#[tokio::test]
async fn known_keys_serve_for_an_hour_while_their_issuer_is_down() {
    let (trial, mut issuer) = (Trial::new(FAST), Issuer::start().await);
    let (at, token) = (keys_of(&issuer), token(&issuer));
    assert_eq!(trial.knows(&at, &token).await, Ok(true));
    issuer.stop().await;
    let minute = Duration::from_secs(60);
    for _ in 0..59 {
        trial.clock.advance(minute);
        assert_eq!(trial.knows(&at, &token).await, Ok(true));
    }
    // What is not known is not said to be wrong.
    assert!(trial.knows(&at, &stray().await).await.is_err());
    trial.clock.advance(minute);
    assert!(trial.knows(&at, &token).await.is_err());
    issuer.resume().await;
    assert_eq!(trial.knows(&at, &token).await, Ok(true));
    // And counted anew.
    issuer.stop().await;
    trial.clock.advance(KNOWN_FOR - minute);
    assert_eq!(trial.knows(&at, &token).await, Ok(true));
}

#[tokio::test]
async fn flood_of_unknown_keys_asks_the_issuer_at_the_rate_alone_and_a_new_key_comes_through() {
    let refill = Duration::from_millis(500);
    let rate = Rate { apart: Duration::from_millis(50), burst: 4, refill };
    let (trial, issuer) = (Arc::new(Trial::new(rate)), Issuer::start().await);
    let (at, stray) = (keys_of(&issuer), stray().await);
    assert_eq!(trial.knows(&at, &token(&issuer)).await, Ok(true));
    let flood = |within: Duration| {
        let (trial, at, stray) = (Arc::clone(&trial), at.clone(), stray.clone());
        tokio::spawn(async move {
            let begun = Instant::now();
            let mut sent = 0;
            while begun.elapsed() < within {
                let asked = join_all((0..20).map(|_| trial.knows(&at, &stray))).await;
                assert!(asked.iter().all(|known| *known == Ok(false)), "{asked:?}");
                sent += asked.len();
                tokio::task::yield_now().await;
            }
            (sent, begun.elapsed())
        })
    };
    let (sent, lasted) = flood(Duration::from_secs(2)).await.unwrap();
    let most = 1 + 4 + usize::try_from(lasted.as_millis() / refill.as_millis()).unwrap() + 1;
    assert!(issuer.keys_read() <= most, "{} reads of {sent} tokens", issuer.keys_read());
    assert!(sent > 2 * most, "{sent}");

    let going_on = flood(Duration::from_secs(2));
    tokio::time::sleep(Duration::from_millis(200)).await;
    issuer.rotate();
    let (fresh, rotated) = (token(&issuer), Instant::now());
    while trial.knows(&at, &fresh).await != Ok(true) {
        assert!(rotated.elapsed() < refill + Duration::from_millis(500), "not known in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    going_on.await.unwrap();
}

#[tokio::test]
async fn issuer_that_hangs_is_waited_for_once_and_not_by_those_whose_key_is_known() {
    let hanging = answering("", Vec::new()).await;
    let (trial, issuer) = (Trial::new(FAST), Issuer::start().await);
    let token = token(&issuer);
    let (asked, waited) = took(join_all((0..20).map(|_| trial.knows(&hanging, &token)))).await;
    assert!(asked.iter().all(Result::is_err), "{asked:?}");
    assert!(waited < ISSUER_READ_TIMEOUT + Duration::from_secs(2), "{waited:?}");

    // What was read before serves meanwhile: the first waits for the new read, and who comes after it for nothing.
    let read = trial.keys.read(&keys_of(&issuer)).await.unwrap();
    trial.keys.keep("fedp_1", &hanging, read);
    trial.clock.advance(FRESH_FOR + Duration::from_secs(1));
    assert_eq!(trial.knows(&hanging, &token).await, Ok(true));
    let (known, waited) = took(trial.knows(&hanging, &token)).await;
    assert_eq!(known, Ok(true));
    assert!(waited < Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn document_that_is_none_or_has_no_end_is_refused_with_what_is_wrong_with_it() {
    let (trial, issuer) = (Trial::new(FAST), Issuer::start().await);
    let token = token(&issuer);
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let declared = "HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n";
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let broken = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
    let never = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n";
    for (head, body, said) in [
        (ok, vec![b' '; 10_000_000], "longer than 1048576 bytes"),
        (declared, Vec::new(), "longer than 1048576 bytes"),
        (moved, Vec::new(), "where nothing is sent"),
        (missing, Vec::new(), "answered 404"),
        (broken, Vec::new(), "they are no"),
        (never, b"{\"keys\":".to_vec(), "no answer"),
    ] {
        let at = answering(head, body).await;
        let (asked, waited) = took(trial.knows(&at, &token)).await;
        let why = asked.unwrap_err();
        assert!(why.contains(said) || why.contains("did not come"), "{said}: {why}");
        assert!(waited < ISSUER_READ_TIMEOUT + Duration::from_secs(2), "{waited:?}");
    }
    // Not without TLS where it was not opened, and nowhere private.
    let shut = IssuerKeys::new(Outbound::new(Reach::default()), Arc::clone(&trial.clock));
    let why = shut.read(&keys_of(&issuer)).await.unwrap_err().to_string();
    assert!(why.contains("must be https"), "{why}");
    assert_eq!(issuer.keys_read(), 0);
}

#[tokio::test]
async fn issuer_whose_keys_made_room_for_others_is_asked_no_more_often() {
    let hour = Duration::from_secs(3_600);
    let rate = Rate { apart: Duration::ZERO, burst: 2, refill: hour };
    let (trial, issuer) = (Trial::new(rate), Issuer::start().await);
    let (at, token) = (keys_of(&issuer), token(&issuer));
    let read = trial.keys.read(&at).await.unwrap();
    let before = issuer.keys_read();
    for _ in 0..4 {
        // What is said is not the question: its keys may be gone.
        let _ = trial.knows(&at, &token).await;
        for n in 0..600 {
            trial.keys.keep(&format!("fedp_other_{n}"), &at, read.clone());
        }
    }
    assert_eq!(issuer.keys_read() - before, 2);
}
