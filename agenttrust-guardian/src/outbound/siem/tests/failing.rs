//! Receivers that refuse, stall, reset and cannot be trusted.

use agenttrust_testkit::siem::{Authority, Mood};

use super::super::super::Roots;
use super::*;

#[tokio::test]
async fn what_is_refused_for_good_is_told_with_the_receivers_own_reason() {
    for (vendor, why) in [
        (Vendor::Splunk, "400 Bad Request: Invalid data format"),
        (Vendor::Datadog, "400 Bad Request: Invalid log"),
        (Vendor::Webhook, "400 Bad Request"),
    ] {
        let receiver = receiver(vendor);
        let all = events(3);
        receiver.mood(Mood::RefuseEvent(all[1].id.clone()));
        let reason = format!("the receiver answered {why}");
        let refused = Delivery::Refused { status: 400, reason };
        assert_eq!(send(&patient(), &receiver, &all).await, refused);
        assert_eq!(send(&patient(), &receiver, &all[1..2]).await, refused);
        assert!(matches!(send(&patient(), &receiver, &all[2..]).await, Delivery::Taken { .. }));
        assert_eq!(receiver.ids(), [all[2].id.clone()]);
    }
    for status in [400, 413, 422] {
        for vendor in VENDORS {
            let receiver = receiver(vendor);
            receiver.mood(Mood::Answer(status, None));
            let delivery = send(&patient(), &receiver, &events(1)).await;
            assert!(
                matches!(&delivery, Delivery::Refused { status: told, .. } if *told == status),
                "{vendor:?} {status}: {delivery:?}"
            );
        }
    }
}

#[tokio::test]
async fn elastic_tells_of_each_event_what_became_of_it() {
    let receiver = receiver(Vendor::Elastic);
    let all = events(4);
    receiver.next(Mood::RefuseEvent(all[2].id.clone()));
    let why =
        "the receiver answered 400 for this event: document_parsing_exception: failed to parse";
    let taken = Delivery::Taken {
        status: Some(200),
        refused: vec![(2, why.to_owned())],
        later: Vec::new(),
    };
    assert_eq!(send(&patient(), &receiver, &all).await, taken);
    assert_eq!(receiver.ids(), [0, 1, 3].map(|n| all[n].id.clone()));
    // One that it had no room for is sent again, and with it those after it.
    let more = padded(7, 1).split_off(4);
    receiver.next(Mood::Busy(more[1].id.clone()));
    let taken = Delivery::Taken { status: Some(200), refused: Vec::new(), later: vec![1] };
    assert_eq!(send(&patient(), &receiver, &more).await, taken);
    receiver.next(Mood::Busy(more[1].id.clone()));
    let why = reason(send(&patient(), &receiver, &more[1..]).await);
    assert!(why.contains("429 for this event: es_rejected_execution_exception"), "{why}");
    // An answer that tells nothing of the events is no word that they were taken.
    receiver.next(Mood::Answer(200, None));
    let why = reason(send(&patient(), &receiver, &more).await);
    assert!(why.contains("no answer to a bulk request"), "{why}");
}

#[tokio::test]
async fn what_passes_and_what_an_operator_can_mend_is_sent_again_when_the_receiver_wants_it() {
    for vendor in VENDORS {
        let receiver = receiver(vendor);
        for (status, asks, waits) in [
            (429, Some("7"), Some(Duration::from_secs(7))),
            (503, Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO)),
            (500, None, None),
            (401, None, None),
            (404, None, None),
            (302, None, None),
        ] {
            receiver.next(Mood::Answer(status, asks.map(str::to_owned)));
            let delivery = send(&patient(), &receiver, &events(2)).await;
            let Delivery::Later { status: told, retry_after, reason } = delivery else {
                panic!("{vendor:?} {status}: {delivery:?}")
            };
            assert_eq!((told, retry_after), (Some(status), waits), "{vendor:?}: {reason}");
            assert!(reason.contains(&status.to_string()), "{reason}");
        }
        assert!(receiver.taken().is_empty());
    }
}

#[tokio::test]
async fn wrong_token_is_the_operators_to_mend_and_not_repeated() {
    for vendor in VENDORS {
        let receiver = receiver(vendor);
        let wrong = match vendor {
            Vendor::Webhook => "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            _ => "wrong-hunter2",
        };
        let place = (kind(vendor), receiver.url());
        let delivery = deliver(&patient(), (place.0, &place.1), Some(wrong), &events(1)).await;
        let Delivery::Later { status: Some(401 | 403), reason, .. } = delivery else {
            panic!("{vendor:?}: {delivery:?}")
        };
        assert!(!reason.contains("hunter2"), "{reason}");
    }
    let receiver = receiver(Vendor::Splunk).acknowledging(0);
    // An acknowledgement that is not offered is a switch of the token.
    let delivery = send(&patient(), &receiver, &events(1)).await;
    assert_eq!(delivery, Delivery::taken(Some(200)));
}

#[tokio::test]
async fn peer_that_stalls_or_resets_is_tried_again_in_time() {
    for vendor in VENDORS {
        let receiver = receiver(vendor);
        receiver.next(Mood::Stall);
        let why = reason(send(&outbound(), &receiver, &events(2)).await);
        assert!(why.contains("none came within 700ms"), "{vendor:?}: {why}");
        for mood in [Mood::Reset, Mood::TakeAndReset] {
            receiver.next(mood);
            let why = reason(send(&patient(), &receiver, &events(2)).await);
            assert!(why.starts_with("no answer: "), "{vendor:?}: {why}");
        }
        let delivery = send(&patient(), &receiver, &events(2)).await;
        assert!(matches!(delivery, Delivery::Taken { .. }), "{vendor:?}: {delivery:?}");
    }
    let mut receiver = receiver(Vendor::Datadog);
    receiver.stop();
    let why = reason(send(&patient(), &receiver, &events(1)).await);
    assert!(why.starts_with("no answer: ") && why.contains("refused"), "{why}");
}

