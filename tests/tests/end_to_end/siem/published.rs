//! The streaming of the published clients, unchanged, with `agenttrust serve` and a collector.

use std::collections::BTreeSet;
use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_tests::bounded::{here, in_a_runtime, on_a_plain_thread, threads};
use agenttrustid::streaming::StreamFilter;
use agenttrustid::{
    ActionCheckRequest, AgentTrustClient, AgentTrustError, CreateSIEMDestinationRequest,
    SIEMDestination, UpdateSIEMDestinationRequest,
};
use anyhow::{Context, Result};
use serde_json::Value;
use tokio::process::Command;

use super::collector::{Collector, TOKEN, decides};
use super::guardian_and_collector;
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::{python_script, run};
use crate::python::python_with;

#[test]
fn the_rust_client_does_all_that_it_has_for_streaming() -> Result<()> {
    on_a_plain_thread(|| {
        // The collector answers while the client blocks this thread.
        let runtime = threads(1);
        let (guardian, collector) = runtime.block_on(guardian_and_collector())?;
        let (url, key) = (guardian.served.url(), guardian.served.admin_key());
        let client = AgentTrustClient::builder().base_url(&url).api_key(key).build()?;
        let made = created(&client, &collector)?;
        delivered(&client, (&guardian, &collector), &made)?;
        changed(&client, (&guardian, &collector), &made)?;
        refused(&client, &made)
    })
}

fn splunk(collector: &Collector) -> CreateSIEMDestinationRequest {
    CreateSIEMDestinationRequest {
        name: "Splunk HEC".to_owned(),
        destination_type: "splunk".to_owned(),
        endpoint_url: collector.url(),
        auth_token: Some(TOKEN.to_owned()),
        batch_size: Some(1),
        flush_interval_seconds: Some(1),
        filter_event_types: Some(vec!["decision".to_owned()]),
    }
}

fn created(client: &AgentTrustClient, collector: &Collector) -> Result<SIEMDestination> {
    let streaming = client.streaming();
    let made = streaming.create(&splunk(collector))?;
    assert!(!made.id.is_empty() && made.org_id.is_some() && made.is_active, "{made:?}");
    assert_eq!((&*made.name, &*made.destination_type), ("Splunk HEC", "splunk"));
    assert_eq!((made.batch_size, made.flush_interval_seconds), (1, 1));
    assert_eq!((&made.endpoint_url, &made.auth_token), (&collector.url(), &None));
    assert_eq!(made.filter_event_types.as_deref(), Some(&["decision".to_owned()][..]));
    assert!(made.created_at.is_some() && made.updated_at.is_some(), "{made:?}");
    // What is left out is as the guide has it.
    let plain = CreateSIEMDestinationRequest {
        batch_size: None,
        flush_interval_seconds: None,
        filter_event_types: None,
        ..splunk(collector)
    };
    let plain =
        streaming.create(&CreateSIEMDestinationRequest { name: "2".to_owned(), ..plain })?;
    assert_eq!((plain.batch_size, plain.flush_interval_seconds), (100, 30));
    let mut listed: Vec<_> = streaming.list()?.into_iter().map(|listed| listed.id).collect();
    listed.sort();
    let mut ids = [made.id.clone(), plain.id.clone()];
    ids.sort();
    assert_eq!(listed, ids);
    streaming.delete(&plain.id)?;
    assert_eq!(streaming.get(&made.id)?.name, "Splunk HEC");
    Ok(made)
}

fn checked(client: &AgentTrustClient, guardian: &GuardianWithAgent, tool: &str) -> Result<()> {
    let check = ActionCheckRequest {
        agent_id: guardian.agent_id.clone(),
        tool_name: tool.to_owned(),
        ..Default::default()
    };
    assert!(client.actions().check(&check)?.allowed);
    Ok(())
}

/// Looks often, for long enough.
fn polls(made: &SIEMDestination) -> StreamFilter {
    StreamFilter {
        destination_id: made.id.clone(),
        poll_interval: Some(Duration::from_millis(20)),
        max_polls: Some(1_000),
    }
}

fn delivered(
    client: &AgentTrustClient,
    (guardian, collector): (&GuardianWithAgent, &Collector),
    made: &SIEMDestination,
) -> Result<()> {
    let streaming = client.streaming();
    for tool in ["files_read", "files_list"] {
        checked(client, guardian, tool)?;
    }
    // Told of each delivery once.
    let mut told = Vec::new();
    streaming.subscribe(&polls(made), |record| {
        assert_eq!((&*record.destination_id, &*record.status), (&*made.id, "success"));
        assert_eq!((record.status_code, &record.error_message), (Some(200), &None));
        assert!(record.batch_size > 0 && !record.delivered_at.is_empty(), "{record:?}");
        told.push(record.id.clone());
        told.len() < 2
    })?;
    let once: BTreeSet<_> = told.iter().collect();
    assert_eq!((once.len(), told.len()), (2, 2), "{told:?}");
    let logged = streaming.delivery_log(&made.id)?;
    assert!(told.iter().all(|id| logged.iter().any(|record| record.id == *id)), "{logged:?}");
    for tool in ["files_read", "files_list"] {
        assert_eq!(collector.events(decides(tool)).len(), 1, "{tool}");
    }
    let before = collector.events(|_| true).len();
    streaming.test(&made.id)?;
    assert_eq!(collector.events(|_| true).len(), before + 1, "a test is sent at once");
    Ok(())
}

