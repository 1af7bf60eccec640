//! What is asked: tool, effect, scopes, and the captured arguments.

use super::*;

#[guarded(tool = "db_delete", effect = "destructive", scopes("db:write", "db:admin"), skip(steps))]
async fn delete(steps: &Steps, table: &str, mut ids: Vec<u32>) -> Output {
    ids.clear();
    assert_eq!(table, "users");
    Ok(steps.step())
}

#[tokio::test]
async fn the_check_names_tool_effect_scopes_and_captured_arguments() {
    let answer = json!({ "allowed": true, "check_id": "chk_1" });
    let enforced = vec![("agenttrust-enforced", "digest, scopes")];
    let scripted = Scripted::says([Say::Answer(200, enforced, answer)]);
    guard(&scripted).scope(delete(&Steps::default(), "users", vec![7, 9])).await.unwrap();
    let (headers, check) = scripted.checks().remove(0);
    assert_eq!(check["action_name"], "db_delete");
    assert_eq!(check["action_effect"], "destructive");
    assert_eq!(check["action_input_summary"], r#"{"ids":[7,9],"table":"users"}"#);
    assert!(headers.contains_key("agenttrust-input-digest"));
    let scopes = headers["agenttrust-scopes"].to_str().unwrap();
    assert!(scopes.contains("db:write") && scopes.contains("db:admin"), "{scopes}");
}

#[tokio::test]
async fn the_tool_is_named_after_the_function_and_its_effect_left_to_the_guardian() {
    let check = check_of(async { r#match(1) }).await;
    assert_eq!(check["action_name"], "match");
    assert_eq!(check.get("action_effect"), None);
    assert_eq!(check["action_input_summary"], r#"{"type":1}"#);
}

#[guarded]
fn r#match(r#type: u32) -> Output {
    Ok(r#type)
}

#[derive(serde::Serialize)]
struct Request {
    path: String,
    mode: (u32, u32),
}

/// A handle of this program, named like those of frameworks.
struct State(&'static str);
struct CallContext;

#[guarded]
#[allow(clippy::too_many_arguments)]
async fn every_pattern(
    Request { path, mode: (mut a, b @ 0..) }: Request,
    [first, ..]: [u32; 2],
    _: String,
    _steps: &Steps,
    State(name): State,
    _context: &CallContext,
    mut list: Vec<u32>,
    (ref kept, _): (u32, u32),
) -> Output<String> {
    a += 1;
    list.push(first);
    Ok(format!("{path} {a} {b} {name} {list:?} {kept}"))
}

#[tokio::test]
async fn what_a_pattern_binds_is_captured_and_handles_are_not() {
    let scripted = Scripted::says([Say::allowed()]);
    let request = Request { path: "a.txt".into(), mode: (1, 2) };
    let steps = Steps::default();
    let call = every_pattern(
        request,
        [3, 4],
        "unseen".into(),
        &steps,
        State("s"),
        &CallContext,
        vec![],
        (5, 6),
    );
    assert_eq!(guard(&scripted).scope(call).await.unwrap(), "a.txt 2 2 s [3] 5");
    assert_eq!(
        scripted.checks()[0].1["action_input_summary"],
        r#"{"a":1,"b":2,"first":3,"kept":5,"list":[],"name":"s","path":"a.txt"}"#
    );
}

#[guarded(input(path))]
fn only_the_path(path: &str, content: &str) -> Output<usize> {
    Ok(path.len() + content.len())
}

#[guarded(skip_all)]
fn nothing_captured(path: &str) -> Output<usize> {
    Ok(path.len())
}

#[tokio::test]
async fn input_and_skip_all_choose_what_is_captured() {
    let check = check_of(async { only_the_path("a.txt", "secret") }).await;
    assert_eq!(check["action_input_summary"], r#"{"path":"a.txt"}"#);
    let check = check_of(async { nothing_captured("a.txt") }).await;
    assert_eq!(check.get("action_input_summary"), None);
}

#[guarded]
fn counted<T: serde::Serialize, U>(
    known: T,
    _unknown: U,
    any: impl serde::Serialize,
) -> Output<()> {
    let _ = (known, any);
    Ok(())
}

#[tokio::test]
async fn in_a_generic_function_capture_goes_by_the_bounds_that_were_written() {
    let check = check_of(async { counted(1, 2, "three") }).await;
    assert_eq!(
        check["action_input_summary"],
        r#"{"<T>":"i32","<U>":"i32","any":"three","known":1}"#
    );
}

#[guarded]
fn map(entries: &HashMap<(u8, u8), u8>, steps: &Steps) -> Output {
    assert!(!entries.is_empty());
    Ok(steps.step())
}

#[tokio::test]
async fn an_argument_without_json_form_blocks_the_call_and_is_named() {
    let scripted = Scripted::says([Say::allowed()]);
    let steps = Steps::default();
    let entries = HashMap::from([((1, 2), 3)]);
    let error = guard(&scripted).scope_sync(|| map(&entries, &steps)).unwrap_err();
    assert!(error.to_string().contains("`entries`"), "{error}");
    assert_eq!(steps.taken(), 0);
}

#[guarded]
fn factorial(n: u32) -> Output {
    if n == 0 { Ok(1) } else { Ok(n * factorial(n - 1)?) }
}

#[guarded]
async fn countdown(n: u32) -> Output {
    if n == 0 { Ok(0) } else { Box::pin(countdown(n - 1)).await }
}

#[tokio::test]
async fn every_call_of_a_recursive_function_is_checked() {
    let scripted = Scripted::says([Say::allowed()]);
    assert_eq!(guard(&scripted).scope_sync(|| factorial(3)).unwrap(), 6);
    assert_eq!(scripted.checks().len(), 4);

    let scripted = Scripted::says([Say::allowed(), Say::allowed(), Say::denied()]);
    guard(&scripted).scope(countdown(5)).await.unwrap_err();
    assert_eq!(scripted.checks().len(), 3);
}

#[guarded(effect = "destructive")]
async fn delete_shared(target: &std::sync::Mutex<String>) -> Output<String> {
    Ok(target.lock().unwrap().clone())
}

#[tokio::test]
async fn a_destructive_call_whose_input_changed_after_it_was_checked_does_not_run() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let target = std::sync::Mutex::new("/tmp/safe".to_owned());
    let output = guard.scope(delete_shared(&target)).await.unwrap();
    assert_eq!(output, "/tmp/safe");

    // Changed between the check and the body: while the Guardian is being asked.
    let mut call = std::pin::pin!(guard.scope(delete_shared(&target)));
    scripted.now_says([Say::Pause(Box::new(Say::allowed()))]);
    let once =
        std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending()));
    assert!(once.await);
    *target.lock().unwrap() = "/etc/passwd".to_owned();
    let denied = call.await.unwrap_err();
    assert_eq!(denied.code(), "ACTION_DENIED");
    assert!(denied.to_string().contains("changed after it was checked"), "{denied}");
    guard.flush().await.unwrap();
    assert_eq!(scripted.events()[1].0["error_type"], "InputChanged");
}

#[guarded(effect = "destructive")]
async fn drop_table<T, const N: usize>() -> Output<()> {
    Ok(())
}

#[tokio::test]
async fn what_a_function_is_generic_over_is_part_of_its_input() {
    let users = check_of(drop_table::<String, 1>()).await;
    let drafts = check_of(drop_table::<Vec<u8>, 1>()).await;
    assert_eq!(users["action_input_summary"], r#"{"<N>":1,"<T>":"alloc::string::String"}"#);
    assert_ne!(users["action_input_summary"], drafts["action_input_summary"]);
}

macro_rules! two_of_one_name {
    ($target:ident) => {
        #[guarded(effect = "destructive")]
        async fn copy_delete(path: &str, $target: &str) -> Output<String> {
            Ok(format!("{path} {}", $target))
        }
    };
}
two_of_one_name!(path);

#[tokio::test]
async fn two_arguments_of_one_name_are_refused_because_one_would_hide_the_other() {
    let scripted = Scripted::says([Say::allowed()]);
    let denied = guard(&scripted).scope(copy_delete("/tmp/safe", "/etc/passwd")).await.unwrap_err();
    assert_eq!(denied.code(), "VALIDATION_ERROR");
}

/// An extractor as those of axum are: not `Serialize`, and giving access to what is inside.
struct Json<T>(T);

impl<T> std::ops::Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that a framework hands in.
struct RequestId(u32);

impl agenttrust::__private::HandedIn for RequestId {}

use RequestId as Number;

#[guarded]
async fn extracted(file: Json<Vec<u32>>, handle: Json<Steps>, Number(id): Number) -> Output {
    handle.step();
    Ok(file[0] + id)
}

#[tokio::test]
async fn an_extractor_by_a_plain_name_is_looked_into_and_what_is_handed_in_left_out() {
    let call = extracted(Json(vec![7]), Json(Steps::default()), RequestId(1));
    let check = check_of(call).await;
    assert_eq!(check["action_input_summary"], r#"{"file":[7]}"#);
}
