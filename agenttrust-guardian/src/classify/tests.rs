//! The rule, case by case.

use super::*;

const NOTHING: Evidence<'_> = Evidence {
    tool: "frobnicate",
    operator: None,
    hint: None,
    manifest: None,
    raised: None,
    annotation: None,
};

fn named(tool: &str) -> Effect {
    classify(&Evidence { tool, ..NOTHING }).effect
}

#[test]
fn an_operators_word_is_final_and_may_lower() {
    let found = classify(&Evidence {
        tool: "delete_draft",
        operator: Some(Effect::Read),
        hint: Some(Effect::Admin),
        manifest: Some(Effect::Admin),
        raised: Some(Effect::Admin),
        annotation: Some(Effect::Admin),
    });
    assert_eq!(
        found,
        Classification {
            effect: Effect::Read,
            confidence: 1.0,
            basis: ClassificationSource::Registered
        }
    );
}

#[test]
fn the_strongest_evidence_wins_so_a_hint_lowers_no_other() {
    for (hint, manifest, annotation, strongest) in [
        (Effect::Read, Effect::Destructive, Effect::Mutating, Effect::Destructive),
        (Effect::Admin, Effect::Read, Effect::Read, Effect::Admin),
        (Effect::Read, Effect::Read, Effect::Admin, Effect::Admin),
    ] {
        let found = classify(&Evidence {
            hint: Some(hint),
            manifest: Some(manifest),
            annotation: Some(annotation),
            ..NOTHING
        });
        assert_eq!(found.effect, strongest);
        assert_eq!(found.basis, ClassificationSource::Registered);
    }
    let hinted = Evidence { tool: "db_delete", hint: Some(Effect::Read), ..NOTHING };
    assert_eq!(classify(&hinted).effect, Effect::Destructive);
}

#[test]
fn confidence_tells_registered_hinted_named_and_default_apart() {
    let manifest = Evidence { manifest: Some(Effect::Read), ..NOTHING };
    let annotation =
        Evidence { annotation: Some(Effect::Read), hint: Some(Effect::Read), ..NOTHING };
    let hint = Evidence { hint: Some(Effect::Read), ..NOTHING };
    let name = Evidence { tool: "get_file", ..NOTHING };
    for (evidence, confidence, effect) in [
        (manifest, 1.0, Effect::Read),
        (annotation, 1.0, Effect::Read),
        (hint, 0.9, Effect::Read),
        (name, 0.6, Effect::Read),
        (NOTHING, 0.3, Effect::Mutating),
    ] {
        let found = classify(&evidence);
        assert!((found.confidence - confidence).abs() < f64::EPSILON, "{evidence:?}");
        assert_eq!(found.effect, effect, "{evidence:?}");
    }
}

#[test]
fn what_an_agents_key_raised_is_worth_a_hint_and_lowers_nothing() {
    for (manifest, raised, effect, basis) in [
        (None, Effect::Admin, Effect::Admin, ClassificationSource::Hinted),
        (Some(Effect::Read), Effect::Admin, Effect::Admin, ClassificationSource::Hinted),
        (Some(Effect::Admin), Effect::Admin, Effect::Admin, ClassificationSource::Registered),
        (Some(Effect::Admin), Effect::Destructive, Effect::Admin, ClassificationSource::Registered),
    ] {
        let hint = Some(Effect::Read);
        let found = classify(&Evidence { manifest, raised: Some(raised), hint, ..NOTHING });
        assert_eq!((found.effect, found.basis), (effect, basis), "{manifest:?} {raised}");
    }
}

