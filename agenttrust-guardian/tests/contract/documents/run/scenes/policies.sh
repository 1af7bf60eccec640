# docs/POLICIES.md.

#: before ln -s /etc/agenttrust/policies-1 /etc/agenttrust/policies
mkdir -p /etc/agenttrust/policies-{1,2}
for number in 1 2; do cp "$(shown '@id("default-allow")')" /etc/agenttrust/policies-$number/default.cedar; done
#: after ln -s /etc/agenttrust/policies-1 /etc/agenttrust/policies
[ "$(readlink /etc/agenttrust/policies)" = /etc/agenttrust/policies-2 ]
# The timer's lines, each once.
mkdir /etc/agenttrust/timed
cp "$(shown '@id("night")')" /etc/agenttrust/timed/night.cedar
grep -v '^#' "$(shown '# crontab')" | while read -r minute hour day month weekday command; do
    bash -c "$command"
    echo "at $minute $hour $day $month $weekday: $(agenttrust policy check /etc/agenttrust/policies)"
done
agenttrust policy check /etc/agenttrust/policies
#: before jq -n --rawfile text reads.cedar
export AGENTTRUST_ADMIN_KEY=$(openssl rand -hex 32)
export AGENTTRUST_URL=http://127.0.0.1:8080 AGENTTRUST_API_KEY=$AGENTTRUST_ADMIN_KEY
cp "$(shown '@id("default-allow")')" reads.cedar
agenttrust serve --database guardian.db
#: before curl -sS -X POST "$AGENTTRUST_URL/api/v1/policies/reload"
agenttrust serve --database guardian.db --policies /etc/agenttrust/policies-1
#: before agenttrust policy check policies --tools tools.json
mkdir policies
cp "$(shown '@id("destructive-by-two")')" policies/own.cedar
cp "$(shown 'name = "a drop waits for two people"')" cases.toml
echo '{"tools": []}' > tools.json
