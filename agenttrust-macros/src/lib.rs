//! The `#[guarded]` attribute of `agenttrust`: a function that runs behind a check, or not at all.
//!
//! Use it through `agenttrust`, which re-exports it; this crate only writes the code. The attribute
//! is described [where it is defined](macro@guarded).

mod action;
mod args;
mod attr;
mod block;
mod ctxt;
mod duration;
mod expand;
mod function;
#[cfg(test)]
mod fuzz_tests;
mod inherit;
mod input;
mod mention;
mod register;
mod shape;
mod suggest;
mod tool_attr;
mod valid;

use proc_macro::TokenStream;

/// Checks every call of a function before it runs, and reports it after it ran.
///
/// ```
/// use agenttrust::{AgentTrustError, guarded};
///
/// #[guarded(effect = "destructive", skip(db))]
/// async fn delete_rows(db: &Db, table: String, ids: Vec<u64>) -> Result<u64, AgentTrustError> {
///     db.delete(&table, &ids).await
/// }
/// # struct Db;
/// # impl Db {
/// #     async fn delete(&self, _: &str, ids: &[u64]) -> Result<u64, AgentTrustError> {
/// #         Ok(ids.len() as u64)
/// #     }
/// # }
/// ```
///
/// The **whole** body runs behind the check, the first statement included. When the call is denied,
/// held for approval, or nobody can be asked, none of it runs and the caller gets the denial as the
/// function's own output. A function that cannot be guarded like that does not compile, and the
/// message says what to write instead.
///
/// Who is asked: the guard named with [`guard`](#guard), else the one of the running task
/// (`guard.scope(..)`), else the process-wide one (`guard.set_global()`). With none of them the call
/// is denied.
///
/// # Keys
///
/// All keys are optional, each is given at most once, and an option that would do nothing is an
/// error.
///
/// ## `effect`
///
/// `"read"`, `"mutating"`, `"destructive"` or `"admin"`: what a call does. The Guardian may find it
/// stronger, never weaker; without the key it goes by the tool's name.
///
/// `destructive` and `admin` calls are what people approve, so [every argument](#input-and-skip) of
/// theirs must be captured or skipped by name.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// #[guarded(effect = "read")]
/// async fn list_files(folder: String) -> Result<Vec<String>, AgentTrustError> {
///     # let _ = folder;
///     Ok(vec![])
/// }
/// ```
///
/// ## `tool`
///
/// The tool's name, by default the function's. A string, or a constant expression of type
/// `&'static str`; it is fixed when the program is built, so it names neither `Self` nor a generic
/// parameter. For a name made at run time there is `AgentTrustGuard::run`.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// const PREFIXED: &str = concat!("files_", "read");
///
/// #[guarded(tool = PREFIXED)]
/// fn read(path: &str) -> Result<String, AgentTrustError> {
///     # let _ = path;
///     Ok(String::new())
/// }
/// ```
///
/// ## `guard`
///
/// The guard to ask: an expression over the function's arguments that is an `AgentTrustGuard`, a
/// reference to one, or an `Arc` of one.
///
/// ```
/// # use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
/// struct Files {
///     guard: AgentTrustGuard,
/// }
///
/// impl Files {
///     #[guarded(guard = self.guard)]
///     async fn read(&self, path: &str) -> Result<String, AgentTrustError> {
///         # let _ = path;
///         Ok(String::new())
///     }
/// }
/// ```
///
/// ## `input` and `skip`
///
/// What is captured: names of arguments, as the body sees them (of `Parameters(request)` that is
/// `request`). The captured values are what an approval is bound to. They stay in the process: the
/// check carries their digest and their length, and their text only if the guard was built with
/// `log_inputs(true)`.
///
/// Without these keys, every argument that is `Serialize` is captured and every other one is left
/// out; inside a generic function that goes by the bounds of the function. What the function is
/// generic over is captured too, types by their name. Never captured are `self` and what a framework
/// hands in: arguments whose type is named `State`, `Extension`, or `*Context`.
///
/// - `input(a, b)` captures exactly these, and they must be `Serialize`.
/// - `skip(a)` leaves `a` out.
/// - `skip_all` leaves everything out: the call is checked by its name alone.
///
/// For `destructive` and `admin`, every argument, `self` included, must be captured or named in
/// `skip(..)`; one that is neither does not compile. An approval bound to less than was meant is never
/// an accident. And the arguments are captured once more just before the body: where they are shared
/// and have changed since they were checked, the call is denied.
///
/// With the weaker effects, or none, an argument that is left out is not bound: should a policy hold
/// such a call, the approver sees how far the approval reaches.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// # struct Db;
/// #[guarded(effect = "admin", skip(db))]
/// fn grant(db: &Db, user: &str, role: &str) -> Result<(), AgentTrustError> {
///     # let _ = (db, user, role);
///     Ok(())
/// }
///
/// #[guarded(input(path))]
/// fn write(path: &str, content: &str) -> Result<(), AgentTrustError> {
///     # let _ = (path, content);
///     Ok(())
/// }
///
/// #[guarded(effect = "read", skip_all)]
/// fn search(query: &str) -> Result<(), AgentTrustError> {
///     # let _ = query;
///     Ok(())
/// }
/// ```
///
/// ## `scopes`
///
/// Scopes that the agent needs beside the tool itself.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// #[guarded(scopes("db:write", "mail:send"))]
/// fn invite(address: &str) -> Result<(), AgentTrustError> {
///     # let _ = address;
///     Ok(())
/// }
/// ```
///
/// ## `on_elevation` and `wait`
///
/// What happens while an approval is pending: `"fail"`, the default, returns `ElevationRequired` with
/// the approval's id at once; `"wait"` waits for the decision as long as `wait` says (`"30s"`,
/// `"5m"`, `"1h"`, `"1m30s"`; five minutes by default), runs the body once it is approved, and
/// returns `ElevationRequired` when the time is up. A function that is not async never waits inside
/// an async runtime, whose thread it would block.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// #[guarded(effect = "destructive", on_elevation = "wait", wait = "10m")]
/// async fn drop_table(table: String) -> Result<(), AgentTrustError> {
///     # let _ = table;
///     Ok(())
/// }
/// ```
///
/// ## `on_denied`
///
/// For a return type that cannot carry a denial by itself, which every `Result<T, E>` with
/// `E: From<AgentTrustError>` can: builds the output from the `AgentTrustError`. The arguments are
/// still there.
///
/// ```
/// # use agenttrust::guarded;
/// #[guarded(on_denied = |error| format!("could not greet {name}: {error}"))]
/// fn greet(name: &str) -> String {
///     format!("hello {name}")
/// }
/// # assert!(greet("ada").starts_with("could not greet ada"));
/// ```
///
/// ## `crate`
///
/// Where `agenttrust` is, when it is not a dependency by that name.
///
/// ```
/// mod vendored {
///     pub use agenttrust;
/// }
///
/// #[vendored::agenttrust::guarded(crate = vendored::agenttrust)]
/// fn read() -> Result<(), vendored::agenttrust::AgentTrustError> {
///     Ok(())
/// }
/// ```
///
/// # Supported functions
///
/// | function | when the check is made |
/// |---|---|
/// | `fn` | on the call; the thread is parked meanwhile |
/// | `async fn`, also in traits | when the future is first polled |
/// | `fn .. -> Pin<Box<dyn Future>>`, `BoxFuture`, and what `#[async_trait]` leaves behind | when the future is first polled; **all** of the body runs inside it |
/// | `fn .. -> impl Future` | when the future is first polled; **all** of the body runs inside it |
///
/// Free functions, methods with every form of `self`, and default methods of traits; generic ones,
/// `unsafe` and `extern` ones; borrowed arguments, borrowed results, patterns, `impl Trait`, and
/// `#[cfg]` on parameters.
///
/// Not supported, each with a message of its own: `const fn`, `-> !`, `#[track_caller]`, methods
/// without a body, items that are no functions, functions that return nothing (unless `on_denied`
/// says what to do), a future inside of another output, and a `'static` future from borrowed
/// arguments.
///
/// Put `#[guarded]` below attributes that only describe a function, and below `#[async_trait]`.
///
/// # What it expands to
///
/// ```text
/// async fn delete_rows(db: &Db, table: String) -> Result<u64, AgentTrustError> {
///     let input = /* table */;
///     let action = Action::new("delete_rows").effect(Effect::Destructive).captured(input.clone());
///     let decision = authorize(None, action).await;
///     let decision = unchanged(decision, &input, || /* table */);
///     match decision {
///         Ok(permit) => {
///             let output = async move { /* the body */ }.await;
///             permit.finish_with(/* how the output says it went */);
///             output
///         }
///         Err(error) => FromDenial::from_denial(error),
///     }
/// }
/// ```
///
/// A call that is dropped or panics while it runs is reported as such, by the permit.
#[proc_macro_attribute]
pub fn guarded(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::guarded(arguments.into(), item.into()).into()
}
