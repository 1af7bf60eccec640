//! The guide's examples without `.await`, as the guide prints them, and what their comments say.

use std::time::Duration;

use agenttrust::blocking::{AgentTrustClient, AgentTrustGuard};
use agenttrust::client::TaskFilter;
use agenttrust::model::{A2ATaskStatus, TaskState};
use agenttrust::{
    ActionCheckRequest, Agent, AgentTrustError, ApprovalStatus, Effect, InitSessionRequest,
    IntrospectTokenRequest, IssueTokenRequest, SendTaskRequest, SessionMode,
};
use agenttrust_guardian::Role;
use agenttrust_tests::bounded::here;
use agenttrust_tests::test_guardian::{TestGuardian, bot};
use anyhow::{Context, Result, bail};

/// An agent and its clients, as code without a runtime has them.
struct BlockingAgent {
    agent: Agent,
    client: AgentTrustClient,
    approver: AgentTrustClient,
}

impl BlockingAgent {
    fn new(guardian: &TestGuardian, capabilities: &[&str]) -> Result<Self> {
        let test_agent = here(guardian.test_agent(capabilities))?;
        let (client, approver) = (test_agent.client.into(), test_agent.approver.into());
        Ok(Self { agent: test_agent.agent, client, approver })
    }

    fn guard(&self) -> AgentTrustGuard {
        AgentTrustGuard::new(self.client.clone(), &self.agent.id)
    }
}

pub(super) fn section_3_an_agent_is_created_listed_and_revoked_for_good(
    guardian: &TestGuardian,
) -> Result<()> {
    let client = admin(guardian)?;
    let agent = client.agents().create(&bot(&["web:search", "files:read"]))?;
    assert!(!agent.id.is_empty());
    assert_eq!(agent.status, "active");
    assert_eq!((&*agent.name, &*agent.framework), ("research-bot", "langchain"));
    assert_eq!(agent.capabilities, ["web:search", "files:read"]);
    let private_key = agent.private_key.as_ref().context("the key pair is made in the client")?;
    assert!(private_key.as_pem().contains("PRIVATE KEY"));
    assert!(agent.public_key.contains("PUBLIC KEY"));

    let agents = client.agents().list()?;
    let listed = agents.iter().find(|listed| listed.id == agent.id).context("it is listed")?;
    assert_eq!(listed.public_key, agent.public_key);

    // Revoke an agent (immediate, cannot be undone)
    let guard = AgentTrustGuard::new(client.clone(), &agent.id);
    guard.check_with_effect("web_search", "AI news", "read")?;
    client.agents().revoke(&agent.id, "compromised")?;
    let denied = guard.check_with_effect("web_search", "AI news", "read");
    assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })), "{denied:?}");
    assert_eq!(client.agents().get(&agent.id)?.status, "revoked");
    Ok(())
}

pub(super) fn section_4_a_token_is_issued_cached_introspected_and_revoked(
    guardian: &TestGuardian,
) -> Result<()> {
    let BlockingAgent { agent, client, .. } =
        BlockingAgent::new(guardian, &["web:search", "files:read"])?;
    let request = IssueTokenRequest {
        agent_id: agent.id.clone(),
        scope: vec!["files:read".to_string()],
        audience: vec![],
        ttl: 300,
    };
    let token = client.tokens().issue(&request)?;
    // Opaque, not a JWT.
    assert!(token.token.starts_with("at_") && !token.token.contains('.'));
    assert_eq!(token.scopes, ["files:read"]);
    // Tokens are cached by default.
    assert_eq!(client.tokens().issue(&request)?.token, token.token);

    let question = IntrospectTokenRequest {
        token: token.token.clone(),
        target: Some("mcp://filesystem".to_string()),
        required_scopes: vec![],
    };
    let result = client.tokens().introspect(&question)?;
    assert!(result.active);
    assert_eq!(result.agent_id.as_deref(), Some(&*agent.id));
    assert_eq!(result.scopes, ["files:read"]);
    let more = IntrospectTokenRequest {
        required_scopes: vec!["web:search".to_string()],
        ..question.clone()
    };
    assert!(!client.tokens().introspect(&more)?.active);

    client.tokens().revoke(&token.token, "done")?;
    assert!(!client.tokens().introspect(&question)?.active);
    assert_ne!(client.tokens().issue(&request)?.token, token.token);
    Ok(())
}

