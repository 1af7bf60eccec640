//! `#[async_trait]`: methods that it has made functions which return a boxed future.
//!
//! It stands on the trait and on the `impl`, so that it is expanded before what stands on a method.

use std::sync::Arc;

use agenttrust::{AgentTrustError, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use async_trait::async_trait;

use crate::neighbours::contract::{Guest, Room, Steps, Told, only_the_path};

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

/// One that is not `Send`.
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

fn folder(guest: &Guest) -> Folder {
    Folder { steps: guest.steps.clone() }
}

#[test]
fn a_method_runs_behind_the_check() -> Result<()> {
    in_a_runtime(async || {
        let room = Room::start()?;
        let shared = async |guest: &Guest, path: &str| {
            let folder: Box<dyn Files> = Box::new(folder(guest));
            Ok(Told::from_output(guest.guard.scope(folder.delete(path)).await))
        };
        room.asks_first("&self", only_the_path, shared).await?;
        let alone = async |guest: &Guest, path: &str| {
            let mut folder: Box<dyn Files> = Box::new(folder(guest));
            Ok(Told::from_output(guest.guard.scope(folder.delete_alone(path.to_owned())).await))
        };
        room.asks_first("&mut self", only_the_path, alone).await?;
        let owned = async |guest: &Guest, path: &str| {
            let folder: Arc<dyn Files> = Arc::new(folder(guest));
            Ok(Told::from_output(guest.guard.scope(folder.delete_shared(path.to_owned())).await))
        };
        room.asks_first("Arc<Self>", only_the_path, owned).await?;
        let default = async |guest: &Guest, path: &str| {
            let folder: Box<dyn Files> = Box::new(folder(guest));
            Ok(Told::from_output(guest.guard.scope(folder.delete_by_default(path)).await))
        };
        room.asks_first("a default method", only_the_path, default).await?;
        let local = async |guest: &Guest, path: &str| {
            let folder: Box<dyn LocalFiles> = Box::new(folder(guest));
            Ok(Told::from_output(guest.guard.scope(folder.delete(path)).await))
        };
        room.asks_first("?Send", only_the_path, local).await
    })
}

#[test]
fn a_future_that_is_made_and_never_polled_runs_nothing() -> Result<()> {
    in_a_runtime(async || {
        let room = Room::start()?;
        let (guest, _) = room.guest(&["file:*"]).await?;
        let folder = folder(&guest);
        drop(guest.guard.scope(Files::delete(&folder, "plan.txt")));
        assert_eq!(room.decisions(&guest).await?.len(), 0);
        Ok(())
    })
}
