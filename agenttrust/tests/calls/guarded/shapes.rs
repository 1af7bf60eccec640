//! Function shapes: whatever the function looks like, all of it is behind the check.

use super::*;

#[guarded]
pub(super) async fn async_fn(steps: &Steps, early: bool) -> Output {
    steps.step();
    if early {
        return Ok(steps.step());
    }
    tokio::task::yield_now().await;
    let step: Result<u32, AgentTrustError> = Ok(steps.step());
    step?;
    Ok(steps.step())
}

#[guarded]
pub(super) fn sync_fn(steps: &Steps, early: bool) -> Output {
    steps.step();
    if early {
        return Ok(steps.step());
    }
    Ok(steps.step())
}

#[guarded]
fn boxed_future(steps: &Steps, early: bool) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
    steps.step();
    if early {
        return Box::pin(async move { Ok(steps.step()) });
    }
    steps.step();
    Box::pin(async move {
        steps.step();
        tokio::task::yield_now().await;
        Ok(steps.step())
    })
}

#[guarded]
fn static_future(steps: Arc<Steps>) -> Pin<Box<dyn Future<Output = Output> + Send>> {
    steps.step();
    Box::pin(async move { Ok(steps.step()) })
}

#[guarded]
fn impl_future(steps: &Steps) -> impl Future<Output = Output> + Send {
    steps.step();
    async move { Ok(steps.step()) }
}

struct Tool {
    steps: Arc<Steps>,
}

impl Tool {
    #[guarded]
    async fn by_ref(&self) -> Output {
        Ok(self.steps.step())
    }

    #[guarded]
    fn by_mut(&mut self) -> Output<&mut Arc<Steps>> {
        self.steps.step();
        Ok(&mut self.steps)
    }

    #[guarded]
    async fn by_mut_async<'a>(
        &'a mut self,
        name: &'a str,
    ) -> Output<(&'a mut Arc<Steps>, &'a str)> {
        self.steps.step();
        Ok((&mut self.steps, name))
    }

    #[guarded]
    fn by_value(mut self) -> Output<Self> {
        self.steps.step();
        self.steps = Arc::clone(&self.steps);
        Ok(self)
    }

    #[guarded]
    async fn by_arc(self: Arc<Self>) -> Output {
        Ok(self.steps.step())
    }

    #[guarded]
    async fn by_pin(self: Pin<&mut Self>) -> Output {
        Ok(self.steps.step())
    }
}

trait Works {
    fn steps(&self) -> &Steps;

    #[guarded]
    fn sync_default(&self) -> Output {
        Ok(self.steps().step())
    }

    #[guarded]
    async fn async_default(&self) -> Output {
        Ok(self.steps().step())
    }
}

impl Works for Tool {
    fn steps(&self) -> &Steps {
        &self.steps
    }
}

#[async_trait::async_trait]
trait BoxedWork {
    async fn work(&self, early: bool) -> Output;
}

#[async_trait::async_trait]
impl BoxedWork for Tool {
    #[guarded]
    async fn work(&self, early: bool) -> Output {
        self.steps.step();
        if early {
            return Ok(self.steps.step());
        }
        tokio::task::yield_now().await;
        Ok(self.steps.step())
    }
}

#[tokio::test]
async fn refused_async_fn_runs_nothing_of_its_body() {
    nothing_but_a_permission_runs(|steps| async move { async_fn(&steps, false).await }).await;
    nothing_but_a_permission_runs(|steps| async move { async_fn(&steps, true).await }).await;
}

#[tokio::test]
async fn refused_sync_fn_runs_nothing_of_its_body() {
    nothing_but_a_permission_runs(|steps| async move { sync_fn(&steps, false) }).await;
    nothing_but_a_permission_runs(|steps| async move { sync_fn(&steps, true) }).await;
}

#[test]
fn refused_sync_fn_without_a_runtime_runs_nothing_of_its_body() {
    let scripted = Scripted::says([Say::denied(), Say::allowed()]);
    let guard = guard(&scripted);
    let steps = Steps::default();
    guard.scope_sync(|| sync_fn(&steps, false)).unwrap_err();
    assert_eq!(steps.taken(), 0);
    assert_eq!(guard.scope_sync(|| sync_fn(&steps, false)).unwrap(), 2);
}

#[tokio::test]
async fn refused_future_runs_nothing_of_the_function_that_returns_it() {
    nothing_but_a_permission_runs(|steps| async move { boxed_future(&steps, false).await }).await;
    nothing_but_a_permission_runs(|steps| async move { boxed_future(&steps, true).await }).await;
    nothing_but_a_permission_runs(static_future).await;
    nothing_but_a_permission_runs(|steps| async move { impl_future(&steps).await }).await;
}

#[tokio::test]
async fn a_returned_future_that_is_never_polled_asks_nobody_and_runs_nothing() {
    let scripted = Scripted::says([Say::allowed()]);
    let steps = Steps::default();
    guard(&scripted).scope_sync(|| drop(boxed_future(&steps, false)));
    assert_eq!(steps.taken(), 0);
    assert!(scripted.checks().is_empty());
}

#[tokio::test]
async fn refused_method_runs_nothing_of_its_body_whatever_its_self_is() {
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.by_ref().await }).await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.by_mut().map(drop) }).await;
    nothing_but_a_permission_runs(|steps| async move {
        Tool { steps }.by_mut_async("a").await.map(|(_, name)| assert_eq!(name, "a"))
    })
    .await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.by_value().map(drop) }).await;
    nothing_but_a_permission_runs(|steps| async move { Arc::new(Tool { steps }).by_arc().await })
        .await;
    nothing_but_a_permission_runs(
        |steps| async move { Pin::new(&mut Tool { steps }).by_pin().await },
    )
    .await;
}

#[tokio::test]
async fn refused_trait_method_runs_nothing_of_its_body() {
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.sync_default() }).await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.async_default().await })
        .await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.work(false).await }).await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.work(true).await }).await;
}
