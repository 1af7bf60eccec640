//! A wire to a database that a test can cut, tear, hold, turn to another one, and take the notifications off.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The treatment of the bytes that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The bytes arrive.
    Whole,
    /// The bytes neither arrive nor are refused: the far end is silent.
    Silent,
    /// Every connection is closed, and no new one is let in.
    Cut,
    /// Half of what comes next on a connection arrives, and then it is closed.
    Torn,
}

/// The wire's state, and the number of times that all its connections were lost.
#[derive(Clone, Copy, Debug)]
struct State {
    wire: Wire,
    lost: usize,
}

/// A proxy before a TCP server.
#[derive(Debug)]
pub struct Proxy {
    /// The address at which the proxy listens.
    pub address: SocketAddr,
    server: Arc<Mutex<String>>,
    state: watch::Sender<State>,
    deaf: Arc<AtomicBool>,
    /// The number of notifications that were lost.
    lost: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Creates one before `server`.
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, state) = watch::channel(State { wire: Wire::Whole, lost: 0 });
        let server = Arc::new(Mutex::new(server));
        let leads_to = Arc::clone(&server);
        let deaf = Arc::new(AtomicBool::new(false));
        let lost = Arc::default();
        let (told, counted) = (Arc::clone(&deaf), Arc::clone(&lost));
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let hearing = (Arc::clone(&told), Arc::clone(&counted));
                let server = leads_to.lock().unwrap().clone();
                tokio::spawn(carry(near, server, state.clone(), hearing));
            }
        });
        Self { address, server, state: sender, deaf, lost, accepting }
    }

    /// Changes what becomes of the bytes.
    pub fn set(&self, wire: Wire) {
        self.state.send_modify(|state| state.wire = wire);
    }

    /// Leads connections that are yet to be made to another server, as a name does that is another machine's by now.
    pub fn lead_to(&self, server: String) {
        *self.server.lock().unwrap() = server;
    }

    /// Falls silent on every connection that there is, for good: as behind a firewall that forgot them. New ones are
    /// whole.
    pub fn lose_connections(&self) {
        self.state.send_modify(|state| state.lost += 1);
    }

    /// Returns how many notifications were lost.
    pub fn lost_notifications(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }

    /// Sets whether connections that listen for notifications hear nothing, as if each had been lost.
    pub fn lose_notifications(&self, lose: bool) {
        self.deaf.store(lose, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(
    near: TcpStream,
    server: String,
    state: watch::Receiver<State>,
    (deaf, counted): (Arc<AtomicBool>, Arc<AtomicU64>),
) {
    let Ok(far) = TcpStream::connect(server).await else { return };
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let listens = Arc::new(AtomicBool::new(false));
    let mut cut = state.clone();
    let up = pump(near_in, far_out, state.clone(), {
        let listens = Arc::clone(&listens);
        move |bytes: &[u8]| {
            if bytes.windows(7).any(|word| word.eq_ignore_ascii_case(b"LISTEN ")) {
                listens.store(true, Ordering::SeqCst);
            }
            true
        }
    });
    let down = pump(far_in, near_out, state, move |bytes: &[u8]| {
        // `A` begins a notification; nothing else comes unasked.
        let deaf = deaf.load(Ordering::SeqCst) && listens.load(Ordering::SeqCst);
        let lost = deaf && bytes.first() == Some(&b'A');
        counted.fetch_add(u64::from(lost), Ordering::SeqCst);
        !lost
    });
    tokio::select! {
        _ = up => {}
        _ = down => {}
        _ = cut.wait_for(|state| state.wire == Wire::Cut) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    mut passes: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let made = state.borrow().lost;
    let mut bytes = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        // What is on the wire when it falls silent is lost with the connection, or late.
        let moves =
            |state: &State| state.lost == made && matches!(state.wire, Wire::Whole | Wire::Torn);
        let moving = state.wait_for(moves).await;
        let State { wire, .. } =
            *moving.map_err(|_| io::Error::from(io::ErrorKind::NotConnected))?;
        if wire == Wire::Torn {
            return to.write_all(&bytes[..read.div_ceil(2)]).await;
        }
        if passes(&bytes[..read]) {
            to.write_all(&bytes[..read]).await?;
        }
    }
}
