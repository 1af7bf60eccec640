//! What is said of a card, and what is refused.

use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use super::{card_of, generate, public_of, publish, read};
use crate::support::{open, open_with};

const SECRET: &str = "https://agent.example/T0p?key=K3y";

#[tokio::test]
async fn what_is_not_said_stays_and_what_is_said_to_be_empty_is_said_no_more() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let before = generate(&api, &agent, json!({})).await.ok().body;
    let said = json!({
        "description": "Finds papers", "version": "2.1", "default_input_modes": ["text/plain"],
        "default_output_modes": ["application/vnd.geo+json", "text/html; charset=utf-8"],
        "documentation_url": "https://docs.example/a", "icon_url": "https://docs.example/a.png",
        "interfaces": [{ "url": SECRET }],
    });
    let all = generate(&api, &agent, said).await.ok().body;
    assert_eq!((&all["description"], &all["version"]), (&json!("Finds papers"), &json!("2.1")));
    assert_eq!(all["defaultInputModes"], json!(["text/plain"]));
    assert_eq!(all["documentationUrl"], "https://docs.example/a");
    // Where the agent itself is reached is no one's affair: neither those who read the card nor the audit's.
    assert_eq!(all["supportedInterfaces"], before["supportedInterfaces"]);
    assert!(!all.to_string().contains("agent.example"));
    publish(&api, &agent).await.ok();
    let (_, _, bytes) = read(&api, &public_of(&agent), &[]).await;
    assert!(!String::from_utf8(bytes).unwrap().contains("agent.example"));
    let rows = Value::from(api.audit("card.generated").await).to_string();
    assert!(rows.contains("https://agent.example") && !rows.contains("T0p"), "{rows}");

    let kept = generate(&api, &agent, json!({ "version": "2.2" })).await.ok().body;
    assert_eq!((&kept["description"], &kept["version"]), (&json!("Finds papers"), &json!("2.2")));
    assert_eq!(kept["iconUrl"], all["iconUrl"]);
    let rows = api.audit("card.generated").await;
    assert_eq!(rows.last().unwrap()["body"]["interfaces"], json!(["https://agent.example"]));

    let empty = json!({
        "description": "", "version": "", "default_input_modes": [], "default_output_modes": [],
        "documentation_url": "", "icon_url": "", "interfaces": [],
    });
    let after = generate(&api, &agent, empty).await.ok().body;
    assert_eq!(without_signatures(after), without_signatures(before));
    let rows = api.audit("card.generated").await;
    assert_eq!(rows.last().unwrap()["body"]["interfaces"], json!([]));
}

fn without_signatures(mut card: Value) -> Value {
    card.as_object_mut().unwrap().remove("signatures");
    card
}

#[tokio::test]
async fn what_cannot_be_part_of_a_card_is_refused_and_changes_nothing() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let before = generate(&api, &agent, json!({ "version": "1" })).await.ok().body;
    let long = "x".repeat(2_001);
    let interface = |more: Value| {
        let mut interface = json!({ "url": "https://agent.example/" });
        interface.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "interfaces": [interface] })
    };
    let cases = [
        (json!({ "description": long }), "description"),
        (json!({ "description": "a\u{0}b" }), "description"),
        (json!({ "version": "x".repeat(201) }), "version"),
        (json!({ "version": "1\n2" }), "version"),
        (json!({ "documentation_url": "javascript:alert(1)" }), "documentation_url"),
        (json!({ "documentation_url": "https://ada:secret@docs.example" }), "documentation_url"),
        (json!({ "icon_url": format!("https://a.example/{long}") }), "icon_url"),
        (json!({ "icon_url": "a.png" }), "icon_url"),
        (json!({ "default_input_modes": ["text"] }), "default_input_modes[0]"),
        (json!({ "default_output_modes": ["text/plain", "a b/c"] }), "default_output_modes[1]"),
        (json!({ "default_output_modes": ["text/plain\n"] }), "default_output_modes[0]"),
        (json!({ "default_input_modes": vec!["text/plain"; 21] }), "default_input_modes"),
        (json!({ "interfaces": vec![json!({ "url": "https://a.example/" }); 6] }), "interfaces"),
        (interface(json!({ "url": "http://agent.example/" })), "interfaces[0].url"),
        (interface(json!({ "url": "https://10.0.0.1/" })), "interfaces[0].url"),
        (interface(json!({ "url": "nowhere" })), "interfaces[0].url"),
        (interface(json!({ "url": format!("https://a.example/{long}") })), "interfaces[0].url"),
        (interface(json!({ "protocol_binding": "GRPC" })), "interfaces[0].protocol_binding"),
        (interface(json!({ "protocol_version": "2.0" })), "interfaces[0].protocol_version"),
        (
            interface(json!({ "protocol_binding": "HTTP+JSON", "protocol_version": "0.3" })),
            "interfaces[0].protocol_version",
        ),
    ];
    for (said, field) in cases {
        let answer = generate(&api, &agent, said.clone()).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], field, "{said}: {answer:?}");
    }
    assert_eq!(api.get(&card_of(&agent), ADMIN).await.ok().body, before);
    assert_eq!(api.audit("card.generated").await.len(), 1);
    // Published clients may say more, which is named; what looks like a member is not.
    let answer = generate(&api, &agent, json!({ "colour": "red" })).await.ok();
    assert_eq!(answer.headers["agenttrust-ignored"], "colour");
    generate(&api, &agent, json!({ "iconUrl": "" })).await.refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn interface_at_an_address_that_was_opened_is_taken() {
    let api = open_with(|builder| builder.allow_private_targets(true)).await;
    let agent = api.agent(&["search"]).await;
    let interfaces = json!([
        { "url": "http://127.0.0.1:9/a", "protocol_binding": "HTTP+JSON" },
        { "url": "http://127.0.0.1:9/b", "protocol_version": "0.3" },
    ]);
    generate(&api, &agent, json!({ "interfaces": interfaces })).await.ok();
}

#[tokio::test]
async fn cards_that_are_generated_at_once_all_say_what_each_of_them_was_told() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let said = [
        json!({ "description": "d" }),
        json!({ "version": "v" }),
        json!({ "icon_url": "https://i.example/" }),
        json!({ "documentation_url": "https://d.example/" }),
    ];
    let all = said.iter().map(|said| generate(&api, &agent, said.clone()));
    for answer in futures_util::future::join_all(all).await {
        answer.ok();
    }
    let card = api.get(&card_of(&agent), ADMIN).await.ok().body;
    assert_eq!((&card["description"], &card["version"]), (&json!("d"), &json!("v")));
    assert_eq!(card["iconUrl"], "https://i.example/");
    assert_eq!(card["documentationUrl"], "https://d.example/");
}