pub(super) fn section_5_a_check_is_answered_by_its_effect_or_else_by_its_name(
    guardian: &TestGuardian,
) -> Result<()> {
    let BlockingAgent { agent, client, .. } =
        BlockingAgent::new(guardian, &["web:search", "db:delete"])?;
    let request = ActionCheckRequest {
        agent_id: agent.id.clone(),
        action: "tool_call".to_string(),
        tool_name: "web_search".to_string(),
        tool_input_summary: "AI safety papers".to_string(),
        session_id: "sess-abc".to_string(),
        action_effect: Some("read".to_string()),
    };
    let result = client.actions().check(&request)?;
    assert!(result.allowed);
    assert!(result.check_id.is_some());
    assert_eq!(result.confidence, Some(0.9));
    assert_eq!(result.guard_tier.as_deref(), Some("fast"));
    assert_ne!(result.elevation_required, Some(true));

    // If omitted, the backend auto-classifies based on the tool name.
    let by_name = ActionCheckRequest {
        tool_name: "db_delete".to_string(),
        action_effect: None,
        ..request.clone()
    };
    let result = client.actions().check(&by_name)?;
    assert!(!result.allowed);
    assert_eq!(result.confidence, Some(0.6));
    assert_eq!(result.elevation_required, Some(true));
    assert!(result.approval_id.is_some());

    for (effect, allowed) in
        [("read", true), ("mutating", true), ("destructive", false), ("admin", false)]
    {
        let hinted =
            ActionCheckRequest { action_effect: Some(effect.to_string()), ..request.clone() };
        let result = client.actions().check(&hinted)?;
        assert_eq!(result.allowed, allowed, "{effect}");
        assert_eq!(result.elevation_required == Some(true), !allowed, "{effect}");
    }
    Ok(())
}

pub(super) fn section_6_a_session_counts_its_calls_and_keeps_to_its_mode(
    guardian: &TestGuardian,
) -> Result<()> {
    let test_agent = BlockingAgent::new(guardian, &["web:search", "files:read", "db:delete"])?;
    let BlockingAgent { agent, client, .. } = &test_agent;
    let session = client.sessions().init_session(&agent.id, "mcp-code-tools")?;
    assert!(session.session_id.starts_with("ats_"));
    assert_eq!(session.mode, "open");
    assert!(session.scope_ceiling.is_empty());

    // Reference the session ID in all subsequent action checks.
    let guard = |session_id: &str| {
        AgentTrustGuard::builder(client.clone(), &agent.id).session_id(session_id).build()
    };
    let open = guard(&session.session_id);
    open.check("web_search", "AI news")?;
    open.check("files_read", "notes.txt")?;
    let denied = open.check("mail_send", "hello");
    assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })), "{denied:?}");
    // Retrieve session state later
    let current = client.sessions().get_session(&session.session_id)?;
    assert_eq!((current.total_calls, current.denied_calls), (3, 1));

    // restricted: limited to the scope ceiling set at session init
    let init = |mode, ceiling: Option<&str>| InitSessionRequest {
        agent_id: agent.id.clone(),
        server_id: "mcp-code-tools".to_string(),
        mode: Some(mode),
        scope_ceiling: ceiling.map(|scope| vec![scope.to_string()]),
    };
    let request = init(SessionMode::Restricted, Some("files:read"));
    let session = client.sessions().init_session_with(&request)?;
    assert_eq!(session.mode, "restricted");
    assert_eq!(session.scope_ceiling, ["files:read"]);
    let restricted = guard(&session.session_id);
    restricted.check("files_read", "notes.txt")?;
    let denied = restricted.check("web_search", "AI news");
    assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })), "{denied:?}");

    // supervised: all calls are logged; destructive actions require elevation
    let request = init(SessionMode::Supervised, None);
    let session = client.sessions().init_session_with(&request)?;
    let supervised = guard(&session.session_id);
    supervised.check("web_search", "AI news")?;
    let held = supervised.check_with_effect("db_delete", "drop table users", "destructive");
    assert!(matches!(held, Err(AgentTrustError::ElevationRequired { .. })), "{held:?}");
    let logged = here(guardian.admin().audited(&agent.id, "decision"))?;
    let logged = logged.iter().filter(|body| body["session_id"] == *session.session_id);
    assert_eq!(logged.count(), 2);
    Ok(())
}

