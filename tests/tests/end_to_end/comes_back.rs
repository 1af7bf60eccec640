//! An agent that is held, exits, and comes back once a person has decided on the command line: two processes,
//! or four, of which none remembers the one before.

use std::process::Command;

use crate::AGENTTRUST;
use crate::machine::{ADMIN, Machine, call, held, path};

#[test]
fn an_embedded_agent_that_exits_runs_once_what_was_approved_on_its_file() {
    for way in ["async", "blocking"] {
        let machine = Machine::new();
        let (agent, _) = machine.serve().agent();
        let (database, state) = (machine.database(), machine.state());
        let environment = [
            ("AGENT_ID", agent.as_str()),
            ("AGENTTRUST_DATABASE", path(&database)),
            ("AGENTTRUST_STATE", path(&state)),
        ];
        let refund = || call(["embedded", way, "order-7"], &environment);
        let first = held(&refund());
        assert_eq!(held(&refund()), first, "the same approval, still pending");
        let served = machine.serve();
        assert!(served.printed(&["approvals", "list"]).contains("shopbot"));
        let approved = served.printed(&["approvals", "approve", &first]);
        assert_eq!(approved.trim(), format!("{first} is approved"));
        drop(served);
        assert_eq!(refund(), "refunded order-7");
        assert_ne!(held(&refund()), first, "an approval that was used never comes back");
    }
}

#[test]
fn an_embedded_agent_finds_itself_by_its_name_on_its_file_and_a_person_decides_between_two_runs() {
    let machine = Machine::new();
    let (database, state) = (machine.database(), machine.state());
    let environment =
        [("AGENTTRUST_DATABASE", path(&database)), ("AGENTTRUST_STATE", path(&state))];
    let refund = || call(["embedded", "async", "order-7"], &environment);
    let first = held(&refund());
    assert_eq!(held(&refund()), first, "the same agent, and the same approval");
    let served = machine.serve();
    let shown = served.printed(&["approvals", "show", &first]);
    // On a file of its own, the input is shown.
    assert!(shown.contains("order-7"), "{shown}");
    assert_eq!(served.printed(&["agents", "list"]).lines().count(), 2, "one agent");
    served.printed(&["approvals", "approve", &first]);
    drop(served);
    assert_eq!(refund(), "refunded order-7");
    assert_ne!(held(&refund()), first);
}

#[test]
fn a_served_agent_that_exits_runs_once_what_was_approved_and_a_denial_says_why() {
    let machine = Machine::new();
    let served = machine.serve();
    for way in ["async", "blocking"] {
        let (agent, key) = served.agent();
        let state = machine.folder.path().join(way);
        let environment = [
            ("AGENT_ID", agent.as_str()),
            ("AGENTTRUST_URL", &served.url),
            ("AGENTTRUST_API_KEY", &key),
            ("AGENTTRUST_STATE", path(&state)),
        ];
        let refund = |order| call(["served", way, order], &environment);
        let first = held(&refund("order-7"));
        served.printed(&["approvals", "approve", &first]);
        assert_eq!(refund("order-7"), "refunded order-7");
        assert_ne!(held(&refund("order-7")), first);
        let second = held(&refund("order-8"));
        let denied = ["approvals", "deny", &second, "--reason", "it was refunded in May"];
        assert_eq!(served.printed(&denied).trim(), format!("{second} is denied"));
        let said = refund("order-8");
        assert!(
            said.starts_with("ACTION_DENIED: ") && said.contains("it was refunded in May"),
            "{said}"
        );
        // Said again by the same key.
        assert!(served.printed(&denied).contains("this key had said so before"));
    }
}

