# The shell of a world: what stands in there for what cannot be had, then the document's own lines.

set -Eeuo pipefail
shopt -s inherit_errexit
trap 'echo "failed in $place, line $LINENO: $BASH_COMMAND"; [ ! -e /run/served.log ] || tail -n 5 /run/*.log' ERR

place=none
said=$WORLD/said
export PGUSER=postgres
mkdir -p ~/work
cd ~/work

# Says to which block what follows belongs.
at() { place=$1 && echo "== $1"; }

# Says that a command is not run: `LEFT_OUT` in `mod.rs` has why.
left_out() { echo "left out: $*"; }

# Prints the path of the first file that a document shows with this line in it.
shown() {
    local file
    file=$(grep -lF -- "$1" "$WORLD"/shown/* | sed -n 1p)
    echo "used: $(basename "$file" | tr % /)" >> "$said"
    echo "$file"
}

# Prints what was printed last that begins so, or the one of that number.
last() { grep -oE "\b$1[0-9A-Za-z_-]+" "$said" | tail -n 1; }
printed() { grep -oE "\b$1[0-9A-Za-z_-]+" "$said" | awk '!seen[$0]++' | sed -n "$2p"; }

# Prints the id of the approval that has waited least, if one waits.
pending() {
    local key=${ADMIN:-$AGENTTRUST_API_KEY}
    AGENTTRUST_API_KEY=$key command agenttrust approvals list | grep -oE 'apr_[0-9a-f]+' | tail -n 1 || true
}

# Prints what a reader puts in the place of these words: what was printed, or what a scene has set.
meant() {
    case "$1" in
        sk_live_...) last sk_live_ ;;
        sk_live_… | ...) echo "$ADMIN" ;;
        agt_*) last agt_ ;;
        apr_* | APPROVAL_ID) pending | grep . || last apr_ ;;
        dlg_? | task_?) printed "${1%?}" "${1: -1}" ;;
        eyJ*) grep -oP '(?<="binding_token":")[^"]+' "$said" | tail -n 1 ;;
        2026-*) grep -oP '(?<="expires_at":")[^"]+' "$said" | tail -n 1 ;;
        LEASE) last lease_ ;;
        *) echo "${!1}" ;;
    esac
}

# `serve` goes on until the next one, as in a terminal of its own; the lines after it come once it answers. All else
# is the program itself.
agenttrust() {
    if [ "$1" = serve ] && [[ "$*" != *--print-config* ]]; then
        stop_serving
        in_background served command agenttrust "$@"
    elif [[ "$*" = 'mcp accept'* ]]; then
        # It asks at a terminal.
        script -qec "agenttrust $*" /dev/null <<< y
    elif [ "$1" = check ]; then
        # A call that is denied or held is an answer too.
        command agenttrust "$@" || [ $? = 1 ]
    else
        command agenttrust "$@"
    fi
}

# Starts a command in the background under a name, and waits until it says where it listens. Standard error goes to
# /run/NAME.log.
declare -A running
in_background() {
    local name=$1
    shift
    (umask 022 && : > "/run/$name.out" && : > "/run/$name.log")
    "$@" > "/run/$name.out" 2> "/run/$name.log" &
    running[$name]=$!
    until grep -q '^listening on' "/run/$name.out"; do
        kill -0 "${running[$name]}" 2> /dev/null || { cat "/run/$name.log" && unset "running[$name]" && return 1; }
        sleep 0.02
    done
    cat "/run/$name.out"
}

# Ends what is in the background under a name, as an operator does; it has to end well.
stop() {
    [ -n "${running[$1]:-}" ] || return 0
    kill -TERM "${running[$1]}"
    wait "${running[$1]}"
    unset "running[$1]"
}
stop_serving() { stop served; }

# Has to fail; says with what.
refused() {
    if "$@" > /run/refused.out 2>&1; then
        echo "was not refused: $*" && return 1
    fi
    sed 's/^error: //' /run/refused.out
}

# An answer that is an error is a failure.
curl() { command curl --fail-with-body "$@" && echo; }

# A reader's own program is the one of the README's first hour; what is ours runs as it was built.
cargo() {
    case "$*" in
        run | 'run -- '*) shift && [ "${1:-}" != -- ] || shift; "$BUILT/examples/shopbot" "$@" ;;
        'run -p agenttrust-guardian --bin agenttrust -- '*) agenttrust "${@:7}" ;;
        'run -p quickstart') "$BUILT/examples/quickstart" > /dev/null ;;
        *) left_out cargo "$@" ;;
    esac
}
docker() { left_out docker "$@"; }
npm() { left_out npm "$@"; }
python3() { case "$*" in '-m venv'*) left_out python3 "$@" ;; *) command python3 "$@" ;; esac; }
.venv/bin/pip() { left_out pip "$@"; }

# systemd itself cannot be had in the tests' machine. Its part is played as the document's unit says: folder, account,
# variables, umask, command, and no capabilities. What keeps the service in beside that is not.
unit() { sed -n "s/^$1=//p" /etc/systemd/system/agenttrust.service; }
systemctl() {
    case "$1" in
        daemon-reload) if [ -x /usr/bin/systemd-analyze ]; then systemd-analyze verify agenttrust.service; fi ;;
        enable | start) start_service ;;
        stop) stop service ;;
        reload) env MAINPID="${running[service]}" bash -c "$(unit ExecReload)" ;;
        *) left_out systemctl "$@" ;;
    esac
}
start_service() {
    local folder variables file
    folder=/var/lib/$(unit StateDirectory)
    [ -d "$folder" ] || install -d "$folder"
    chown -R "$(unit User):$(unit Group)" "$folder"
    chmod "$(unit StateDirectoryMode)" "$folder"
    file=$(unit EnvironmentFile) && variables=$(grep -v '^#' "${file#-}")
    cd "$(unit WorkingDirectory)"
    rm -f /run/notify /run/ready
    command python3 -c "$ready" &
    until [ -S /run/notify ]; do sleep 0.02; done
    local mask
    mask=$(umask) && umask 022 && : > /run/service.log && umask "$(unit UMask)"
    env -i PATH="$PATH" HOME="$folder" NOTIFY_SOCKET=/run/notify $variables \
        prlimit --nofile="$(unit LimitNOFILE)" \
        setpriv --reuid="$(unit User)" --regid="$(unit Group)" --init-groups --bounding-set=-all --no-new-privs \
        $(unit ExecStart) > /run/service.out 2> /run/service.log &
    running[service]=$!
    umask "$mask" && cd - > /dev/null
    # Without `Type=notify` a service counts as started at once.
    until [ "$(unit Type)" != notify ] || [ -e /run/ready ]; do
        kill -0 "${running[service]}" 2> /dev/null || { cat /run/service.log && unset 'running[service]' && return 1; }
        sleep 0.02
    done
}
ready='
import os, socket
os.umask(0)
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("/run/notify")
while manager.recv(4096) != b"READY=1":
    pass
open("/run/ready", "w").close()
'

# Writes the unit and the settings that the documents show, with what the settings name: the unit where it belongs, the
# others here.
files_for_the_service() {
    cp "$(shown '# /etc/systemd/system/agenttrust.service')" /etc/systemd/system/agenttrust.service
    cp "$(shown '# agenttrust.toml')" agenttrust.toml
    mkdir policies
    cp "$(shown '@id("default-allow")')" policies/default.cedar
    echo '127.0.0.1 guardian.example' >> /etc/hosts
    certificate guardian.example guardian root
}
of_service() { curl -sS --cacert ~/work/guardian.pem "https://guardian.example:8443$1"; }

# A server of PostgreSQL at the usual place, and at `db.internal` with a certificate of that name.
postgresql() {
    local programs
    programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    install -d -o postgres /run/postgresql /run/data
    certificate db.internal /run/data/server postgres
    cd /
    runuser -u postgres -- "$programs/initdb" -A trust -D /run/data/of --no-sync > /dev/null
    printf '%s\n' "ssl = on" "ssl_cert_file = '/run/data/server.pem'" "ssl_key_file = '/run/data/server.key'" \
        "fsync = off" "unix_socket_directories = '/run/postgresql'" >> /run/data/of/postgresql.conf
    runuser -u postgres -- "$programs/pg_ctl" -s -w -D /run/data/of -l /run/data/log start
    cd - > /dev/null
    echo '127.0.0.1 db.internal db-primary' >> /etc/hosts
    export PGSSLROOTCERT=/run/data/server.pem
}

# Starts what is outside of the machine, and a Guardian that may call it, in which an admin asks.
outside() {
    local names='login.partner.example mcp.example.com splunk.example log.example'
    echo "127.0.0.1 $names" >> /etc/hosts
    certificate "${names// /,DNS:}" outside root
    in_background outside command python3 "$(dirname "$0")/outside.py" outside.pem outside.key
    admin --allow-outbound 127.0.0.0/8 --outbound-ca outside.pem
}

# Starts a Guardian with these settings, and asks it as its first admin.
admin() {
    agenttrust serve --database guardian.db "$@"
    ADMIN=$(last sk_live_)
    export AGENTTRUST_URL=http://127.0.0.1:8080 AGENTTRUST_API_KEY=$ADMIN
}

# Has an agent of its own ask for a call of this tool, which is held.
held() {
    local made
    made=$(command agenttrust agents create "asks for $1" --capability "$1" --key)
    AGENTTRUST_API_KEY=$(grep -oE 'sk_live_[0-9A-Za-z_-]+' <<< "$made") \
        agenttrust check "$(grep -oE 'agt_[0-9a-f]+' <<< "$made")" "$1" --effect destructive
}

# Makes FILE.pem and FILE.key for a name, of an account.
certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=${1%%,*}" -addext "subjectAltName=DNS:$1" \
        -addext basicConstraints=critical,CA:FALSE -keyout "$2.key" -out "$2.pem" 2> /dev/null
    chown "$3" "$2".{key,pem}
    chmod "${4:-600}" "$2.key"
}

. "$WORLD/script.sh"
for name in "${!running[@]}"; do stop "$name"; done
