//! What a tool counts as is set, unset and forgotten, whatever its name.

use agenttrust::{Effect, ToolDeclaration, ToolManifest};

use super::{People, assert_forbidden, assert_held, assert_unknown};

/// A name that is several segments, unless it is encoded.
const ODD: &str = "http/POST/refunds/{id}?é#%2e";

in_every_form! {
    fn effect_that_is_set_is_final_until_it_is_unset(people) {
        for tool in [ODD, "search"] {
            let check = people.check_of(tool);
            assert!(done!(people.agent.actions().check(&check))?.allowed);
            done!(people.operator.tools().set_effect(tool, Effect::Destructive))?;
            let held = done!(people.agent.actions().check(&check))?;
            assert_held(&held, "");
            done!(people.operator.tools().unset_effect(tool))?;
            assert!(done!(people.agent.actions().check(&check))?.allowed);
            assert_unknown(done!(people.operator.tools().unset_effect(tool)));
        }
    }

    fn declared_tool_is_forgotten(people) {
        let tool = ToolDeclaration::new(ODD).effect(Effect::Destructive);
        done!(people.operator.tools().declare(&ToolManifest::new([tool])))?;
        let check = people.check_of(ODD);
        assert_held(&done!(people.agent.actions().check(&check))?, "");
        done!(people.operator.tools().remove(ODD))?;
        assert!(done!(people.operator.tools().list())?.is_empty());
        assert!(done!(people.agent.actions().check(&check))?.allowed);
        assert_unknown(done!(people.operator.tools().remove(ODD)));
    }

    fn agents_key_says_nothing_final_of_tools(people) {
        done!(people.operator.tools().set_effect("db_delete", Effect::Admin))?;
        assert_forbidden(done!(people.agent.tools().set_effect("db_delete", Effect::Read)));
        assert_forbidden(done!(people.agent.tools().unset_effect("db_delete")));
        assert_forbidden(done!(people.agent.tools().remove("db_delete")));
        let held = done!(people.agent.actions().check(&people.check_of("db_delete")))?;
        assert_held(&held, "");
    }
}
