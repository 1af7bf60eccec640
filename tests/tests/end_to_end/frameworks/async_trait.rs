//! `#[async_trait]`: methods that it has made functions which return a boxed future.
//!
//! It stands on the trait and on the `impl`, so that it is expanded before what stands on a method.

use std::sync::Arc;

use agenttrust::{AgentTrustError, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use async_trait::async_trait;

use crate::frameworks::contract::{Fixture, GuardedAgent, Steps, Told, only_the_path};

#[async_trait]
trait Files: Sync {
    async fn delete(&self, path: &str) -> Result<(), AgentTrustError>;

    async fn delete_alone(&mut self, path: String) -> Result<(), AgentTrustError>;

    async fn delete_shared(self: Arc<Self>, path: String) -> Result<(), AgentTrustError>;

    fn steps(&self) -> &Steps;

    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    async fn delete_by_default(&self, path: &str) -> Result<(), AgentTrustError> {
        self.steps().step();
        tokio::task::yield_now().await;
        self.steps().step();
        if path.is_empty() {
            return Ok(());
        }
        self.steps().step();
        Ok(())
    }
}

struct Folder {
    steps: Steps,
}

#[async_trait]
impl Files for Folder {
    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    async fn delete(&self, path: &str) -> Result<(), AgentTrustError> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        if path.is_empty() {
            return Ok(());
        }
        self.steps.step();
        Ok(())
    }

    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    async fn delete_alone(&mut self, mut path: String) -> Result<(), AgentTrustError> {
        self.steps.step();
        path.push('~');
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        Ok(())
    }

    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    async fn delete_shared(self: Arc<Self>, path: String) -> Result<(), AgentTrustError> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        drop(path);
        self.steps.step();
        Ok(())
    }

    fn steps(&self) -> &Steps {
        &self.steps
    }
}

/// A folder whose futures are not `Send`.
#[async_trait(?Send)]
trait LocalFiles {
    async fn delete(&self, path: &str) -> Result<(), AgentTrustError>;
}

#[async_trait(?Send)]
impl LocalFiles for Folder {
    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    async fn delete(&self, path: &str) -> Result<(), AgentTrustError> {
        let alone = std::rc::Rc::new(path);
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        drop(alone);
        self.steps.step();
        Ok(())
    }
}

fn folder(guarded_agent: &GuardedAgent) -> Folder {
    Folder { steps: guarded_agent.steps.clone() }
}

#[test]
fn a_method_runs_behind_the_check() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let shared = async |guarded_agent: &GuardedAgent, path: &str| {
            let folder: Box<dyn Files> = Box::new(folder(guarded_agent));
            Ok(Told::from_output(guarded_agent.guard.scope(folder.delete(path)).await))
        };
        fixture.asks_first("&self", only_the_path, shared).await?;
        let alone = async |guarded_agent: &GuardedAgent, path: &str| {
            let mut folder: Box<dyn Files> = Box::new(folder(guarded_agent));
            Ok(Told::from_output(
                guarded_agent.guard.scope(folder.delete_alone(path.to_owned())).await,
            ))
        };
        fixture.asks_first("&mut self", only_the_path, alone).await?;
        let owned = async |guarded_agent: &GuardedAgent, path: &str| {
            let folder: Arc<dyn Files> = Arc::new(folder(guarded_agent));
            Ok(Told::from_output(
                guarded_agent.guard.scope(folder.delete_shared(path.to_owned())).await,
            ))
        };
        fixture.asks_first("Arc<Self>", only_the_path, owned).await?;
        let default = async |guarded_agent: &GuardedAgent, path: &str| {
            let folder: Box<dyn Files> = Box::new(folder(guarded_agent));
            Ok(Told::from_output(guarded_agent.guard.scope(folder.delete_by_default(path)).await))
        };
        fixture.asks_first("a default method", only_the_path, default).await?;
        let local = async |guarded_agent: &GuardedAgent, path: &str| {
            let folder: Box<dyn LocalFiles> = Box::new(folder(guarded_agent));
            Ok(Told::from_output(guarded_agent.guard.scope(folder.delete(path)).await))
        };
        fixture.asks_first("?Send", only_the_path, local).await
    })
}

#[test]
fn a_future_that_is_made_and_never_polled_runs_nothing() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        let folder = folder(&guarded_agent);
        drop(guarded_agent.guard.scope(Files::delete(&folder, "plan.txt")));
        assert_eq!(fixture.decisions(&guarded_agent).await?.len(), 0);
        Ok(())
    })
}
