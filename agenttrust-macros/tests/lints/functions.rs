//! Functions that are linted twice, bare and guarded.
//!
//! Those in `clean` are clean. Those in `warned` are each named after the lint that warns of them;
//! the dead ones among them may be dead, so that it is the one lint they are about that is seen.

#![warn(clippy::all, clippy::pedantic, rust_2018_idioms, missing_docs, unreachable_pub)]
#![warn(unused_qualifications, unused_lifetimes, single_use_lifetimes, redundant_lifetimes)]
#![warn(unit_bindings, let_underscore_drop, trivial_casts, trivial_numeric_casts)]
#![allow(dead_code, reason = "nothing here is called; the functions about it say so themselves")]
// A guarded function does return an error: the denial.
#![allow(clippy::unnecessary_wraps)]
#![allow(clippy::wildcard_imports)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use agenttrust::{AgentTrustError, AgentTrustGuard};

type Output<T = u32> = Result<T, AgentTrustError>;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A handle.
pub struct Steps;

impl Steps {
    fn step(&self) -> u32 {
        u32::from(std::ptr::eq(self, &raw const *self))
    }
}

#[derive(serde::Serialize)]
struct Request {
    path: String,
    mode: (u32, u32),
}

/// An error that Clippy finds too large.
pub struct Large(pub [u8; 200]);

impl From<AgentTrustError> for Large {
    fn from(_: AgentTrustError) -> Self {
        Self([0; 200])
    }
}

fn fallible() -> Output {
    Ok(1)
}

fn returns_nothing(steps: &Steps) {
    steps.step();
}

async fn waits() -> Output {
    std::future::ready(()).await;
    Ok(1)
}

/// # Safety
///
/// Safe.
unsafe fn unchecked(count: u32) -> u32 {
    count
}

mod clean {
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
    fn of_one_line() -> Output { Ok(1) }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn of_one_call() -> Output { fallible() }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
    fn of_one_literal() -> u32 { 1 }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
    fn of_one_name(count: u32) -> u32 { count }

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
    fn boxed_plainly(
        path: String,
    ) -> Pin<Box<dyn Future<Output = Output<String>> + Send + 'static>> {
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
}

