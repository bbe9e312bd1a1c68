# What stands before every page's own commands: servers and workers stay in the background, whatever else fails ends it.
set -Eeuo pipefail
place="the beginning"
trap 'echo "$place: \"$BASH_COMMAND\" failed" >&2' ERR
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
declare -A running=()

perdure() {
    case "${1-}" in
        dev | serve) start server "$@" ;;
        worker) start worker "$@" ;;
        files) command perdure "$@" | tee output && [ "$2" != upload ] || mv output last-file ;;
        *) command perdure "$@" ;;
    esac
}

# Starts it in the place of the one before, and returns once it says that it is ready.
start() {
    local role=$1 ready said
    shift
    stop "$role"
    rm -f "$role.ready"
    mkfifo "$role.ready"
    exec {ready}<>"$role.ready"
    # No provider out there is ever called: one that a page configures leads nowhere.
    MAILTRAP_API_HOST=${MAILTRAP_API_HOST-${MAILTRAP_API_KEY:+127.0.0.1:9}} exec perdure "$@" --json >&"$ready" 2>>"$role.log" &
    running[$role]=$!
    read -r -t 30 -u "$ready" said
    case $said in *\"url\":* | *\"ready\":*) ;; *) echo "$said" >&2 && cat "$role.log" >&2 && return 1 ;; esac
}

stop() {
    if [ -n "${running[$1]-}" ]; then
        kill "${running[$1]}" && wait "${running[$1]}"
        unset "running[$1]"
    fi
}

newest() {
    case $1 in file) cat last-file && return ;; job) set -- jobs job ;; delivery) set -- deliveries delivery ;; esac
    command perdure "$1" list --limit 1 --json | python -c "import json, sys; print(json.load(sys.stdin)['items'][0]['$2_id'])"
}

new_key() { command perdure keys create page --scope admin 2>/dev/null; }

curl() { command curl --fail-with-body --silent --show-error "$@"; }

# The targets exist; continuous integration runs them.
make() { local target; for target in "$@"; do case $target in *=*) ;; *) grep -q "^$target:" "$checkout/Makefile" ;; esac; done; }
