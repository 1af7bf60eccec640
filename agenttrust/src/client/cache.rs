//! The token cache: a token is handed out again until it is about to expire.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::model::{IssueTokenRequest, Token};
use crate::suspend_aware_instant::SuspendAwareInstant;

const TOKENS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// A token with less than this left is not handed out: it could expire on its way.
const MARGIN: Duration = Duration::from_secs(30);
/// No token is handed out for longer than this, whatever its gateway says.
const KEPT_MOST: Duration = Duration::from_secs(86_400);

/// The parts of a request for a token that make it the same as another.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    agent_id: String,
    scopes: Vec<String>,
    audience: Vec<String>,
    session_id: Option<String>,
}

impl CacheKey {
    pub(super) fn new(request: &IssueTokenRequest, session_id: Option<&str>) -> Self {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names.dedup();
            names
        };
        Self {
            agent_id: request.agent_id.clone(),
            scopes: sorted(&request.scope),
            audience: sorted(&request.audience),
            session_id: session_id.map(str::to_owned),
        }
    }
}

/// A token, and for how long after it was asked for it is handed out.
struct Kept {
    token: Token,
    asked: SuspendAwareInstant,
    good_for: Duration,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.asked.elapsed() < self.good_for
    }
}

pub(super) struct TokenCache {
    tokens: Option<Mutex<LruCache<CacheKey, Kept>>>,
}

