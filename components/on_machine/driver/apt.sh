# shellcheck shell=bash
# apt-get as root, on a fresh machine where others use it too. For driver.sh and source_toolchain.sh.

apt_lock_patience=600
apt_transient='dpkg was interrupted|Temporary failure|Failed to fetch|Could not connect|timed out|Hash Sum mismatch'

# apt_as_root WORD…  Its words go to a file, so that a connection that is cut does not stop dpkg halfway, and then to the log. Files of
# a configuration that somebody has changed stay, since there is nobody to ask; no service is restarted behind anybody's back.
apt_as_root() {
    local failures=0 waited=0 pause log="${base:?}/apt-$BASHPID.log"
    until setsid --wait sudo DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -o "DPkg::Lock::Timeout=$apt_lock_patience" \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$log" 2>&1 </dev/null; do
        if grep -q 'Could not get lock' "$log" && ((waited < apt_lock_patience)); then
            # apt waits for dpkg's lock by itself, but not for that of its lists.
            pause=10
            waited=$((waited + pause))
            say "another program holds apt's lock, as on a fresh machine: waiting, $waited s"
        elif ((failures < 2)) && grep -qE "$apt_transient" "$log"; then
            failures=$((failures + 1)) pause=$((failures * 10))
            # One that was interrupted, by the end of the machine for example, has to be completed first.
            ! grep -q 'dpkg was interrupted' "$log" ||
                sudo DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a </dev/null >&2 || true
            say "apt-get $1 failed, trying again in $pause s"
        else
            cat "$log" >&2
            rm -f "$log"
            return 1
        fi
        # explain.py leaves these lines out.
        sed 's/^/retried: /' "$log" >&2
        sleep "$pause"
    done
    cat "$log" >&2
    rm -f "$log"
}
