//! The connections that are open: what each of them does, how long it may do so, and which of them makes room
//! for a new one.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::metrics::ConnectionNumbers;

/// The time that a new connection may say nothing, and that the head of a request may take from its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// The time that a connection may rest between two requests: longer than clients keep those that they do not use.
const REST: Duration = Duration::from_secs(120);
/// The time that a connection that should end may take to do so by itself.
const GOODBYE: Duration = Duration::from_secs(2);
/// The longest head that is read.
pub(super) const HEAD_MOST: usize = 64 << 10;
/// The bytes that the unfinished heads of all connections may have together ...
const HEADS_MOST: usize = 32 << 20;
/// ... one of more than this is given up.
const HEAD_FAIR: usize = 16 << 10;
/// The bytes between two requests up to which they are no head: on HTTP/2 pings and the like, on HTTP/1 what is left
/// of a head or of chunks whose length was estimated.
const SMALL_TALK: usize = 4 << 10;
const LEFT_OVER: usize = 512;
/// The time in which a caller must have taken so many bytes of an answer that it is slow to read.
const STALL: Duration = Duration::from_secs(30);
const TAKEN: usize = 32 << 10;
/// The time without a byte taken after which a caller that does not read its answers makes room like one that rests.
const UNREAD: Duration = Duration::from_secs(3);
/// The number of connections that are looked out at once to make room.
const LOOKED_OUT: usize = 256;

/// Every connection of one listener.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<Open>,
    unfinished: AtomicUsize,
    numbers: ConnectionNumbers,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<Connection>>,
    /// The connections that make room next, with since when they had been idle.
    idle: VecDeque<(Arc<Connection>, Instant)>,
}

/// The way in which a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After what is under way.
    Gently,
    Now,
}

/// A connection, held by the task that serves it.
#[derive(Debug)]
pub(super) struct Connection {
    doing: Mutex<Doing>,
    told: Notify,
}

#[derive(Debug)]
struct Doing {
    /// Requests under way, answers that are being read included.
    busy: u32,
    /// Bodies of requests that are still on their way, also of such as are answered.
    arriving: u32,
    /// Whether it has a place that another one could have.
    placed: bool,
    /// Whether it ever asked for anything.
    asked: bool,
    http2: bool,
    /// The time since when it is idle, or its unfinished head is there.
    since: Instant,
    /// Bytes read that belong to no request yet.
    unread: usize,
    /// The number of those bytes that are in the sum of all connections.
    counted: usize,
    /// The time since when its caller is slow to read, and the bytes that were taken since.
    stalled: Option<(Instant, usize)>,
    /// The number of answers on HTTP/2 that are there and not taken: its windows hold them back, and the socket knows
    /// nothing of it.
    held_back: u32,
    /// The time since when none of them was taken.
    held_since: Instant,
    end: Option<(End, Instant)>,
}

impl Doing {
    /// Returns whether a head is on the way.
    fn in_head(&self) -> bool {
        self.unread > if self.http2 { SMALL_TALK } else { 0 }
    }

    /// Returns whether it has been at this for too long.
    fn is_overdue(&mut self, now: Instant) -> bool {
        if let Some((since, taken)) = &mut self.stalled
            && now.saturating_duration_since(*since) > STALL
        {
            if *taken < TAKEN {
                return true;
            }
            (*since, *taken) = (now, 0);
        }
        if self.held_back > 0 && now.saturating_duration_since(self.held_since) > STALL {
            return true;
        }
        let most = if self.in_head() || !self.asked { HEAD } else { REST };
        self.busy == 0 && now.saturating_duration_since(self.since) > most
    }

    /// Returns how it ends, if it must.
    fn outcome(&mut self, now: Instant) -> Option<End> {
        if let Some((end, since)) = self.end {
            let over = self.busy == 0 && now.saturating_duration_since(since) > GOODBYE;
            return (end == End::Gently && over).then_some(End::Now);
        }
        if !self.is_overdue(now) {
            return None;
        }
        // Whoever rests on HTTP/2 can be told that this connection takes no more.
        let rests = self.busy == 0 && self.asked && !self.in_head();
        Some(if rests && self.stalled.is_none() { End::Gently } else { End::Now })
    }

