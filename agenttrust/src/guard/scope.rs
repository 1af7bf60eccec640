//! Finding the guard: the one of the running task, else the process-wide one.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{OnceLock, mpsc};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::AgentTrustGuard;
use super::cover::Cover;
use super::reporter::DROP_LIMIT;
use super::running::Approved;
use crate::background;
use crate::tools;

static GLOBAL: OnceLock<Global> = OnceLock::new();

thread_local! {
    static SCOPES: RefCell<Vec<InScope>> = const { RefCell::new(Vec::new()) };
}

/// The guard of the process.
struct Global {
    guard: AgentTrustGuard,
    /// Whether parts of the program may be other agents.
    is_fallback: bool,
}

/// The scope that this thread is inside of.
struct InScope {
    /// The guard in whose scope it is; a call that runs under an approval need not say one.
    guard: Option<AgentTrustGuard>,
    /// The cover that the guard hands to one call in there.
    cover: Option<Cover>,
    /// The approval that the running call has used.
    approved: Option<Approved>,
}

/// The process already has a guard; the second one was not installed.
///
/// [`set_global`](AgentTrustGuard::set_global) and [`set_global_fallback`](AgentTrustGuard::set_global_fallback) return
/// it. A second guard serves a part of the program in its [`scope`](AgentTrustGuard::scope):
///
/// ```
/// use agenttrust::guard::GlobalGuardAlreadySet;
/// use agenttrust::{AgentTrustClient, AgentTrustGuard};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = AgentTrustClient::builder().base_url("http://127.0.0.1:8080").build()?;
/// AgentTrustGuard::builder(client.clone(), "shopbot").build().set_global_fallback()?;
/// let other = AgentTrustGuard::builder(client, "mailbot").build();
/// assert_eq!(other.set_global(), Err(GlobalGuardAlreadySet));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process has a guard already, and this one was not installed; use `scope` for a part of the program with \
     another one, and install the first with `set_global_fallback` where that part is another agent"
)]
pub struct GlobalGuardAlreadySet;

impl AgentTrustGuard {
    /// Makes this the guard of the whole process: the one that `#[guarded]` functions ask when no
    /// closer one is in scope. It can be set once.
    ///
    /// The process is this agent from then on: a guarded function in the [`scope`](Self::scope) of another agent's
    /// guard does not run, because what is spawned in there would be this agent and not that one. Where parts of a
    /// program are other agents, use [`set_global_fallback`](Self::set_global_fallback).
    ///
    /// It logs at WARN every tool that functions of this program give several effects, with their places.
    ///
    /// # Errors
    ///
    /// [`GlobalGuardAlreadySet`] when the process has one; that one stays.
    pub fn set_global(&self) -> Result<(), GlobalGuardAlreadySet> {
        self.set(false)
    }

    /// Does the same as [`set_global`](Self::set_global), for a process in which a [`scope`](Self::scope) may be
    /// another agent's.
    ///
    /// What is spawned in such a scope is outside of it and asks this guard, as this agent: spawn it with
    /// [`spawn`](Self::spawn) or [`spawn_blocking`](Self::spawn_blocking).
    ///
    /// # Errors
    ///
    /// [`GlobalGuardAlreadySet`] when the process has one; that one stays.
    pub fn set_global_fallback(&self) -> Result<(), GlobalGuardAlreadySet> {
        self.set(true)
    }

    fn set(&self, is_fallback: bool) -> Result<(), GlobalGuardAlreadySet> {
        let global = Global { guard: self.clone(), is_fallback };
        GLOBAL.set(global).map_err(|_| GlobalGuardAlreadySet)?;
        // Once in a process, and before the first of them is called.
        tools::warn_of_several_effects();
        Ok(())
    }

    /// Makes this the guard of the whole process, as [`set_global`](Self::set_global) does, and returns what sends
    /// its reports when the program ends.
    ///
    /// ```no_run
    /// # use agenttrust::{AgentTrustClient, AgentTrustGuard};
    /// # fn example(client: AgentTrustClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let _reports = AgentTrustGuard::new(client, "agt_1").install()?;
    /// // The program; its last reports are sent when `_reports` goes.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`set_global`](Self::set_global).
    pub fn install(&self) -> Result<InstalledGuard, GlobalGuardAlreadySet> {
        self.set_global()?;
        Ok(InstalledGuard { guard: self.clone() })
    }

    /// Does the same as [`install`](Self::install), for a process in which a [`scope`](Self::scope) may be another
    /// agent's; see [`set_global_fallback`](Self::set_global_fallback).
    ///
    /// # Errors
    ///
    /// As for [`set_global`](Self::set_global).
    pub fn install_fallback(&self) -> Result<InstalledGuard, GlobalGuardAlreadySet> {
        self.set_global_fallback()?;
        Ok(InstalledGuard { guard: self.clone() })
    }

    /// Returns the guard of the running task, else the process-wide one, else none.
    #[must_use]
    pub fn current() -> Option<Self> {
        // A thread that is ending has no scopes any more.
        let last = |scopes: &RefCell<Vec<InScope>>| guard_of(&scopes.borrow()).cloned();
        let scoped = SCOPES.try_with(last).ok().flatten();
        scoped.or_else(|| Some(GLOBAL.get()?.guard.clone()))
    }

    /// Runs `future` with this as the current guard. What it spawns is outside: use [`spawn`](Self::spawn) and
    /// [`spawn_blocking`](Self::spawn_blocking) there. So is a future that a framework polls on its behalf: frameworks
    /// that drive the tools of several runs together (a shared queue, an agent that is used twice at a time) poll them
    /// in whichever run comes first. Name the guard there: `#[guarded(guard = ..)]`, [`run`](Self::run).
    ///
    /// ```
    /// # use agenttrust::AgentTrustGuard;
    /// # async fn example(guard: AgentTrustGuard) {
    /// guard.scope(async {
    ///     assert!(AgentTrustGuard::current().is_some());
    /// }).await;
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as `future` is.
    pub fn scope<F: Future>(&self, future: F) -> Scope<F> {
        Scope { future: Some(future), guard: self.clone() }
    }

