# docs/OPERATIONS.md and docs/MONITORING.md.

#: before agenttrust serve --database sqlite:///var/lib/agenttrust/guardian.db
mkdir /var/lib/agenttrust
#: after agenttrust agents create shopbot --capability refund --key # an agent
agenttrust keys list
#: before agenttrust serve --listen 0.0.0.0:8443 --public-url https://guardian.example
files_for_the_service
#: after agenttrust serve --listen 0.0.0.0:8443 --public-url https://guardian.example
of_service /health
stop_serving
#: before useradd --system --home-dir /var/lib/agenttrust
unset AGENTTRUST_URL AGENTTRUST_API_KEY
#: after useradd --system --home-dir /var/lib/agenttrust
[ "$(stat -c %U:%a /etc/agenttrust/secrets.env)" = root:600 ]
[ "$(stat -c %U:%a /var/lib/agenttrust/guardian.db)" = agenttrust:600 ]
of_service /health
command curl -sS http://127.0.0.1:9464/metrics | grep -c agenttrust_
#: before docker build -t agenttrust .
shown '# Dockerfile'
AGENTTRUST_ADMIN_KEY=$(openssl rand -hex 32)
#: before agenttrust audit prune --keep 90d
cd /var/lib/agenttrust
#: after agenttrust audit prune --keep 90d
agenttrust audit verify --database sqlite://guardian.db
of_service /health
systemctl stop agenttrust
systemctl start agenttrust
#: after OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 agenttrust serve
curl -sS http://127.0.0.1:8080/health
agenttrust alerts > agenttrust.rules.yml
cp "$(shown 'rule_files: [agenttrust.rules.yml]')" prometheus.yml
promtool check config prometheus.yml
