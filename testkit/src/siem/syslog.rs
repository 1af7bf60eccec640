//! A receiver of syslog over TCP or TLS, with octet counting.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::{Listener, Wire};
use super::syslog_message::SyslogMessage;
use super::{TakenEvent, id_of};

/// The longest message that is taken, in bytes.
const MESSAGE_MAX: usize = 1 << 20;

/// The treatment of a connection by a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogMood {
    /// Reads to its end, and ends its side then.
    Take,
    /// Reads nothing, and says nothing.
    Stall,
    /// Reads to its end, and does not end its side.
    StallAtTheEnd,
    /// Reads so many messages and resets the connection.
    ResetAfter(usize),
    /// Reads so many messages and closes the connection, as a receiver does that is stopped.
    CloseAfter(usize),
    /// Ends its side at once, and reads nothing.
    EndFirst,
    /// Reads to its end while it talks without end.
    Talk,
}

#[derive(Debug)]
struct State {
    standing: SyslogMood,
    next: VecDeque<SyslogMood>,
    connections: usize,
    messages: Vec<SyslogMessage>,
    taken: Vec<TakenEvent>,
    wrong: Vec<String>,
}

/// A receiver of syslog on a free port.
#[derive(Debug)]
pub struct SyslogReceiver {
    state: Arc<Mutex<State>>,
    listener: Listener,
}

impl SyslogReceiver {
    /// Listens over TCP.
    pub fn start() -> Self {
        Self::begin(None)
    }

    /// Listens over TLS.
    pub fn start_tls(tls: Arc<ServerConfig>) -> Self {
        Self::begin(Some(tls))
    }

    fn begin(tls: Option<Arc<ServerConfig>>) -> Self {
        let state = State {
            standing: SyslogMood::Take,
            next: VecDeque::new(),
            connections: 0,
            messages: Vec::new(),
            taken: Vec::new(),
            wrong: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let listener = Listener::start(tls, &state, serve);
        Self { state, listener }
    }

    /// Closes every connection and lets none in.
    pub fn stop(&mut self) {
        self.listener.stop();
    }

    /// Listens again at the address that it had. What it took is still there.
    pub fn restart(&mut self) {
        self.listener.restart(&self.state, serve);
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Returns the URL that an operator gives for it.
    pub fn url(&self) -> String {
        match self.listener.tls {
            Some(_) => format!("syslog+tls://localhost:{}", self.address().port()),
            None => format!("syslog+tcp://{}", self.address()),
        }
    }

    /// Changes what it does with connections from here on.
    pub fn mood(&self, mood: SyslogMood) {
        self.state().standing = mood;
    }

    /// Sets the treatment of the next connection, after those that were set before.
    pub fn next(&self, mood: SyslogMood) {
        self.state().next.push_back(mood);
    }

    /// Returns every message that was read whole, in its order.
    pub fn messages(&self) -> Vec<SyslogMessage> {
        self.state().messages.clone()
    }

    /// Returns the events of these messages.
    pub fn taken(&self) -> Vec<TakenEvent> {
        self.state().taken.clone()
    }

    /// Returns the ids of these events.
    pub fn ids(&self) -> Vec<String> {
        self.state().taken.iter().map(|event| event.id.clone()).collect()
    }

    /// Returns how many connections were let in.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// Returns what was not as RFC 5424 and RFC 6587 have it.
    pub fn wrong(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn begin(&mut self) -> (SyslogMood, usize) {
        let came_by = self.connections;
        self.connections += 1;
        (self.next.pop_front().unwrap_or(self.standing), came_by)
    }

    fn receive(&mut self, frame: &[u8], came_by: usize) {
        let read = SyslogMessage::parse(frame).and_then(|message| {
            let json = serde_json::from_str(&message.message)
                .map_err(|error| format!("a message that is no JSON: {error}"))?;
            let id = id_of(&json).ok_or("an event without an id")?;
            Ok((message, TakenEvent { id, json, came_by }))
        });
        match read {
            Ok((message, event)) => {
                self.messages.push(message);
                self.taken.push(event);
            }
            Err(why) => self.wrong.push(why),
        }
    }
}

async fn serve(mut wire: Box<dyn Wire>, state: Arc<Mutex<State>>) {
    let (mood, came_by) = state.lock().unwrap().begin();
    match mood {
        SyslogMood::Stall => return std::future::pending().await,
        SyslogMood::EndFirst => {
            let _ = wire.shutdown().await;
            return std::future::pending().await;
        }
        _ => {}
    }
    let most = match mood {
        SyslogMood::ResetAfter(most) | SyslogMood::CloseAfter(most) => most,
        _ => usize::MAX,
    };
    let (mut count, mut read) = (0, Vec::new());
    while count < most {
        match frame(&mut wire, &mut read).await {
            Ok(Some(frame)) => state.lock().unwrap().receive(&frame, came_by),
            Ok(None) => break,
            Err(why) => {
                state.lock().unwrap().wrong.push(why);
                return;
            }
        }
        count += 1;
    }
    match mood {
        SyslogMood::ResetAfter(_) => {
            let _ = wire.socket().set_zero_linger();
        }
        SyslogMood::StallAtTheEnd => std::future::pending().await,
        SyslogMood::Talk => while wire.write_all(&[b'x'; 4_096]).await.is_ok() {},
        _ => {
            let _ = wire.shutdown().await;
        }
    }
}

/// Returns the next frame: its length in decimal digits, a space, and as many bytes. `None` at the
/// end.
async fn frame(wire: &mut Box<dyn Wire>, read: &mut Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    let space = loop {
        let digits = read.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match read.get(digits) {
            Some(b' ') if digits > 0 && read[0] != b'0' => break digits,
            Some(other) => return Err(format!("no length of a message, but the byte {other}")),
            None if digits > 7 => return Err("a length without end".to_owned()),
            None => {}
        }
        if !more(wire, read).await {
            // One that broke off is whole up to there, and its rest never came.
            return Ok(None);
        }
    };
    let length: usize = std::str::from_utf8(&read[..space]).unwrap().parse().unwrap();
    if length > MESSAGE_MAX {
        return Err(format!("a message of {length} bytes"));
    }
    let (from, to) = (space + 1, space + 1 + length);
    while read.len() < to {
        if !more(wire, read).await {
            return Ok(None);
        }
    }
    let frame = read[from..to].to_vec();
    read.drain(..to);
    Ok(Some(frame))
}

async fn more(wire: &mut Box<dyn Wire>, read: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4 << 10];
    match wire.read(&mut piece).await {
        Ok(count) if count > 0 => {
            read.extend_from_slice(&piece[..count]);
            true
        }
        _ => false,
    }
}
