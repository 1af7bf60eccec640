//! Each function named after the lint that warns of it.

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