#[test]
fn what_keeps_an_approval_from_being_used_is_named_in_the_hold() {
    let machine = Machine::new();
    let served = machine.serve();
    let (agent, key) = served.agent();
    let (first, second) = ("11".repeat(32), "22".repeat(32));
    let refund = |order: &str, session: Option<&str>, binding_key: Option<&str>| {
        let mut environment = vec![
            ("AGENT_ID", agent.as_str()),
            ("AGENTTRUST_URL", &served.url),
            ("AGENTTRUST_API_KEY", &key),
        ];
        environment.extend(session.map(|session| ("AGENTTRUST_SESSION_ID", session)));
        environment.extend(binding_key.map(|key| ("AGENTTRUST_BINDING_KEY", key)));
        call(["served", "async", order], &environment)
    };
    let given = (Some("monday"), Some(first.as_str()));
    let approval = held(&refund("order-7", given.0, given.1));
    served.printed(&["approvals", "approve", &approval]);
    for (said, differs) in [
        (refund("order-7", Some("tuesday"), given.1), "for another session"),
        (refund("order-7", given.0, Some(&second)), "under another key of the guard"),
        (refund("order-8", given.0, given.1), "for another input"),
        (refund("order-7", None, None), "for another session, under another key of the guard"),
    ] {
        assert_ne!(held(&said), approval, "{said}");
        let why = format!("approval {approval} of this tool lies unused: it is {differs}");
        assert!(said.contains(&why), "{said}");
    }
    // A key that ends with the process is told, and one that was given is not.
    let said = refund("order-9", None, None);
    assert!(said.contains("before this process ends: its key is random"), "{said}");
    assert!(!refund("order-9", given.0, given.1).contains("process ends"));
    assert_eq!(refund("order-7", given.0, given.1), "refunded order-7");
}

#[test]
fn a_session_that_the_guard_made_up_binds_no_approval() {
    let machine = Machine::new();
    let served = machine.serve();
    let (agent, key) = served.agent();
    let binding_key = "11".repeat(32);
    let environment = [
        ("AGENT_ID", agent.as_str()),
        ("AGENTTRUST_URL", &served.url),
        ("AGENTTRUST_API_KEY", &key),
        ("AGENTTRUST_BINDING_KEY", &binding_key),
    ];
    let approval = held(&call(["served", "async", "order-7"], &environment));
    served.printed(&["approvals", "approve", &approval]);
    assert_eq!(call(["served", "async", "order-7"], &environment), "refunded order-7");
}

#[test]
fn the_command_line_says_what_is_wrong_and_what_to_do() {
    let machine = Machine::new();
    let served = machine.serve();
    let (agent, key) = served.agent();
    let environment = [
        ("AGENT_ID", agent.as_str()),
        ("AGENTTRUST_URL", &served.url),
        ("AGENTTRUST_API_KEY", &key),
    ];
    let approval = held(&call(["served", "async", "order-7"], &environment));
    let long = "x".repeat(10_000);
    for (arguments, says) in [
        (vec!["approvals", "approve", "apr_unknown"], "apr_unknown"),
        (vec!["approvals", "show", "../agents"], "agents"),
        (
            vec!["approvals", "deny", &approval, "--reason", &long],
            "10000 characters; 500 is the most",
        ),
        (vec!["approvals", "deny", &approval, "--reason", "\u{1b}[31mno"], "control character"),
        (vec!["approvals", "deny", &approval, "--reason", "no\nnever"], "control character"),
        (
            vec!["approvals", "list", "--status", "open"],
            "\"open\" is no status of an approval; use",
        ),
        (vec!["agents", "create", "bot", "--capability", ""], "--capability"),
        (vec!["approvals", "list", "--api-key", ADMIN], "set AGENTTRUST_API_KEY instead"),
        (vec!["approvals", "show", ADMIN], "set AGENTTRUST_API_KEY instead"),
    ] {
        let output = served.run(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(says), "{arguments:?}: {said}");
        assert!(!said.contains(ADMIN) && !said.contains('\u{1b}'), "{said}");
    }
    // None of that decided it; and what is decided is not decided again by another word.
    assert_eq!(
        served.printed(&["approvals", "approve", &approval]).trim(),
        format!("{approval} is approved")
    );
    let again = served.run(&["approvals", "deny", &approval]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("is approved already and cannot be decided again"), "{said}");
    let mut alone = Command::new(AGENTTRUST);
    let output = alone.env_clear().args(["approvals", "list"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("set AGENTTRUST_API_KEY"), "{said}");
}