pub(super) fn section_7_a_guard_checks_before_and_reports_after(
    guardian: &TestGuardian,
) -> Result<()> {
    let BlockingAgent { agent, client, .. } =
        BlockingAgent::new(guardian, &["web:search", "db:delete"])?;
    let guard = AgentTrustGuard::builder(client.clone(), &agent.id)
        .fail_open(false)
        .block_on_deny(true)
        .action_effect("read") // default effect for all checks
        .build();
    assert_eq!(guard.session_id().len(), 36, "an auto-generated UUID");

    // Before tool call -- returns Err if denied
    guard.check("web_search", "AI news")?;
    // Or with an explicit per-call effect (overrides default)
    let held = guard.check_with_effect("db_delete", "drop table users", "destructive");
    assert!(matches!(held, Err(AgentTrustError::ElevationRequired { .. })), "{held:?}");
    // After tool call -- fire-and-forget telemetry
    guard.report("web_search", true, 12);
    // Flush remaining telemetry
    guard.flush()?;
    let outcomes = here(guardian.admin().audited(&agent.id, "outcome"))?;
    let [outcome] = &outcomes[..] else { bail!("one report, one outcome: {outcomes:?}") };
    assert_eq!((&outcome["tool"], &outcome["success"]), (&"web_search".into(), &true.into()));
    assert_eq!(outcome["duration_ms"], 12);

    // (also happens automatically on Drop)
    guard.check("web_search", "AI news")?;
    guard.report("web_search", false, 7);
    drop(guard);
    let outcomes = here(guardian.admin().audited(&agent.id, "outcome"))?;
    assert_eq!(outcomes.get(1).context("the dropped guard reported")?["success"], false);

    // block_on_deny = false: neither a denial nor a required elevation is an error.
    let watching = AgentTrustGuard::builder(client, &agent.id).block_on_deny(false).build();
    watching.check("mail_send", "hello")?;
    assert_eq!(watching.stats().not_blocked, 1);
    Ok(())
}

pub(super) fn section_8_a_held_check_succeeds_once_it_is_approved(
    guardian: &TestGuardian,
) -> Result<()> {
    let test_agent = BlockingAgent::new(guardian, &["db:delete"])?;
    let (guard, approver) = (test_agent.guard(), &test_agent.approver);
    match guard.check_with_effect("db_delete", "drop table users", "destructive") {
        Ok(()) => bail!("a destructive action went ahead without approval"),
        Err(AgentTrustError::ElevationRequired { approval_id, message }) => {
            assert!(message.contains(&approval_id), "{message}");
            // Until then it stays held, under the same approval.
            assert_eq!(held(&guard, "drop table users")?, approval_id);
            // A human or automated system approves the action
            approver.approvals().approve(&approval_id, "admin@company.com")?;
            // Retry the check -- now it succeeds within the elevation window
            guard.check_with_effect("db_delete", "drop table users", "destructive")?;
            // Once: the next one is asked for anew, and so is any other.
            assert_ne!(held(&guard, "drop table users")?, approval_id);
        }
        Err(e) => return Err(e.into()),
    }
    let approval_id = held(&guard, "drop table drafts")?;
    approver.approvals().approve(&approval_id, "admin@company.com")?;
    assert_ne!(held(&guard, "drop table invoices")?, approval_id);
    Ok(())
}

pub(super) fn section_9_an_approval_is_read_approved_and_denied(
    guardian: &TestGuardian,
) -> Result<()> {
    let test_agent = BlockingAgent::new(guardian, &["db:delete"])?;
    let BlockingAgent { client, approver, .. } = &test_agent;
    let guard = test_agent.guard();
    let approved = held(&guard, "drop table users")?;
    let denied = held(&guard, "drop table invoices")?;
    let approval = client.approvals().get(&approved)?;
    assert_eq!(approval.status, "pending");
    assert_eq!((&*approval.action_name, &*approval.action_effect), ("db_delete", "destructive"));
    assert_eq!(approval.action_input_summary.as_deref(), Some("drop table users"));
    assert_eq!(approval.decided_by, None);
    assert!(approval.expires_at > approval.created_at);

    // Approve an elevation request
    approver.approvals().approve(&approved, "admin@company.com")?;
    // Deny an elevation request
    approver.approvals().deny(&denied, "security@company.com")?;
    // Check approval status
    for (id, status, by) in [
        (&approved, ApprovalStatus::Approved, "admin@company.com"),
        (&denied, ApprovalStatus::Denied, "security@company.com"),
    ] {
        let approval = client.approvals().get(id)?;
        assert_eq!(approval.status, status);
        assert_eq!(approval.decided_by.as_deref(), Some(by));
    }
    guard.check_with_effect("db_delete", "drop table users", "destructive")?;
    let refused = guard.check_with_effect("db_delete", "drop table invoices", "destructive");
    assert!(matches!(refused, Err(AgentTrustError::ActionDenied { .. })), "{refused:?}");
    Ok(())
}

