//! One connection, and how its end tells that what was said was read.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::super::address::Reach;
use super::super::super::resolver::Guarded;
use super::super::super::{CONNECT_TIMEOUT, Error, Outbound, cut};
use super::Peer;

/// The number of bytes that a receiver may send, which has nothing to say.
const SAID_MAX_BYTES: usize = 64 << 10;
/// The longest time to wait for what may be on its way.
const ON_ITS_WAY_MOST: Duration = Duration::from_secs(1);

/// Says all of it over a connection of its own; the error is a sentence.
pub(super) async fn send(outbound: Outbound, peer: Peer, frames: Vec<u8>) -> Result<(), String> {
    let begun = Instant::now();
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, connect(&outbound.reach, &peer));
    let socket = match connecting.await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Err(no_answer(&error)),
        Err(_) => return Err(format!("no answer: no connection within {CONNECT_TIMEOUT:?}")),
    };
    let on_its_way = outbound.delivery_timeouts.on_its_way + 2 * begun.elapsed();
    let on_its_way = on_its_way.min(ON_ITS_WAY_MOST);
    let connection = Connection { outbound: &outbound, frames: &frames, on_its_way };
    if !peer.is_tls {
        return connection.over(socket, |socket| socket).await;
    }
    let config = config(&outbound).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(peer.host).map_err(|error| no_answer(&error))?;
    let shaking = TlsConnector::from(config).connect(name, socket);
    let stream = match tokio::time::timeout(CONNECT_TIMEOUT, shaking).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(no_answer(&error)),
        Err(_) => return Err(format!("no answer: no TLS within {CONNECT_TIMEOUT:?}")),
    };
    connection.over(stream, |stream: &TlsStream<TcpStream>| stream.get_ref().0).await
}

/// Returns how TLS is spoken, read once: the platform's certificates are files.
async fn config(outbound: &Outbound) -> Result<Arc<ClientConfig>, Error> {
    let roots = outbound.roots.clone();
    let config = outbound.syslog.get_or_try_init(|| async {
        let reading = tokio::task::spawn_blocking(move || roots.config());
        let read = reading.await;
        read.unwrap_or_else(|_| Err(Error::Unreached("there is no TLS".to_owned()))).map(Arc::new)
    });
    config.await.cloned()
}

/// Connects to an address that may be reached, and to no other.
async fn connect(reach: &Reach, peer: &Peer) -> io::Result<TcpStream> {
    let addresses = match peer.host.parse::<IpAddr>() {
        // It was looked at with the URL.
        Ok(address) => vec![SocketAddr::new(address, peer.port)],
        Err(_) => {
            let guarded = Guarded { reach: reach.clone(), plain: !peer.is_tls };
            guarded.addresses(&peer.host, peer.port).await?
        }
    };
    let mut last = io::Error::other("the name stands for no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn no_answer(error: &dyn std::error::Error) -> String {
    cut(&format!("no answer: {error}"))
}

/// The exchange over one connection.
struct Connection<'a> {
    outbound: &'a Outbound,
    frames: &'a [u8],
    /// The time until what the other side did is known here.
    on_its_way: Duration,
}

impl Connection<'_> {
    /// Says all of it, and ends the connection; what was said was read once the receiver has ended it as well.
    async fn over<S>(&self, mut stream: S, socket: impl Fn(&S) -> &TcpStream) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let delivery_timeouts = self.outbound.delivery_timeouts;
        let writing = async {
            stream.write_all(self.frames).await?;
            stream.flush().await
        };
        match tokio::time::timeout(delivery_timeouts.answer, writing).await {
            Ok(written) => written.map_err(|error| no_answer(&error))?,
            Err(_) => {
                return Err(format!(
                    "the receiver did not read on within {:?}",
                    delivery_timeouts.answer
                ));
            }
        }
        // One that ends its side before says nothing by that of what it reads.
        let mut said = [0; 64];
        let ended = tokio::time::timeout(self.on_its_way, stream.read(&mut said)).await;
        if let Ok(Ok(0) | Err(_)) = ended {
            return Err("the receiver ended the connection before it could have read all of it, so nothing tells what \
                        it took"
                .to_owned());
        }
        let ending = async {
            stream.shutdown().await?;
            read_to_end(&mut stream).await
        };
        match tokio::time::timeout(delivery_timeouts.end, ending).await {
            Ok(ended) => ended.map_err(|error| no_answer(&error))?,
            Err(_) => {
                return Err(format!(
                    "the receiver did not end the connection within {:?}, so nothing tells that it read all of it",
                    delivery_timeouts.end
                ));
            }
        }
        // One that had stopped reading has ended its side first, and refused what came after it: that is on its way.
        tokio::time::sleep(self.on_its_way).await;
        match socket(&stream).take_error() {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(no_answer(&error)),
        }
    }
}

/// Reads until the other side has ended: with TLS as it should, or by the end of the connection alone, as rsyslog does.
async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let (mut said, mut all) = ([0; 4_096], 0);
    loop {
        match stream.read(&mut said).await {
            Ok(0) => return Ok(()),
            Ok(read) => all += read,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        if all > SAID_MAX_BYTES {
            return Err(io::Error::other(
                "the receiver talks, and one of syslog has nothing to say",
            ));
        }
    }
}
