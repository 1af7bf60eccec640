//! Where events may be sent to.

use super::*;
use crate::outbound::Error;

fn refused(kind: DestinationKind, url: &str, outbound: &Outbound) -> String {
    match outbound.endpoint(kind, url) {
        Err(error @ Error::Refused(_)) => error.to_string(),
        other => panic!("{kind:?} {url}: {other:?}"),
    }
}

#[test]
fn url_that_leaves_the_path_out_has_the_vendors_and_another_path_is_refused() {
    use DestinationKind::{Datadog, Elastic, Splunk, Webhook};
    let outbound = Outbound::new(Reach::default());
    for (kind, url, path) in [
        (Splunk, "https://splunk.example:8088", "/services/collector/event"),
        (Splunk, "https://splunk.example/services/collector", "/services/collector"),
        (Splunk, "https://a.example/x/services/collector/event/", "/x/services/collector/event"),
        (Datadog, "https://http-intake.logs.datadoghq.eu", "/api/v2/logs"),
        (Datadog, "https://logs.example/api/v2/logs", "/api/v2/logs"),
        (Elastic, "https://es.example:9200", "/logs-agenttrust.audit-default/_bulk"),
        (Elastic, "https://es.example/_bulk", "/logs-agenttrust.audit-default/_bulk"),
        (Elastic, "https://es.example/audit", "/audit/_bulk"),
        (Elastic, "https://es.example/es/audit/_bulk/", "/es/audit/_bulk"),
        (Webhook, "https://hooks.example/a?b=c", "/a"),
    ] {
        let endpoint = outbound.endpoint(kind, url).unwrap();
        let Place::Url(found) = endpoint.place() else { panic!("{url}") };
        assert_eq!(found.path(), path, "{url}");
    }
    for (kind, url, says) in [
        (Splunk, "https://splunk.example/event", "ends with /services/collector"),
        (Datadog, "https://logs.example/v1/input", "ends with /api/v2/logs"),
        (Splunk, "http://splunk.example/", "must be https"),
        (Datadog, "https://169.254.169.254/", "not public"),
        (Elastic, "https://10.0.0.1:9200/", "not public"),
        (Webhook, "https://u:p@hooks.example/", "a name or a password"),
        (Webhook, "file:///etc/passwd", "names no host"),
        (Elastic, "syslog+tls://a.example", "must be https"),
    ] {
        let why = refused(kind, url, &outbound);
        assert!(why.contains(says), "{url}: {why}");
    }
}

#[test]
fn receiver_of_syslog_is_named_by_its_own_schemes_and_looked_at_like_any_other() {
    let outbound = outbound();
    for (url, host, port, is_tls) in [
        ("syslog+tls://logs.example", "logs.example", 6514, true),
        ("tls://logs.example:443", "logs.example", 443, true),
        ("SYSLOG+TLS://logs.example:601/", "logs.example", 601, true),
        ("syslog+tcp://127.0.0.1", "127.0.0.1", 601, false),
        ("tcp://127.0.0.1:80", "127.0.0.1", 80, false),
        ("syslog+tcp://[::1]:1514", "::1", 1514, false),
    ] {
        let endpoint = outbound.endpoint(DestinationKind::Syslog, url).unwrap();
        let Place::Peer(peer) = endpoint.place() else { panic!("{url}") };
        assert_eq!(peer.is_at(), (host, port, is_tls), "{url}");
    }
    for (url, says) in [
        ("udp://logs.example:514", "write syslog+tls://"),
        ("https://logs.example", "write syslog+tls://"),
        ("logs.example:6514", "write syslog+tls://"),
        ("syslog+tcp://8.8.8.8", "must be syslog+tls; without TLS"),
        ("syslog+tls://10.0.0.1", "not public"),
        ("syslog+tls://169.254.169.254:6514", "not public"),
        ("syslog+tls://logs.example/a", "a path or a query"),
        ("syslog+tls://logs.example?a", "a path or a query"),
        ("syslog+tls://u:p@logs.example", "a name or a password"),
        ("syslog+tls://logs.example:0", "port 0"),
        ("syslog+tls://0x7f000001", "uncommon way"),
        ("syslog+tls:logs.example", "no //"),
        ("syslog+tls://", "names no host"),
    ] {
        let why = refused(DestinationKind::Syslog, url, &outbound);
        assert!(why.contains(says), "{url}: {why}");
    }
}

#[test]
fn place_is_never_shown_whole() {
    let endpoint = outbound().endpoint(DestinationKind::Webhook, "https://a.example/hunter2");
    assert_eq!(format!("{:?}", endpoint.unwrap()), "Endpoint { kind: Webhook, .. }");
}
