//! Receivers of syslog that do not take what they are sent: nothing of it counts.

use agenttrust_testkit::siem::{Authority, SyslogMood, SyslogReceiver};

use super::syslog::{over_tls, send};
use super::*;

#[tokio::test]
async fn receiver_that_stops_before_the_end_was_sent_nothing() {
    let (tls, trusting) = over_tls();
    for (receiver, outbound) in [(SyslogReceiver::start(), patient()), (tls, trusting)] {
        let outbound =
            Outbound { delivery_timeouts: super::outbound().delivery_timeouts, ..outbound };
        let (few, many) = (events(3), padded(200, 60_000));
        for (mood, events, says) in [
            (SyslogMood::Stall, &few, "did not end the connection within 700ms"),
            (SyslogMood::Stall, &many, "did not read on within 700ms"),
            (SyslogMood::StallAtTheEnd, &few, "did not end the connection within 700ms"),
            (SyslogMood::EndFirst, &few, "ended the connection before"),
            (SyslogMood::ResetAfter(1), &many, "no answer: "),
            (SyslogMood::CloseAfter(1), &many, "no answer: "),
            (SyslogMood::Talk, &few, "has nothing to say"),
        ] {
            receiver.next(mood);
            let why = reason(send(&outbound, &receiver, events).await);
            assert!(why.contains(says), "{mood:?}: {why}");
        }
        assert_eq!(send(&outbound, &receiver, &few).await, Delivery::taken(None));
    }
    let mut receiver = SyslogReceiver::start();
    receiver.stop();
    let why = reason(send(&patient(), &receiver, &events(1)).await);
    assert!(why.starts_with("no answer: ") && why.contains("refused"), "{why}");
}

#[tokio::test]
async fn receiver_with_a_certificate_that_does_not_verify_is_told_nothing() {
    let (_, trusting) = over_tls();
    let stranger = SyslogReceiver::start_tls(Authority::new().server("localhost"));
    for outbound in [trusting, patient()] {
        let why = reason(send(&outbound, &stranger, &events(2)).await);
        assert!(why.starts_with("no answer: ") && why.contains("certificate"), "{why}");
    }
    // One that speaks no TLS is not spoken to without.
    let plain = SyslogReceiver::start();
    let url = format!("syslog+tls://localhost:{}", plain.address().port());
    let why = deliver(&outbound(), (DestinationKind::Syslog, &url), None, &events(1)).await;
    assert!(reason(why).starts_with("no answer: "));
    assert!(plain.messages().is_empty());
}

#[tokio::test]
async fn address_is_looked_at_when_it_is_connected_to() {
    let receiver = SyslogReceiver::start();
    let port = receiver.address().port();
    let all = events(1);
    let batch = Batch { id: "msg_1", events: &all, host: "guardian-1" };
    // By now this machine may not be reached any more; and of its two names' addresses, only the other one may.
    let by_name = outbound()
        .endpoint(DestinationKind::Syslog, &format!("syslog+tcp://localhost:{port}"))
        .unwrap();
    let by_address = outbound().endpoint(DestinationKind::Syslog, &receiver.url()).unwrap();
    for ranges in [&[][..], &["10.0.0.0/8", "::1"]] {
        let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
        let strict = Outbound::new(Reach::new(false, &ranges));
        for endpoint in [&by_name, &by_address] {
            reason(strict.deliver(endpoint, None, &batch).await);
        }
    }
    assert_eq!(receiver.connections(), 0);
    assert_eq!(outbound().deliver(&by_name, None, &batch).await, Delivery::taken(None));
}