    /// Returns since when it does nothing that another connection would have to wait for.
    fn rests_since(&self, now: Instant) -> Option<Instant> {
        if self.busy == 0 {
            return Some(self.since);
        }
        let unread = |since: &Instant| now.saturating_duration_since(*since) > UNREAD;
        let at_socket = self.stalled.filter(|(_, taken)| *taken == 0).map(|(since, _)| since);
        let in_windows = (self.held_back == self.busy).then_some(self.held_since);
        at_socket.or(in_windows).filter(unread)
    }

    /// Tells it to end; whether that is news.
    fn tell(&mut self, end: End, now: Instant) -> bool {
        if self.end.is_some_and(|(before, _)| before == End::Now || before == end) {
            return false;
        }
        self.end = Some((end, now));
        true
    }
}

impl Connections {
    pub(super) fn new(numbers: ConnectionNumbers) -> Self {
        Self { open: Mutex::default(), unfinished: AtomicUsize::new(0), numbers }
    }

    /// Returns a new connection; one that has no place only gets an answer that says so.
    pub(super) fn register(self: &Arc<Self>, placed: bool) -> Handle {
        let doing = Doing {
            busy: 0,
            arriving: 0,
            placed,
            asked: false,
            http2: false,
            since: Instant::now(),
            unread: 0,
            counted: 0,
            stalled: None,
            held_back: 0,
            held_since: Instant::now(),
            end: None,
        };
        let connection = Arc::new(Connection { doing: Mutex::new(doing), told: Notify::new() });
        let mut open = self.lock();
        let id = open.next;
        open.next += 1;
        open.all.insert(id, Arc::clone(&connection));
        self.numbers.open.inc();
        Handle(Arc::new(OpenConnection { id, connection, of: Arc::clone(self) }))
    }

    /// Ends the connection that has been idle for longest, one that never asked for anything first; whether
    /// there was one.
    pub(super) fn make_room(&self) -> bool {
        let mut open = self.lock();
        let mut looked = false;
        loop {
            while let Some((connection, since)) = open.idle.pop_front() {
                let mut doing = connection.lock();
                // It may have had something to do since it was looked out.
                let now = Instant::now();
                if doing.rests_since(now) == Some(since) && doing.tell(End::Now, now) {
                    drop(doing);
                    connection.told.notify_one();
                    self.numbers.made_room.inc();
                    return true;
                }
            }
            if std::mem::replace(&mut looked, true) {
                return false;
            }
            open.look_out();
        }
    }

    /// Ends what has taken too long.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        for connection in self.lock().all.values() {
            let mut doing = connection.lock();
            if doing.outcome(now).is_some_and(|end| doing.tell(end, now)) {
                connection.told.notify_one();
            }
        }
    }

    /// Returns how many are open.
    pub(super) fn count(&self) -> usize {
        self.lock().all.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Looks out those that are idle, those that never asked first and then the longest idle.
    fn look_out(&mut self) {
        let now = Instant::now();
        let mut idle: Vec<_> = self
            .all
            .values()
            .filter_map(|connection| {
                let doing = connection.lock();
                let may_end = doing.end.is_none_or(|(end, _)| end == End::Gently);
                let since = doing.rests_since(now).filter(|_| doing.placed && may_end)?;
                Some((doing.asked, since, Arc::clone(connection)))
            })
            .collect();
        let order = |(asked, since, _): &(bool, Instant, _)| (*asked, *since);
        if idle.len() > LOOKED_OUT {
            idle.select_nth_unstable_by_key(LOOKED_OUT, order);
            idle.truncate(LOOKED_OUT);
        }
        idle.sort_unstable_by_key(order);
        self.idle = idle.into_iter().map(|(_, since, connection)| (connection, since)).collect();
    }
}

impl Connection {
    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the connection is to end.
    pub(super) async fn told(&self) -> End {
        loop {
            self.told.notified().await;
            if let Some((end, _)) = self.lock().end {
                return end;
            }
        }
    }
}

/// A connection as those see it who serve it; gone with the last of them.
#[derive(Clone, Debug)]
pub(super) struct Handle(Arc<OpenConnection>);

#[derive(Debug)]
struct OpenConnection {
    id: u64,
    connection: Arc<Connection>,
    of: Arc<Connections>,
}

impl Handle {
    /// Waits until the connection is to end.
    pub(super) async fn told(&self) -> End {
        self.0.connection.told().await
    }

