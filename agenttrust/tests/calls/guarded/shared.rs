//! What was checked is what runs, whatever the effect: an argument that others can change is looked at
//! once more just before the body.

use std::sync::Mutex;

use serde::{Serialize, Serializer};

use super::*;

/// A file that others can put another name on.
#[derive(Clone)]
struct Shared(Arc<Mutex<String>>);

impl Shared {
    fn new() -> Self {
        Self(Arc::new(Mutex::new("draft.md".to_owned())))
    }

    fn name(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn rename(&self) {
        *self.0.lock().unwrap() = "contract.pdf".to_owned();
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

#[guarded]
async fn undeclared(file: Shared) -> Output<String> {
    Ok(file.name())
}

#[guarded(effect = "read")]
async fn read(file: &Shared) -> Output<String> {
    Ok(file.name())
}

#[guarded(effect = "mutating", input(file))]
async fn mutating(file: &Shared, times: u32) -> Output<String> {
    Ok(file.name().repeat(times as usize))
}

#[guarded(effect = "destructive")]
async fn destructive(file: Shared) -> Output<String> {
    Ok(file.name())
}

#[guarded]
fn sync(file: &Shared) -> Output<String> {
    Ok(file.name())
}

#[guarded]
fn boxed(file: Shared) -> Pin<Box<dyn Future<Output = Output<String>> + Send>> {
    let name = file.name();
    Box::pin(async move { Ok(name) })
}

#[guarded(effect = "read")]
fn deferred(file: Shared) -> impl Future<Output = Output<String>> {
    let name = file.name();
    async move { Ok(name) }
}

struct Printer;

#[guarded]
impl Printer {
    async fn print(&self, file: Shared) -> Output<String> {
        Ok(file.name())
    }
}

/// Calls it once with a file that stays, and once with one that changes while the check is on its way.
async fn runs_only_with_what_was_checked<F>(call: impl Fn(Shared) -> F)
where
    F: Future<Output = Output<String>>,
{
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let file = Shared::new();
    assert_eq!(guard.scope(call(file.clone())).await.unwrap(), "draft.md");

    let renamed = file.clone();
    let rename = Arc::new(move || renamed.rename());
    scripted.now_says([Say::Meanwhile(rename, Box::new(Say::allowed()))]);
    let denied = guard.scope(call(file.clone())).await.expect_err("another file would be used");
    assert_eq!(file.name(), "contract.pdf");
    assert_eq!(denied.code(), "ACTION_DENIED");
    assert!(denied.to_string().contains("`file` changed after it was checked"), "{denied}");
    guard.flush().await.unwrap();
    assert_eq!(scripted.events()[1].0["error_type"], "InputChanged");
    assert!(scripted.checks()[1].1["action_input_summary"].to_string().contains("draft.md"));
}

#[tokio::test]
async fn a_call_whose_input_changed_after_it_was_checked_does_not_run_whatever_its_effect() {
    runs_only_with_what_was_checked(undeclared).await;
    runs_only_with_what_was_checked(|file| async move { read(&file).await }).await;
    runs_only_with_what_was_checked(|file| async move { mutating(&file, 1).await }).await;
    runs_only_with_what_was_checked(destructive).await;
}

#[tokio::test]
async fn a_call_whose_input_changed_after_it_was_checked_does_not_run_whatever_its_shape() {
    runs_only_with_what_was_checked(|file| async move { sync(&file) }).await;
    runs_only_with_what_was_checked(boxed).await;
    runs_only_with_what_was_checked(deferred).await;
    runs_only_with_what_was_checked(|file| Printer.print(file)).await;
}

#[guarded(effect = "read", skip(file))]
async fn skipped(file: &Shared) -> Output<String> {
    Ok(file.name())
}

#[tokio::test]
async fn an_argument_that_is_left_out_may_change() {
    let file = Shared::new();
    let renamed = file.clone();
    let rename = Arc::new(move || renamed.rename());
    let scripted = Scripted::says([Say::Meanwhile(rename, Box::new(Say::allowed()))]);
    assert_eq!(guard(&scripted).scope(skipped(&file)).await.unwrap(), "contract.pdf");
}
