//! A service that watches how it is used.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tower::{BoxError, Service};

/// The inner service: so many calls at a time, each answered when the test says so.
///
/// As tower's own limits do, it hands its place to the clone that was polled ready; that clone's call
/// takes it, and its drop gives it back.
pub(crate) struct Probe<Res> {
    watched: Arc<Mutex<Watched>>,
    answer: fn() -> Res,
    ready: bool,
}

#[derive(Default)]
struct Watched {
    free: usize,
    waiting: Vec<Waker>,
    /// Calls of a clone that had not been polled ready.
    unready_calls: usize,
    calls: usize,
    dropped: usize,
    finished: usize,
    /// Whether calls answer; else they stay.
    open: bool,
    broken: bool,
}

impl<Res> Probe<Res> {
    pub(crate) fn new(places: usize, answer: fn() -> Res) -> Self {
        let watched = Watched { free: places, open: true, ..Watched::default() };
        Self { watched: Arc::new(Mutex::new(watched)), answer, ready: false }
    }

    /// Returns the same service, to ask how it was used.
    pub(crate) fn watch(&self) -> Self {
        self.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.watched().calls
    }

    pub(crate) fn unready_calls(&self) -> usize {
        self.watched().unready_calls
    }

    /// Calls that were dropped before they had answered.
    pub(crate) fn dropped(&self) -> usize {
        self.watched().dropped
    }

    pub(crate) fn free(&self) -> usize {
        self.watched().free
    }

    /// Closes the gate: from now on calls stay.
    pub(crate) fn close(&self) {
        self.watched().open = false;
    }

    /// Breaks the service: from now on it is never ready, and says why.
    pub(crate) fn break_down(&self) {
        self.watched().broken = true;
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().expect("no test panics while it holds it")
    }
}

/// A clone has no place of its own: it must be polled ready.
impl<Res> Clone for Probe<Res> {
    fn clone(&self) -> Self {
        Self { watched: Arc::clone(&self.watched), answer: self.answer, ready: false }
    }
}

impl<Res> Drop for Probe<Res> {
    fn drop(&mut self) {
        if self.ready {
            self.watched().give_back();
        }
    }
}

impl Watched {
    fn give_back(&mut self) {
        self.free += 1;
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

impl<Req, Res> Service<Req> for Probe<Res> {
    type Response = Res;
    type Error = BoxError;
    type Future = Calling<Res>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut watched = self.watched.lock().expect("no test panics while it holds it");
        if watched.broken {
            return Poll::Ready(Err("the probe is broken".into()));
        }
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        if watched.free == 0 {
            watched.waiting.push(cx.waker().clone());
            return Poll::Pending;
        }
        watched.free -= 1;
        drop(watched);
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Req) -> Calling<Res> {
        let mut watched = self.watched();
        watched.calls += 1;
        if !self.ready {
            watched.unready_calls += 1;
            // So that the sum of places stays right.
            watched.free -= 1;
        }
        drop(watched);
        self.ready = false;
        Calling { watched: Arc::clone(&self.watched), answer: self.answer, over: false }
    }
}

/// A call; it holds a place until it has answered or is dropped.
pub(crate) struct Calling<Res> {
    watched: Arc<Mutex<Watched>>,
    answer: fn() -> Res,
    over: bool,
}

impl<Res> Future for Calling<Res> {
    type Output = Result<Res, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut watched = self.watched.lock().expect("no test panics while it holds it");
        if !watched.open {
            watched.waiting.push(cx.waker().clone());
            return Poll::Pending;
        }
        watched.finished += 1;
        watched.give_back();
        drop(watched);
        self.over = true;
        Poll::Ready(Ok((self.answer)()))
    }
}

impl<Res> Drop for Calling<Res> {
    fn drop(&mut self) {
        if !self.over {
            let mut watched = self.watched.lock().expect("no test panics while it holds it");
            watched.dropped += 1;
            watched.give_back();
        }
    }
}
