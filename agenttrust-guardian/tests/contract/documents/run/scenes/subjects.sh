# README.md, and the documents of one subject each.

#: before agenttrust serve --dev                                     # in one terminal
[ -x "$BUILT/examples/shopbot" ]
#: before cargo run -p agenttrust-guardian --bin agenttrust -- serve --database sqlite://guardian.db
unset AGENTTRUST_API_KEY AGENT_ID
#: before agenttrust approvals approve APPROVAL_ID       # or deny
stop_serving
rm guardian.db*
admin
held refund
#: before agenttrust approvals deny APPROVAL_ID --reason
admin
held refund
held db_drop
#: before agenttrust approvals approve apr_...         # then stop the Guardian
admin
held refund
unset ADMIN
stop_serving
#: before agenttrust siem create prod --type splunk
outside
echo 00000000-0000-0000-0000-000000000000 > token.txt
#: before agenttrust federation register https://login.partner.example
outside
#: before agenttrust agents create desktop --capability 'files/*' --key
outside
held files/write
#: before agenttrust mcp add files https://mcp.example.com/mcp
export FILES_AUTHORIZATION='Bearer files'
#: before agenttrust mcp accept files write
# A client lists the tools, and once more when one of them is another.
agent=$(agenttrust agents create desk --capability 'files/*')
for id in 1 2; do
    curl -sS "$AGENTTRUST_URL/mcp/$(last mcp_)" -H "X-API-Key: $AGENTTRUST_API_KEY" -H "X-Agent-ID: $agent" \
        -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
        -H 'MCP-Protocol-Version: 2025-11-25' -d '{"jsonrpc": "2.0", "id": '$id', "method": "tools/list"}'
    touch changed
done
#: before agenttrust delegations create --from AGENT_A
admin
AGENT_C=$(agenttrust agents create c --capability web_search)
AGENT_B=$(agenttrust agents create b --capability web_search)
AGENT_A=$(agenttrust agents create a --capability web_search --capability "a2a/$AGENT_B")
AGENT=$AGENT_A
#: before agenttrust tasks inbox complete AGENT_B task_1 LEASE
unset AGENTTRUST_SESSION_ID
#: before export AGENTTRUST_API_KEY=$(agenttrust keys create --role agent --agent agt_…)
admin
agenttrust agents create shopbot --capability 'files:*'
#: after agenttrust approvals approve apr_…
approval=$(grep '"approval":{' "$said" | tail -n 1 | jq -c .result.approval)
jq -nc --arg id "$(last agt_)" --argjson approval "$approval" '{subject: {type: "agent", id: $id},
    action: {name: "files_delete"}, resource: {type: "file", id: "draft.md"}, context: {approval: $approval}}' |
    curl -sS "$AGENTTRUST_URL/access/v1/evaluation" -H "X-API-Key: $AGENTTRUST_API_KEY" \
        -H 'Content-Type: application/json' -d @- | jq -e .decision
#: before curl -sS "$AGENTTRUST_URL/api/v1/audit?limit=100"
admin
#: before curl -sS "$AGENTTRUST_URL/api/v1/webhooks"
export AGENTTRUST_API_KEY=$ADMIN
