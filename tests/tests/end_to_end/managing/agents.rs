//! An agent is suspended, comes back, and is kept to its floor.

use agenttrust::AgentTrustError;
use agenttrust::model::{AgentStatus, SessionMode, SetFloorRequest};

use super::{People, assert_denied, assert_forbidden, assert_status, assert_unknown};

in_every_form! {
    fn suspended_agent_may_do_nothing_until_it_is_reactivated(people) {
        let check = people.check_of("search");
        done!(people.operator.agents().suspend(&people.agent_id, "on leave"))?;
        assert_denied(&done!(people.agent.actions().check(&check))?, "suspended");
        let agent = done!(people.operator.agents().get(&people.agent_id))?;
        assert_eq!(agent.status, AgentStatus::Suspended);
        done!(people.operator.agents().reactivate(&people.agent_id, "back"))?;
        assert!(done!(people.agent.actions().check(&check))?.allowed);

        done!(people.operator.agents().revoke(&people.agent_id, "retired"))?;
        assert_status(done!(people.operator.agents().suspend(&people.agent_id, "")), 409);
        assert_status(done!(people.operator.agents().reactivate(&people.agent_id, "")), 409);
    }

    fn agent_is_kept_to_its_floor(people) {
        let check = people.check_of("search");
        let floor = SetFloorRequest::new(SessionMode::Restricted).scope_ceiling(["files:*"]);
        let floor = done!(people.operator.agents().set_floor(&people.agent_id, &floor))?;
        assert_eq!((floor.mode, floor.scope_ceiling), (SessionMode::Restricted, Some(vec!["files:*".to_owned()])));
        assert_denied(&done!(people.agent.actions().check(&check))?, "ceiling");
        assert!(done!(people.agent.actions().check(&people.check_of("files_read")))?.allowed);

        // What says nothing of the ceiling that there is takes nothing away.
        let supervised = SetFloorRequest::new(SessionMode::Supervised);
        let refused = done!(people.operator.agents().set_floor(&people.agent_id, &supervised));
        let refused = refused.unwrap_err();
        assert!(matches!(refused, AgentTrustError::Validation { status: 400, .. }), "{refused:?}");
        assert_denied(&done!(people.agent.actions().check(&check))?, "ceiling");

        let supervised = supervised.no_scope_ceiling();
        let floor = done!(people.operator.agents().set_floor(&people.agent_id, &supervised))?;
        assert_eq!((floor.mode, floor.scope_ceiling), (SessionMode::Supervised, None));
        assert!(done!(people.agent.actions().check(&check))?.allowed);
        let open = SetFloorRequest::new(SessionMode::Open);
        let floor = done!(people.operator.agents().set_floor(&people.agent_id, &open))?;
        assert_eq!((floor.mode, floor.scope_ceiling), (SessionMode::Open, None));
    }

    fn agents_key_changes_no_agent(people) {
        let open = SetFloorRequest::new(SessionMode::Open);
        assert_forbidden(done!(people.agent.agents().suspend(&people.agent_id, "")));
        assert_forbidden(done!(people.agent.agents().reactivate(&people.agent_id, "")));
        assert_forbidden(done!(people.agent.agents().set_floor(&people.agent_id, &open)));
        for nobody in ["agt_nobody", "../agents", "a/b?c"] {
            assert_unknown(done!(people.operator.agents().suspend(nobody, "")));
            assert_unknown(done!(people.operator.agents().reactivate(nobody, "")));
            assert_unknown(done!(people.operator.agents().set_floor(nobody, &open)));
        }
    }
}
