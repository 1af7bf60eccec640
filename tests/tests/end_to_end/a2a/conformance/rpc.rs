//! JSON-RPC 2.0 as A2A has it, and who is let in.

use anyhow::{Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::with_an_agent;

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const TASK_NOT_FOUND: i64 = -32001;
const VERSION_NOT_SUPPORTED: i64 = -32009;

/// §9.1, §9.5: what is no JSON.
#[test]
fn what_is_no_json_is_a_parse_error() -> Result<()> {
    with_an_agent(async |fixture| {
        for body in ["{\"jsonrpc\": \"2.0\", \"method\": ", "no json", "\u{7b}\"a\":1,}"] {
            let (_, answer) = fixture.caller.posted(body.to_owned()).await?;
            ensure!(answer["error"]["code"] == PARSE_ERROR, "{body}: {answer}");
            ensure!(answer["id"].is_null() && answer["jsonrpc"] == "2.0", "{body}: {answer}");
        }
        Ok(())
    })
}

/// §9.1, §9.3, §9.5: JSON that is no request.
#[test]
fn what_is_no_request_is_an_invalid_request_and_its_answer_has_its_id() -> Result<()> {
    with_an_agent(async |fixture| {
        let message = fixture.caller.message("echo");
        let params = json!({ "message": message });
        let bad = [
            json!({ "jsonrpc": "aaa", "id": 1, "method": "SendMessage", "params": params }),
            json!({ "id": 1, "method": "SendMessage", "params": params }),
            json!({ "jsonrpc": 2.0, "id": 1, "method": "SendMessage", "params": params }),
            json!({ "jsonrpc": "2.0", "id": 1, "params": params }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": 7, "params": params }),
            json!({ "jsonrpc": "2.0", "id": { "a": 1 }, "method": "SendMessage", "params": params }),
            json!("a string"),
            json!([]),
        ];
        for request in bad {
            let (status, answer) = fixture.caller.posted(request.to_string()).await?;
            ensure!(status == StatusCode::OK, "{request}: {status}");
            ensure!(answer["error"]["code"] == INVALID_REQUEST, "{request}: {answer}");
            if request["id"] == 1 {
                ensure!(answer["id"] == 1, "{request}: {answer}");
            }
        }
        Ok(())
    })
}

/// §9.3: the answer is to the request, whatever its id is and however often it was used.
#[test]
fn an_answer_has_the_id_of_its_request_even_when_that_was_used_before() -> Result<()> {
    with_an_agent(async |fixture| {
        for id in [json!("same"), json!("same"), json!(0), json!(-7), json!("größe 😀")] {
            let params = json!({ "message": fixture.caller.message("echo") });
            let request =
                json!({ "jsonrpc": "2.0", "id": id, "method": "SendMessage", "params": params });
            let (_, answer) = fixture.caller.posted(request.to_string()).await?;
            ensure!(answer["id"] == id && answer["result"]["task"].is_object(), "{answer}");
        }
        Ok(())
    })
}

/// §5.3, §9.5: a method that there is not.
#[test]
fn an_unknown_method_is_not_found_in_either_version() -> Result<()> {
    with_an_agent(async |fixture| {
        for method in ["SendMessages", "nonexistent/method", "message/send", "sendMessage", ""] {
            let code = fixture.caller.refused(method, json!({})).await?;
            ensure!(code == METHOD_NOT_FOUND, "{method}: {code}");
        }
        let old = fixture.caller.clone().version("0.3");
        let code = old.refused("SendMessage", json!({})).await?;
        ensure!(code == METHOD_NOT_FOUND, "{code}");
        Ok(())
    })
}

/// §3.3.2, §5.7, §9.5: what is required is there and of its kind.
#[test]
fn wrong_parameters_are_named_and_nothing_comes_of_them() -> Result<()> {
    with_an_agent(async |fixture| {
        let message = |member: &str, value: Value| {
            let mut message = fixture.caller.message("echo");
            message[member] = value;
            json!({ "message": message })
        };
        let bad = [
            ("SendMessage", json!({})),
            ("SendMessage", json!({ "message": null })),
            ("SendMessage", json!({ "message": "echo" })),
            ("SendMessage", json!({ "message": { "parts": "invalid" } })),
            ("SendMessage", message("messageId", json!(""))),
            ("SendMessage", message("messageId", Value::Null)),
            ("SendMessage", message("role", json!("user"))),
            ("SendMessage", message("role", Value::Null)),
            ("SendMessage", message("parts", json!([]))),
            ("SendMessage", message("parts", json!([{ "sound": "beep" }]))),
            (
                "SendMessage",
                message("parts", json!([{ "text": "a", "url": "https://example.com" }])),
            ),
            ("SendMessage", json!("a string")),
            ("GetTask", json!({})),
            ("GetTask", json!({ "id": 7 })),
            ("GetTask", json!({ "id": "" })),
            ("CancelTask", json!({})),
        ];
        for (method, params) in bad {
            let code = fixture.caller.refused(method, params.clone()).await?;
            ensure!(code == INVALID_PARAMS, "{method} {params}: {code}");
        }
        let listed = fixture.caller.result("ListTasks", json!({})).await?;
        ensure!(listed["totalSize"] == 0, "{listed}");
        Ok(())
    })
}

/// §3.6.2, §5.4: a version that is not served, and none, which is 0.3.
#[test]
fn a_version_that_is_not_served_is_refused_and_none_means_0_3() -> Result<()> {
    with_an_agent(async |fixture| {
        for version in ["2.0", "1.1", "0.2", "0.9", "newest", "1"] {
            let params = json!({ "message": fixture.caller.message("echo") });
            let caller = fixture.caller.clone().version(version);
            let code = caller.refused("SendMessage", params).await?;
            ensure!(code == VERSION_NOT_SUPPORTED, "{version}: {code}");
        }
        // A patch is no version of its own.
        for version in ["1.0", "1.0.1"] {
            let caller = fixture.caller.clone().version(version);
            let code = caller.refused("GetTask", json!({ "id": "nothing" })).await?;
            ensure!(code == TASK_NOT_FOUND, "{version}: {code}");
        }
        for version in ["", "0.3", "0.3.0"] {
            let caller = fixture.caller.clone().version(version);
            let code = caller.refused("tasks/get", json!({ "id": "nothing" })).await?;
            ensure!(code == TASK_NOT_FOUND, "{version}: {code}");
        }
        Ok(())
    })
}

/// §3.3.2, §5.4, §9.5: every method says the same of a task that there is not.
#[test]
fn a_task_that_there_is_not_is_not_found_by_any_method() -> Result<()> {
    with_an_agent(async |fixture| {
        let mut message = fixture.caller.message("echo");
        message["taskId"] = json!("nothing");
        let config = json!({ "taskId": "nothing", "id": "a", "url": "http://127.0.0.1:9/" });
        for (method, params) in [
            ("GetTask", json!({ "id": "nothing" })),
            ("CancelTask", json!({ "id": "nothing" })),
            ("SubscribeToTask", json!({ "id": "nothing" })),
            ("SendMessage", json!({ "message": message })),
            ("CreateTaskPushNotificationConfig", config.clone()),
            ("GetTaskPushNotificationConfig", config.clone()),
            ("ListTaskPushNotificationConfigs", config.clone()),
            ("DeleteTaskPushNotificationConfig", config),
        ] {
            let answer = fixture.caller.answer(method, params).await?;
            ensure!(answer["error"]["code"] == TASK_NOT_FOUND, "{method}: {answer}");
            // §9.5: details are objects that say what they are.
            for detail in answer["error"]["data"].as_array().into_iter().flatten() {
                ensure!(detail["@type"].is_string(), "{method}: {answer}");
            }
        }
        Ok(())
    })
}

/// §7.3, §7.4, §3.3.2: without a key, and with a wrong one.
#[test]
fn nobody_is_let_in_without_a_key_that_is_known() -> Result<()> {
    with_an_agent(async |fixture| {
        for key in [None, Some("sk_live_wrong")] {
            let caller = fixture.caller.clone().key(key);
            for method in ["SendMessage", "GetTask", "ListTasks", "GetExtendedAgentCard"] {
                let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {} });
                let (status, answer) = caller.posted(request.to_string()).await?;
                ensure!(status == StatusCode::UNAUTHORIZED, "{key:?} {method}: {status}: {answer}");
                ensure!(!answer.to_string().contains(&fixture.guardian.key));
            }
        }
        Ok(())
    })
}
