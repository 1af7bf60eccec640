//! What the writer of reports does about a commit that nothing answered.

use agenttrust::{CreateAgentRequest, Timestamp};

use super::*;
use crate::audit::list;
use crate::guardian::Guardian;

fn ended(agent_id: &str, id: &str, check_id: &str) -> EventRow {
    EventRow {
        id: id.into(),
        org_id: "org_default".into(),
        agent_id: agent_id.into(),
        session_id: "".into(),
        key_id: "key_1".into(),
        event_type: "action.completed".into(),
        tool: "read_file".into(),
        duration_ms: 1,
        success: true,
        error_type: None,
        happened_at: None,
        received_at: Timestamp::now(),
        check_id: Some(check_id.into()),
        stage: Some(ReportStage::End),
        verified: true,
    }
}

async fn outcomes(guardian: &Guardian) -> Vec<String> {
    let engine = guardian.engine();
    engine.audit.flush().await;
    let rows = list(&engine.store.db(), "", 0, 100, None).await.unwrap();
    let outcomes = rows.into_iter().filter(|row| row.kind == "outcome");
    outcomes.map(|row| row.body["check_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn audit_is_told_once_of_outcomes_whose_commit_was_done_and_not_answered() {
    let guardian = Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    let quota = Arc::new(Quota::default());
    let reported = engine.metrics.reported.clone();
    let (db, queue, audit) = (engine.store.db(), Arc::default(), engine.audit.clone());
    let mut writer = Writer::new(db.clone(), queue, Arc::clone(&quota), audit, reported);

    let request = CreateAgentRequest { name: "worker".to_owned(), ..Default::default() };
    let agent = guardian.client().agents().create(&request).await.unwrap().id;
    let (kept, lost) = (ended(&agent, "evt_1", "chk_1"), ended(&agent, "evt_2", "chk_2"));
    keep_events(&db, std::iter::once(&kept), &quota, &mut Vec::new()).await.unwrap();
    // As it is where the first one's commit was done, the second one's was not, and neither was answered.
    writer.in_doubt = vec![kept, lost];
    writer.write(Vec::new()).await;
    assert_eq!(outcomes(&guardian).await, ["chk_1"]);
    writer.write(Vec::new()).await;
    assert_eq!(outcomes(&guardian).await, ["chk_1"], "told twice");
}