#[test]
fn the_strongest_verb_in_the_name_decides_wherever_it_stands() {
    for (tool, effect) in [
        ("web_search", Effect::Read),
        ("list_deleted", Effect::Read),
        ("list_delete", Effect::Destructive),
        ("findOneAndDelete", Effect::Destructive),
        ("get_and_delete_message", Effect::Destructive),
        ("list_and_purge", Effect::Destructive),
        ("describe_and_terminate", Effect::Destructive),
        ("find_or_create", Effect::Mutating),
        ("readWriteRow", Effect::Mutating),
        ("search_then_revoke", Effect::Admin),
        ("delete_and_grant", Effect::Admin),
        ("db_delete", Effect::Destructive),
        ("db-delete", Effect::Destructive),
        ("db.delete", Effect::Destructive),
        ("db:delete", Effect::Destructive),
        ("db delete", Effect::Destructive),
        ("db,delete;all", Effect::Destructive),
        ("db\u{2013}delete", Effect::Destructive),
        ("deleteUser", Effect::Destructive),
        ("userDelete", Effect::Destructive),
        ("SQLDropTable", Effect::Destructive),
        ("S3DELETE", Effect::Destructive),
        ("delete2", Effect::Destructive),
        ("grant_role", Effect::Admin),
        ("sudo", Effect::Admin),
        ("send_email", Effect::Mutating),
        ("deleted_items", Effect::Mutating),
        ("deletefile", Effect::Mutating),
        ("getaway", Effect::Mutating),
        ("check_availability", Effect::Read),
        ("check_out_book", Effect::Mutating),
        ("git_fetch", Effect::Mutating),
        ("", Effect::Mutating),
        ("/", Effect::Mutating),
        ("löschen", Effect::Mutating),
    ] {
        assert_eq!(named(tool), effect, "{tool}");
    }
    assert_eq!(
        classify(&Evidence { tool: "getaway", ..NOTHING }).basis,
        ClassificationSource::Default
    );
}

#[test]
fn a_read_counts_in_the_last_part_and_a_stronger_verb_in_every_part() {
    for (tool, effect) in [
        ("delete/user", Effect::Destructive),
        ("db/drop/table", Effect::Destructive),
        ("admin/grant/role", Effect::Admin),
        ("files/delete_user/v2", Effect::Destructive),
        ("files/deleteUser/get", Effect::Destructive),
        ("delete-service/list_items", Effect::Destructive),
        ("get/delete_item", Effect::Destructive),
        ("files/list", Effect::Read),
        ("get/user", Effect::Mutating),
        ("get_user/", Effect::Mutating),
    ] {
        assert_eq!(named(tool), effect, "{tool}");
    }
    assert_eq!(
        classify(&Evidence { tool: "get/user", ..NOTHING }).basis,
        ClassificationSource::Default
    );
}

#[test]
fn a_noun_that_is_spelled_like_a_verb_is_one_where_no_verb_can_stand() {
    for (tool, effect) in [
        ("get_order", Effect::Read),
        ("list_orders", Effect::Read),
        ("read_comment", Effect::Read),
        ("get_email", Effect::Read),
        ("query_store", Effect::Read),
        ("get_post", Effect::Read),
        ("list_commits", Effect::Read),
        ("search_issues", Effect::Read),
        ("list_merge_requests", Effect::Read),
        ("list_workflow_run_jobs", Effect::Read),
        ("get_reset_token", Effect::Read),
        ("get_grant", Effect::Read),
        ("list_trash", Effect::Read),
        ("email/list", Effect::Read),
        ("run/get_log", Effect::Read),
        ("order_pizza", Effect::Mutating),
        ("shop_order", Effect::Mutating),
        ("orders/email", Effect::Mutating),
        ("search_and_book", Effect::Mutating),
        ("get_user_and_email", Effect::Mutating),
        ("get_user_or_reset", Effect::Destructive),
        ("find_to_grant", Effect::Admin),
        ("query_run", Effect::Mutating),
        ("scan_start_now", Effect::Mutating),
        ("list_run", Effect::Mutating),
        ("run/query", Effect::Mutating),
        ("list_sync", Effect::Mutating),
        ("view_reset", Effect::Destructive),
    ] {
        assert_eq!(named(tool), effect, "{tool}");
    }
}

