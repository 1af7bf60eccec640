//! `guard = self.guard`: owned, borrowed, shared, behind a lock, or made by a method.

#![deny(warnings)]

use std::sync::{Arc, Mutex};

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use counting::{run, step, steps};

struct Tool {
    guard: AgentTrustGuard,
    shared: Arc<AgentTrustGuard>,
    locked: Mutex<AgentTrustGuard>,
}

impl Tool {
    fn with(guard: &AgentTrustGuard) -> Self {
        let [guard, shared, locked] = [guard.clone(), guard.clone(), guard.clone()];
        Self { guard, shared: Arc::new(shared), locked: Mutex::new(locked) }
    }

    fn guard(&self) -> &AgentTrustGuard {
        &self.guard
    }

    #[guarded(guard = self.guard)]
    async fn owned(&self) -> Result<u8, AgentTrustError> {
        step();
        Ok(1)
    }

    #[guarded(guard = &self.guard)]
    fn borrowed(&mut self) -> Result<u8, AgentTrustError> {
        step();
        Ok(1)
    }

    #[guarded(guard = self.shared)]
    fn shared(self) -> Result<u8, AgentTrustError> {
        step();
        Ok(Arc::strong_count(&self.shared) as u8)
    }

    #[guarded(guard = self.locked.lock().unwrap())]
    async fn behind_a_lock(&self) -> Result<u8, AgentTrustError> {
        step();
        Ok(u8::from(self.locked.try_lock().is_ok()))
    }

    #[guarded(guard = self.guard())]
    fn by_a_method(&self) -> Result<u8, AgentTrustError> {
        step();
        Ok(1)
    }
}

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

pub(super) fn main() {
    assert_eq!(steps(1).of_named(|guard| run(assert_send(Tool::with(guard).owned()))), 1);
    assert_eq!(steps(1).of_named(|guard| Tool::with(guard).borrowed()), 1);
    assert_eq!(steps(1).of_named(|guard| Tool::with(guard).shared()), 1);
    assert_eq!(steps(1).of_named(|guard| run(assert_send(Tool::with(guard).behind_a_lock()))), 1);
    assert_eq!(steps(1).of_named(|guard| Tool::with(guard).by_a_method()), 1);
}
