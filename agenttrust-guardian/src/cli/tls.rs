//! TLS: a certificate and its key, read from files, and read again when they change.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::domain::GuardianError;
use crate::domain::file::{ReadError, is_open_to_others, read_at_most};

/// The time between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);
/// The bytes that are read of a file: more than any chain of certificates has.
const LARGEST: u64 = 1 << 20;

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
}

/// The files as they were at one moment.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    /// Returns what tells these files from others, and keeps nothing of the key.
    fn mark(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update((self.certificate.len() as u64).to_be_bytes());
        hash.update(&self.certificate);
        hash.update(&self.key);
        hash.finalize().into()
    }
}

impl Identity {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key }
    }

    /// Reads the files, and begins to watch them: a good pair is served from then on to each caller that connects, and
    /// a bad one changes nothing.
    pub(super) fn serve(self) -> Result<Served, GuardianError> {
        let files = self.read_files().map_err(GuardianError::Invalid)?;
        let config = self.config(&files).map_err(GuardianError::Invalid)?;
        if self.key.metadata().is_ok_and(|found| is_open_to_others(&found)) {
            tracing::warn!(
                path = %self.key.display(),
                "others than its owner may read the key of the certificate: take their permissions away with \
                 `chmod 600`"
            );
        }
        let config = Arc::new(ArcSwap::from_pointee(config));
        let (look, asked) = mpsc::channel(1);
        tokio::spawn(Watch::new(self, files.mark(), Arc::clone(&config)).run(asked));
        Ok(Served { config, look })
    }

    fn read_files(&self) -> Result<Files, String> {
        let certificate = read_pem(&self.certificate)
            .map_err(|why| self.unusable(&format!("the certificate cannot be read: {why}")))?;
        let key = read_pem(&self.key).map_err(|why| {
            format!("the key in {} cannot be read: {why}; name a file in PEM", self.key.display())
        })?;
        Ok(Files { certificate, key })
    }

    fn config(&self, files: &Files) -> Result<ServerConfig, String> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&files.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| self.unusable(&format!("it is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(self.unusable("it holds no certificate in PEM"));
        }
        // What the parser says may quote what it read.
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| {
            format!("{} holds no private key in PEM; name one with --tls-key", self.key.display())
        })?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| self.unusable(&error.to_string()))?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => format!(
                        "the key in {} is not the one of the certificate in {}; \
                     name the two that belong together",
                        self.key.display(),
                        self.certificate.display()
                    ),
                    error => self.unusable(&error.to_string()),
                })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn unusable(&self, why: &str) -> String {
        format!(
            "the certificate in {} is not usable: {why}; \
             name a file in PEM with --tls-cert, the server's certificate first",
            self.certificate.display()
        )
    }
}

fn read_pem(path: &Path) -> Result<Vec<u8>, ReadError> {
    read_at_most(File::open(path)?, LARGEST)
}

/// A certificate that is served, and taken over from its files as they change.
pub(super) struct Served {
    pub(super) config: Arc<ArcSwap<ServerConfig>>,
    look: mpsc::Sender<Option<Identity>>,
}

impl Served {
    /// Lets the files be looked at now: others from here on, where such are given.
    pub(super) async fn look(&self, identity: Option<Identity>) {
        // Gone with the runtime, and everything with it.
        let _ = self.look.send(identity).await;
    }
}

/// The task that looks after the files.
struct Watch {
    identity: Identity,
    served: Arc<ArcSwap<ServerConfig>>,
    /// The files that are served.
    current: [u8; 32],
    /// The error of the last time, and whether it was said: files that are replaced one after the other do not belong
    /// together for a moment.
    wrong: Option<(String, bool)>,
}

impl Watch {
    fn new(identity: Identity, current: [u8; 32], served: Arc<ArcSwap<ServerConfig>>) -> Self {
        Self { identity, served, current, wrong: None }
    }

    async fn run(mut self, mut to_look: mpsc::Receiver<Option<Identity>>) {
        loop {
            let asked = match tokio::time::timeout(LOOK, to_look.recv()).await {
                Ok(Some(identity)) => {
                    self.identity = identity.unwrap_or(self.identity);
                    true
                }
                Ok(None) => return,
                Err(_) => false,
            };
            let identity = self.identity.clone();
            // Files may be on a disk that is slow or away.
            let looked = tokio::task::spawn_blocking(move || {
                let files = identity.read_files()?;
                let mark = files.mark();
                identity.config(&files).map(|config| (mark, config))
            });
            if let Ok(looked) = looked.await {
                self.take(looked, asked);
            }
        }
    }

    fn take(&mut self, looked: Result<([u8; 32], ServerConfig), String>, asked: bool) {
        match looked {
            Ok((mark, config)) => {
                if mark != self.current {
                    self.served.store(Arc::new(config));
                    self.current = mark;
                    tracing::info!(
                        certificate = ?self.identity.certificate,
                        "a new certificate is served on connections from now on"
                    );
                } else if asked {
                    tracing::info!(
                        certificate = ?self.identity.certificate,
                        "the certificate is the one that is served already"
                    );
                }
                self.wrong = None;
            }
            Err(why) => {
                let before = self.wrong.take();
                let said = before.as_ref().is_some_and(|(before, said)| *said && *before == why);
                let lasts = before.is_some_and(|(before, _)| before == why);
                if asked || (lasts && !said) {
                    tracing::warn!(
                        why,
                        "the certificate was not renewed; the one before is served on"
                    );
                }
                self.wrong = Some((why, said || lasts || asked));
            }
        }
    }
}