#[test]
fn money_and_execution_are_destructive_while_nothing_else_says_an_effect() {
    for (tool, alone) in [
        ("pay_invoice", Effect::Destructive),
        ("refund", Effect::Destructive),
        ("card_charge", Effect::Destructive),
        ("transferFunds", Effect::Destructive),
        ("exec", Effect::Destructive),
        ("run_shell_command", Effect::Destructive),
        ("exec/list", Effect::Destructive),
        ("get_refund", Effect::Mutating),
        ("list_charge_backs", Effect::Mutating),
        ("run_workflow", Effect::Mutating),
        ("start_process", Effect::Destructive),
        ("list_running_processes", Effect::Read),
        ("get_run_command", Effect::Read),
        ("write_script", Effect::Mutating),
        ("command_list", Effect::Read),
        ("list_refunds", Effect::Read),
    ] {
        let evidence = Evidence { tool, ..NOTHING };
        assert_eq!(classify(&evidence).effect, alone, "{tool}");
        let told = alone.min(Effect::Mutating);
        let read = Some(Effect::Read);
        for evidence in [
            Evidence { hint: read, ..evidence },
            Evidence { manifest: read, ..evidence },
            Evidence { annotation: read, ..evidence },
        ] {
            assert_eq!(classify(&evidence).effect, told, "{evidence:?}");
        }
        // What an agent's key said can only raise.
        let raised = Evidence { raised: Some(Effect::Mutating), ..evidence };
        assert_eq!(classify(&raised).effect, alone.max(Effect::Mutating), "{tool}");
    }
}

#[test]
fn changing_who_may_do_what_is_for_admins() {
    for (tool, effect) in [
        ("assign_role", Effect::Admin),
        ("set_config_value", Effect::Admin),
        ("iam/create_user", Effect::Admin),
        ("permissions/delete", Effect::Admin),
        ("charge_access", Effect::Admin),
        ("list_roles", Effect::Read),
        ("iam/list_users", Effect::Read),
        ("role", Effect::Mutating),
    ] {
        assert_eq!(named(tool), effect, "{tool}");
    }
}

#[test]
fn two_words_in_a_row_say_something_else_together() {
    for (tool, effect) in [
        ("git_log", Effect::Read),
        ("git_log/delete", Effect::Destructive),
        ("git_log_delete", Effect::Destructive),
        ("git_log/v2", Effect::Mutating),
        ("log", Effect::Mutating),
        ("checkIn", Effect::Mutating),
        ("check_in/list", Effect::Mutating),
        ("kubectl_apply", Effect::Destructive),
        ("apply_label", Effect::Mutating),
    ] {
        assert_eq!(named(tool), effect, "{tool}");
    }
}

#[test]
fn a_word_in_disguise_is_unknown_and_never_weaker() {
    for tool in [
        "d\u{435}lete_file",
        "list_d\u{435}lete",
        "get_\u{440}\u{430}\u{443}",
        "list_\u{441}\u{43e}\u{440}\u{443}",
        "list_\u{ff44}\u{ff45}\u{ff4c}\u{ff45}\u{ff54}\u{ff45}",
        "list_\u{1d41d}\u{1d41e}\u{1d425}",
        "list_del\u{200d}ete",
        "list_\u{200b}zap",
        "list_de\u{301}lete",
        "list_d\u{e9}lete",
        "g\u{435}t_user",
        "files/d\u{435}lete/list",
        "listD\u{415}LETE",
    ] {
        for hint in [None, Some(Effect::Read)] {
            let found = classify(&Evidence { tool, hint, ..NOTHING });
            assert!(found.effect >= Effect::Mutating, "{tool} {hint:?}");
        }
        assert_eq!(
            classify(&Evidence { tool, ..NOTHING }).basis,
            ClassificationSource::Name,
            "{tool}"
        );
    }
    // These are what they look like: another language.
    for tool in ["get_größe", "天気", "get_天気", "API取得_list", "получить"] {
        let hint = Some(Effect::Read);
        assert_eq!(classify(&Evidence { tool, hint, ..NOTHING }).effect, Effect::Read, "{tool}");
    }
}

