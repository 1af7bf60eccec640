//! Clean, bare and guarded.

use super::*;

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
unsafe fn with_a_reason(count: u32) -> Output {
    // SAFETY: the caller's.
    Ok(unsafe { unchecked(count) })
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
extern "C" fn of_another_language(count: u32) -> u32 {
    count + 1
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn of_one_line() -> Output {
    Ok(1)
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn of_one_call() -> Output {
    fallible()
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
fn of_one_literal() -> u32 {
    1
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
fn of_one_name(count: u32) -> u32 {
    count
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = drop))]
fn of_nothing(steps: &Steps) {
    steps.step();
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = drop))]
async fn of_nothing_later(steps: &Steps) {
    waits().await.unwrap_or(steps.step());
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "read"))]
fn early(path: &str, deep: bool) -> Output<usize> {
    if deep {
        return Ok(path.len());
    }
    let found = fallible()?;
    Ok(path.len() + found as usize)
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "mutating", tool = "renamed"))]
async fn waiting(mut path: String, steps: &Steps) -> Output<String> {
    path.push('a');
    if steps.step() > 1 {
        return Err(fallible().unwrap_err());
    }
    waits().await?;
    Ok(path)
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "destructive", skip(steps)))]
async fn destructive(steps: &Steps, path: String, mut ids: Vec<u32>) -> Output<(String, u32)> {
    ids.push(steps.step());
    waits().await?;
    drop(ids);
    Ok((path, 1))
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "admin", skip(_steps)))]
fn unused_on_purpose(_steps: &Steps, path: &str, _: u32) -> Output<usize> {
    Ok(path.len())
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(input(_path)))]
fn unused_and_captured(_path: &str) -> Output {
    fallible()
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn allowed(#[allow(unused_variables)] path: &str) -> Output {
    fallible()
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn expected(#[expect(unused_variables)] path: &str) -> Output {
    fallible()
}

#[allow(unused_variables)]
#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn allowed_above(path: &str) -> Output {
    fallible()
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
#[expect(unused_variables, reason = "says so")]
fn expected_above(path: &str) -> Output {
    fallible()
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn allowed_inside(path: &str) -> Output {
    #![allow(unused_variables)]
    fallible()
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(skip_all))]
fn patterns(
    Request { path, mode: (mut a, b) }: Request,
    [first, .., mut last]: [u32; 3],
    &(c, _): &(u64, u64),
    d @ 0..: u64,
) -> Output<(String, u32, u64)> {
    a += b;
    last += first;
    Ok((path, a + last, c + d))
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn borrowed<'a>(path: &'a mut String, other: &str) -> Output<&'a mut String> {
    path.push_str(other);
    Ok(path)
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn generic<T: Clone + serde::Serialize, const N: usize>(value: &T) -> Output<[T; N]> {
    fallible()?;
    Ok(std::array::from_fn(|_| value.clone()))
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn opaque(paths: impl Iterator<Item = String>) -> Output<impl Iterator<Item = usize>> {
    fallible()?;
    Ok(paths.map(|path| path.len()))
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn boxed<'a>(steps: &'a Steps, path: &'a str) -> BoxFuture<'a, Output<usize>> {
    if path.is_empty() {
        return Box::pin(async move { Ok(steps.step() as usize) });
    }
    Box::pin(async move {
        waits().await?;
        Ok(path.len())
    })
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn boxed_plainly(path: String) -> Pin<Box<dyn Future<Output = Output<String>> + Send + 'static>> {
    Box::pin(async move {
        waits().await?;
        Ok(path)
    })
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn deferred(path: &str) -> impl Future<Output = Output<usize>> + Send {
    let length = path.len();
    async move {
        waits().await?;
        Ok(length)
    }
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(guard = guard, skip(guard)))]
async fn with_a_guard(guard: &AgentTrustGuard, path: String) -> Output<String> {
    drop(guard.clone());
    waits().await?;
    Ok(path)
}

#[cfg_attr(
    feature = "guarded",
    agenttrust::guarded(on_elevation = "wait", wait = "5m", scopes("files:read"))
)]
async fn patient(path: String) -> Output<String> {
    waits().await?;
    Ok(path)
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |error| format!("{name}: {error}")))]
fn greets(name: &str) -> String {
    format!("hello {name}")
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn not_done_yet(path: &str) -> Output {
    todo!("{path}")
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
async fn never_done(path: &str) -> Output {
    waits().await?;
    panic!("{path}")
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn r#match(r#type: u32) -> Output {
    Ok(r#type)
}

#[cfg_attr(feature = "guarded", agenttrust::guarded)]
fn conditional(#[cfg(any())] gone: Missing, #[cfg(not(any()))] present: u32) -> Output {
    Ok(present)
}

struct Tool {
    steps: Steps,
    guard: AgentTrustGuard,
    path: String,
}

impl Tool {
    #[cfg_attr(feature = "guarded", agenttrust::guarded(guard = self.guard))]
    async fn by_ref(&self, path: &str) -> Output<usize> {
        waits().await?;
        Ok(path.len() + self.path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "destructive", skip(self)))]
    fn by_mut(&mut self, path: &str) -> Output<&mut String> {
        self.path.push_str(path);
        Ok(&mut self.path)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn by_value(self) -> Output<String> {
        fallible()?;
        Ok(self.path)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn by_mut_value(mut self) -> Output<Self> {
        self.path.clear();
        Ok(self)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    async fn by_arc(self: Arc<Self>) -> Output {
        waits().await?;
        Ok(self.steps.step())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn by_arc_boxed(self: Arc<Self>) -> BoxFuture<'static, Output> {
        Box::pin(async move { Ok(self.steps.step()) })
    }
}

#[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "destructive", guard = self.guard, skip(self)))]
impl Tool {
    fn of_a_block(&self, mut path: String, (left, right): (u32, u32)) -> Output<String> {
        path.push_str(&self.path);
        fallible()?;
        Ok(format!("{path}{left}{right}"))
    }

    async fn of_a_block_later(&mut self, path: String) -> Output<usize> {
        waits().await?;
        self.path.push_str(&path);
        Ok(self.path.len())
    }

    fn of_a_block_boxed<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Output<usize>> {
        Box::pin(async move { Ok(path.len() + self.path.len()) })
    }
}

trait Works {
    fn steps(&self) -> &Steps;

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn by_default(&self) -> Output {
        Ok(self.steps().step())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    async fn later_by_default(&self) -> Output {
        waits().await?;
        Ok(self.steps().step())
    }
}

impl Works for Tool {
    fn steps(&self) -> &Steps {
        &self.steps
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    async fn later_by_default(&self) -> Output {
        waits().await
    }
}