#[tokio::test]
async fn part_that_fails_and_what_comes_after_it_is_sent_again_and_what_was_before_is_not() {
    let all = events(2_500);
    for mood in [Mood::Answer(503, None), Mood::RefuseEvent(all[1_700].id.clone()), Mood::Reset] {
        let receiver = receiver(Vendor::Datadog);
        receiver.next(Mood::Take);
        receiver.next(mood);
        let delivery = send(&patient(), &receiver, &all).await;
        let Delivery::Taken { refused, later, .. } = delivery else { panic!("{delivery:?}") };
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(later, (1_000..2_500).collect::<Vec<_>>());
        assert_eq!(receiver.ids(), ids(&all[..1_000]));
        assert_eq!(receiver.requests().len(), 2);
    }
}

#[tokio::test]
async fn token_with_a_line_break_is_sent_to_nobody() {
    for vendor in VENDORS {
        let receiver = receiver(vendor);
        let url = receiver.url();
        for token in ["a\r\nx-evil: 1", "a\nb", "a b", "", "\u{e4}", &"a".repeat(4_097)] {
            let why = deliver(&patient(), (kind(vendor), &url), Some(token), &events(1)).await;
            let why = reason(why);
            assert!(why.starts_with("not sent: the token "), "{why}");
        }
        assert!(receiver.requests().is_empty());
    }
    assert!(check_token(DestinationKind::Webhook, "hunter2").unwrap_err().contains("whsec_"));
    assert!(check_token(DestinationKind::Webhook, "whsec_c2hvcnQ=").is_err());
    assert_eq!(check_token(DestinationKind::Webhook, WEBHOOK_SECRET), Ok(()));
    assert_eq!(check_token(DestinationKind::Splunk, TOKEN), Ok(()));
    for kind in [DestinationKind::Syslog, DestinationKind::File] {
        assert!(check_token(kind, TOKEN).unwrap_err().contains("leave it out"));
    }
}

#[tokio::test]
async fn certificate_that_does_not_verify_is_told_nothing() {
    let (known, stranger) = (Authority::new(), Authority::new());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), known.pem()).unwrap();
    let trusting = patient().trusting(Roots::read(file.path()).unwrap());
    for (server, outbound, is_trusted) in [
        (known.server("localhost"), trusting.clone(), true),
        (known.server("localhost"), patient(), false),
        (stranger.server("localhost"), trusting.clone(), false),
        (known.server("elsewhere.example"), trusting, false),
    ] {
        let receiver = HttpReceiver::start_tls(Vendor::Splunk, TOKEN, server);
        let delivery = send(&outbound, &receiver, &events(2)).await;
        if is_trusted {
            assert_eq!(delivery, Delivery::taken(Some(200)));
            continue;
        }
        let why = reason(delivery);
        assert!(why.starts_with("no answer: ") && why.contains("certificate"), "{why}");
        assert!(receiver.requests().is_empty());
    }
}

/// Returns a collector that answers every request with this, and where it is.
async fn answering(status: &'static str, said: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/collector", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 64 << 10];
            let _ = socket.read(&mut request).await;
            let length = said.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            );
            let _ = socket.write_all(format!("{head}{said}").as_bytes()).await;
            // What is not read yet would reset the connection.
            while socket.read(&mut request).await.is_ok_and(|read| read > 0) {}
        }
    });
    url
}

#[tokio::test]
async fn what_splunk_says_of_the_token_is_the_operators_to_mend_and_loses_no_event() {
    for (said, is_of_an_event) in [
        (r#"{"text":"Incorrect index","code":7}"#, false),
        (r#"{"text":"Data channel is missing","code":10}"#, false),
        (r#"{"text":"Invalid data channel","code":11}"#, false),
        (r#"{"text":"ACK is disabled","code":14}"#, false),
        (r#"{"text":"Invalid data format","code":6}"#, true),
        (r#"{"text":"Event field is required","code":12}"#, true),
        ("busy", true),
    ] {
        let url = answering("400 Bad Request", said).await;
        let place = (DestinationKind::Splunk, url.as_str());
        match deliver(&patient(), place, Some(TOKEN), &events(1)).await {
            Delivery::Refused { status: 400, .. } => assert!(is_of_an_event, "{said}"),
            Delivery::Later { status: Some(400), .. } => assert!(!is_of_an_event, "{said}"),
            other => panic!("{said}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn answer_that_is_no_success_of_splunks_loses_no_event_whatever_its_status() {
    for said in [
        "<html>sign in</html>",
        "",
        "{}",
        r#"{"text":"Invalid token","code":4}"#,
        r#"{"text":"Success","code":0,"ackId":"7"}"#,
        r#"{"text":"Success","code":0,"ackId":-1}"#,
    ] {
        let url = answering("200 OK", said).await;
        let place = (DestinationKind::Splunk, url.as_str());
        let became = deliver(&patient(), place, Some(TOKEN), &events(1)).await;
        assert!(matches!(became, Delivery::Later { .. }), "{said}: {became:?}");
    }
}
