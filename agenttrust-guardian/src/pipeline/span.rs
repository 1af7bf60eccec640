//! One span a check, in the words of OpenTelemetry's conventions for generative AI. It costs next
//! to nothing while no subscriber listens. It holds what the audit holds: names and ids, and no
//! part of an input.

use tracing::Span;
use tracing::field::Empty;

use super::Check;
use crate::domain::Answer;
use crate::domain::trace::SPAN_TARGET;
use crate::engine::Engine;

/// Begins the span of this check: a child of its caller's, where the caller says which.
pub(crate) fn begin(engine: &Engine, check: &Check) -> Span {
    let span = tracing::debug_span!(
        target: SPAN_TARGET,
        "execute_tool",
        otel.name = %format_args!("execute_tool {}", check.tool),
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = check.tool,
        gen_ai.agent.id = check.agent_id,
        gen_ai.agent.name = Empty,
        gen_ai.conversation.id = check.session_id,
        agenttrust.check_id = Empty,
        agenttrust.decision = Empty,
        agenttrust.effect = Empty,
        agenttrust.policies = Empty,
        agenttrust.approval_id = Empty,
    );
    #[cfg(feature = "otel")]
    if let Some(trace) = &check.trace {
        crate::otel::follow(&span, trace);
    }
    if !span.is_disabled()
        && let Some(agent) = engine.registry.agents.get(&check.key.org_id, &check.agent_id)
    {
        span.record("gen_ai.agent.name", agent.agent.name.as_str());
    }
    span
}

/// Says in the span what was answered.
pub(crate) fn end(span: &Span, answer: &Answer) {
    if span.is_disabled() {
        return;
    }
    span.record("agenttrust.decision", answer.decision.as_str());
    span.record("agenttrust.policies", answer.policies.join(",").as_str());
    let result = &answer.result;
    if let Some(effect) = result.action_effect {
        span.record("agenttrust.effect", effect.as_str());
    }
    if let Some(check_id) = &result.check_id {
        span.record("agenttrust.check_id", check_id.as_str());
    }
    if let Some(approval_id) = &result.approval_id {
        span.record("agenttrust.approval_id", approval_id.as_str());
    }
    span.in_scope(|| tracing::debug!(target: SPAN_TARGET, "decided"));
}
