//! The published Rust client, unchanged, against `agenttrust serve`.

use agenttrust_guardian::Role;
use agenttrust_tests::admin::Admin;
use agenttrust_tests::bounded::{here, on_a_plain_thread};
use agenttrust_tests::served::{Serve, Served};
use agenttrustid::{
    ActionCheckRequest, AgentTrustClient, AgentTrustError, AgentTrustGuard, CreateAgentRequest,
    CreateDelegationRequest, IntrospectTokenRequest, IssueTokenRequest, TelemetryEvent,
};
use anyhow::{Context, Result, bail};

use crate::AGENTTRUST;

fn client(served: &Served, key: &str) -> Result<AgentTrustClient> {
    Ok(AgentTrustClient::builder().base_url(&served.url()).api_key(key).build()?)
}

#[test]
fn its_one_client_form_works_where_self_approval_is_allowed() -> Result<()> {
    on_a_plain_thread(|| {
        let served = Serve::new(AGENTTRUST).allow_self_approval(true).start()?;
        let admin = client(&served, served.admin_key())?;
        let agent_id = register(&admin)?;
        let key = served.admin_key();
        Clients { agent_id: &agent_id, asks: &admin, decides: &admin, admin: served.admin() }
            .do_everything(client(&served, key)?)?;
        revoke(&admin, &agent_id)
    })
}

#[test]
fn it_works_with_an_agents_and_an_operators_key() -> Result<()> {
    on_a_plain_thread(|| {
        let served = Serve::new(AGENTTRUST).start()?;
        let admin = client(&served, served.admin_key())?;
        let agent_id = register(&admin)?;
        let agent_key = here(served.admin().create_key(Role::Agent, &[&agent_id]))?;
        let operator_key = here(served.admin().create_key(Role::Operator, &[]))?;
        let asks = client(&served, &agent_key)?;
        let decides = client(&served, &operator_key)?;
        let again = || client(&served, &agent_key);
        Clients { agent_id: &agent_id, asks: &asks, decides: &decides, admin: served.admin() }
            .do_everything(again()?)?;

        // Without the permission, its own approval is refused in the terms that it knows.
        let guard = AgentTrustGuard::new(again()?, &agent_id);
        let approval_id = held(&guard, "drop table invoices")?;
        let refused = asks.approvals().approve(&approval_id, "admin@company.com");
        assert!(matches!(refused, Err(AgentTrustError::Authorization { status: 403, .. })));
        assert_eq!(decides.approvals().get(&approval_id)?.status, "pending");
        revoke(&admin, &agent_id)
    })
}

#[test]
fn its_delegations_work_and_end_with_what_they_are_made_from() -> Result<()> {
    on_a_plain_thread(|| {
        let served = Serve::new(AGENTTRUST).start()?;
        let client = client(&served, served.admin_key())?;
        let agents = (register(&client)?, register(&client)?, register(&client)?);
        let request = |from: &str, to: &str, parent: Option<&str>| CreateDelegationRequest {
            from_agent_id: from.to_string(),
            to_agent_id: to.to_string(),
            scope: vec!["files:read".to_string()],
            ttl_seconds: Some(3600),
            restrictions: Some(serde_json::json!({ "max_calls": 1 })),
            parent_delegation_id: parent.map(str::to_string),
        };
        let delegations = client.delegations();
        let first = delegations.create(&request(&agents.0, &agents.1, None))?;
        assert_eq!(
            (&*first.from_agent_id, &*first.scope),
            (&*agents.0, &["files:read".to_string()][..])
        );
        let second = delegations.create(&request(&agents.1, &agents.2, Some(&first.id)))?;
        assert_eq!(second.delegation_chain.as_deref(), Some(&[first.id.clone()][..]));
        assert_eq!(delegations.get(&second.id)?.to_agent_id, agents.2);
        assert_eq!(delegations.list()?.len(), 2);

        let session = delegations.init_session(&second.id)?;
        assert_eq!(session.scope_ceiling, ["files:read"]);
        let check = |tool: &str| {
            client.actions().check(&ActionCheckRequest {
                agent_id: agents.2.clone(),
                tool_name: tool.to_string(),
                session_id: session.session_id.clone(),
                ..Default::default()
            })
        };
        assert!(!check("web_search")?.allowed);
        assert!(check("files_read")?.allowed && !check("files_read")?.allowed);

        delegations.revoke(&first.id)?;
        assert!(delegations.get(&second.id)?.revoked_at.is_some());
        let gone = delegations.init_session(&second.id);
        assert!(matches!(gone, Err(AgentTrustError::NotFound { status: 404, .. })), "{gone:?}");
        Ok(())
    })
}

