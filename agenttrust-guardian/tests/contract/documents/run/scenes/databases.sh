# docs/DATABASES.md.

#: before createuser agenttrust
postgresql
mkdir /etc/agenttrust /var/lib/agenttrust
one='--replica one --audit-key /etc/agenttrust/audit-key --audit-checkpoints /var/lib/agenttrust/one.checkpoints'
two='--replica two --audit-key /etc/agenttrust/audit-key --audit-checkpoints /var/lib/agenttrust/two.checkpoints'
of=postgres://agenttrust@db.internal
#: after createuser agenttrust
curl -sS http://127.0.0.1:8080/health
in_background two command agenttrust serve --database $of/agenttrust $two --listen 127.0.0.1:0
stop two
stop_serving
# The line names standbys. As there are none, no commit would be answered: it is taken back.
cat "$(shown 'synchronous_standby_names')" >> /run/data/of/postgresql.conf
psql -qAtc 'SELECT pg_reload_conf()' template1
until psql -qAtc 'SHOW synchronous_standby_names' template1 | grep -x 'ANY 1 (standby_a, standby_b)'; do sleep 0.1; done
sed -i '/^synchronous_standby_names/d' /run/data/of/postgresql.conf
psql -qAtc 'SELECT pg_reload_conf()' template1
until psql -qAtc 'SHOW synchronous_standby_names' template1 | grep -qx ''; do sleep 0.1; done
# The pooler leads to the server by the line of the document; who asks is of its other settings.
{
    cat "$(shown '; pgbouncer.ini')"
    printf '%s\n' '[pgbouncer]' listen_addr=127.0.0.1 listen_port=6432 unix_socket_dir= auth_type=trust \
        auth_file=/run/users.txt
} > /run/pgbouncer.ini
chmod 644 /run/pgbouncer.ini
echo '"agenttrust" ""' > /run/users.txt
runuser -u postgres -- pgbouncer -q /run/pgbouncer.ini > /run/pgbouncer.log 2>&1 &
until pg_isready -q -h 127.0.0.1 -p 6432; do sleep 0.1; done
agenttrust serve --database 'postgres://agenttrust@127.0.0.1:6432/agenttrust?sslmode=disable' $one
curl -sS http://127.0.0.1:8080/health
stop_serving
#: before cp guardian.db.checkpoints guardian.db.audit-key /backup/today/
mkdir /elsewhere
useradd --system --home-dir /var/lib/agenttrust --shell /usr/sbin/nologin agenttrust
cd ~/work
files_for_the_service
cp -r policies guardian.pem /etc/agenttrust/
install -o agenttrust -m 600 agenttrust.toml guardian.key /etc/agenttrust/
cd - > /dev/null
admin=$(openssl rand -hex 32)
install -m 600 <(printf 'AGENTTRUST_ADMIN_KEY=%s\n' "$admin") /etc/agenttrust/secrets.env
systemctl enable --now agenttrust
until [ -s /var/lib/agenttrust/guardian.db.checkpoints ]; do sleep 0.1; done
#: after mv guardian.db* former/
of_service /health
#: before pg_dump --format=custom
agenttrust serve --database $of/agenttrust $one
#: after pg_dump --format=custom
stop_serving
#: before agenttrust audit accept --reason 'restored the back-up of Monday after the disk broke'
# What follows the back-ups is noted outside, and the back-ups are put back.
AGENTTRUST_API_KEY=$admin SSL_CERT_FILE=/etc/agenttrust/guardian.pem AGENTTRUST_URL=https://guardian.example:8443 \
    agenttrust agents create late --capability refund
systemctl stop agenttrust
rm -f guardian.db-wal guardian.db-shm
cat /backup/today/guardian.db > guardian.db
refused start_service
refused runuser -u agenttrust -- agenttrust audit verify --database sqlite://guardian.db
AGENTTRUST_ADMIN_KEY=$admin agenttrust serve --database $of/agenttrust_new $one
stop_serving
dropdb agenttrust_new
createdb --owner agenttrust agenttrust_new
pg_restore --exit-on-error --no-owner --dbname=$of/agenttrust_new /backup/today/agenttrust.dump
refused in_background served command agenttrust serve --database $of/agenttrust_new $one
#: after agenttrust audit accept --reason 'restored the back-up of Monday after the disk broke'
systemctl start agenttrust
of_service /health
runuser -u agenttrust -- agenttrust audit verify --database sqlite://guardian.db
agenttrust serve --database $of/agenttrust_new $one
curl -sS http://127.0.0.1:8080/health
