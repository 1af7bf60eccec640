//! The todo scenario of AuthZEN's interoperability events, authorization-api-1_0-02: the 40 evaluations and three lists
//! of evaluations that its runner sends, and what it expects. Its search scenario is another one, and search is not
//! here.

use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, asked, decided, with_policies};

/// A user of the scenario.
struct User {
    pid: &'static str,
    email: &'static str,
    roles: &'static [&'static str],
    /// Whether it may create a todo, update another's and its own, and delete another's and its own.
    may: [bool; 5],
}

const RICK: User = User {
    pid: "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
    email: "rick@the-citadel.com",
    roles: &["admin", "evil_genius"],
    may: [true, true, true, true, true],
};
const MORTY: User = User {
    pid: "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
    email: "morty@the-citadel.com",
    roles: &["editor"],
    may: [true, false, true, false, true],
};
const SUMMER: User = User {
    pid: "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
    email: "summer@the-smiths.com",
    roles: &["editor"],
    may: [true, false, true, false, true],
};
const BETH: User = User {
    pid: "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
    email: "beth@the-smiths.com",
    roles: &["viewer"],
    may: [false, false, false, false, false],
};
const JERRY: User = User {
    pid: "CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
    email: "jerry@the-smiths.com",
    roles: &["viewer"],
    may: [false, false, false, false, false],
};
const USERS: [&User; 5] = [&RICK, &MORTY, &SUMMER, &BETH, &JERRY];

/// Returns the policies of the scenario: who has a role may do what it is for.
fn policies() -> String {
    let of = |roles: &[&str]| {
        let having = USERS.iter().filter(|user| user.roles.iter().any(|role| roles.contains(role)));
        having.map(|user| format!("{:?}", user.pid)).collect::<Vec<_>>().join(", ")
    };
    let owner = USERS.map(|user| {
        let owns = super::is("resource", "ownerID", user.email);
        format!("(context.access.subject.id == {:?} && {owns})", user.pid)
    });
    let (everybody, owner) =
        (USERS.map(|user| format!("{:?}", user.pid)).join(", "), owner.join(" || "));
    let when = |users: &str, more: &str| {
        format!(
            r#"when {{ context has access && context.access.subject.type == "user" &&
               [{users}].contains(context.access.subject.id) {more} }};"#
        )
    };
    // An admin is an editor too, and so is an evil genius.
    let editors = of(&["editor", "admin", "evil_genius"]);
    let owned = format!("&& ({owner})");
    [
        ("can_read_user", when(&everybody, "")),
        ("can_read_todos", when(&everybody, "")),
        ("can_create_todo", when(&editors, "")),
        ("can_update_todo", when(&of(&["evil_genius"]), "")),
        ("can_update_todo", when(&editors, &owned)),
        ("can_delete_todo", when(&of(&["admin"]), "")),
        ("can_delete_todo", when(&editors, &owned)),
    ]
    .map(|(tool, when)| format!(r#"permit (principal, action, resource == Tool::"{tool}") {when}"#))
    .join("\n")
}

fn subject(user: &User) -> Value {
    json!({ "type": "user", "id": user.pid })
}

/// Returns a todo of this user, by the id that it has in the scenario.
fn todo(owner: &User) -> Value {
    let id = match owner.email {
        "morty@the-citadel.com" => 1,
        "rick@the-citadel.com" => 2,
        "summer@the-smiths.com" => 3,
        "beth@the-smiths.com" => 4,
        _ => 5,
    };
    json!({
        "type": "todo", "id": format!("7240d0db-8ff0-41ec-98b2-34a096273b9{id}"),
        "properties": { "ownerID": owner.email },
    })
}

#[tokio::test]
async fn todo_scenario_is_answered_as_its_runner_expects() {
    let harness = with_policies(&policies()).await;
    let mut tried = 0;
    for user in USERS {
        let other = if user.email == RICK.email { &MORTY } else { &RICK };
        let one = json!({ "type": "todo", "id": "todo-1" });
        let read = |email: &str| json!({ "type": "user", "id": email });
        let [create, update_other, update_own, delete_other, delete_own] = user.may;
        for (action, resource, expected) in [
            ("can_read_user", read(BETH.email), true),
            ("can_read_user", read(user.email), true),
            ("can_read_todos", one.clone(), true),
            ("can_create_todo", one, create),
            ("can_update_todo", todo(other), update_other),
            ("can_update_todo", todo(user), update_own),
            ("can_delete_todo", todo(other), delete_other),
            ("can_delete_todo", todo(user), delete_own),
        ] {
            let request = asked(subject(user), action, resource);
            // As the runner sends it: the key in Authorization, and no more.
            let answer = harness.post(EVALUATION, &harness.key, request).await;
            decided(&answer, expected);
            tried += 1;
        }
    }
    assert_eq!(tried, 40);

    for (user, other, expected) in [
        (&RICK, &JERRY, [true, true]),
        (&MORTY, &MORTY, [false, true]),
        (&JERRY, &JERRY, [false, false]),
    ] {
        let request = json!({
            "subject": subject(user), "action": { "name": "can_update_todo" },
            "evaluations": [{ "resource": todo(&RICK) }, { "resource": todo(other) }],
        });
        let answer = harness.post(EVALUATIONS, &harness.key, request).await.ok();
        // The runner compares the list as a text.
        let expected = expected.map(|decision| json!({ "decision": decision }));
        assert_eq!(answer.body, json!({ "evaluations": expected }));
    }
}
