#![doc = include_str!("../README.md")]
//!
//! # The attribute
//!
//! Its page says all of it: every key, what is captured, and what a function becomes: [`guarded`](macro@guarded).

mod action;
mod args;
mod attr;
mod block;
mod ctxt;
#[cfg(test)]
mod documented;
mod duration;
mod expand;
mod function;
#[cfg(test)]
mod fuzz_tests;
mod guarded;
mod inherit;
mod input;
mod known;
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
/// The **whole** body runs behind the check, the first statement included. When the call is denied, held for approval,
/// or no Guardian can be asked, none of it runs and the caller gets the denial as the function's own output. A function
/// that cannot be guarded like that does not compile, and the message says what to write instead.
///
/// Who is asked: the guard named with [`guard`](#guard), else the one of the running task
/// (`guard.scope(..)`), else the process-wide one (`guard.install()`). With none of them the call
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
/// stronger, never weaker; without the key it [guesses](#every-effect-declared) by the tool's name.
///
/// `destructive` and `admin` calls are what people approve, so [every argument](#what-is-captured) of
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
/// parameter nor an argument, and calls nothing but what stands in `const { .. }`. For a name made at run
/// time there is `AgentTrustGuard::run`, with an `Action` of that name.
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
/// ## `input`
///
/// Exactly these arguments are captured, even those that a framework hands in, and they must be `Serialize`. Names are
/// those that the body sees: of `Parameters(request)` that is `request`.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// #[guarded(input(path))]
/// fn write(path: &str, content: &str) -> Result<(), AgentTrustError> {
///     # let _ = (path, content);
///     Ok(())
/// }
/// ```
///
/// See [what is captured](#what-is-captured).
///
/// ## `skip`
///
/// These arguments are left out: handles, secrets, whatever an approval need not be bound to. A
/// `destructive` or `admin` method has to say so of `self` too, which is never captured.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// # struct Db;
/// #[guarded(effect = "admin", skip(db))]
/// fn grant(db: &Db, user: &str, role: &str) -> Result<(), AgentTrustError> {
///     # let _ = (db, user, role);
///     Ok(())
/// }
/// ```
///
/// Alone and without names, `#[guarded(skip)]` leaves a method out of a guarded
/// [`impl` block](#impl-blocks).
///
/// ## `skip_all`
///
/// Everything is left out: the call is checked by its name alone. Not for `destructive` and `admin`.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// #[guarded(effect = "read", skip_all)]
/// fn search(query: &str) -> Result<(), AgentTrustError> {
///     # let _ = query;
///     Ok(())
/// }
/// ```
///
/// ## `scopes`
///
/// Scopes that the agent needs beside the tool itself. Each is a string of its own, without commas and
/// white space.
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
/// ## `on_elevation`
///
/// What happens while an approval is pending. `"fail"`, the default, returns `ElevationRequired` with
/// the approval's id at once. `"wait"` waits for the decision, runs the body once it is approved, and
/// returns `ElevationRequired` when the time is up. A function that is not async never waits inside an
/// async runtime, whose thread it would block: there it returns at once.
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// #[guarded(effect = "destructive", on_elevation = "wait")]
/// async fn drop_table(table: String) -> Result<(), AgentTrustError> {
///     # let _ = table;
///     Ok(())
/// }
/// ```
///
/// ## `wait`
///
/// How long `on_elevation = "wait"` waits: `"30s"`, `"5m"`, `"1h"`, `"1m30s"`; five minutes by default,
/// as long as an approval is open by default.
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
/// # What is captured
///
/// The captured arguments are what an approval is bound to: each under its own name, in the canonical
/// JSON form of RFC 8785, taken in the order of the parameters and before the check, from the very values
/// that the body then gets. The check carries their digest and their length, and their text only if the guard was
/// built with `log_inputs(true)`. Of a held call the approver is shown them where the guard was built with
/// `disclose_on_elevation(true)`, or the Guardian is inside of the program and keeps its data where others do not
/// reach it. Else they stay in the process.
///
/// | argument | is captured |
/// |---|---|
/// | a value that is `Serialize`, whatever its type is called | yes; inside a generic function, if its bounds say so |
/// | any other value: a handle, a connection | no; an error for `destructive` and `admin` |
/// | `Parameters(request): Parameters<Request>`, `Json(file): Json<File>`, and other patterns | what the pattern binds |
/// | `Parameters<T>`, `Json<T>`, `Path<T>`, `Query<T>` or `Form<T>` by a plain name; those of axum under any other name too | what is inside; `destructive` and `admin` ask for the pattern, where the extractor itself is not `Serialize` |
/// | what a [framework hands in](#what-a-framework-hands-in), and what a pattern takes out of it | no, and an error for `destructive` and `admin`; yes if `input(..)` names it |
/// | `self` | never; for `destructive` and `admin` its type is, where one method may be called on several |
/// | `_`, which gives the body nothing | no |
/// | what the function is generic over | yes: types by their name, constants by their value; for `destructive` and `admin` also what its block is generic over, and the type behind an `impl Trait` |
///
/// The compiler decides this by what a type is, and not by what it is called: a `State`, a `Context` or a
/// `PurgeContext` of your own is captured as soon as it is `Serialize`.
///
/// For `destructive` and `admin`, every argument, `self` included, is captured or named in
/// [`skip(..)`](#skip); one that is neither does not compile. An approval bound to less than was meant is
/// never an accident.
///
/// Whatever the effect, captured arguments are captured once more just before the body: where one is
/// shared and has changed since it was checked, the call is denied and the argument named. So is a type
/// whose `Serialize` says something else each time: leave such an argument out with [`skip`](#skip).
///
/// With the weaker effects, or none, an argument that is left out is not bound: should a policy hold
/// such a call, the approver sees how far the approval reaches. An argument that is `Serialize` and has
/// no exact JSON form (keys that come twice, `NaN`) denies the call, whatever its effect.
///
/// What a type's own `Serialize` leaves out, as `#[serde(skip)]` does, is not bound. A method without
/// `self` that never says `Self`, guarded by itself, does not know the block it stands in: what that is
/// generic over is bound only where the attribute is on the block. Capturing writes the whole input as
/// JSON, for `destructive` and `admin` twice; `skip(..)` what is megabytes long, and take its hash as an
/// argument instead.
///
/// ## What a framework hands in
///
/// Some arguments say who calls and by what request, not what for, and are others with each call: an
/// approval bound to them would never be found again. These types are known by their path, under whatever
/// name they were imported or re-exported, and by reference too:
///
/// | of | types |
/// |---|---|
/// | axum | `State`, `Extension`, `ConnectInfo` |
/// | rmcp | `Extension` and `RequestId` of `handler::server::common`, `RequestMetaObject` |
/// | tower-mcp | `State`, `Extension` |
/// | rig | `ToolContext` |
///
/// Where one of them is neither skipped nor named in `input(..)`, a `destructive` or `admin` function does not
/// compile with the feature `axum` or `rmcp` of `agenttrust`, in the version that it is for; otherwise the
/// call is denied, and the message says what to skip.
///
/// All else that these hand in, such as rmcp's `RequestContext` and `Peer`, a `CancellationToken` or
/// `http::request::Parts`, is not `Serialize`, and left out for that.
///
/// # `impl` blocks
///
/// On an `impl` block, inherent or of a trait, the attribute guards **every** method with the same keys.
/// A method's own `#[guarded(..)]` overrides them key by key, and `#[guarded(skip)]` leaves it out.
///
/// ```
/// # use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
/// struct Files {
///     guard: AgentTrustGuard,
/// }
///
/// #[guarded(effect = "read", guard = self.guard, skip(self))]
/// impl Files {
///     #[guarded(skip)]
///     fn new(guard: AgentTrustGuard) -> Self {
///         Self { guard }
///     }
///
///     async fn list(&self, folder: &str) -> Result<Vec<String>, AgentTrustError> {
///         # let _ = folder;
///         Ok(vec![])
///     }
///
///     #[guarded(effect = "destructive")]
///     async fn delete(&self, path: String) -> Result<(), AgentTrustError> {
///         # let _ = path;
///         Ok(())
///     }
/// }
/// ```
///
/// The block's `skip(..)` holds for the methods that have such an argument. `tool` and `input(..)` are
/// about one function, and so are not for blocks. Associated functions without `self` are guarded too.
/// What a macro call inside the block would make cannot be seen, and does not compile; the function that
/// `#[tool_router]` adds is left alone. Default methods that a trait impl does not write down are those of
/// the trait: guard them there.
///
/// # Other attributes
///
/// The whole body runs behind the check wherever `#[guarded]` stands among these. An attribute below it
/// that changes what the function does, such as a cache, changes what the check stands in front of: its
/// code is around the check.
///
/// | attribute | order |
/// |---|---|
/// | `#[tool]` and `#[tool_router]` of rmcp, `#[rig_tool]` | either; below `#[guarded]` they are [read](#tools-of-a-framework) |
/// | `#[async_trait]` | either, on the `impl` block; on a method, `#[guarded]` runs after it by itself |
/// | `#[tracing::instrument]` | either; below `#[guarded]` its span holds the check too |
/// | `#[tokio::main]`, `#[tokio::test]` | either; above `#[guarded]` the check comes before the runtime is started |
/// | `#[axum::debug_handler]` | either |
/// | `#[must_use]`, `#[deprecated]`, `#[inline]`, docs, lints | either |
/// | `#[track_caller]` | not together |
///
/// ## Tools of a framework
///
/// Where a `#[tool(..)]` or `#[rig_tool(..)]` stands below `#[guarded]`, or in a guarded block, its `name`
/// is the tool's name, and its annotations are its effect: `read_only_hint = true` is `read`,
/// `destructive_hint = true` is `destructive`, `destructive_hint = false` is `mutating`. An explicit key
/// comes first; an `effect` that contradicts the annotations does not compile, because callers would be
/// told the opposite of what is checked. Above `#[guarded]` it has already run and cannot be seen: then
/// the name is the function's, and the effect is what `effect` says.
///
/// Outputs of rmcp and axum carry a denial with the features of those names. A rig tool shows its model
/// the reason with `on_denied`, since rig keeps the text of other errors back:
/// `on_denied = |denial| Err(ToolExecutionError::refused(denial.to_string()))`.
///
/// # Supported functions
///
/// | function | when the check is made |
/// |---|---|
/// | `fn` | on the call; the thread is parked meanwhile |
/// | `async fn`, also in traits | when the future is first polled |
/// | `fn .. -> Pin<Box<dyn Future>>`, `BoxFuture`, and what `#[async_trait]` and `#[tool]` leave behind | when the future is first polled; **all** of the body runs inside it |
/// | `fn .. -> impl Future` | when the future is first polled; **all** of the body runs inside it |
///
/// | of any of them | |
/// |---|---|
/// | free functions, methods with every form of `self`, default methods of traits, trait impls | yes |
/// | recursion | yes; each call is checked |
/// | type parameters, constants, `where`, `impl Trait` as argument and result | yes |
/// | borrowed arguments, borrowed results, `&mut`, named lifetimes | yes |
/// | patterns, `mut`, `ref`, `@`, `_`, `#[cfg]` on parameters | yes |
/// | `unsafe fn`, `extern "C" fn` | yes |
/// | `#![..]` inside the body; names of yours that hide `Ok`, `Result`, `std`, `agenttrust` | yes |
/// | a module with `#![no_implicit_prelude]` | yes, but an argument of a type of your own has no `destructive`, `admin` or `input(..)` there |
///
/// | not supported | instead |
/// |---|---|
/// | `const fn` | remove `const`: no Guardian can be asked while the program is built |
/// | `-> !` | return a `Result`, and diverge in the caller |
/// | nothing returned, or what cannot carry a denial | return a `Result`, or say what to do with `on_denied` |
/// | `#[track_caller]` | take a `&'static Location<'static>` |
/// | a method without a body | guard its implementations, or give it a body |
/// | a future inside of another output, or a hand-written future type | `async fn`, `Pin<Box<dyn Future>>`, `impl Future` |
/// | a `'static` future from borrowed arguments, or one that is `Send` from arguments that are not | take owned values (`self: Arc<Self>`), or give the future a lifetime |
/// | a type alias of a boxed future | write `Pin<Box<dyn Future<Output = ..>>>` out: behind an alias the check is made on the call, and the report too |
/// | C-variadic functions | take a slice |
/// | a `trait`, a `mod`, any other item | guard the functions inside |
///
/// # What a program can do
///
/// Every guarded function is known from the moment the program is linked, with its effect, scopes,
/// captured arguments and place: `agenttrust::tools()` lists them, `agenttrust::manifest()` writes them
/// as JSON, and a Guardian that is given this document goes by it. A function that is generic, or a
/// method of a generic type, is one tool.
///
/// ## Every effect declared
///
/// The list tells an effect that is declared, by [`effect`](#effect) or by the
/// [annotations of a framework](#tools-of-a-framework), from one that the Guardian has to guess, which is
/// `None`. So a test keeps guesses out of a program:
///
/// ```standalone_crate
/// # use agenttrust::{AgentTrustError, guarded};
/// #[guarded(effect = "read")]
/// fn list_files(folder: &str) -> Result<(), AgentTrustError> {
///     # let _ = folder;
///     Ok(())
/// }
///
/// // With `#[test]`, beside the other tests of the program.
/// fn every_tool_declares_its_effect() {
///     let mut tools = agenttrust::tools().expect("no two tools contradict each other");
///     tools.retain(|tool| tool.effect.is_none());
///     assert!(tools.is_empty(), "without an effect: {tools:#?}");
/// }
/// # every_tool_declares_its_effect();
/// ```
///
/// It sees what is linked into the test, libraries included. At run time, a guard built with
/// `require_effect(true)` refuses such calls, and a policy can hold or deny what rests on a guess
/// (`context.confidence`).
///
/// # What it costs
///
/// Beside `#[tracing::instrument]`, measured in one run by `scripts/cost-of-guarded`: the future of an
/// async function with an argument of 1 KiB, and the processor time (median of 5) that the compiler takes
/// for 500 functions of three arguments. Two cores, rustc 1.95, debug profile, no incremental build.
///
/// | | future | `cargo check` | `cargo build` |
/// |---|---|---|---|
/// | bare | 2,050 bytes | 1.5 s | 2.9 s |
/// | `#[tracing::instrument]` | 3,168 bytes | 4.7 s | 8.2 s |
/// | `#[guarded(effect = "read")]` | 3,176 bytes | 4.8 s (1.01 ×) | 8.9 s (1.08 ×) |
/// | `#[guarded(effect = "destructive")]` | 3,176 bytes | 4.9 s (1.04 ×) | 9.1 s (1.11 ×) |
///
/// An argument that the body changes (`mut`), and all that follow one which the body does not use, are
/// kept once more. Each check costs one allocation beside its own work.
///
/// # What it expands to
///
/// This function:
///
/// ```
/// # use agenttrust::{AgentTrustError, guarded};
/// # struct Db;
/// # impl Db {
/// #     async fn delete(&self, _: &str) -> Result<u64, AgentTrustError> {
/// #         Ok(1)
/// #     }
/// # }
/// #[guarded(effect = "destructive", scopes("db:write"), skip(db))]
/// async fn delete_rows(db: &Db, table: String) -> Result<u64, AgentTrustError> {
///     db.delete(&table).await
/// }
/// ```
///
/// becomes this one, but for the paths to what is named and a prefix that keeps our names apart from
/// everybody's:
///
/// ```text
/// async fn delete_rows(db: &Db, table: String) -> Result<u64, AgentTrustError> {
///     inventory::submit! {
///         GuardedFunction {
///             tool: "delete_rows",
///             effect: Some(Effect::Destructive),
///             scopes: &["db:write"],
///             arguments: &[GuardedArgument { name: "table", schema: schema!(String) }],
///             module: module_path!(),
///             file: file!(),
///             line: 2u32,
///         }
///     }
///     let permit = match {
///         let guard = None;
///         let input = {
///             #[allow(unused_imports)]
///             use {
///                 CaptureExtractor as _, CaptureOpaque as _, CaptureSerialize as _,
///                 OriginCaller as _, OriginFramework as _
///             };
///             #[allow(unused_mut)]
///             let mut capture = InputCapture::new();
///             { InputCapture::add(&mut capture, "table", Some(exact(&table))); }
///             capture
///         };
///         let action = Action::new("delete_rows")
///             .effect(Effect::Destructive)
///             .scope("db:write")
///             .captured(Clone::clone(&input));
///         let decision = authorize(guard, action).await;
///         unchanged(decision, &input, || {
///             #[allow(unused_imports)]
///             use {
///                 CaptureExtractor as _, CaptureOpaque as _, CaptureSerialize as _,
///                 OriginCaller as _, OriginFramework as _
///             };
///             #[allow(unused_mut)]
///             let mut capture = InputCapture::new();
///             { InputCapture::add(&mut capture, "table", Some(exact(&table))); }
///             capture
///         })
///     } {
///         Ok(permit) => permit,
///         Err(error) => return <Result<u64, AgentTrustError> as FromDenial>::from_denial(error),
///     };
///     let output: Result<u64, AgentTrustError> = async move {
///         if let Some(output) = None::<Result<u64, AgentTrustError> > {
///             return output;
///         }
///         let _ = &table;
///         let _ = &db;
///         #[allow(clippy::diverging_sub_expression)]
///         let output: Result<u64, AgentTrustError> = {
///             db.delete(&table).await
///         };
///         #[allow(unreachable_code, clippy::implicit_return)]
///         output
///     }.await;
///     let outcome = {
///         use {OutcomeAssumed as _, OutcomeKnown as _};
///         (&OutcomeProbe(&output)).outcome()
///     };
///     Permit::finish_with(permit, outcome);
///     #[allow(clippy::implicit_return)]
///     output
/// }
/// ```
///
/// A call that is dropped or panics while it runs is reported as such, by the permit.
#[proc_macro_attribute]
pub fn guarded(arguments: TokenStream, item: TokenStream) -> TokenStream {
    guarded::guarded(arguments.into(), item.into()).into()
}
