//! What a receiver of syslog is sent.

use agenttrust_testkit::siem::{Authority, SyslogReceiver};
use serde_json::Value;

use super::super::super::Roots;
use super::*;

pub(super) async fn send(
    outbound: &Outbound,
    receiver: &SyslogReceiver,
    events: &[SiemEvent],
) -> Delivery {
    deliver(outbound, (DestinationKind::Syslog, &receiver.url()), None, events).await
}

/// Returns a receiver over TLS, and a client that trusts it.
pub(super) fn over_tls() -> (SyslogReceiver, Outbound) {
    let authority = Authority::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let outbound = patient().trusting(Roots::read(file.path()).unwrap());
    (SyslogReceiver::start_tls(authority.server("localhost")), outbound)
}

#[tokio::test]
async fn batch_arrives_over_tcp_and_over_tls_message_by_message() {
    let (tls, trusting) = over_tls();
    for (receiver, outbound) in [(SyslogReceiver::start(), patient()), (tls, trusting)] {
        let all = padded(200, 3_000);
        assert_eq!(send(&outbound, &receiver, &all).await, Delivery::taken(None));
        assert_eq!(receiver.wrong(), Vec::<String>::new());
        assert_eq!(receiver.ids(), ids(&all));
        for (taken, event) in receiver.taken().iter().zip(&all) {
            assert_eq!(taken.json, serde_json::from_str::<Value>(&event.json).unwrap());
        }
        assert_eq!(send(&outbound, &receiver, &all[..1]).await, Delivery::taken(None));
        assert_eq!(receiver.connections(), 2);
    }
}

#[tokio::test]
async fn message_says_when_where_what_and_how_grave() {
    let receiver = SyslogReceiver::start();
    send(&patient(), &receiver, &events(8)).await;
    let messages = receiver.messages();
    let severities: Vec<_> = messages.iter().map(|message| message.severity).collect();
    assert_eq!(severities, [6, 6, 5, 4, 3, 2, 1, 6]);
    let message = &messages[0];
    assert_eq!(message.facility, 13);
    assert_eq!(message.time, "2026-01-02T03:04:05.678901Z");
    assert_eq!((message.host.as_str(), message.app.as_str()), ("guardian-1", "agenttrust"));
    assert_eq!((message.process.as_str(), message.kind.as_str()), ("-", "decision"));
    let origin = [("software", "agenttrust"), ("swVersion", env!("CARGO_PKG_VERSION"))];
    let origin = origin.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(message.data, [("origin".to_owned(), origin.to_vec())]);
    assert!(
        message.message.contains(r#""\"\u00e4\ud83d\ude00\\\u2028\u0085\u2029\u007f""#),
        "{message:?}"
    );
}

#[tokio::test]
async fn name_of_a_host_and_of_a_kind_never_breaks_a_message() {
    let receiver = SyslogReceiver::start();
    let outbound = patient();
    let endpoint = outbound.endpoint(DestinationKind::Syslog, &receiver.url()).unwrap();
    let mut all = events(1);
    all[0].kind = format!("a b\n{}", "c".repeat(99));
    for (host, told) in [("", "-"), ("g 1\n<1>1", "g_1_<1>1"), ("gärd", "g_rd")] {
        let batch = Batch { id: "msg_1", events: &all, host };
        assert_eq!(outbound.deliver(&endpoint, None, &batch).await, Delivery::taken(None));
        let message = receiver.messages().pop().unwrap();
        assert_eq!((message.host.as_str(), message.kind.len()), (told, 32));
    }
    assert_eq!(receiver.wrong(), Vec::<String>::new());
}
