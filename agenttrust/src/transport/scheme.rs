//! `https` where plain HTTP is spoken, and `http` where TLS is.
//!
//! Either ends in an error about messages that cannot be read, which gives the operator nothing to do. So the host is
//! asked once more, with nothing in the question: its first bytes say what it speaks.

use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::error::said;

/// The time that the host is given to say what it speaks.
const LIMIT: Duration = Duration::from_secs(1);
/// A question without a path, a host or a key.
const QUESTION: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
/// The first bytes of a plain answer, and of an alert of TLS.
const PLAIN: &[u8] = b"HTTP/";
const ALERT: &[u8] = &[0x15, 0x03];

/// Returns what to write instead of `uri`, where the scheme is what is wrong with it.
pub(super) async fn advice(uri: &Uri, error: &reqwest::Error) -> Option<String> {
    // Asked only after an error of the kind that this makes: a certificate that is not trusted, say, is another
    // matter, and nobody must be told to do without TLS for it.
    let authority = uri.authority()?;
    match uri.scheme_str()? {
        "https" if said(error, "InvalidContentType") && begins(uri, 443, PLAIN).await => {
            Some(format!(
                "the server at {authority} speaks plain HTTP, and the base URL begins with https; write \
             http://{authority} if it is on this machine or the way there is safe, else serve the Guardian \
             with TLS"
            ))
        }
        "http" if said(error, "invalid HTTP version") && begins(uri, 80, ALERT).await => {
            Some(format!(
                "the server at {authority} speaks TLS, and the base URL begins with http; write https://{authority}"
            ))
        }
        _ => None,
    }
}

/// Returns whether what the host of `uri` answers to a plain question begins so.
async fn begins(uri: &Uri, default_port: u16, with: &[u8]) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let asked = async {
        let mut stream = TcpStream::connect((host, uri.port_u16().unwrap_or(default_port))).await?;
        stream.write_all(QUESTION).await?;
        let mut first = vec![0; with.len()];
        stream.read_exact(&mut first).await?;
        Ok::<_, std::io::Error>(first == with)
    };
    matches!(tokio::time::timeout(LIMIT, asked).await, Ok(Ok(true)))
}
