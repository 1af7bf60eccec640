//! `#[guarded]` on a whole `impl` block, beside the attributes that make something of all its methods:
//! `#[tool_router]` and `#[async_trait]`.

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use async_trait::async_trait;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, schemars, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::frameworks::contract::{Fixture, GuardedAgent, Steps, Told, only_the_path};
use crate::frameworks::rmcp::{call_on, read_answer};

#[derive(Deserialize, Serialize, JsonSchema)]
struct Request {
    path: String,
}

fn done(path: &str) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(format!("deleted {path}"))])
}

#[derive(Clone)]
struct Above {
    guard: AgentTrustGuard,
    steps: Steps,
}

#[tool_router]
#[guarded(guard = self.guard, skip(self))]
impl Above {
    // The name and the effect are what the tool's own attribute says.
    #[tool(name = "file_delete", annotations(destructive_hint = true))]
    async fn named_there(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResult, ErrorData> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        self.steps.step();
        Ok(done(&path))
    }

    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive")]
    async fn named_here(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResult, ErrorData> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        self.steps.step();
        Ok(done(&path))
    }

    #[tool]
    #[guarded(tool = "file_delete")]
    fn with_a_context(
        &self,
        context: RequestContext<RoleServer>,
        Parameters(Request { path }): Parameters<Request>,
    ) -> CallToolResult {
        self.count(&context);
        done(&path)
    }

    #[guarded(skip)]
    fn count(&self, context: &RequestContext<RoleServer>) {
        assert!(!context.ct.is_cancelled());
        (0..3).for_each(|_| self.steps.step());
    }
}

#[tool_handler]
impl ServerHandler for Above {}

#[derive(Clone)]
struct Below {
    guard: AgentTrustGuard,
    steps: Steps,
}

#[guarded(guard = self.guard, skip(self))]
#[tool_router]
impl Below {
    #[tool(name = "file_delete", annotations(destructive_hint = true))]
    async fn named_there(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResult, ErrorData> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        self.steps.step();
        Ok(done(&path))
    }

    #[tool]
    #[guarded(tool = "file_delete", effect = "destructive")]
    async fn named_here(
        &self,
        Parameters(Request { path }): Parameters<Request>,
    ) -> Result<CallToolResult, ErrorData> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        self.steps.step();
        Ok(done(&path))
    }

    #[tool]
    #[guarded(tool = "file_delete")]
    fn with_a_context(
        &self,
        context: RequestContext<RoleServer>,
        Parameters(Request { path }): Parameters<Request>,
    ) -> CallToolResult {
        self.count(&context);
        done(&path)
    }

    #[guarded(skip)]
    fn count(&self, context: &RequestContext<RoleServer>) {
        assert!(!context.ct.is_cancelled());
        (0..3).for_each(|_| self.steps.step());
    }
}

#[tool_handler]
impl ServerHandler for Below {}

#[test]
fn the_tools_of_a_guarded_block_run_behind_the_check_in_both_orders() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        for tool in ["file_delete", "named_here", "with_a_context"] {
            let above = async |guarded_agent: &GuardedAgent, path: &str| {
                let (guard, steps) = (guarded_agent.guard.clone(), guarded_agent.steps.clone());
                Ok(read_answer(call_on(Above { guard, steps }, tool, path).await))
            };
            fixture.asks_first(&format!("{tool} above"), only_the_path, above).await?;
            let below = async |guarded_agent: &GuardedAgent, path: &str| {
                let (guard, steps) = (guarded_agent.guard.clone(), guarded_agent.steps.clone());
                Ok(read_answer(call_on(Below { guard, steps }, tool, path).await))
            };
            fixture.asks_first(&format!("{tool} below"), only_the_path, below).await?;
        }
        Ok(())
    })
}

#[async_trait]
trait Files {
    async fn file_delete(&self, path: &str) -> Result<(), AgentTrustError>;
    async fn delete_owned(self: Box<Self>, path: String) -> Result<(), AgentTrustError>;
}

#[async_trait]
#[guarded(effect = "destructive", skip(self))]
impl Files for Above {
    async fn file_delete(&self, path: &str) -> Result<(), AgentTrustError> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        if path.is_empty() {
            return Ok(());
        }
        self.steps.step();
        Ok(())
    }

    #[guarded(tool = "file_delete")]
    async fn delete_owned(self: Box<Self>, path: String) -> Result<(), AgentTrustError> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        drop(path);
        self.steps.step();
        Ok(())
    }
}

#[guarded(effect = "destructive", skip(self))]
#[async_trait]
impl Files for Below {
    async fn file_delete(&self, path: &str) -> Result<(), AgentTrustError> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        if path.is_empty() {
            return Ok(());
        }
        self.steps.step();
        Ok(())
    }

    #[guarded(tool = "file_delete")]
    async fn delete_owned(self: Box<Self>, path: String) -> Result<(), AgentTrustError> {
        self.steps.step();
        tokio::task::yield_now().await;
        self.steps.step();
        drop(path);
        self.steps.step();
        Ok(())
    }
}

type Make = fn(&GuardedAgent) -> Box<dyn Files>;

fn above(guarded_agent: &GuardedAgent) -> Box<dyn Files> {
    Box::new(Above { guard: guarded_agent.guard.clone(), steps: guarded_agent.steps.clone() })
}

fn below(guarded_agent: &GuardedAgent) -> Box<dyn Files> {
    Box::new(Below { guard: guarded_agent.guard.clone(), steps: guarded_agent.steps.clone() })
}

#[test]
fn the_methods_of_a_guarded_trait_impl_run_behind_the_check_in_both_orders() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let orders: [(&str, Make); 2] = [("above", above), ("below", below)];
        for (order, files) in orders {
            let borrowed = async |guarded_agent: &GuardedAgent, path: &str| {
                Ok(Told::from_output(
                    guarded_agent.guard.scope(files(guarded_agent).file_delete(path)).await,
                ))
            };
            fixture.asks_first(&format!("&self {order}"), only_the_path, borrowed).await?;
            let owned = async |guarded_agent: &GuardedAgent, path: &str| {
                let call = files(guarded_agent).delete_owned(path.to_owned());
                Ok(Told::from_output(guarded_agent.guard.scope(call).await))
            };
            fixture.asks_first(&format!("Box<Self> {order}"), only_the_path, owned).await?;
        }
        Ok(())
    })
}