impl TokenCache {
    pub(super) fn new(on: bool) -> Self {
        Self { tokens: on.then(|| Mutex::new(LruCache::new(TOKENS))) }
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Token> {
        let mut tokens = self.tokens.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = tokens.get(key)?;
        if kept.is_fresh() {
            return Some(kept.token.clone());
        }
        tokens.pop(key);
        None
    }

    /// Keeps a token that was `asked` for then, and of which the gateway said that so much is `left`.
    pub(super) fn put(
        &self,
        key: CacheKey,
        token: &Token,
        asked: SuspendAwareInstant,
        left: Option<Duration>,
    ) {
        let Some(tokens) = &self.tokens else { return };
        let kept = Kept { token: token.clone(), asked, good_for: good_for(token, left) };
        if kept.is_fresh() {
            tokens.lock().unwrap_or_else(PoisonError::into_inner).put(key, kept);
        }
    }

    pub(super) fn forget(&self, token: &str) {
        self.forget_where(|kept| kept.token.token == token);
    }

    pub(super) fn forget_id(&self, token_id: &str) {
        self.forget_where(|kept| kept.token.token_id.as_deref() == Some(token_id));
    }

    fn forget_where(&self, is: impl Fn(&Kept) -> bool) {
        if let Some(tokens) = &self.tokens {
            let mut tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
            let keys = tokens.iter().filter(|(_, kept)| is(kept));
            let keys: Vec<CacheKey> = keys
                .map(|(key, _)| CacheKey {
                    agent_id: key.agent_id.clone(),
                    scopes: key.scopes.clone(),
                    audience: key.audience.clone(),
                    session_id: key.session_id.clone(),
                })
                .collect();
            for key in keys {
                tokens.pop(&key);
            }
        }
    }
}

/// Returns for how long a token is handed out, as its gateway measures: from when it was issued, or from when the
/// gateway answered, to its end, whichever is shorter. A token of which neither time is known is not kept, since its
/// end cannot be told. Our own clock does not come into it, which may be minutes off.
fn good_for(token: &Token, left: Option<Duration>) -> Duration {
    let lifetime = token.issued_at.zip(token.expires_at).map(|(issued, end)| issued.until(end));
    let shorter = [lifetime, left].into_iter().flatten().min();
    shorter.map_or(Duration::ZERO, |lives| lives.min(KEPT_MOST).saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn request(scopes: &[&str]) -> IssueTokenRequest {
        IssueTokenRequest {
            agent_id: "a".to_owned(),
            scope: scopes.iter().map(ToString::to_string).collect(),
            audience: vec![],
            ttl: 300,
        }
    }

    /// Returns one that lives so long, by a clock that is `off` by so many seconds.
    fn token_by(off: i64, seconds: u64) -> Token {
        let mut token = Token::new("at_1", "a");
        let issued = Timestamp::now().unix_micros() + off * 1_000_000;
        let issued = Timestamp::from_unix_micros(issued).unwrap();
        token.issued_at = Some(issued);
        token.expires_at = Some(issued.saturating_add(Duration::from_secs(seconds)));
        token
    }

    fn token(seconds: u64) -> Token {
        token_by(0, seconds)
    }

    fn key() -> CacheKey {
        CacheKey::new(&request(&["x"]), None)
    }

    fn put(cache: &TokenCache, key: CacheKey, token: &Token) {
        cache.put(key, token, SuspendAwareInstant::now(), None);
    }

    #[test]
    fn the_order_of_scopes_does_not_matter_but_the_session_does() {
        let cache = TokenCache::new(true);
        put(&cache, CacheKey::new(&request(&["x", "y"]), None), &token(300));
        assert!(cache.get(&CacheKey::new(&request(&["y", "x"]), None)).is_some());
        assert!(cache.get(&CacheKey::new(&request(&["y"]), None)).is_none());
        assert!(cache.get(&CacheKey::new(&request(&["x", "y"]), Some("s"))).is_none());
    }

    #[test]
    fn a_token_with_less_than_thirty_seconds_left_is_not_handed_out() {
        let cache = TokenCache::new(true);
        put(&cache, key(), &token(30));
        assert!(cache.get(&key()).is_none());
        let mut endless = token(300);
        endless.expires_at = None;
        put(&cache, key(), &endless);
        assert!(cache.get(&key()).is_none());
    }

    #[test]
    fn a_clock_that_is_off_hands_out_no_dead_token_and_no_fewer_good_ones() {
        for off in [-86_400, -600, 600, 86_400] {
            let cache = TokenCache::new(true);
            put(&cache, key(), &token_by(off, 20));
            assert!(cache.get(&key()).is_none(), "{off}: it may end on its way");
            put(&cache, key(), &token_by(off, 300));
            assert!(cache.get(&key()).is_some(), "{off}");
        }
    }

    #[test]
    fn a_token_is_handed_out_for_as_long_as_the_shorter_of_its_spans_says() {
        let seconds = Duration::from_secs;
        let unissued = |token: Token| Token { issued_at: None, ..token };
        for (token, left, good) in [
            (token(300), None, 270),
            // It was issued to somebody before, and is handed on.
            (token(300), Some(100), 70),
            (token(300), Some(10), 0),
            (token(300), Some(600), 270),
            (unissued(token(300)), Some(100), 70),
            // Nobody says by which clock it ends.
            (unissued(token(300)), None, 0),
            (token(10 * 86_400), None, 86_370),
        ] {
            assert_eq!(good_for(&token, left.map(seconds)), seconds(good), "{token:?} {left:?}");
        }
        let (cache, asked) = (TokenCache::new(true), SuspendAwareInstant::now());
        cache.put(key(), &token(300), asked.with_wall_back(seconds(269)), None);
        assert!(cache.get(&key()).is_some());
        cache.put(key(), &token(300), asked, None);
        // The machine slept, which its steady clock did not see.
        let slept = asked.with_wall_back(seconds(271));
        let kept = Kept { token: token(300), asked: slept, good_for: seconds(270) };
        assert!(!kept.is_fresh());
    }

    #[test]
    fn a_revoked_token_is_forgotten() {
        let cache = TokenCache::new(true);
        let mut token = token(300);
        token.token_id = Some("tok_1".to_owned());
        put(&cache, key(), &token);
        cache.forget("tok_1");
        cache.forget_id("tok_2");
        assert!(cache.get(&key()).is_some());
        cache.forget("at_1");
        assert!(cache.get(&key()).is_none());
        put(&cache, key(), &token);
        cache.forget_id("tok_1");
        assert!(cache.get(&key()).is_none());
    }
}
