//! `#[tracing::instrument]`: a span is around the body, and the check around all of the body.

use std::future::Future;
use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use agenttrust_tests::bounded::on_a_plain_thread;
use anyhow::Result;
use async_trait::async_trait;
use tracing::instrument;
use tracing_subscriber::registry;

use crate::frameworks::contract::{Fixture, GuardedAgent, Steps, Told, only_the_path};

type Output = Result<(), AgentTrustError>;

/// Checks that the body is in the span of this name.
fn inside(name: &str) {
    let here = tracing::Span::current();
    assert_eq!(here.metadata().map(tracing::Metadata::name), Some(name));
}

#[instrument(skip(steps), err)]
#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
async fn async_above(path: &str, steps: &Steps) -> Output {
    steps.step();
    tokio::task::yield_now().await;
    inside("async_above");
    steps.step();
    if path.is_empty() {
        return Ok(());
    }
    steps.step();
    Ok(())
}

#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
#[instrument(skip(steps), err)]
async fn async_below(path: &str, steps: &Steps) -> Output {
    steps.step();
    tokio::task::yield_now().await;
    inside("async_below");
    steps.step();
    if path.is_empty() {
        return Ok(());
    }
    steps.step();
    Ok(())
}

#[instrument(skip(steps), err)]
#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
fn sync_above(path: &str, steps: &Steps) -> Output {
    steps.step();
    inside("sync_above");
    steps.step();
    if path.is_empty() {
        return Ok(());
    }
    steps.step();
    Ok(())
}

#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
#[instrument(skip(steps), err)]
fn sync_below(path: &str, steps: &Steps) -> Output {
    steps.step();
    inside("sync_below");
    steps.step();
    if path.is_empty() {
        return Ok(());
    }
    steps.step();
    Ok(())
}

// Statements before the future is made, which `#[instrument]` leaves outside of its span.
#[instrument(skip(steps))]
#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
fn boxed_above<'a>(
    path: &'a str,
    steps: &'a Steps,
) -> Pin<Box<dyn Future<Output = Output> + Send + 'a>> {
    steps.step();
    if path.is_empty() {
        return Box::pin(async { Ok(()) });
    }
    Box::pin(async move {
        inside("boxed_above");
        steps.step();
        tokio::task::yield_now().await;
        steps.step();
        Ok(())
    })
}

#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
#[instrument(skip(steps))]
fn boxed_below<'a>(
    path: &'a str,
    steps: &'a Steps,
) -> Pin<Box<dyn Future<Output = Output> + Send + 'a>> {
    steps.step();
    inside("boxed_below");
    if path.is_empty() {
        return Box::pin(async { Ok(()) });
    }
    Box::pin(async move {
        inside("boxed_below");
        steps.step();
        tokio::task::yield_now().await;
        steps.step();
        Ok(())
    })
}

#[instrument(skip(steps))]
#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
fn future_above(path: String, steps: Steps) -> impl Future<Output = Output> {
    steps.step();
    async move {
        inside("future_above");
        drop(path);
        steps.step();
        tokio::task::yield_now().await;
        steps.step();
        Ok(())
    }
}

#[guarded(tool = "file_delete", effect = "destructive", skip(steps))]
#[instrument(skip(steps))]
fn future_below(path: String, steps: Steps) -> impl Future<Output = Output> {
    steps.step();
    async move {
        inside("future_below");
        drop(path);
        steps.step();
        tokio::task::yield_now().await;
        steps.step();
        Ok(())
    }
}

#[async_trait]
trait Files {
    async fn trait_above(&self, path: &str) -> Output;
    async fn trait_below(&self, path: &str) -> Output;
}

#[async_trait]
impl Files for Steps {
    #[instrument(skip(self))]
    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    async fn trait_above(&self, path: &str) -> Output {
        self.step();
        tokio::task::yield_now().await;
        inside("trait_above");
        self.step();
        if path.is_empty() {
            return Ok(());
        }
        self.step();
        Ok(())
    }

    #[guarded(tool = "file_delete", effect = "destructive", skip(self))]
    #[instrument(skip(self))]
    async fn trait_below(&self, path: &str) -> Output {
        self.step();
        tokio::task::yield_now().await;
        inside("trait_below");
        self.step();
        if path.is_empty() {
            return Ok(());
        }
        self.step();
        Ok(())
    }
}

#[test]
fn a_function_runs_behind_the_check_and_inside_its_span_in_both_orders() -> Result<()> {
    on_a_plain_thread(|| {
        // On this thread alone, and so is the runtime.
        let _spans = tracing::subscriber::set_default(registry());
        agenttrust_tests::bounded::here(async {
            let fixture = Fixture::start()?;
            macro_rules! asks_first {
                ($(|$path:ident, $steps:ident| $call:expr);* $(;)?) => { $(
                    let call = async |guarded_agent: &GuardedAgent, $path: &str| {
                        let $steps = &guarded_agent.steps;
                        Ok(Told::from_output(guarded_agent.guard.scope(async { $call }).await))
                    };
                    fixture.asks_first(stringify!($call), only_the_path, call).await?;
                )* };
            }
            asks_first! {
                |path, steps| async_above(path, steps).await;
                |path, steps| async_below(path, steps).await;
                |path, steps| sync_above(path, steps);
                |path, steps| sync_below(path, steps);
                |path, steps| boxed_above(path, steps).await;
                |path, steps| boxed_below(path, steps).await;
                |path, steps| future_above(path.to_owned(), steps.clone()).await;
                |path, steps| future_below(path.to_owned(), steps.clone()).await;
                |path, steps| steps.trait_above(path).await;
                |path, steps| steps.trait_below(path).await;
            }
            Ok(())
        })
    })
}
