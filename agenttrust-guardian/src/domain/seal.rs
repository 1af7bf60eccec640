//! Secrets at rest. A secret that the Guardian sends again (of a webhook, the credentials of an MCP server) cannot be
//! kept as a fingerprint. So it is kept sealed, by XChaCha20-Poly1305, under a key that is not in the database.
//!
//! What a secret is for is sealed with it: put into another row, it does not open. There may be several keys: the
//! first one seals, all of them open, so that a key can be replaced.

mod key;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};

pub(crate) use self::key::SealKey;
use super::{Error, Secret};

/// The begin of every sealed secret. `sealed.1.KEY.DATA`: the id of the key, and in base64 the nonce and what was
/// encrypted.
const PREFIX: &str = "sealed.1.";
const NONCE_BYTES: usize = 24;

const NO_KEY: &str = "there is no key to keep secrets by: set AGENTTRUST_SECRET_KEY to 64 hexadecimal digits \
                      (`openssl rand -hex 32`), the same for every Guardian on this database, and start again";

/// The keys that seal and open secrets; clones share them.
#[derive(Clone)]
pub(crate) struct Sealer(Arc<[SealKey]>);

impl Sealer {
    /// Returns keys of which the first seals and each opens; without any, both are refused.
    pub(crate) fn new(keys: Vec<SealKey>) -> Self {
        Self(keys.into())
    }

    /// Seals `secret`, which is for what `about` says.
    ///
    /// # Errors
    ///
    /// Unavailable where there is no key.
    pub(crate) fn seal(&self, about: &str, secret: &Secret) -> Result<String, Error> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        self.seal_with(nonce, about, secret)
    }

    /// Seals `secret` so that it looks the same each time, for what is compared: of two of them it shows whether they
    /// are one, and nothing else.
    ///
    /// # Errors
    ///
    /// Unavailable where there is no key.
    pub(crate) fn seal_alike(&self, about: &str, secret: &Secret) -> Result<String, Error> {
        let key = self.0.first().ok_or_else(|| Error::unavailable(NO_KEY))?;
        self.seal_with(key.nonce_of(about, secret), about, secret)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        about: &str,
        secret: &Secret,
    ) -> Result<String, Error> {
        let key = self.0.first().ok_or_else(|| Error::unavailable(NO_KEY))?;
        let payload = Payload { msg: secret.expose().as_bytes(), aad: about.as_bytes() };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| {
            Error::unavailable(format!("what is for {about} is too long to be sealed"))
        })?;
        let data = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        Ok(format!("{PREFIX}{}.{data}", key.id()))
    }

    /// Opens what was sealed for what `about` says.
    ///
    /// # Errors
    ///
    /// Unavailable where its key is not here, where it is for something else, and where it was changed.
    pub(crate) fn open(&self, about: &str, sealed: &str) -> Result<Secret, Error> {
        let broken = || {
            Error::unavailable(format!(
                "what is kept sealed for {about} was changed or belongs to something else; remove it and set it again"
            ))
        };
        let (id, data) =
            sealed.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).ok_or_else(broken)?;
        let key =
            self.0.iter().find(|key| key.id() == id).ok_or_else(|| self.without(about, id))?;
        let data = URL_SAFE_NO_PAD.decode(data).map_err(|_| broken())?;
        let (nonce, data) = data.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
        let payload = Payload { msg: data, aad: about.as_bytes() };
        let opened = key.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| broken())?;
        String::from_utf8(opened).map(Secret::from).map_err(|_| broken())
    }

    /// Returns whether a text was sealed by some key.
    pub(crate) fn is_sealed(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Returns whether a text was sealed by the key that seals now.
    pub(crate) fn is_current(&self, sealed: &str) -> bool {
        let id =
            sealed.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).map(|(id, _)| id);
        id.is_some() && id == self.key_id()
    }

    /// Returns whether anything can be sealed.
    pub(crate) fn has_key(&self) -> bool {
        !self.0.is_empty()
    }

    /// Returns the id of the key that seals now.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.0.first().map(SealKey::id)
    }

    fn without(&self, about: &str, id: &str) -> Error {
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let known: Vec<&str> = self.0.iter().map(SealKey::id).collect();
        let known = match known.is_empty() {
            true => "no key".to_owned(),
            false => format!("only {}", known.join(", ")),
        };
        Error::unavailable(format!(
            "what is kept sealed for {about} needs the key {id}, and this Guardian has {known}; add the former key \
             to AGENTTRUST_SECRET_KEY, after a comma, and start again"
        ))
    }
}