fn changed(
    client: &AgentTrustClient,
    (guardian, collector): (&GuardianWithAgent, &Collector),
    made: &SIEMDestination,
) -> Result<()> {
    let streaming = client.streaming();
    let pause = UpdateSIEMDestinationRequest {
        name: Some("Splunk of the SOC".to_owned()),
        is_active: Some(false),
        ..Default::default()
    };
    let paused = streaming.update(&made.id, &pause)?;
    assert!(!paused.is_active && paused.name == "Splunk of the SOC", "{paused:?}");
    assert_eq!((paused.batch_size, &paused.endpoint_url), (1, &made.endpoint_url));
    checked(client, guardian, "db_read")?;
    let resume = UpdateSIEMDestinationRequest {
        endpoint_url: Some(format!("{}/event", collector.url())),
        auth_token: Some(TOKEN.to_owned()),
        is_active: Some(true),
        batch_size: Some(2),
        flush_interval_seconds: Some(1),
        filter_event_types: Some(vec!["decision.allowed".to_owned()]),
        ..Default::default()
    };
    let resumed = streaming.update(&made.id, &resume)?;
    assert!(resumed.is_active && resumed.batch_size == 2, "{resumed:?}");
    // What happened meanwhile is delivered.
    here(collector.took(1, decides("db_read")))?;
    Ok(())
}

fn refused(client: &AgentTrustClient, made: &SIEMDestination) -> Result<()> {
    let streaming = client.streaming();
    let wrong = |of: &str, url: &str, batch_size, words: Option<&str>| {
        let request = CreateSIEMDestinationRequest {
            name: "wrong".to_owned(),
            destination_type: of.to_owned(),
            endpoint_url: url.to_owned(),
            auth_token: None,
            batch_size,
            flush_interval_seconds: None,
            filter_event_types: words.map(|word| vec![word.to_owned()]),
        };
        streaming.create(&request)
    };
    let here = &*made.endpoint_url;
    for refused in [
        wrong("sentinel", here, None, None),
        wrong("splunk", "http://192.168.0.1/services/collector", None, None),
        wrong("splunk", here, Some(0), None),
        wrong("splunk", here, Some(1_000_000_000), None),
        wrong("splunk", here, None, Some("decisions")),
    ] {
        assert!(
            matches!(refused, Err(AgentTrustError::Validation { status: 400, .. })),
            "{refused:?}"
        );
    }
    streaming.delete(&made.id)?;
    assert!(streaming.list()?.is_empty());
    let gone = streaming.get(&made.id);
    assert!(matches!(gone, Err(AgentTrustError::NotFound { status: 404, .. })), "{gone:?}");
    let gone = streaming.delivery_log(&made.id);
    assert!(matches!(gone, Err(AgentTrustError::NotFound { status: 404, .. })), "{gone:?}");
    let gone = streaming.test(&made.id);
    assert!(matches!(gone, Err(AgentTrustError::NotFound { status: 404, .. })), "{gone:?}");
    Ok(())
}

#[test]
fn the_python_client_does_all_that_it_has_for_streaming() -> Result<()> {
    let Some(python) = python_with("agenttrustid", "0.4.0") else { return Ok(()) };
    in_a_runtime(async move || {
        let (guardian, collector) = guardian_and_collector().await?;
        let key = guardian.served.admin().create_key(Role::Admin, &[]).await.context("a key")?;
        let mut script = Command::new(python);
        script.arg(python_script("siem_published.py"));
        script.env("AGENTTRUST_URL", guardian.served.url()).env("AGENTTRUST_API_KEY", key);
        script.env("AGENT_ID", &guardian.agent_id);
        script.env("COLLECTOR", collector.url()).env("TOKEN", TOKEN);
        run(&mut script).await?;
        // It says so by its log; what came says it too, at least once.
        for tool in ["files_read", "files_list"] {
            let events = collector.events(decides(tool));
            let ids: BTreeSet<_> = events
                .iter()
                .map(|it| &it["event"]["metadata"]["uid"])
                .map(Value::to_string)
                .collect();
            assert_eq!(ids.len(), 1, "{tool}: {events:#?}");
        }
        Ok(())
    })
}
