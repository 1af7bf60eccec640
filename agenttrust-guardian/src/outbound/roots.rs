//! The authorities that calls by TLS trust: those of the platform, and beside them those that an operator named.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::{Error, cut};
use crate::domain::file::read_at_most;

/// The largest file of authorities that is read: larger than any that systems come with.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Authorities beside those of the platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots(Arc<[CertificateDer<'static>]>);

impl Roots {
    /// Reads the certificates of a file in PEM; the error says what is wrong with it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
        let bytes = read_at_most(file, FILE_MAX_BYTES)
            .map_err(|error| format!("cannot be read: {error}"))?;
        let all: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("is not PEM: {error}"))?;
        if all.is_empty() {
            return Err("holds no certificate in PEM".to_owned());
        }
        // One that cannot be used would make every call fail later on.
        let mut store = RootCertStore::empty();
        for certificate in &all {
            store
                .add(certificate.clone())
                .map_err(|error| format!("holds a certificate that cannot be used: {error}"))?;
        }
        Ok(Self(all.into()))
    }

    /// Returns what calls by https trust beside the platform.
    pub(super) fn for_https(&self) -> Result<Vec<reqwest::Certificate>, Error> {
        let read = |der: &CertificateDer<'_>| reqwest::Certificate::from_der(der);
        self.0.iter().map(read).collect::<Result<_, _>>().map_err(super::no_answer)
    }

    /// Returns how other calls by TLS are made. It verifies as reqwest does, and reads the platform's certificates.
    pub(super) fn config(&self) -> Result<ClientConfig, Error> {
        let unusable = |error: rustls::Error| {
            let told = error.to_string();
            Error::Unreached(none_is_known(&told).unwrap_or_else(|| cut(&told)))
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(self.0.iter().cloned(), provider.clone());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            // This is the one way to give it the platform's verifier: nothing is left out of what is verified.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.map_err(unusable)?));
        Ok(config.with_no_client_auth())
    }
}

/// Returns what to do, where this is said because no authority is known.
pub(super) fn none_is_known(told: &str) -> Option<String> {
    told.contains("No CA certificates").then(|| {
        "there are no certificates of authorities on this machine, which calls by TLS need; install them (the package \
         ca-certificates), or name a file of them in PEM in SSL_CERT_FILE or outbound-ca"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_names_no_authority_is_refused_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(Roots::read(&path).unwrap_err().starts_with("cannot be read: "));
        let begin = "-----BEGIN CERTIFICATE-----\n";
        for (text, says) in [
            ("", "holds no certificate in PEM"),
            ("hello", "holds no certificate in PEM"),
            (begin, "is not PEM: "),
            (
                &format!("{begin}aGVsbG8=\n-----END CERTIFICATE-----\n"),
                "holds a certificate that cannot be used: ",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let wrong = Roots::read(&path).unwrap_err();
            assert!(wrong.starts_with(says), "{text:?}: {wrong}");
        }
        assert!(Roots::read(Path::new("/dev/zero")).unwrap_err().contains("larger than"));
    }
}