/// The ids of the keys, which say nothing of them.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealer").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(keys: &[u8]) -> Sealer {
        let key = |first: &u8| {
            let mut bytes = [7_u8; 32];
            bytes[0] = *first;
            SealKey::new(&bytes)
        };
        Sealer::new(keys.iter().map(key).collect())
    }

    fn secret() -> Secret {
        Secret::from("Bearer hunter2".to_owned())
    }

    #[test]
    fn what_was_sealed_opens_for_what_it_is_for_and_shows_nothing() {
        let sealer = sealer(&[1]);
        let (one, two) = (
            sealer.seal("webhook:1", &secret()).unwrap(),
            sealer.seal("webhook:1", &secret()).unwrap(),
        );
        assert_ne!(one, two);
        assert!(Sealer::is_sealed(&one) && sealer.is_current(&one));
        assert!(
            !one.contains("hunter2") && one.bytes().all(|byte| byte.is_ascii_graphic()),
            "{one}"
        );
        for sealed in [&one, &two] {
            assert_eq!(sealer.open("webhook:1", sealed).unwrap().expose(), "Bearer hunter2");
        }
        for other in ["webhook:2", "mcp_server:1", ""] {
            let told = sealer.open(other, &one).unwrap_err().message().to_owned();
            assert!(told.contains("belongs to something else"), "{told}");
        }
        let empty = sealer.seal("", &Secret::from(String::new())).unwrap();
        assert_eq!(sealer.open("", &empty).unwrap().expose(), "");
    }

    #[test]
    fn what_is_compared_looks_the_same_each_time_and_otherwise_for_all_else() {
        let (one, two) = (sealer(&[1]), sealer(&[2]));
        let sealed = one.seal_alike("a", &secret()).unwrap();
        assert_eq!(sealed, one.seal_alike("a", &secret()).unwrap());
        assert_eq!(one.open("a", &sealed).unwrap().expose(), secret().expose());
        assert!(one.open("b", &sealed).is_err() && two.open("a", &sealed).is_err());
        let nonce = |sealed: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(sealed.rsplit_once('.').unwrap().1).unwrap();
            bytes[..NONCE_BYTES].to_vec()
        };
        let longer = Secret::from("aBearer hunter2".to_owned());
        for other in [
            one.seal_alike("b", &secret()),
            two.seal_alike("a", &secret()),
            one.seal_alike("", &longer),
            one.seal_alike("a", &longer),
        ] {
            assert_ne!(nonce(&sealed), nonce(&other.unwrap()));
        }
        assert!(Sealer::new(Vec::new()).seal_alike("a", &secret()).is_err());
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealer = sealer(&[1]);
        let sealed = sealer.seal("a", &secret()).unwrap();
        let (head, data) = sealed.rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(data).unwrap();
        for place in 0..bytes.len() {
            bytes[place] ^= 1;
            let changed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(&bytes));
            assert!(sealer.open("a", &changed).is_err(), "{place}");
            bytes[place] ^= 1;
        }
        let short = format!("{head}.{}", URL_SAFE_NO_PAD.encode(&bytes[..20]));
        let cut = &sealed[..sealed.len() - 1];
        for text in ["", "whsec_abc", "sealed.1.", PREFIX, head, cut, &short, &format!("{sealed}=")]
        {
            assert!(sealer.open("a", text).is_err(), "{text}");
        }
    }

    #[test]
    fn first_key_seals_and_every_key_opens() {
        let (old, both, new) = (sealer(&[1]), sealer(&[2, 1]), sealer(&[2]));
        let sealed = old.seal("a", &secret()).unwrap();
        assert!(!both.is_current(&sealed) && !new.is_current(&sealed));
        assert_eq!(both.open("a", &sealed).unwrap().expose(), "Bearer hunter2");
        let again = both.seal("a", &secret()).unwrap();
        assert!(new.is_current(&again));
        assert_eq!(new.open("a", &again).unwrap().expose(), "Bearer hunter2");
        let told = new.open("a", &sealed).unwrap_err().message().to_owned();
        assert!(told.contains("AGENTTRUST_SECRET_KEY, after a comma"), "{told}");
        assert!(told.contains(old.0[0].id()) && told.contains(new.0[0].id()), "{told}");
    }

    #[test]
    fn without_a_key_nothing_is_sealed_and_the_error_says_how_to_give_one() {
        let none = Sealer::new(Vec::new());
        assert!(!none.has_key());
        let told = none.seal("a", &secret()).unwrap_err().message().to_owned();
        assert!(told.contains("openssl rand -hex 32"), "{told}");
        let sealed = sealer(&[1]).seal("a", &secret()).unwrap();
        let told = none.open("a", &sealed).unwrap_err().message().to_owned();
        assert!(told.contains("has no key"), "{told}");
        assert!(!none.is_current(&sealed));
    }

    #[test]
    fn keys_are_never_in_debug_nor_in_errors() {
        let (one, two) = (sealer(&[1]), sealer(&[2]));
        let sealed = one.seal("a", &secret()).unwrap();
        let shown = format!("{one:?} {:?}", two.open("a", &sealed).unwrap_err());
        assert!(!shown.contains("0707") && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("7, 7"), "{shown}");
    }

    /// The example of the draft of XChaCha20-Poly1305 (appendix A.3.1).
    #[test]
    fn cipher_is_that_of_the_specification() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                .collect()
        };
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                     sunscreen would be it.";
        let aad = hex("50515253c0c1c2c3c4c5c6c7");
        let sealed = SealKey::new(&key)
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: text, aad: &aad })
            .unwrap();
        assert_eq!(sealed[..16], hex("bd6d179d3e83d43b9576579493c0e939"));
        assert_eq!(sealed[sealed.len() - 16..], hex("c0875924c1c7987947deafd8780acf49"));
    }
}