    /// Spawns `future` on the current tokio runtime with this as its current guard, so that it stays the same agent.
    ///
    /// ```
    /// # use agenttrust::AgentTrustGuard;
    /// # async fn example(guard: AgentTrustGuard) -> Result<(), tokio::task::JoinError> {
    /// guard.spawn(async {
    ///     assert!(AgentTrustGuard::current().is_some());
    /// }).await
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.scope(future))
    }

    /// Runs `call` on a thread of the current tokio runtime where it may block, with this as its current guard.
    ///
    /// ```
    /// # use agenttrust::AgentTrustGuard;
    /// # async fn example(guard: AgentTrustGuard) -> Result<(), tokio::task::JoinError> {
    /// guard.spawn_blocking(|| {
    ///     assert!(AgentTrustGuard::current().is_some());
    /// }).await
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::task::spawn_blocking`] does.
    pub fn spawn_blocking<F, T>(&self, call: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let guard = self.clone();
        tokio::task::spawn_blocking(move || guard.scope_sync(call))
    }

    /// Runs `call` with this as the current guard of this thread.
    pub fn scope_sync<T>(&self, call: impl FnOnce() -> T) -> T {
        let _entered = Entered::scope(self);
        call()
    }
}

/// Sends the reports of the guard of the process when it is dropped; see [`AgentTrustGuard::install`].
///
/// Dropping it waits for the reports, up to 2 seconds, and logs at WARN what was lost.
#[derive(Debug)]
#[must_use = "keep it until the program ends: it sends the last reports when it is dropped"]
pub struct InstalledGuard {
    guard: AgentTrustGuard,
}

impl Drop for InstalledGuard {
    fn drop(&mut self) {
        if self.guard.stats().reports_waiting > 0 && !background::is_background_thread() {
            let guard = self.guard.clone();
            let (done, flushed) = mpsc::sync_channel(1);
            background::spawn(async move {
                // What was not taken is counted, and said below; the receiver may have given up.
                let _ = guard.flush().await;
                let _ = done.send(());
            });
            let _ = flushed.recv_timeout(DROP_LIMIT);
        }
        self.guard.shared.reporter.warn_of_losses();
    }
}

/// Returns the agents of the guard in scope and of the guard of the process, where they are two and must not be.
pub(crate) fn conflict() -> Option<(String, String)> {
    let global = GLOBAL.get().filter(|global| !global.is_fallback)?;
    let of_process = global.guard.agent_id();
    let other = |scopes: &RefCell<Vec<InScope>>| {
        let scopes = scopes.borrow();
        let scoped = guard_of(&scopes)?.agent_id();
        // A gateway is no agent: what is spawned in a scope asks for none and does not run.
        let differ = !of_process.is_empty() && scoped != of_process;
        differ.then(|| (scoped.to_owned(), of_process.to_owned()))
    };
    SCOPES.try_with(other).ok().flatten()
}

pin_project! {
    /// The future of [`AgentTrustGuard::scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        #[pin]
        future: Option<F>,
        guard: AgentTrustGuard,
    }

    impl<F> PinnedDrop for Scope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Destructors inside the future see the same guard as its body did.
            let _entered = Entered::scope(this.guard);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = Entered::scope(this.guard);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            // Only the destructor takes the future.
            None => Poll::Pending,
        }
    }
}

impl<F> fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("guard", &self.guard).finish_non_exhaustive()
    }
}

/// Returns the innermost guard.
fn guard_of(scopes: &[InScope]) -> Option<&AgentTrustGuard> {
    scopes.iter().rev().find_map(|scope| scope.guard.as_ref())
}

/// Returns the first cover, from the inside out, that `fits`.
pub(super) fn find_cover(fits: impl Fn(&Cover) -> bool) -> Option<Cover> {
    find(|scope| scope.cover.clone().filter(&fits))
}

/// Returns the first approval that a running call used, from the inside out, that `fits`.
pub(super) fn find_approved(fits: impl Fn(&Approved) -> bool) -> Option<Approved> {
    find(|scope| scope.approved.clone().filter(&fits))
}

fn find<T>(wanted: impl Fn(&InScope) -> Option<T>) -> Option<T> {
    let find = |scopes: &RefCell<Vec<InScope>>| scopes.borrow().iter().rev().find_map(&wanted);
    SCOPES.try_with(find).ok().flatten()
}

/// Puts on this thread's stack what it is inside of, and takes it off again when dropped.
#[must_use = "it is off again when this is dropped"]
#[derive(Debug)]
pub struct Entered {
    entered: bool,
    // It belongs to the thread whose stack it is on.
    _not_send: PhantomData<*const ()>,
}

impl Entered {
    fn scope(guard: &AgentTrustGuard) -> Self {
        Self::new(Some(guard.clone()), None, None)
    }

    pub(super) fn new(
        guard: Option<AgentTrustGuard>,
        cover: Option<Cover>,
        approved: Option<Approved>,
    ) -> Self {
        let scope = InScope { guard, cover, approved };
        // In the destructor of a thread-local there may be no scopes left; none is put on, then.
        let entered = SCOPES.try_with(|scopes| scopes.borrow_mut().push(scope)).is_ok();
        Self { entered, _not_send: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.entered {
            return;
        }
        // The guard is dropped outside of the borrow: its destructor may look for the current one.
        let left = SCOPES.try_with(|scopes| scopes.borrow_mut().pop());
        drop(left);
    }
}
