//! The signature of Standard Webhooks: a receiver that holds the secret knows that we sent it, and
//! when.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::Secret;

/// The beginning of every secret of a webhook.
const PREFIX: &str = "whsec_";

/// Returns a new secret, as its receiver's library wants it.
pub(crate) fn new_secret() -> Result<Secret, getrandom::Error> {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits)?;
    Ok(Secret::from(format!("{PREFIX}{}", STANDARD.encode(bits))))
}

/// Returns whether a text is a secret as the specification has them: 24 to 64 bytes.
pub(crate) fn is_secret(text: &str) -> bool {
    let key = text.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    key.is_some_and(|key| (24..=64).contains(&key.len()))
}

/// Returns the value of the header `webhook-signature`; `None` for a text that is not such a
/// secret.
pub(crate) fn sign(secret: &Secret, id: &str, unix_seconds: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{unix_seconds}.").as_bytes());
    mac.update(body.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the specification's own libraries.
    #[test]
    fn signature_is_that_of_the_specification() {
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let body = r#"{"test": 2432232314}"#;
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn secret_is_random_and_long_and_signs() {
        let (one, two) = (new_secret().unwrap(), new_secret().unwrap());
        assert_ne!(one.expose(), two.expose());
        let key = STANDARD.decode(one.expose().strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(key.len(), 32);
        assert!(sign(&one, "msg_1", 1, "{}").is_some());
        assert_ne!(sign(&one, "msg_1", 1, "{}"), sign(&two, "msg_1", 1, "{}"));
        assert_eq!(sign(&Secret::from("sk_live_1".to_owned()), "msg_1", 1, "{}"), None);
    }
}
