//! The agents of frameworks keep their promises: each is run as its reader would run it, in a folder
//! whose files are looked at afterwards.

use crate::transcript::Run;

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_rig_agents_ask_first_and_a_denial_reaches_the_model() {
    let run = Run::of_example("rig_agent").await;
    run.shows(&[
        "1. The librarian's functions are guarded",
        "model calls read_file → {\"name\":\"plan.md\"} and is told → # Plan for spring",
        "model calls delete_file → {\"name\":\"draft.md\"} and is told → tool \"delete_file\" needs \
         approval apr_",
        "model → I was told: tool \"delete_file\" needs approval apr_",
        "operator approves it → apr_",
        "model calls delete_file → {\"name\":\"draft.md\"} and is told → draft.md is gone",
        "model calls delete_file → {\"name\":\"contract.txt\"} and is told → tool \"delete_file\" \
         needs approval apr_",
        "model calls publish_file → {\"name\":\"plan.md\"} and is told → tool \"publish_file\" is \
         denied: agent \"agt_",
        "model → I was told: tool \"publish_file\" is denied",
        "has no capability that covers tool \"publish_file\"",
        "written down of delete_file → hold, allow, hold, ok",
        "written down of publish_file → deny",
        "written down of read_file → allow, ok",
        "4. The archivist's tools are not",
        "model calls read_file → {\"name\":\"contract.txt\"} and is told → Lease",
        "model calls shred_file → {\"name\":\"visitors.log\"} and is told → tool \"shred_file\" needs \
         approval apr_",
        "model → I was told: tool \"shred_file\" needs approval apr_",
        "operator approves it → apr_",
        "model calls shred_file → {\"name\":\"visitors.log\"} and is told → visitors.log is shredded",
        "model calls broadcast_file → {\"name\":\"contract.txt\"} and is told → tool \
         \"broadcast_file\" is denied: agent \"agt_",
        "model → I was told: tool \"broadcast_file\" is denied",
        "written down of broadcast_file → deny",
        // It is guarded itself, and asked about where it is dispatched too.
        "written down of read_file → allow, allow, ok, ok",
        "written down of shred_file → hold, allow, ok",
    ]);
    assert_eq!(run.files(), ["contract.txt", "invoice-2026-03.csv", "plan.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_loop_runs_what_is_allowed_and_understood_and_nothing_else() {
    let run = Run::of_example("openai_tool_loop").await;
    run.shows(&[
        "model calls read_file → {\"name\":\"plan.md\"} and is told → # Plan for spring",
        "model calls delete_file → {\"name\":\"draft.md\"} and is told → tool \"delete_file\" needs \
         approval apr_",
        "model → I was told: tool \"delete_file\" needs approval apr_",
        "operator approves it → apr_",
        "model calls delete_file → {\"name\":\"draft.md\"} and is told → draft.md is gone",
        "model calls delete_file → {\"name\":\"contract.txt\"} and is told → tool \"delete_file\" \
         needs approval apr_",
        "model calls publish_file → {\"name\":\"invoice-2026-03.csv\"} and is told → tool \
         \"publish_file\" is denied: agent \"agt_",
        "has no capability that covers tool \"publish_file\"",
        "model calls delete_file → {\"name\":\"visitors.log\" and is told → the arguments of \
         \"delete_file\" cannot be read, so it did not run: EOF",
        "model calls delete_file → {\"name\":\"draft.md\",\"name\":\"visitors.log\"} and is told → the \
         arguments of \"delete_file\" cannot be read, so it did not run: duplicate field `name`",
        // Of what could not be read nobody was asked.
        "delete_file → hold, allow, hold, ok publish_file → deny read_file → allow, ok",
    ]);
    assert_eq!(run.files(), ["contract.txt", "invoice-2026-03.csv", "plan.md", "visitors.log"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_a2a_task_waits_in_auth_required_until_its_approval() {
    let run = Run::of_example("a2a_executor").await;
    run.shows(&[
        "visitor: read plan.md → TASK_STATE_COMPLETED: # Plan for spring",
        "visitor watches: read plan.md → TASK_STATE_WORKING, an artifact, TASK_STATE_COMPLETED",
        "visitor: delete draft.md → TASK_STATE_AUTH_REQUIRED: tool \"files_delete\" needs approval \
         apr_",
        "visitor: I say it is fine, go on → TASK_STATE_AUTH_REQUIRED",
        "operator approves it → apr_",
        "visitor: go on → TASK_STATE_COMPLETED: draft.md is gone",
        "visitor: delete contract.txt → TASK_STATE_AUTH_REQUIRED",
        "operator denies it → apr_",
        "visitor: go on → TASK_STATE_REJECTED: tool \"files_delete\" is denied: approval apr_",
        "visitor: publish plan.md → TASK_STATE_REJECTED: tool \"files_publish\" is denied: agent \
         \"agt_",
        "has no capability that covers tool \"files_publish\"",
        "files_delete → hold, hold, allow, hold, deny, ok files_publish → deny files_read → allow, \
         allow, ok, ok",
    ]);
    assert_eq!(run.files(), ["contract.txt", "invoice-2026-03.csv", "plan.md", "visitors.log"]);
}