    /// Counts bytes that were read. `false` where an unfinished head is given up for them.
    pub(super) fn record_read(&self, bytes: usize) -> bool {
        let mut doing = self.0.connection.lock();
        // What is left of a request that was answered is read away, and begins no other one.
        if doing.busy == 0 && doing.arriving > 0 {
            return true;
        }
        let before = doing.in_head();
        doing.unread = doing.unread.saturating_add(bytes);
        if doing.busy > 0 {
            return true;
        }
        if !before && doing.in_head() {
            doing.since = Instant::now();
        }
        let all = self.0.count(&mut doing);
        all <= HEADS_MOST || doing.unread <= HEAD_FAIR
    }

    /// Begins a request whose head took so many bytes, and whose body says that it takes so many.
    pub(super) fn request(&self, http2: bool, head: usize, body: usize) -> Request {
        let mut doing = self.0.connection.lock();
        doing.busy += 1;
        doing.asked = true;
        doing.http2 = http2;
        doing.unread = if http2 { 0 } else { doing.unread.saturating_sub(head) };
        self.0.count(&mut doing);
        drop(doing);
        Request { of: self.clone(), body }
    }

    /// Counts bytes that were written; nothing, where the caller takes none at the moment.
    pub(super) fn wrote(&self, bytes: Option<usize>) {
        let mut doing = self.0.connection.lock();
        match (bytes, &mut doing.stalled) {
            (None, None) => doing.stalled = Some((Instant::now(), 0)),
            (Some(bytes), Some((_, taken))) => *taken = taken.saturating_add(bytes),
            _ => {}
        }
    }

    /// Notes that everything that was written is taken.
    pub(super) fn flushed(&self) {
        self.0.connection.lock().stalled = None;
    }
}

/// The body of a request, for as long as any of it is read.
#[derive(Debug)]
pub(super) struct Arriving(Handle);

impl Arriving {
    /// Begins to count a request as it arrives.
    pub(super) fn new(of: Handle) -> Self {
        of.0.connection.lock().arriving += 1;
        Self(of)
    }

    /// Counts bytes of those that were read as the request's.
    pub(super) fn took(&self, bytes: usize) {
        let mut doing = self.0.0.connection.lock();
        doing.unread = doing.unread.saturating_sub(bytes);
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut doing = self.0.0.connection.lock();
        doing.arriving = doing.arriving.saturating_sub(1);
    }
}

/// Whether the caller takes an answer on HTTP/2 that is there.
#[derive(Debug)]
pub(super) struct Taking {
    of: Handle,
    held_back: bool,
}

impl Taking {
    /// Begins to count an answer that is there.
    pub(super) fn new(of: Handle) -> Self {
        let mut taking = Self { of, held_back: false };
        taking.set(true);
        taking
    }

    /// Notes that a piece of the answer was taken, and whether the next one is there yet.
    pub(super) fn set(&mut self, held_back: bool) {
        let mut doing = self.of.0.connection.lock();
        doing.held_since = Instant::now();
        match (self.held_back, held_back) {
            (false, true) => doing.held_back += 1,
            (true, false) => doing.held_back = doing.held_back.saturating_sub(1),
            _ => {}
        }
        self.held_back = held_back;
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.set(false);
    }
}

impl OpenConnection {
    /// Brings the sum of unfinished heads up to date, and says what it is.
    fn count(&self, doing: &mut Doing) -> usize {
        let now = if doing.busy == 0 { doing.unread } else { 0 };
        let before = std::mem::replace(&mut doing.counted, now);
        let sum = &self.of.unfinished;
        if now >= before {
            sum.fetch_add(now - before, Ordering::Relaxed).saturating_add(now - before)
        } else {
            sum.fetch_sub(before - now, Ordering::Relaxed).saturating_sub(before - now)
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.of.unfinished.fetch_sub(self.connection.lock().counted, Ordering::Relaxed);
        let mut open = self.of.lock();
        open.all.remove(&self.id);
        self.of.numbers.open.dec();
    }
}

/// A request under way, until its answer was handed over.
#[derive(Debug)]
pub(super) struct Request {
    of: Handle,
    /// The length of its body as it said it; 0 where it did not.
    body: usize,
}

impl Drop for Request {
    fn drop(&mut self) {
        let held = &self.of.0;
        let mut doing = held.connection.lock();
        doing.busy = doing.busy.saturating_sub(1);
        if doing.busy > 0 {
            return;
        }
        doing.since = Instant::now();
        // What was read beyond this request began the next one. A head is never longer than this.
        let left = doing.unread.saturating_sub(self.body);
        doing.unread = if doing.http2 || left <= LEFT_OVER { 0 } else { left.min(HEAD_MOST) };
        held.count(&mut doing);
    }
}
