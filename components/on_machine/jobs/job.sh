#!/usr/bin/env bash
# Runs long work so that it outlives the connection that asked for it.
#
#   job.sh [--again] NAME KEY COMMAND [ARGUMENT…]
#
# NAME and KEY (the hash of what the work is) name the job. The first call starts it detached; every call follows its progress and
# ends with its exit status. Work that succeeded is not done again, unless other work of the same name was begun after it, which may
# have undone it, or --again asks for it; work that failed or was interrupted is started again, and has to be able to go on from
# where it stopped. Work that is under way is followed in any case.
#
# The command is told KEY in JOB_KEY. Its standard output is progress: short lines, shown to the user. Its standard error is the log, kept on the machine.
# Each end of work is a line of jobs.jsonl: when, which, seconds, exit status.
set -euo pipefail

readonly KEPT=10

base="$HOME/.local/share/lambda-vllm"
again=""
if [[ $1 == --again ]]; then
    again=yes
    shift
fi
name=$1 key=$2
shift 2
job="$base/jobs/$name-$key"
mkdir -p "$job"
# Also one that is there already: see forget_old.
touch "$job"

# The lock is held by the running job and by nobody else, so its state is the job's, also after a crash or a reboot.
is_running() { ! flock --nonblock "$job/lock" true; }

succeeded() { [[ -f "$job/exit" && "$(<"$job/exit")" == 0 ]]; }

is_last() { [[ "$(cat "$base/jobs/$name.last" 2>/dev/null)" == "$key" ]]; }

# Of work long past, of which nothing but its log is left to know; a lock that is held is that of work under way. What was asked for
# within the hour may be about to take its lock.
forget_old() {
    local old
    find "$base/jobs" -mindepth 1 -maxdepth 1 -ignore_readdir_race -type d -name "$name-*" -mmin +60 -printf '%T@ %p\n' | sort -rn | tail -n "+$((KEPT + 1))" |
        cut -d' ' -f2- | while read -r old; do
        flock --nonblock "$old/lock" rm -rf "$old" || true
    done
}

start() {
    # Whatever becomes of that, the work is done.
    forget_old || true
    rm -f "$job/exit"
    : >"$job/progress"
    # Each attempt has a log of its own, so that its failure is not explained with an earlier one's.
    [[ ! -f "$job/log" ]] || mv -f "$job/log" "$job/log.1"
    # Looking whether a job runs takes its lock for a moment, therefore the job waits for it instead of giving up. Then
    # it waits for its turn: two jobs of one name with different keys would work on the same files.
    # shellcheck disable=SC2016  # expanded by the inner shell
    setsid nohup bash -c '
        job=$1 work=$2 key=$3; shift 3
        exec 9>"$job/lock"
        flock --wait 10 9 || exit 1
        exec 7>"$work.turn"
        flock 7
        echo "$key" >"$work.last.new" && mv "$work.last.new" "$work.last"
        # Since the boot: the clock is set meanwhile, in the first minutes of a machine above all.
        now() { local up; read -r up _ </proc/uptime && echo "${up%.*}"; }
        began=$(now)
        export JOB_KEY=$key
        status=0
        "$@" >>"$job/progress" 2>>"$job/log" 7>&- 9>&- || status=$?
        seconds=$(($(now) - began))
        echo "$seconds" >"$job/seconds"
        # A full disk is no reason to lose what the work has come to.
        history=${work%/*}.jsonl
        {
            printf "{\"at\": \"%s\", \"job\": \"%s\", \"key\": \"%s\", \"seconds\": %d, \"exit\": %d}\n" \
                "$(date -u +%FT%TZ)" "${work##*/}" "$key" "$seconds" "$status" >>"$history"
            (($(wc -l <"$history") <= 2000)) || { tail -n 1000 "$history" >"$history.new" && mv "$history.new" "$history"; }
        } || true
        echo "$status" >"$job/exit.new" && mv "$job/exit.new" "$job/exit"
    ' job "$job" "$base/jobs/$name" "$key" "$@" </dev/null >/dev/null 2>>"$job/log" 8>&- &
    # Until the job holds its lock it looks as if it did not run.
    local runner=$!
    until [[ -f "$job/exit" ]] || is_running || ! kill -0 "$runner" 2>/dev/null; do
        sleep 0.1
    done
}

# One caller at a time looks and starts, so that two at once start one job, and none starts again what ended while it waited.
begin() {
    exec 8>"$job/door"
    flock 8
    if is_running; then
        echo "$name: under way, following it"
    elif [[ -z $again ]] && succeeded && is_last; then
        echo "$name: done in $(<"$job/seconds") s, before this run"
        exit 0
    else
        start "$@"
    fi
    exec 8>&-
}

# Lines $1 to $2. Long ones are cut: one of more than 64 KiB stops the reader at the other end for ever.
show() { sed -n "$1,$2p" "$job/progress" | tr '\r' '\n' | cut -c1-500; }

follow() {
    local shown=0 total running
    while :; do
        running=yes
        is_running || running=no
        total=$(wc -l <"$job/progress")
        if ((total > shown)); then
            show $((shown + 1)) "$total"
            shown=$total
        fi
        [[ $running == yes ]] || return 0
        # No longer than until its end.
        flock --wait 0.5 "$job/lock" true || true
    done
}

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    trap 'echo "$name: still under way after all this time; run pulumi up again to follow it" >&2; exit 124' TERM
    begin "$@"
    follow
    if succeeded; then
        echo "$name: done in $(<"$job/seconds") s"
        exit 0
    fi
    env -C "$base" python3 -m scripts.explain "$name" "$job/log" >&2
    exit 1
}

main "$@"