pub(super) fn section_11_a_task_is_sent_held_approved_completed_and_cancelled(
    guardian: &TestGuardian,
) -> Result<()> {
    let admin = admin(guardian)?;
    let agent_b = admin.agents().create(&bot(&[]))?;
    let reaches = format!("a2a/{}", agent_b.id);
    let BlockingAgent { agent, client, approver } = BlockingAgent::new(guardian, &[&reaches])?;
    let a2a = client.a2a();

    // A2A v1.0: send a message to a target agent
    let task = a2a.send_message(&agent_b.id, "Search for recent AI safety papers")?;
    assert!(task.id.starts_with("task_"));
    // Poll for completion, then cancel if needed
    assert_eq!(a2a.get_task(&task.id)?.status, "pending");
    assert_eq!(a2a.cancel_task(&task.id)?.status, "cancelled");
    let again = a2a.cancel_task(&task.id);
    assert!(again.is_err_and(|error| error.code() == "A2A_ERROR_-32002"));

    // Back-compat (A2A v0.3), held for an approval, after which it goes on by itself
    admin.tools().set_effect(&reaches, Effect::Destructive)?;
    let request = SendTaskRequest {
        source_agent_id: agent.id.clone(),
        target_agent_id: agent_b.id.clone(),
        message: "Summarize the latest security report".into(),
    };
    let held = a2a.send_task(&request)?;
    assert_eq!((held.status, held.state), (A2ATaskStatus::Pending, Some(TaskState::AuthRequired)));
    let inbox = admin.inbox(&agent_b.id);
    assert!(inbox.next(Duration::ZERO)?.is_none());
    let approval_id = held.approval_id().context("it names its approval")?;
    approver.approvals().approve(approval_id, "admin@company.com")?;
    let asked = inbox.next(Duration::from_secs(10))?.context("it went on")?;
    assert_eq!((&*asked.task.id, &*asked.source_agent_id), (&*held.id, &*agent.id));
    assert_eq!(asked.message.text(), "Summarize the latest security report");
    inbox.complete(&asked.lease(), "nothing to report")?;
    let done = a2a.get_task(&held.id)?;
    assert_eq!((done.status, &*done.text()), (A2ATaskStatus::Completed, "nothing to report"));
    let listed = a2a.list_tasks()?;
    assert!([&task.id, &held.id].iter().all(|id| listed.iter().any(|it| it.id == **id)));
    // A page at a time, the one that changed last first; an extension of ours.
    let mut filter = TaskFilter::default().target_agent_id(&agent_b.id).limit(1);
    let first = a2a.list_tasks_with(&filter)?;
    filter = filter.before(first.next.context("there is another page")?);
    let second = a2a.list_tasks_with(&filter)?;
    assert_eq!((&*first.items[0].id, &*second.items[0].id), (&*held.id, &*task.id));
    assert!(second.next.is_none());
    let none = a2a.get_task("task_none");
    assert!(matches!(none, Err(AgentTrustError::NotFound { .. })), "{none:?}");
    Ok(())
}

