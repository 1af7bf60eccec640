//! The events that a security team counts and alerts by: callers that got in, callers that were kept out, and rights
//! that ended.

use serde_json::{Value, json};

use super::super::samples::row;
use super::event;

#[test]
fn who_was_let_in_or_kept_out_and_whose_rights_ended_is_told_by_type_status_and_disposition() {
    for (kind, type_uid, severity, status, disposition) in [
        ("session.opened", 300_301, 1, 1, Value::Null),
        ("session.revoked", 300_202, 2, 1, Value::Null),
        ("federation.token_refused", 300_201, 3, 2, json!(26)),
        ("proof.refused", 300_201, 3, 2, json!(26)),
        ("mcp.refused", 600_399, 3, 2, json!(2)),
        ("decision.withdrawn", 600_399, 3, 2, json!(24)),
        ("agent.suspended", 300_412, 3, 1, Value::Null),
        ("agent.reactivated", 300_413, 2, 1, Value::Null),
        ("agent.revoked", 300_409, 3, 1, Value::Null),
        ("key.created", 300_401, 2, 1, Value::Null),
        ("key.revoked", 300_409, 3, 1, Value::Null),
        ("token.revoked", 300_409, 2, 1, Value::Null),
        ("delegation.revoked", 300_409, 2, 1, Value::Null),
        ("delegation.refused", 300_499, 3, 2, Value::Null),
        ("approval.cancelled", 300_409, 2, 1, Value::Null),
        ("mcp_tool.changed", 300_403, 3, 1, Value::Null),
        ("siem.destination_removed", 300_404, 3, 1, Value::Null),
        ("audit.pruned", 100_802, 3, 1, Value::Null),
        ("siem.events_cut", 100_802, 4, 1, Value::Null),
        ("anomaly.denial_burst", 200_401, 4, 1, json!(19)),
    ] {
        let event = event(&row(kind, json!({})));
        let told =
            ["type_uid", "severity_id", "status_id"].map(|name| event[name].as_u64().unwrap());
        assert_eq!(told, [type_uid, severity, status], "{kind}: {event}");
        assert_eq!(event["disposition_id"], disposition, "{kind}: {event}");
    }
}
