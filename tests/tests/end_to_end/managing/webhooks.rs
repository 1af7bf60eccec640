//! Webhooks are registered with a secret that is shown once, listed, looked after and deleted.

use agenttrust::AgentTrustError;
use agenttrust::client::DeliveryFilter;
use agenttrust::model::{CreateWebhookRequest, DeliveryStatus, WebhookEvent};

use super::{People, assert_forbidden, assert_held, assert_unknown};

/// A name that stands for no machine anywhere (RFC 2606), and a path that is as good as a password.
const URL: &str = "https://hooks.invalid/T0p";

in_every_form! {
    fn webhook_is_registered_listed_told_and_deleted(people) {
        let events = [WebhookEvent::ApprovalPending, WebhookEvent::ApprovalDenied];
        let hook = done!(people.admin.webhooks().create(&CreateWebhookRequest::new(URL, events)))?;
        let secret = hook.secret.as_ref().unwrap().as_str();
        assert!(secret.starts_with("whsec_"), "{}", secret.len());
        let shown = format!("{hook:?}");
        assert!(!shown.contains(secret) && !shown.contains("T0p"), "{shown}");
        assert_eq!((&*hook.url, &hook.events[..]), (URL, &events[..]));
        assert!(hook.created_by.starts_with("key_") && hook.created_at.is_some(), "{hook:?}");

        let listed = done!(people.admin.webhooks().list())?;
        let [again] = &listed[..] else { panic!("{listed:?}") };
        assert_eq!((&again.id, &*again.url), (&hook.id, URL));
        assert!(again.secret.is_none() && again.disabled_at.is_none());
        // An operator is not shown the path.
        let listed = done!(people.operator.webhooks().list())?;
        assert_eq!(listed[0].url, "https://hooks.invalid/…");

        for tool in ["db_delete", "db_drop"] {
            let held = done!(people.agent.actions().check(&people.check_of(tool)))?;
            assert_held(&held, "");
        }
        let filter = DeliveryFilter::default().limit(1);
        let page = done!(people.operator.webhooks().deliveries(&hook.id, &filter))?;
        let [newest] = &page.deliveries[..] else { panic!("{page:?}") };
        assert_eq!((newest.event, newest.status), (WebhookEvent::ApprovalPending, DeliveryStatus::Waiting));
        assert!(newest.next_attempt_at.is_some() && newest.ended_at.is_none(), "{newest:?}");
        let filter = filter.before(page.next.unwrap());
        let page = done!(people.operator.webhooks().deliveries(&hook.id, &filter))?;
        let [oldest] = &page.deliveries[..] else { panic!("{page:?}") };
        assert!(oldest.id != newest.id && oldest.created_at <= newest.created_at);
        assert_eq!(page.next, None);

        done!(people.admin.webhooks().delete(&hook.id))?;
        assert!(done!(people.admin.webhooks().list())?.is_empty());
        assert_unknown(done!(people.admin.webhooks().delete(&hook.id)));
        let filter = DeliveryFilter::default();
        assert_unknown(done!(people.admin.webhooks().deliveries(&hook.id, &filter)));
    }

    fn those_who_may_not_look_after_webhooks_do_not(people) {
        let request = CreateWebhookRequest::new(URL, [WebhookEvent::ApprovalPending]);
        assert_forbidden(done!(people.agent.webhooks().create(&request)));
        assert_forbidden(done!(people.agent.webhooks().list()));
        assert_forbidden(done!(people.agent.webhooks().delete("whk_1")));
        let filter = DeliveryFilter::default();
        assert_forbidden(done!(people.agent.webhooks().deliveries("whk_1", &filter)));
        assert_forbidden(done!(people.operator.webhooks().create(&request)));
        assert_forbidden(done!(people.operator.webhooks().delete("whk_1")));
        let inside = CreateWebhookRequest::new("https://10.0.0.1/", [WebhookEvent::ApprovalPending]);
        let refused = done!(people.admin.webhooks().create(&inside)).unwrap_err();
        assert!(matches!(refused, AgentTrustError::Validation { status: 400, .. }), "{refused:?}");
        assert!(done!(people.admin.webhooks().list())?.is_empty());
    }
}