/// What the functions in `callers` call.
mod called {
    use super::*;

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    pub(super) fn result() -> Output {
        fallible()
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    pub(super) async fn future() -> Output {
        waits().await
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
    #[must_use = "the count is the point"]
    pub(super) fn count() -> u32 {
        1
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    #[deprecated(note = "of old")]
    pub(super) fn old() -> Output {
        fallible()
    }
}

mod warned {
    use super::*;

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    #[warn(dead_code)]
    fn dead_code(path: &str) -> Output<usize> {
        Ok(path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unused_variables(path: &str, (left, right): (u32, u32)) -> Output {
        let local = right;
        fallible()
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "destructive"))]
    fn unused_mut(mut path: String) -> Output<String> {
        let mut length = path.len();
        Ok(path + &length.to_string())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unused_assignments(mut count: u32) -> Output {
        count = 2;
        let mut local = 1;
        local = fallible()?;
        Ok(local)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn result_large_err(path: &str) -> Result<usize, Large> {
        if path.is_empty() {
            return Err(Large([1; 200]));
        }
        Ok(path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unused_must_use(path: &str) -> Output<usize> {
        fallible();
        waits();
        Ok(path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unreachable_code(path: &str) -> Output<usize> {
        return Ok(path.len());
        Ok(1)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unused_parens(path: &str) -> Output<usize> {
        let length = (path.len());
        Ok(length)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn non_snake_case(Path: &str) -> Output<usize> {
        Ok(Path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unused_labels(path: &str) -> Output<usize> {
        'unused: for _ in path.chars() {
            fallible()?;
        }
        Ok(1)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unconditional_recursion(path: &str) -> Output<usize> {
        unconditional_recursion(&path[1..])
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn only_used_in_recursion(count: u32, path: &str) -> Output {
        if count == 0 { Ok(1) } else { only_used_in_recursion(count - 1, path) }
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn needless_lifetimes<'a>(path: &'a str) -> Output<&'a str> {
        fallible()?;
        Ok(path)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn needless_pass_by_value(path: String) -> Output<usize> {
        Ok(path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn ptr_arg(paths: &Vec<String>) -> Output<usize> {
        Ok(paths.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn ref_option(path: &Option<String>) -> Output<bool> {
        Ok(path.is_some())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn trivially_copy_pass_by_ref(count: &u8) -> Output<u8> {
        Ok(*count)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn boxed_local(count: Box<u32>) -> Output {
        Ok(*count + 1)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(skip_all))]
    fn too_many_arguments(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> Output<u8> {
        Ok(a + b + c + d + e + f + g + h)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(skip_all))]
    fn fn_params_excessive_bools(a: bool, b: bool, c: bool, d: bool) -> Output<bool> {
        Ok(a && b && c && d)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn used_underscore_binding(_path: &str) -> Output<usize> {
        Ok(_path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn no_effect_underscore_binding(path: &str) -> Output<&str> {
        let _unused = 1 + 2;
        Ok(path)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn items_after_statements(path: &str) -> Output<usize> {
        let length = path.len();
        const MORE: usize = 1;
        Ok(length + MORE)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn let_and_return(path: &str) -> Output<usize> {
        let output = Ok(path.len());
        output
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn needless_return(path: &str) -> Output<usize> {
        return Ok(path.len());
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn needless_question_mark() -> Output {
        Ok(fallible()?)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = drop))]
    fn semicolon_if_nothing_returned(steps: &Steps) {
        returns_nothing(steps)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn too_many_lines(count: u32) -> Output {
        let mut total = count;
        total += 1;
        total += 2;
        total += 3;
        total += 4;
        total += 5;
        total += 6;
        total += 7;
        total += 8;
        total += 9;
        total += 10;
        total += 11;
        total += 12;
        total += 13;
        total += 14;
        Ok(total)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn redundant_else(count: u32) -> Output {
        if count > 1 {
            return Ok(1);
        } else {
            fallible()?;
        }
        Ok(2)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn question_mark(count: u32) -> Output {
        let found = match fallible() {
            Ok(found) => found,
            Err(error) => return Err(error),
        };
        Ok(count + found)
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    #[must_use]
    fn double_must_use(path: &str) -> Output<usize> {
        Ok(path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn extra_unused_type_parameters<T>(path: &str) -> Output<usize> {
        Ok(path.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn type_complexity(
        paths: &[Option<Result<Vec<Option<(u8, u16)>>, Vec<Option<(u8, u32)>>>>],
    ) -> Output<usize> {
        Ok(paths.len())
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    unsafe fn unsafe_op_in_unsafe_fn(count: u32) -> Output {
        Ok(unchecked(count))
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    fn unused_unsafe(count: u32) -> Output {
        Ok(unsafe { count + 1 })
    }

    mod asynchronous {
        use super::*;

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        #[warn(dead_code)]
        async fn dead_code(path: &str) -> Output<usize> {
            waits().await?;
            Ok(path.len())
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unused_variables(path: &str, (left, right): (u32, u32)) -> Output {
            let local = right;
            waits().await
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded(effect = "destructive"))]
        async fn unused_mut(mut path: String) -> Output<String> {
            let mut length = waits().await?;
            Ok(path + &length.to_string())
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unused_assignments(mut count: u32) -> Output {
            count = 2;
            let mut local = 1;
            local = waits().await?;
            Ok(local)
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unused_must_use(path: &str) -> Output<usize> {
            waits().await;
            waits();
            Ok(path.len())
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unreachable_code(path: &str) -> Output<usize> {
            waits().await?;
            return Ok(path.len());
            Ok(1)
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unused_async(path: &str) -> Output<usize> {
            Ok(path.len())
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn let_underscore_future(path: &str) -> Output<usize> {
            let _ = waits();
            waits().await?;
            Ok(path.len())
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn used_underscore_binding(_path: &str) -> Output<usize> {
            waits().await?;
            Ok(_path.len())
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn needless_return(path: &str) -> Output<usize> {
            waits().await?;
            return Ok(path.len());
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async unsafe fn unsafe_op_in_unsafe_fn(count: u32) -> Output {
            waits().await?;
            Ok(unchecked(count))
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn await_holding_lock(shared: &std::sync::Mutex<u32>) -> Output {
            let held = shared.lock().unwrap();
            let found = waits().await?;
            Ok(found + *held)
        }
    }

    mod shadowed_by_an_argument {
        use super::*;

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unused_variables(path: &str, paths: &[String]) -> Output<usize> {
            waits().await?;
            Ok(paths.iter().map(|path| path.len()).sum())
        }
    }

    mod shadowed_by_a_loop {
        use super::*;

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unused_variables(path: &str, paths: &[String]) -> Output<usize> {
            let mut length = 0;
            for path in paths {
                waits().await?;
                length += path.len();
            }
            Ok(length)
        }
    }

    mod shadowed_by_a_pattern {
        use super::*;

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        async fn unused_variables(path: &str, other: Option<&str>) -> Output<usize> {
            waits().await?;
            if let Some(path) = other { Ok(path.len()) } else { Ok(0) }
        }
    }

    mod deferred {
        use super::*;

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        fn unused_variables<'a>(path: &'a str, other: &'a str) -> BoxFuture<'a, Output> {
            let local = path.len();
            Box::pin(async move { waits().await })
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        fn unused_mut(mut path: String) -> BoxFuture<'static, Output<String>> {
            Box::pin(async move { Ok(path) })
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        #[warn(dead_code)]
        fn dead_code(path: String) -> impl Future<Output = Output<String>> + Send {
            let length = path.len();
            async move { Ok(format!("{path} {length}")) }
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        fn unused_must_use(path: String) -> impl Future<Output = Output<String>> + Send {
            fallible();
            async move { Ok(path) }
        }

        #[cfg_attr(feature = "guarded", agenttrust::guarded)]
        fn manual_async_fn(path: String) -> impl Future<Output = Output<String>> + Send {
            async move { Ok(path) }
        }
    }

    mod methods {
        use super::*;

        struct Tool {
            path: String,
        }

        impl Tool {
            #[cfg_attr(feature = "guarded", agenttrust::guarded)]
            fn unused_self(&self, path: &str) -> Output<usize> {
                Ok(path.len())
            }

            #[cfg_attr(feature = "guarded", agenttrust::guarded)]
            #[warn(dead_code)]
            async fn dead_code(&self) -> Output<usize> {
                waits().await?;
                Ok(self.path.len())
            }
        }
    }

    mod callers {
        use super::*;
        use called::*;

        async fn unused_must_use() {
            result();
            future();
            future().await;
            count();
        }

        fn deprecated() -> Output {
            old()
        }
    }
}

/// What others see.
pub mod exported {
    use super::{Output, fallible};

    /// Says nothing of errors.
    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    pub fn missing_errors_doc(path: &str) -> Output<usize> {
        fallible()?;
        Ok(path.len())
    }

    /// Says nothing of panics.
    #[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
    #[must_use]
    pub fn missing_panics_doc(path: &str) -> usize {
        path.len() + fallible().ok().unwrap() as usize
    }

    /// Gives a number.
    #[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
    pub fn must_use_candidate(path: &str) -> usize {
        path.len()
    }

    /// Says it.
    ///
    /// # Errors
    ///
    /// The denial.
    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    pub fn documented(path: &str) -> Output<usize> {
        fallible()?;
        Ok(path.len())
    }
}
