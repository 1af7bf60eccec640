//! Tokens that a client keeps: by the gateway's clock, whatever its own says.

use std::time::Duration;

use agenttrust::{IntrospectTokenRequest, IssueTokenRequest};
use serde_json::{Value, json};

use crate::scripted::{Say, Scripted};

/// The time at which the gateway answered, by its own clock.
const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

/// Returns how often the gateway was asked for a token that was wanted twice, where it answers like
/// this.
async fn issued(headers: &[(&'static str, &'static str)], token: Value) -> usize {
    let say = Say::Answer(200, headers.to_vec(), token);
    let gateway = Scripted::default().and_of_approvals([say.clone(), say]);
    let client = gateway.client();
    let request = IssueTokenRequest {
        agent_id: "agt_1".to_owned(),
        scope: vec!["files:read".to_owned()],
        audience: vec![],
        ttl: 300,
    };
    for _ in 0..2 {
        client.tokens().issue(&request).await.unwrap();
    }
    gateway.others().len()
}

#[tokio::test]
async fn token_is_kept_by_the_gateways_clock_however_far_off_ours_is() {
    for (year, date) in [(1994, None), (1994, Some(DATE)), (2093, None)] {
        let token = |ends: &str| {
            let [issued, ends] = ["08:49:00", ends].map(|time| format!("{year}-11-06T{time}Z"));
            json!({ "token": "at_1", "agent_id": "agt_1", "issued_at": issued, "expires_at": ends })
        };
        let headers: Vec<_> = date.into_iter().collect();
        assert_eq!(issued(&headers, token("08:54:00")).await, 1, "{year} {date:?}");
        assert_eq!(
            issued(&headers, token("08:49:29")).await,
            2,
            "{year} {date:?}: it is about to end"
        );
    }
    // It was issued a while ago, and 23 seconds are left of it.
    let token = json!({
        "token": "at_1", "agent_id": "agt_1",
        "issued_at": "1994-11-06T08:45:00Z", "expires_at": "1994-11-06T08:50:00Z",
    });
    assert_eq!(issued(&[DATE], token).await, 2);
    // Nobody says by which clock it ends.
    let token =
        json!({ "token": "at_1", "agent_id": "agt_1", "expires_at": "2093-11-06T08:50:00Z" });
    assert_eq!(issued(&[], token.clone()).await, 2);
    assert_eq!(issued(&[("date", "yesterday")], token).await, 2);
}

#[tokio::test]
async fn introspection_says_how_long_a_token_lives_by_the_gateways_clock() {
    let worth =
        json!({ "active": true, "agent_id": "agt_1", "expires_at": "1994-11-06T08:54:37Z" });
    for (headers, lives) in [
        // The second that the header does not tell is over.
        (vec![DATE], Some(Duration::from_secs(299))),
        (vec![("date", "Sun, 06 Nov 1994 09:00:00 GMT")], Some(Duration::ZERO)),
        (vec![], None),
        (vec![("date", "Mon, 06 Nov 1994 08:49:37 GMT")], None),
    ] {
        let say = Say::Answer(200, headers, worth.clone());
        let client = Scripted::default().and_of_approvals([say]).client();
        let request = IntrospectTokenRequest {
            token: "at_1".to_owned(),
            target: None,
            required_scopes: vec![],
        };
        assert_eq!(client.tokens().introspect(&request).await.unwrap().expires_in, lives);
    }
}
