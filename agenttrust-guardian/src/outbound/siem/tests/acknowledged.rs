//! Splunk's acknowledgements.

use super::*;

const CHANNEL: &str = "x-splunk-request-channel";

#[tokio::test]
async fn events_that_are_to_be_acknowledged_were_taken_once_they_are() {
    let receiver = receiver(Vendor::Splunk).acknowledging(2);
    let events = events(3);
    let delivery = send(&patient(), &receiver, &events).await;
    assert_eq!(delivery, Delivery::taken(Some(200)));
    assert_eq!(receiver.wrong(), Vec::<String>::new());
    let requests = receiver.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    let (events, ack) = ("/services/collector", "/services/collector/ack");
    assert_eq!(paths, [events, ack, ack, ack]);
    // Another connection asks by the same channel, and after a restart, too.
    let channel = &requests[0].headers[CHANNEL];
    assert!(requests.iter().all(|request| request.headers[CHANNEL] == *channel), "{requests:?}");
    send(&patient(), &receiver, &super::events(1)).await;
    assert_eq!(&receiver.requests()[4].headers[CHANNEL], channel);
}

#[tokio::test]
async fn events_that_are_never_acknowledged_are_sent_again() {
    let receiver = receiver(Vendor::Splunk).acknowledging(u32::MAX);
    let why = reason(send(&outbound(), &receiver, &events(1)).await);
    assert!(why.contains("not acknowledged within 900ms (it was not yet)"), "{why}");
    let asked = receiver.requests().len();
    assert!((3..20).contains(&asked), "{asked}");
}

#[tokio::test]
async fn every_part_of_a_batch_is_acknowledged() {
    let receiver = receiver(Vendor::Splunk).acknowledging(1);
    let events = padded(7, 300_000);
    let delivery = send(&patient(), &receiver, &events).await;
    assert_eq!(delivery, Delivery::taken(Some(200)));
    assert_eq!(receiver.ids(), ids(&events));
    assert_eq!(receiver.requests().len(), 3 + 3 * 2);
}
