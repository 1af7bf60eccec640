//! How a Guardian is reached and named: its public URLs, and the trust domain of its workloads.

use reqwest::Url;

use super::GuardianBuilder;
use crate::domain::GuardianError;

/// The trust domain of a Guardian that was started with neither one nor a URL.
const TRUST_DOMAIN: &str = "agenttrust.local";
/// The largest length of a trust domain (SPIFFE).
const TRUST_DOMAIN_MAX_BYTES: usize = 255;

impl GuardianBuilder {
    /// Returns the public URLs without a slash at their ends, each once.
    pub(super) fn urls(&self) -> Vec<String> {
        let mut urls: Vec<String> = Vec::with_capacity(self.public_urls.len());
        for url in &self.public_urls {
            let url = url.trim_end_matches('/');
            if !urls.iter().any(|known| known == url) {
                urls.push(url.to_owned());
            }
        }
        urls
    }

    /// Returns the trust domain that was given, else the host of the first public URL.
    pub(super) fn trust_domain_in_force(&self) -> String {
        let of_url = || {
            let url = Url::parse(self.public_urls.first()?).ok()?;
            url.host_str().filter(|host| is_trust_domain(host)).map(str::to_owned)
        };
        self.trust_domain.clone().or_else(of_url).unwrap_or_else(|| TRUST_DOMAIN.to_owned())
    }

    /// Refuses a trust domain that no id could begin with.
    pub(super) fn ensure_trust_domain(&self) -> Result<(), GuardianError> {
        match &self.trust_domain {
            Some(name) if !is_trust_domain(name) => Err(GuardianError::Invalid(format!(
                "trust-domain is {name:?}; give it 1 to {TRUST_DOMAIN_MAX_BYTES} letters in lower case, digits, `.`, `-` \
                 and `_`, such as the name of a host"
            ))),
            _ => Ok(()),
        }
    }
}

fn is_trust_domain(name: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    (1..=TRUST_DOMAIN_MAX_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::super::Guardian;

    #[test]
    fn trust_domain_follows_from_the_first_public_url() {
        let of = |urls: &[&str]| {
            let builder = urls.iter().fold(Guardian::builder(), |it, url| it.public_url(*url));
            builder.trust_domain_in_force()
        };
        assert_eq!(of(&[]), "agenttrust.local");
        assert_eq!(
            of(&["https://Guardian.example:8443/base", "https://other.example"]),
            "guardian.example"
        );
        assert_eq!(of(&["http://[::1]:8080"]), "agenttrust.local", "no id could begin with it");
        let said = Guardian::builder().public_url("https://guardian.example").trust_domain("acme");
        assert_eq!(said.trust_domain_in_force(), "acme");
    }

    #[test]
    fn every_public_url_is_kept_once_and_without_a_slash() {
        let builder =
            Guardian::builder().public_url("https://a.example/").public_url("https://b.example");
        let builder = builder.public_url("https://a.example");
        assert_eq!(builder.urls(), ["https://a.example", "https://b.example"]);
    }

    #[tokio::test]
    async fn trust_domain_that_no_id_could_begin_with_is_refused() {
        for bad in ["", "Acme", "a b", "a/b", "a:1", "ä", &"x".repeat(256)] {
            let built = Guardian::builder().trust_domain(bad).build().await;
            assert!(built.unwrap_err().to_string().contains("trust-domain"), "{bad:?}");
        }
    }
}