#[test]
fn every_name_of_any_length_is_classified() {
    let every: Vec<&str> =
        verbs::TABLE.iter().flat_map(|(_, _, words)| words.split_ascii_whitespace()).collect();
    for (tool, effect) in [
        ("x".repeat(200), Effect::Mutating),
        ("_".repeat(200), Effect::Mutating),
        ("/".repeat(200), Effect::Mutating),
        ("Aa".repeat(100), Effect::Mutating),
        ("\u{301}".repeat(100), Effect::Mutating),
        ("get".repeat(66), Effect::Mutating),
        ("get_".repeat(50) + "x", Effect::Read),
        ("get_and_".repeat(24) + "wipe", Effect::Destructive),
        (every.join("_"), Effect::Admin),
        (every.join("/"), Effect::Admin),
        ("x".repeat(1 << 20), Effect::Mutating),
        ("get_".repeat(1 << 18), Effect::Read),
    ] {
        assert_eq!(named(&tool), effect, "{}", tool.chars().take(40).collect::<String>());
    }
}

#[test]
fn an_http_tool_is_classified_by_its_method_alone() {
    for (tool, effect) in [
        ("http/GET/delete/{id}", Effect::Read),
        ("http/HEAD/files", Effect::Read),
        ("http/OPTIONS/files", Effect::Read),
        ("http/DELETE/get/{id}", Effect::Destructive),
        ("http/DELETE/(unmatched)", Effect::Destructive),
        ("http/POST/delete", Effect::Mutating),
        ("http/PURGE/cache", Effect::Mutating),
    ] {
        assert_eq!(named(tool), effect, "{tool}");
    }
}

#[test]
fn a_server_named_http_hides_no_verb_behind_what_is_no_method() {
    for (tool, effect) in [
        ("http/foo/delete_all", Effect::Destructive),
        ("http/delete_all", Effect::Destructive),
        ("http/list", Effect::Read),
        ("http/Foo/grant_role", Effect::Admin),
        ("http//delete_all", Effect::Destructive),
        ("http/get/list", Effect::Mutating),
        ("http/delete/list", Effect::Destructive),
        ("http/\u{ff24}ELETE/list", Effect::Mutating),
    ] {
        assert_eq!(named(tool), effect, "{tool}");
    }
}

#[test]
fn a_hint_is_all_there_is_for_a_name_without_a_verb() {
    let hinted = Evidence { hint: Some(Effect::Read), ..NOTHING };
    assert_eq!(classify(&hinted).effect, Effect::Read);
    assert_eq!(classify(&NOTHING).effect, Effect::Mutating);
}

#[test]
fn the_documented_verb_table_is_the_one_in_use() {
    let docs = include_str!("../classify.rs");
    let mut seen = std::collections::HashSet::new();
    for (heading, _, words) in verbs::TABLE {
        let row = format!("//! | {heading} | {words} |");
        assert!(docs.contains(&row), "the module docs lack: {row}");
        for word in words.split_ascii_whitespace() {
            assert!(seen.insert(word), "{word} is in the table twice");
            assert!(verbs::known(&word.to_uppercase()).is_some(), "{word} is too long");
        }
    }
    for (heading, effect, pairs) in verbs::PAIRS {
        let row = format!("//! | {heading} | {} |", pairs.join(", "));
        assert!(docs.contains(&row), "the module docs lack: {row}");
        for pair in pairs {
            assert_eq!(named(&pair.replace(' ', "_")), effect, "{pair}");
        }
    }
    let (last, others) = verbs::RUNNERS.split_last().unwrap();
    let runners = format!("{} or {last}", others.join(", "));
    assert!(docs.contains(&runners), "the module docs lack: {runners}");
}

#[test]
fn no_way_of_writing_capitals_hides_a_verb_that_destroys() {
    for tool in [
        "list_DELETEfile",
        "get_DROPtable",
        "getDELETEuser",
        "get_dELETE_user",
        "list_deLeTe_all",
        "read_PURGEcache",
        "get_TRUNCATEtable",
        "list_KILLprocess",
        "srv/get_REMOVEuser",
        "get/DeLeTe",
    ] {
        assert_eq!(named(tool), Effect::Destructive, "{tool}");
    }
    for tool in ["getURLList", "listAWSAccounts", "get_HTTPHeaders", "readPDF", "listMyFiles"] {
        assert_eq!(named(tool), Effect::Read, "{tool}");
    }
}
