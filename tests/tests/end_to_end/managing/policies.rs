//! Policies are read, replaced all or nothing, and read from their folder again.

use agenttrust::model::{PolicyEffect, PolicyFile, PolicyLimitPer, PolicySource};
use agenttrust::{AgentTrustClient, AgentTrustError};
use agenttrust_guardian::Guardian;
use agenttrust_tests::bounded::{here, on_a_plain_thread};
use agenttrust_tests::socket::Socket;
use anyhow::{Context, Result};

use super::{People, assert_forbidden, assert_held, assert_status};

const ADMIN_KEY: &str = "sk_live_admin_of_policies";

const NIGHT: &str = r#"@id("closed") @reason("closed for the night") @elevate @quorum("2") @window("10m")
forbid (principal, action, resource == Tool::"search");
@id("rest") @limit("60/1m per session") permit (principal, action, resource);
@id("trial") @shadow forbid (principal, action, resource);"#;

in_every_form! {
    fn policies_are_read_and_replaced_all_or_nothing(people) {
        let before = done!(people.admin.policies().get())?;
        assert_eq!(before.source, PolicySource::BuiltIn);
        assert!(!before.policies.is_empty() && before.error.is_none() && before.loaded_at.is_some());
        let check = people.check_of("search");
        assert!(done!(people.agent.actions().check(&check))?.allowed);

        let files = [PolicyFile::new("night.cedar", NIGHT)];
        let now = done!(people.admin.policies().put(&files))?;
        assert_eq!(now.source, PolicySource::Api);
        assert_ne!(now.sha256, before.sha256);
        let held = done!(people.agent.actions().check(&check))?;
        assert_held(&held, "closed for the night");
        let read = done!(people.operator.policies().get())?;
        assert_eq!(read.sha256, now.sha256);
        let policy = |id: &str| read.policies.iter().find(|policy| policy.id == id).unwrap();
        let (closed, rest, trial) = (policy("closed"), policy("rest"), policy("trial"));
        assert_eq!((closed.effect, &*closed.place), (PolicyEffect::Forbid, "night.cedar:1:1"));
        assert_eq!(closed.reason.as_deref(), Some("closed for the night"));
        let elevate = closed.elevate.as_ref().unwrap();
        assert_eq!((elevate.quorum, elevate.window_seconds, elevate.single_use), (2, 600, false));
        assert_eq!((rest.effect, rest.shadow), (PolicyEffect::Permit, false));
        let limit = rest.limit.as_ref().unwrap();
        assert_eq!((limit.most, limit.within_seconds, limit.per), (60, 60, PolicyLimitPer::Session));
        assert!(trial.shadow && trial.would_have_changed.is_some());

        let files = [files[0].clone(), PolicyFile::new("bad.cedar", "\npermit (principal action);")];
        let error = done!(people.admin.policies().put(&files)).unwrap_err();
        assert!(matches!(error, AgentTrustError::Validation { status: 400, .. }), "{error:?}");
        assert!(error.to_string().starts_with("bad.cedar:2:"), "{error}");
        assert_eq!(done!(people.admin.policies().get())?.sha256, now.sha256);
    }

    fn those_who_may_not_change_policies_do_not(people) {
        let files = [PolicyFile::new("night.cedar", NIGHT)];
        assert_forbidden(done!(people.agent.policies().get()));
        assert_forbidden(done!(people.agent.policies().put(&files)));
        assert_forbidden(done!(people.agent.policies().reload()));
        assert_forbidden(done!(people.operator.policies().put(&files)));
        assert_eq!(done!(people.admin.policies().get())?.source, PolicySource::BuiltIn);
        // Of this Guardian there is no folder.
        assert_status(done!(people.admin.policies().reload()), 409);
    }
}

#[test]
fn folder_is_read_again_when_it_is_asked_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.cedar");
    let text = |id: &str| format!(r#"@id("{id}") permit (principal, action, resource);"#);
    std::fs::write(&file, text("first"))?;
    let policies = folder.path().to_owned();
    let told = move |client: AgentTrustClient| -> Result<()> {
        let blocking = agenttrust::blocking::AgentTrustClient::from(client.clone());
        std::fs::write(&file, text("async"))?;
        let now = here(client.policies().reload())?;
        assert_eq!(now.source, PolicySource::Folder);
        assert_eq!(now.folder.as_deref(), folder.path().to_str());
        assert!(now.policies.iter().any(|policy| policy.id == "async"), "{now:?}");
        std::fs::write(&file, text("blocking"))?;
        let now = blocking.policies().reload()?;
        assert!(now.policies.iter().any(|policy| policy.id == "blocking"), "{now:?}");

        std::fs::write(&file, "permit (principal action);")?;
        assert_status(here(client.policies().reload()), 409);
        assert_status(blocking.policies().reload(), 409);
        let kept = here(client.policies().get())?;
        assert_eq!(kept.sha256, now.sha256);
        let error = kept.error.expect("it says what is wrong");
        assert!(error.file.ends_with("a.cedar"), "{error:?}");
        assert_eq!(error.line, Some(1));
        assert!(error.message.contains("a.cedar:1:"), "{error:?}");
        Ok(())
    };
    on_a_plain_thread(move || {
        let settings = Guardian::builder().admin_key(ADMIN_KEY).policies(&policies);
        let guardian = settings.build_blocking()?;
        told(guardian.client_with_key(ADMIN_KEY)?).context("embedded")?;
        let socket = Socket::serve(guardian.router())?;
        let served = AgentTrustClient::builder().base_url(socket.url()).api_key(ADMIN_KEY);
        told(served.build()?).context("over a socket")
    })
}