pub(super) fn section_12_every_error_is_the_one_that_the_guide_names(
    guardian: &TestGuardian,
) -> Result<()> {
    let test_agent = BlockingAgent::new(guardian, &["web:search", "db:delete"])?;
    let guard = test_agent.guard();
    match guard.check_with_effect("dangerous_tool", "data", "destructive") {
        Err(e @ AgentTrustError::ActionDenied { check_id: Some(_), .. }) => {
            assert_eq!(e.code(), "ACTION_DENIED");
        }
        other => bail!("not a denial: {other:?}"),
    }
    match guard.check_with_effect("db_delete", "data", "destructive") {
        Err(AgentTrustError::ElevationRequired { message, approval_id }) => {
            let error = AgentTrustError::ElevationRequired { message, approval_id };
            assert_eq!(error.code(), "ELEVATION_REQUIRED");
            assert!(error.details()["approval_id"].is_string());
        }
        other => bail!("not held: {other:?}"),
    }

    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let away = AgentTrustClient::builder().base_url(format!("http://{nobody}")).build()?;
    match AgentTrustGuard::new(away.clone(), &test_agent.agent.id).check("web_search", "data") {
        Err(e @ AgentTrustError::GuardianUnavailable { .. }) => {
            assert_eq!(e.code(), "GUARDIAN_UNAVAILABLE");
        }
        other => bail!("not unavailable: {other:?}"),
    }
    match away.agents().list() {
        Err(e @ AgentTrustError::Network(_)) => assert_eq!(e.code(), "NETWORK_ERROR"),
        other => bail!("not a network error: {other:?}"),
    }
    match AgentTrustClient::from(guardian.client_with_key("sk_live_wrong")?).agents().list() {
        Err(e @ AgentTrustError::Authentication { status: 401, .. }) => {
            assert_eq!(e.code(), "AUTH_FAILED");
        }
        other => bail!("not a 401: {other:?}"),
    }
    let auditor = here(guardian.admin().create_key(Role::Auditor, &[]))?;
    match AgentTrustClient::from(guardian.client_with_key(&auditor)?).agents().create(&bot(&[])) {
        Err(e @ AgentTrustError::Authorization { status: 403, .. }) => {
            assert_eq!(e.code(), "AUTH_DENIED");
        }
        other => bail!("not a 403: {other:?}"),
    }
    match admin(guardian)?.agents().get("agt_nobody") {
        Err(e @ AgentTrustError::NotFound { status: 404, .. }) => assert_eq!(e.code(), "NOT_FOUND"),
        other => bail!("not a 404: {other:?}"),
    }
    match admin(guardian)?.agents().create(&bot(&["files:*:read"])) {
        Err(e @ AgentTrustError::Validation { status: 400, .. }) => {
            assert_eq!(e.code(), "VALIDATION_ERROR");
        }
        other => bail!("not a 400: {other:?}"),
    }
    Ok(())
}

pub(super) fn a_requester_gets_403_and_the_action_stays_held(
    guardian: &TestGuardian,
) -> Result<()> {
    let BlockingAgent { agent, client, approver } = BlockingAgent::new(guardian, &["db:delete"])?;
    // The agent's own key is no approver's; an admin's is, but not of what it asked itself, nor is a key that it made.
    for (asks, made_approver) in [(client, false), (admin(guardian)?, true)] {
        let guard = AgentTrustGuard::new(asks.clone(), &agent.id);
        let approval_id = held(&guard, "drop table users")?;
        match asks.approvals().approve(&approval_id, "admin@company.com") {
            Err(AgentTrustError::Authorization { status: 403, .. }) => {}
            other => bail!("the requester's own approval is a 403, not {other:?}"),
        }
        let approval = asks.approvals().get(&approval_id)?;
        assert_eq!(approval.status, "pending");
        assert_eq!(held(&guard, "drop table users")?, approval_id);
        let decided = approver.approvals().approve(&approval_id, "admin@company.com");
        if made_approver {
            assert_eq!(decided.unwrap_err().status(), Some(403));
            continue;
        }
        // Held, not lost: somebody else can still approve it.
        decided?;
        guard.check_with_effect("db_delete", "drop table users", "destructive")?;
    }
    Ok(())
}

/// Returns a client with an admin's key.
fn admin(guardian: &TestGuardian) -> Result<AgentTrustClient> {
    Ok(guardian.admin_client()?.into())
}

/// Returns the approval that a deletion is held for.
fn held(guard: &AgentTrustGuard, summary: &str) -> Result<String> {
    match guard.check_with_effect("db_delete", summary, "destructive") {
        Err(AgentTrustError::ElevationRequired { approval_id, .. }) => Ok(approval_id),
        other => bail!("not held: {other:?}"),
    }
}