fn register(admin: &AgentTrustClient) -> Result<String> {
    assert_eq!(admin.health()?.status, "healthy");
    let agent = admin.agents().create(&CreateAgentRequest {
        name: "my-assistant".to_string(),
        framework: "langchain".to_string(),
        capabilities: ["files:read", "web:search", "db:delete"].map(str::to_string).to_vec(),
        ..Default::default()
    })?;
    assert!(!agent.id.is_empty() && !agent.org_id.is_empty());
    assert_eq!(agent.status, "active");
    assert!(agent.public_key.contains("PUBLIC KEY"));
    assert!(agent.private_key.context("it made a key pair")?.contains("PRIVATE KEY"));
    assert_eq!(admin.agents().get(&agent.id)?.name, "my-assistant");
    assert!(admin.agents().list(None)?.iter().any(|listed| listed.id == agent.id));
    Ok(agent.id)
}

/// A client that asks, and another that decides.
struct Clients<'a> {
    agent_id: &'a str,
    asks: &'a AgentTrustClient,
    decides: &'a AgentTrustClient,
    admin: Admin,
}

impl Clients<'_> {
    /// Does everything else. Its guard wants a client of its own.
    fn do_everything(&self, again: AgentTrustClient) -> Result<()> {
        let (token, question) = self.issue()?;
        let session_id = self.check_in_a_session()?;
        let guard = AgentTrustGuard::builder(again, self.agent_id).session_id(&session_id).build();
        self.hold_and_decide(&guard)?;
        self.report(&guard, &session_id)?;
        self.asks.tokens().revoke(&token, "done")?;
        assert!(!self.asks.tokens().introspect(&question)?.active);
        Ok(())
    }

    /// Issues a token, and returns it with the question whether it works.
    fn issue(&self) -> Result<(String, IntrospectTokenRequest)> {
        let token = self.asks.tokens().issue(&IssueTokenRequest {
            agent_id: self.agent_id.to_string(),
            scope: vec!["files:read".to_string()],
            audience: vec!["mcp://filesystem".to_string()],
            ttl: 300,
        })?;
        assert!(token.token.starts_with("at_"));
        let question = IntrospectTokenRequest {
            token: token.token.clone(),
            target: Some("mcp://filesystem".to_string()),
            required_scopes: vec!["files:read".to_string()],
        };
        let result = self.asks.tokens().introspect(&question)?;
        assert!(result.active);
        assert_eq!(result.agent_id.as_deref(), Some(self.agent_id));
        assert_eq!(result.scopes, ["files:read"]);
        Ok((token.token, question))
    }

    /// Checks what is allowed and what is not, and returns the session of it.
    fn check_in_a_session(&self) -> Result<String> {
        let session = self.asks.sessions().init_session(self.agent_id, "mcp-code-tools")?;
        assert_eq!((&*session.agent_id, &*session.mode), (self.agent_id, "open"));
        let check = ActionCheckRequest {
            agent_id: self.agent_id.to_string(),
            tool_name: "web_search".to_string(),
            tool_input_summary: "AI safety papers".to_string(),
            session_id: session.session_id.clone(),
            action_effect: Some("read".to_string()),
            ..Default::default()
        };
        let allowed = self.asks.actions().check(&check)?;
        assert!(allowed.allowed && allowed.check_id.is_some() && allowed.confidence.is_some());
        let outside = ActionCheckRequest { tool_name: "mail_send".to_string(), ..check };
        let denied = self.asks.actions().check(&outside)?;
        assert!(!denied.allowed && denied.reason.is_some());
        assert_ne!(denied.elevation_required, Some(true));
        let current = self.asks.sessions().get_session(&session.session_id)?;
        assert_eq!((current.total_calls, current.denied_calls), (2, 1));
        // Whatever the hint said, to send is to write.
        assert_eq!((current.read_calls, current.write_calls), (1, 1));
        Ok(session.session_id)
    }

    fn hold_and_decide(&self, guard: &AgentTrustGuard) -> Result<()> {
        guard.check_with_effect("web_search", "AI news", "read")?;
        let denied = guard.check("mail_send", "hello");
        assert!(matches!(denied, Err(AgentTrustError::ActionDenied { check_id: Some(_), .. })));
        let approval_id = held(guard, "drop table users")?;
        let approval = self.asks.approvals().get(&approval_id)?;
        assert_eq!((&*approval.status, &*approval.action_name), ("pending", "db_delete"));
        self.decides.approvals().approve(&approval_id, "admin@company.com")?;
        let approval = self.asks.approvals().get(&approval_id)?;
        assert_eq!(approval.status, "approved");
        assert_eq!(approval.decided_by.as_deref(), Some("admin@company.com"));
        guard.check_with_effect("db_delete", "drop table users", "destructive")?;
        let approval_id = held(guard, "drop table users")?;
        self.decides.approvals().deny(&approval_id, "security@company.com")?;
        assert_eq!(self.asks.approvals().get(&approval_id)?.status, "denied");
        let denied = guard.check_with_effect("db_delete", "drop table users", "destructive");
        assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })));
        Ok(())
    }

    /// Reports without a check's name, so that the reports are kept as unverified: taken, and no outcome in the audit.
    fn report(&self, guard: &AgentTrustGuard, session_id: &str) -> Result<()> {
        guard.report("web_search", true, 12);
        guard.flush()?;
        let event = TelemetryEvent {
            event_type: "tool_error".to_string(),
            tool_name: "web_search".to_string(),
            duration_ms: 12,
            success: false,
            error_type: Some("TimeoutError".to_string()),
            timestamp: "2026-01-02T03:04:05.678901234+00:00".to_string(),
        };
        self.asks.telemetry().report(self.agent_id, session_id, &[event])?;
        assert_eq!(here(self.admin.audited(self.agent_id, "outcome"))?.len(), 0);
        // Every check of this session was written down.
        assert_eq!(here(self.admin.audited(self.agent_id, "decision"))?.len(), 8);
        Ok(())
    }
}

/// Returns the approval that a deletion is held for.
fn held(guard: &AgentTrustGuard, summary: &str) -> Result<String> {
    match guard.check_with_effect("db_delete", summary, "destructive") {
        Err(AgentTrustError::ElevationRequired { approval_id, .. }) => Ok(approval_id),
        other => bail!("not held: {other:?}"),
    }
}

fn revoke(admin: &AgentTrustClient, agent_id: &str) -> Result<()> {
    admin.agents().revoke(agent_id, "compromised")?;
    assert_eq!(admin.agents().get(agent_id)?.status, "revoked");
    let wrong =
        AgentTrustClient::builder().base_url(admin.base_url()).api_key("sk_wrong").build()?;
    let refused = wrong.agents().list(None);
    assert!(matches!(refused, Err(AgentTrustError::Authentication { status: 401, .. })));
    let unknown = admin.agents().get("agt_nobody");
    assert!(matches!(unknown, Err(AgentTrustError::NotFound { status: 404, .. })));
    Ok(())
}
