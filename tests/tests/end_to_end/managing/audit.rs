//! The audit is read page by page, verified, and exported as it is listed.

use agenttrust::client::{AuditFilter, CheckpointFilter};
use agenttrust::model::{AuditCheckpointSays, AuditEntry};

use super::{People, assert_forbidden, assert_unknown};

/// The number of checks that the agent makes: more rows than one page of the Guardian's own has.
const CHECKS: usize = 120;

in_every_form! {
    fn audit_is_listed_page_by_page_and_exported_alike(people) {
        let check = people.check_of("search");
        for _ in 0..CHECKS {
            assert!(done!(people.agent.actions().check(&check))?.allowed);
        }
        let mut listed: Vec<AuditEntry> = Vec::new();
        let mut filter = AuditFilter::default();
        loop {
            let page = done!(people.operator.audit().list(&filter))?;
            listed.extend(page.entries);
            let Some(next) = page.next_after else { break };
            filter = filter.after(next);
        }
        assert!(listed.len() > CHECKS, "{}", listed.len());
        assert!(listed.windows(2).all(|two| two[0].hash == two[1].prev_hash));
        assert!(listed.iter().zip(1..).all(|(entry, seq)| entry.seq == seq && entry.log.is_empty()));
        let decision = listed.iter().rfind(|entry| entry.kind == "decision").unwrap();
        assert_eq!(decision.agent_id.as_ref(), Some(&people.agent_id));
        assert!(decision.actor.as_ref().is_some_and(|actor| actor.starts_with("key_")));
        assert!(decision.at.parse::<agenttrust::Timestamp>().is_ok(), "{}", decision.at);
        assert_eq!(decision.body["tool"], "search", "{}", decision.body);

        let mut exported = Vec::new();
        let mut export = done!(people.operator.audit().export())?;
        while let Some(entry) = done!(export.next()) {
            exported.push(entry?);
        }
        assert_eq!(exported, listed);
        let mut export = done!(people.operator.audit().export_log(""))?;
        let mut lines = 0;
        while let Some(line) = done!(export.next_line()) {
            assert_eq!(serde_json::from_str::<AuditEntry>(&line?)?, listed[lines]);
            lines += 1;
        }
        assert_eq!(lines, listed.len());

        // Of the agent alone, so many.
        let filter = AuditFilter::default().agent_id(&people.agent_id).limit(3);
        let page = done!(people.operator.audit().list(&filter))?;
        let of_agent = |entry: &&AuditEntry| entry.agent_id.as_ref() == Some(&people.agent_id);
        let expected: Vec<AuditEntry> = listed.iter().filter(of_agent).take(3).cloned().collect();
        assert_eq!(page.entries, expected);
        assert_eq!(page.next_after, Some(expected[2].seq));
    }

    fn audit_is_verified_and_its_logs_and_checkpoints_are_told(people) {
        done!(people.agent.actions().check(&people.check_of("search")))?;
        let found = done!(people.operator.audit().verify())?;
        assert!(found.ok && found.fault.is_none(), "{found:?}");
        let [log] = &found.logs[..] else { panic!("{found:?}") };
        assert_eq!((log.rows, &log.head, &log.fault), (found.rows, &found.head, &None));

        let logs = done!(people.operator.audit().logs())?;
        let [log] = &logs[..] else { panic!("{logs:?}") };
        assert!(log.own && log.newest_at.is_some(), "{log:?}");
        assert_eq!((&*log.log, log.newest), ("", Some(found.rows)));

        let first = done!(people.operator.audit().list(&AuditFilter::default().limit(1)))?.entries.remove(0);
        let filter = CheckpointFilter::default().before(2).limit(1);
        let page = done!(people.operator.audit().checkpoints(&filter))?;
        let [signed] = &page.checkpoints[..] else { panic!("{page:?}") };
        assert_eq!((signed.says, signed.seq), (AuditCheckpointSays::Reached, 1));
        assert_eq!((&signed.hash, &signed.log), (&first.hash, &first.log));
        assert_eq!((page.key.as_ref(), page.next_before), (Some(&signed.key), Some(1)));
        assert!(page.cut.is_none() && signed.signature.len() == 128, "{page:?}");
        assert_eq!(found.logs[0].keys, [signed.key.as_str()]);
        assert!(found.logs[0].signed.is_some(), "{found:?}");
        let page = done!(people.operator.audit().checkpoints(&filter.before(1)))?;
        assert!(page.checkpoints.is_empty() && page.next_before.is_none(), "{page:?}");
    }

    fn agents_key_sees_nothing_of_the_audit(people) {
        assert_forbidden(done!(people.agent.audit().list(&AuditFilter::default())));
        assert_forbidden(done!(people.agent.audit().logs()));
        assert_forbidden(done!(people.agent.audit().checkpoints(&CheckpointFilter::default())));
        assert_forbidden(done!(people.agent.audit().verify()));
        assert_forbidden(done!(people.agent.audit().export()));
        assert_unknown(done!(people.operator.audit().export_log("nowhere")));
    }
}
