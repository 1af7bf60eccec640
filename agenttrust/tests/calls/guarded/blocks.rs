//! `#[guarded]` on an `impl` block: every method runs behind the check, by the block's keys or its own.

use super::*;

#[derive(Default)]
struct Files {
    steps: Arc<Steps>,
    guard: Option<AgentTrustGuard>,
}

#[guarded(effect = "read", skip(steps, self))]
impl Files {
    const KIND: &'static str = "files";

    async fn list(&self, folder: &str) -> Output<String> {
        self.steps.step();
        Ok(format!("{} of {folder}", Self::KIND))
    }

    fn count(&mut self, steps: &Steps, depth: u32) -> Output {
        steps.step();
        Ok(depth + self.steps.step())
    }

    #[guarded(effect = "destructive", tool = "files_delete")]
    async fn delete(&self, path: String) -> Output {
        assert_eq!(path, "a.txt");
        Ok(self.steps.step())
    }

    #[guarded(skip_all)]
    fn search(&self, query: &str) -> Output {
        assert_eq!(query, "secret");
        Ok(self.steps.step())
    }

    #[guarded(guard = self.guard.as_ref().unwrap(), on_denied = |_| 0)]
    fn sized(&self) -> u32 {
        self.steps.step()
    }

    fn boxed<'a>(&'a self, more: u32) -> Pin<Box<dyn Future<Output = Output> + Send + 'a>> {
        let first = self.steps.step();
        Box::pin(async move { Ok(first + more) })
    }

    fn without_self(steps: &Steps) -> Output {
        Ok(steps.step())
    }

    #[guarded(skip)]
    fn new(steps: Arc<Steps>) -> Self {
        steps.step();
        Self { steps, guard: None }
    }
}

#[tokio::test]
async fn every_method_of_a_guarded_block_runs_behind_the_check() {
    nothing_but_a_permission_runs(|steps| async move {
        Files { steps, guard: None }.list("home").await
    })
    .await;
    nothing_but_a_permission_runs(|steps| async move {
        Files { steps: Arc::clone(&steps), guard: None }.count(&steps, 1)
    })
    .await;
    nothing_but_a_permission_runs(|steps| async move {
        Files { steps, guard: None }.delete("a.txt".to_owned()).await
    })
    .await;
    nothing_but_a_permission_runs(
        |steps| async move { Files { steps, guard: None }.search("secret") },
    )
    .await;
    nothing_but_a_permission_runs(
        |steps| async move { Files { steps, guard: None }.boxed(1).await },
    )
    .await;
    nothing_but_a_permission_runs(|steps| async move { Files::without_self(&steps) }).await;
}

#[tokio::test]
async fn a_method_without_keys_has_those_of_its_block() {
    let check = check_of(async { Files::default().list("home").await }).await;
    assert_eq!(check["action_name"], "list");
    assert_eq!(check["action_effect"], "read");
    assert_eq!(check["action_input_summary"], r#"{"folder":"home"}"#);
    // `skip(steps)` holds where there are steps, and nowhere else.
    let check = check_of(async { Files::default().count(&Steps::default(), 3) }).await;
    assert_eq!(check["action_input_summary"], r#"{"depth":3}"#);
}

#[tokio::test]
async fn a_method_overrides_its_block_key_by_key() {
    let check = check_of(async { Files::default().delete("a.txt".to_owned()).await }).await;
    assert_eq!(check["action_name"], "files_delete");
    assert_eq!(check["action_effect"], "destructive");
    assert_eq!(check["action_input_summary"], r#"{"path":"a.txt"}"#);
    let check = check_of(async { Files::default().search("secret") }).await;
    assert_eq!(check["action_effect"], "read");
    assert!(!check.to_string().contains("secret"), "{check}");
}

struct Scoped;

#[guarded(scopes("files:read"))]
impl Scoped {
    fn by_default(&self) -> Output<()> {
        Ok(())
    }

    #[guarded(scopes("files:write", "files:admin"))]
    fn by_itself(&self) -> Output<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_scopes_of_a_method_replace_those_of_its_block() {
    let answer = json!({ "allowed": true, "check_id": "chk_1" });
    let enforced = vec![("agenttrust-enforced", "scopes")];
    let scripted = Scripted::says([Say::Answer(200, enforced, answer)]);
    let calls = async { (Scoped.by_default().unwrap(), Scoped.by_itself().unwrap()) };
    guard(&scripted).scope(calls).await;
    let scopes: Vec<_> = scripted
        .checks()
        .iter()
        .map(|(headers, _)| headers["agenttrust-scopes"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(scopes[0], "files:read");
    assert!(scopes[1].contains("files:write") && !scopes[1].contains("files:read"), "{scopes:?}");
}

#[tokio::test]
async fn a_method_that_is_left_out_asks_nobody() {
    let scripted = Scripted::says([]);
    let steps = Arc::new(Steps::default());
    let files = guard(&scripted).scope(async { Files::new(Arc::clone(&steps)) }).await;
    assert_eq!((files.steps.taken(), scripted.checks().len()), (1, 0));
}

#[tokio::test]
async fn a_method_has_its_own_guard_and_its_own_denial() {
    let refuses = Scripted::says([Say::denied()]);
    let files = Files { steps: Arc::default(), guard: Some(guard(&refuses)) };
    assert_eq!((files.sized(), files.steps.taken()), (0, 0));
    let allows = Scripted::says([Say::allowed()]);
    let files = Files { steps: Arc::default(), guard: Some(guard(&allows)) };
    assert_eq!((files.sized(), files.steps.taken()), (1, 1));
}

trait Tool {
    type Input;
    async fn call(&self, input: Self::Input) -> Output;
    fn name(&self) -> &'static str;
}

struct Mail<T>(Arc<Steps>, T);

#[guarded(effect = "mutating")]
impl<T: Clone + serde::Serialize> Tool for Mail<T> {
    type Input = String;

    async fn call(&self, input: String) -> Output {
        assert_eq!(input, "hello");
        Ok(self.0.step())
    }

    #[guarded(skip)]
    fn name(&self) -> &'static str {
        "mail"
    }
}

#[async_trait::async_trait]
trait Dyn: Sync {
    async fn call(&self, input: String) -> Output;
}

#[async_trait::async_trait]
#[guarded]
impl Dyn for Mail<u8> {
    async fn call(&self, input: String) -> Output {
        assert_eq!(input, "hello");
        Ok(self.0.step())
    }
}

#[guarded]
#[async_trait::async_trait]
impl Dyn for Mail<u16> {
    async fn call(&self, input: String) -> Output {
        assert_eq!(input, "hello");
        Ok(self.0.step())
    }
}

#[tokio::test]
async fn the_methods_of_a_guarded_trait_impl_run_behind_the_check() {
    nothing_but_a_permission_runs(|steps| async move {
        let mail = Mail(steps, "typed");
        assert_eq!(mail.name(), "mail");
        Tool::call(&mail, "hello".to_owned()).await
    })
    .await;
    nothing_but_a_permission_runs(|steps| async move {
        let mail: Box<dyn Dyn> = Box::new(Mail(steps, 0_u8));
        mail.call("hello".to_owned()).await
    })
    .await;
    nothing_but_a_permission_runs(|steps| async move {
        let mail: Box<dyn Dyn> = Box::new(Mail(steps, 0_u16));
        mail.call("hello".to_owned()).await
    })
    .await;
}
