//! The token cache: a token is handed out again until it is about to expire.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::model::{IssueTokenRequest, Timestamp, Token};

const TOKENS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// A token with less than this left is not handed out: it could expire on its way.
const MARGIN: Duration = Duration::from_secs(30);

/// What makes two requests for a token the same.
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

pub(super) struct TokenCache {
    tokens: Option<Mutex<LruCache<CacheKey, Token>>>,
}

impl TokenCache {
    pub(super) fn new(on: bool) -> Self {
        Self { tokens: on.then(|| Mutex::new(LruCache::new(TOKENS))) }
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Token> {
        let mut tokens = self.tokens.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.get(key)?;
        if is_fresh(token) {
            return Some(token.clone());
        }
        tokens.pop(key);
        None
    }

    pub(super) fn put(&self, key: CacheKey, token: &Token) {
        if let Some(tokens) = &self.tokens
            && is_fresh(token)
        {
            tokens.lock().unwrap_or_else(PoisonError::into_inner).put(key, token.clone());
        }
    }

    pub(super) fn forget(&self, token: &str) {
        self.forget_where(|kept| kept.token == token);
    }

    pub(super) fn forget_id(&self, token_id: &str) {
        self.forget_where(|kept| kept.token_id.as_deref() == Some(token_id));
    }

    fn forget_where(&self, is: impl Fn(&Token) -> bool) {
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

/// A token whose expiry is unknown is not kept: nobody could say when to stop.
fn is_fresh(token: &Token) -> bool {
    token.expires_at.is_some_and(|expiry| Timestamp::now().until(expiry) >= MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(scopes: &[&str]) -> IssueTokenRequest {
        IssueTokenRequest {
            agent_id: "a".to_owned(),
            scope: scopes.iter().map(ToString::to_string).collect(),
            audience: vec![],
            ttl: 300,
        }
    }

    fn token(seconds: u64) -> Token {
        let mut token = Token::new("at_1", "a");
        token.expires_at = Some(Timestamp::now().saturating_add(Duration::from_secs(seconds)));
        token
    }

    #[test]
    fn the_order_of_scopes_does_not_matter_but_the_session_does() {
        let cache = TokenCache::new(true);
        cache.put(CacheKey::new(&request(&["x", "y"]), None), &token(300));
        assert!(cache.get(&CacheKey::new(&request(&["y", "x"]), None)).is_some());
        assert!(cache.get(&CacheKey::new(&request(&["y"]), None)).is_none());
        assert!(cache.get(&CacheKey::new(&request(&["x", "y"]), Some("s"))).is_none());
    }

    #[test]
    fn a_token_with_less_than_thirty_seconds_left_is_not_handed_out() {
        let cache = TokenCache::new(true);
        cache.put(CacheKey::new(&request(&["x"]), None), &token(29));
        assert!(cache.get(&CacheKey::new(&request(&["x"]), None)).is_none());
        let mut endless = token(300);
        endless.expires_at = None;
        cache.put(CacheKey::new(&request(&["x"]), None), &endless);
        assert!(cache.get(&CacheKey::new(&request(&["x"]), None)).is_none());
    }

    #[test]
    fn a_revoked_token_is_forgotten() {
        let key = || CacheKey::new(&request(&["x"]), None);
        let cache = TokenCache::new(true);
        let mut token = token(300);
        token.token_id = Some("tok_1".to_owned());
        cache.put(key(), &token);
        cache.forget("tok_1");
        cache.forget_id("tok_2");
        assert!(cache.get(&key()).is_some());
        cache.forget("at_1");
        assert!(cache.get(&key()).is_none());
        cache.put(key(), &token);
        cache.forget_id("tok_1");
        assert!(cache.get(&key()).is_none());
    }
}
