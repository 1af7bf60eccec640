//! The guide's own dialect, as its published clients send it.

use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, request};
use agenttrust_testkit::{ADMIN, Answer, eventually};

impl Reached {
    async fn guide(&self, method: &str, params: Value) -> Answer {
        let key = self.fixture.key.clone();
        self.guide_by(&key, method, params).await
    }

    async fn guide_by(&self, key: &str, method: &str, params: Value) -> Answer {
        self.fixture.api.post("/a2a", key, request("1", method, params)).await
    }

    fn sending(&self, message: Value) -> Value {
        json!({
            "source_agent_id": self.fixture.source, "target_agent_id": self.fixture.target,
            "message": message,
        })
    }
}

#[tokio::test]
async fn task_is_sent_got_listed_and_cancelled_with_a_word_for_its_status() {
    let reached = Reached::by(Speaks::V03).await;
    for message in [json!("work"), json!({ "text": "work" })] {
        let said = reached.guide("tasks/send", reached.sending(message)).await.ok().body;
        let task = &said["result"];
        assert!(task["status"] == "pending" || task["status"] == "running", "{said}");
        let is_running = async || {
            let got = reached.guide("tasks/get", json!({ "id": task["id"] })).await.ok().body;
            got["result"]["status"] == "running"
        };
        eventually("it is worked at", is_running).await;
        assert_eq!(task["source_agent_id"], reached.fixture.source.as_str());
        assert_eq!(task["target_agent_id"], reached.fixture.target.as_str());
        assert_eq!(task["message"], "work");
        for time in ["created_at", "updated_at"] {
            assert!(task[time].as_str().unwrap().ends_with('Z'), "{said}");
        }
        for named in ["id", "task_id"] {
            let got = reached.guide("tasks/get", json!({ named: task["id"] })).await.ok().body;
            assert_eq!(got["result"]["id"], task["id"], "{got}");
            assert!(got["result"]["status"].is_string(), "{got}");
        }
    }
    let listed = reached.guide("tasks/list", json!({ "limit": 1 })).await.ok().body;
    let tasks = listed["result"]["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 1);
    let cursor = listed["result"]["next_cursor"].clone();
    let next = reached.guide("tasks/list", json!({ "limit": 1, "cursor": cursor })).await.ok().body;
    assert_ne!(next["result"]["tasks"][0]["id"], tasks[0]["id"]);
    assert!(next["result"]["next_cursor"].is_null(), "{next}");
    let gone = reached.guide("tasks/cancel", json!({ "task_id": tasks[0]["id"] })).await.ok().body;
    assert_eq!(gone["result"]["status"], "cancelled", "{gone}");
    let again = reached.guide("tasks/cancel", json!({ "id": tasks[0]["id"] })).await;
    assert_eq!((again.status.as_u16(), &again.body["error"]["code"]), (400, &json!(-32002)));
}

#[tokio::test]
async fn error_has_a_status_and_its_sentence_where_each_client_looks_for_it() {
    let reached = Reached::by(Speaks::V1).await;
    let unknown = json!({
        "source_agent_id": reached.fixture.source, "target_agent_id": "agt_none", "message": "x",
    });
    for (method, params, status, code) in [
        ("tasks/get", json!({ "id": "task_none" }), 404, -32001),
        ("tasks/cancel", json!({ "task_id": "task_none" }), 404, -32001),
        ("tasks/get", json!({}), 400, -32602),
        ("tasks/send", json!({}), 400, -32602),
        ("tasks/send", unknown, 404, -32001),
        ("tasks/list", json!({ "limit": 0 }), 400, -32602),
        ("tasks/list", json!({ "limit": "all" }), 400, -32602),
        ("tasks/list", json!({ "cursor": "x" }), 400, -32602),
        ("message/send", json!({}), 400, -32601),
    ] {
        let said = reached.guide(method, params.clone()).await;
        assert_eq!(said.status.as_u16(), status, "{method} {params}: {said:?}");
        let error = &said.body["error"];
        assert_eq!(error["code"], code, "{method} {params}: {said:?}");
        assert_eq!(said.body["id"], "1");
        assert_eq!(said.body["message"], error["message"]);
        assert!(said.body["message"].as_str().unwrap().len() > 10, "{said:?}");
    }
}

#[tokio::test]
async fn source_is_an_agent_of_the_key() {
    let reached = Reached::by(Speaks::V1).await;
    let (other, _) = reached.fixture.api.worker().await;
    let mut foreign = reached.sending(json!("x"));
    foreign["source_agent_id"] = other.as_str().into();
    reached.guide("tasks/send", foreign.clone()).await.refused(403, "AUTH_DENIED");
    assert_eq!(reached.target.sent().len(), 0);
    // An administrator's key asks for any agent; an operator's for itself only.
    let said = reached.guide_by(ADMIN, "tasks/send", foreign.clone()).await.ok().body;
    assert_eq!(said["result"]["source_agent_id"], other.as_str(), "{said}");
    let operator = reached.fixture.operator.clone();
    reached.guide_by(&operator, "tasks/send", foreign.clone()).await.refused(403, "AUTH_DENIED");
    foreign.as_object_mut().unwrap().remove("source_agent_id");
    let said = reached.guide_by(&operator, "tasks/send", foreign).await.ok().body;
    assert_eq!(said["result"]["source_agent_id"], "", "{said}");
    eventually("both were sent", async || reached.target.sent().len() == 2).await;
}
