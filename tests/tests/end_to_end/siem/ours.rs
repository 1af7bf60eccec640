//! Our own streaming, async and blocking, with what the published clients have not.

use std::time::Duration;

use agenttrust::client::{DeliveryFilter, SiemDestinationOptions};
use agenttrust::{
    ActionCheckRequest, AgentTrustClient, AgentTrustError, CreateSiemDestinationRequest,
    SiemFormat, StreamFilter, Timestamp, UpdateSiemDestinationRequest, blocking,
};
use agenttrust_tests::bounded::{in_a_runtime, on_a_plain_thread, threads, until};
use anyhow::Result;
use serde_json::Value;

use super::collector::{Collector, TOKEN, decides};
use super::guardian_and_collector;
use crate::mcp::guardian_with_agent::GuardianWithAgent;

fn splunk(collector: &Collector) -> CreateSiemDestinationRequest {
    CreateSiemDestinationRequest {
        name: "Splunk HEC".to_owned(),
        destination_type: "splunk".to_owned(),
        endpoint_url: collector.url(),
        auth_token: Some(TOKEN.to_owned()),
        batch_size: Some(10),
        flush_interval_seconds: Some(1),
        filter_event_types: Some(vec!["decision".to_owned()]),
    }
}

fn check(guardian: &GuardianWithAgent, tool: &str) -> ActionCheckRequest {
    ActionCheckRequest {
        agent_id: guardian.agent_id.clone(),
        tool_name: tool.to_owned(),
        ..Default::default()
    }
}

async fn checked(
    client: &AgentTrustClient,
    guardian: &GuardianWithAgent,
    tool: &str,
) -> Result<()> {
    assert!(client.actions().check(&check(guardian, tool)).await?.allowed);
    Ok(())
}

/// Returns whether an event that is sent as the audit has it is of a decision about this tool.
fn tells_of(tool: &str) -> impl Fn(&Value) -> bool {
    move |event| event["kind"] == "decision" && event["body"]["tool"] == tool
}

#[test]
fn what_is_refused_for_good_is_set_aside_and_replayed_under_the_same_id() -> Result<()> {
    in_a_runtime(async || {
        let (guardian, collector) = guardian_and_collector().await?;
        let client = guardian.admin_client()?;
        let streaming = client.streaming();
        collector.refuse(Some("files_poison"));
        let raw = SiemDestinationOptions::default().format(SiemFormat::Raw);
        let made = streaming.create_with(&splunk(&collector), &raw).await?;
        assert_eq!((made.format, made.auth_token), (Some(SiemFormat::Raw), None));
        let since = Timestamp::now();
        for tool in ["files_one", "files_poison", "files_two"] {
            checked(&client, &guardian, tool).await?;
        }
        collector.took(1, tells_of("files_two")).await?;
        assert_eq!(collector.events(tells_of("files_one")).len(), 1);
        assert!(collector.events(tells_of("files_poison")).is_empty());
        let newest = DeliveryFilter::default().limit(5);
        let aside = until("it is set aside", async || {
            let page = streaming.set_aside(&made.id, &newest).await?;
            Ok(page.set_aside.into_iter().next())
        })
        .await?;
        assert_eq!((&*aside.kind, aside.status_code), ("decision", Some(400)), "{aside:?}");
        assert!(aside.event_id.is_some() && !aside.reason.is_empty(), "{aside:?}");

        collector.refuse(None);
        assert_eq!(streaming.replay(&made.id, since).await?.id, made.id);
        let poison = collector.took(1, tells_of("files_poison")).await?;
        assert_eq!(poison[0]["event"]["id"].as_str(), aside.event_id.as_deref());
        let twice = collector.took(2, tells_of("files_two")).await?;
        assert_eq!(twice[0]["event"]["id"], twice[1]["event"]["id"]);
        let known = streaming.get(&made.id).await?;
        assert!(known.is_active && known.failing_since.is_none(), "{known:?}");

        // From now on as OCSF.
        let ocsf = SiemDestinationOptions::default().format(SiemFormat::Ocsf);
        let nothing = UpdateSiemDestinationRequest::default();
        let changed = streaming.update_with(&made.id, &nothing, &ocsf).await?;
        assert_eq!(changed.format, Some(SiemFormat::Ocsf));
        checked(&client, &guardian, "files_three").await?;
        let event = collector.took(1, decides("files_three")).await?.remove(0);
        assert_eq!(event["event"]["class_uid"], 6_003);
        Ok(())
    })
}

#[test]
fn blocking_client_does_the_same() -> Result<()> {
    on_a_plain_thread(|| {
        // The collector answers while this thread is blocked.
        let runtime = threads(1);
        let (guardian, collector) = runtime.block_on(guardian_and_collector())?;
        let client = blocking::AgentTrustClient::from(guardian.admin_client()?);
        let streaming = client.streaming();
        let made = streaming.create(&splunk(&collector))?;
        assert!(client.actions().check(&check(&guardian, "files_read"))?.allowed);
        let polls = StreamFilter {
            destination_id: made.id.clone(),
            poll_interval: Some(Duration::from_millis(20)),
            max_polls: Some(1_000),
        };
        let mut told = Vec::new();
        streaming.subscribe(&polls, |delivery| {
            told.push(delivery.clone());
            false
        })?;
        assert_eq!((&*told[0].status, told[0].status_code), ("success", Some(200)), "{told:?}");
        assert_eq!(collector.events(decides("files_read")).len(), 1);
        assert!(streaming.delivery_log(&made.id)?.contains(&told[0]));

        let mistyped = UpdateSiemDestinationRequest {
            auth_token: Some("no".to_owned()),
            ..Default::default()
        };
        streaming.update(&made.id, &mistyped)?;
        let test = streaming.test(&made.id)?;
        assert_eq!((test.success, test.status_code), (false, Some(403)), "{test:?}");
        let later = Timestamp::now().saturating_add(Duration::from_secs(60));
        let to_come = streaming.replay(&made.id, later).unwrap_err();
        assert!(matches!(to_come, AgentTrustError::Validation { status: 400, .. }), "{to_come}");
        assert!(streaming.set_aside(&made.id, &DeliveryFilter::default())?.set_aside.is_empty());
        streaming.delete(&made.id)?;
        assert!(streaming.list()?.is_empty());
        Ok(())
    })
}
