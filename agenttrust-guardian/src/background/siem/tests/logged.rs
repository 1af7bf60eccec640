//! What the log says of a destination: when a trouble begins and when it is over, and not for each event.

use agenttrust_testkit::ADMIN;
use agenttrust_testkit::eventually_within;
use agenttrust_testkit::siem::{HttpReceiver, Mood, Vendor};

use super::{NEVER, SECRET, make, newest_arrives, open};
use crate::background::log_lines;

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_refused_amid_others_that_are_taken_are_not_a_line_each() {
    let lines = log_lines::of_the_program();
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    let path = make(&harness, &receiver).await;
    newest_arrives(&harness, &receiver).await;
    for count in 1..=5 {
        receiver.next(Mood::Answer(400, None));
        harness.asks("send_mail").await.ok();
        let aside = async || {
            let page = harness.get(&format!("{path}/set-aside"), ADMIN).await.ok().body;
            let aside = page["set_aside"].as_array().unwrap().len();
            if aside == count { Ok(()) } else { Err(aside) }
        };
        eventually_within(NEVER, "it is not set aside", aside).await;
        harness.asks("send_mail").await.ok();
        newest_arrives(&harness, &receiver).await;
    }
    let lines = lines.with(path.rsplit('/').next().unwrap());
    assert!(lines.len() == 1 && lines[0].starts_with("WARN events are set aside"), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trouble_of_a_destination_is_a_line_when_it_begins_and_one_when_it_is_over() {
    let lines = log_lines::of_the_program();
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    for _ in 0..2 {
        receiver.next(Mood::Answer(503, None));
    }
    let path = make(&harness, &receiver).await;
    harness.asks("send_mail").await.ok();
    newest_arrives(&harness, &receiver).await;
    let id = path.rsplit('/').next().unwrap();
    let over = async || {
        let lines = lines.with(id);
        if lines.iter().any(|line| line.starts_with("INFO")) { Ok(lines) } else { Err(lines) }
    };
    let lines = eventually_within(NEVER, "it is not said to be over", over).await;
    assert!(lines.len() == 2 && lines[0].starts_with("WARN events are not taken"), "{lines:#?}");
    assert!(lines[1].starts_with("INFO a destination takes events again"), "{lines:#?}");
}
