//! What each receiver of HTTP is sent.

use agenttrust_testkit::siem::Mood;
use serde_json::Value;

use super::*;

#[tokio::test]
async fn each_vendor_takes_a_batch_as_it_documents_and_in_order() {
    for vendor in VENDORS {
        let receiver = receiver(vendor);
        let events = events(25);
        let status = match vendor {
            Vendor::Datadog => 202,
            Vendor::Webhook => 204,
            Vendor::Splunk | Vendor::Elastic => 200,
        };
        let delivery = send(&patient(), &receiver, &events).await;
        assert_eq!(receiver.wrong(), Vec::<String>::new(), "{vendor:?}");
        assert_eq!(delivery, Delivery::taken(Some(status)), "{vendor:?}");
        assert_eq!(receiver.ids(), ids(&events), "{vendor:?}");
        for (taken, event) in receiver.taken().iter().zip(&events) {
            assert_eq!(taken.json, serde_json::from_str::<Value>(&event.json).unwrap());
        }
    }
}

#[tokio::test]
async fn body_is_no_longer_than_a_vendor_takes_and_the_order_stays() {
    for (vendor, events, bodies) in [
        (Vendor::Splunk, padded(7, 300_000), 3),
        (Vendor::Datadog, events(1_500), 2),
        (Vendor::Datadog, padded(11, 900_000), 3),
        (Vendor::Elastic, padded(11, 900_000), 3),
        (Vendor::Webhook, padded(7, 300_000), 3),
    ] {
        let receiver = receiver(vendor);
        let delivery = send(&patient(), &receiver, &events).await;
        assert_eq!(receiver.wrong(), Vec::<String>::new(), "{vendor:?}");
        assert!(matches!(delivery, Delivery::Taken { .. }), "{vendor:?}: {delivery:?}");
        assert_eq!(receiver.ids(), ids(&events), "{vendor:?}");
        assert_eq!(receiver.requests().len(), bodies, "{vendor:?}");
        // Each of a webhook is a message of its own, and the same one another time.
        let message_ids = || -> Vec<_> {
            let requests = receiver.requests();
            requests.iter().filter_map(|it| it.headers.get("webhook-id").cloned()).collect()
        };
        if vendor == Vendor::Webhook {
            assert_eq!(message_ids(), ["msg_1", "msg_1.3", "msg_1.6"]);
            send(&patient(), &receiver, &events).await;
            assert_eq!(message_ids()[..3], message_ids()[3..]);
        }
    }
}

#[tokio::test]
async fn event_that_a_vendor_would_cut_off_is_refused_and_the_others_arrive() {
    let receiver = receiver(Vendor::Datadog);
    let mut all = events(3);
    all[1] = padded(2, 1_000_000).remove(1);
    let delivery = send(&patient(), &receiver, &all).await;
    let Delivery::Taken { status: Some(202), refused, later } = delivery else {
        panic!("{delivery:?}")
    };
    assert!(later.is_empty() && refused.len() == 1 && refused[0].0 == 1, "{refused:?}");
    assert!(refused[0].1.contains("takes 1000000 at most"), "{refused:?}");
    assert_eq!(receiver.ids(), [all[0].id.clone(), all[2].id.clone()]);
}

#[tokio::test]
async fn webhook_without_a_secret_is_not_signed() {
    let receiver = receiver(Vendor::Webhook);
    let all = events(1);
    let url = receiver.url();
    deliver(&patient(), (DestinationKind::Webhook, &url), None, &all).await;
    let request = receiver.requests().remove(0);
    assert!(!request.headers.contains_key("webhook-signature"), "{request:?}");
    assert_eq!(request.headers["webhook-id"], "msg_1");
}

#[tokio::test]
async fn elastic_keeps_an_event_once_however_often_it_is_sent() {
    let receiver = receiver(Vendor::Elastic);
    let all = events(5);
    receiver.next(Mood::TakeAndReset);
    let why = reason(send(&patient(), &receiver, &all[..3]).await);
    assert!(why.starts_with("no answer: "), "{why}");
    assert_eq!(send(&patient(), &receiver, &all).await, Delivery::taken(Some(200)));
    assert_eq!(receiver.ids(), ids(&all));
    let request = receiver.requests().remove(0);
    assert_eq!(request.path, "/events/_bulk");
}

#[tokio::test]
async fn each_vendor_is_told_when_an_event_was_written_however_late_it_is_sent() {
    for (vendor, said) in [
        (Vendor::Splunk, r#""time":1767323045.678901,"#),
        (Vendor::Datadog, r#""timestamp":"2026-01-02T03:04:05.678901Z""#),
        (Vendor::Elastic, r#"{"@timestamp":"2026-01-02T03:04:05.678901Z","#),
    ] {
        let receiver = receiver(vendor);
        send(&patient(), &receiver, &events(2)).await;
        let body = receiver.requests().remove(0).body;
        assert_eq!(body.matches(said).count(), 2, "{vendor:?}: {body}");
    }
}
