#!/usr/bin/env bash
# Brings the machine's driver to where vLLM can use it.
#
#   driver.sh MODE [INSTALL [VLLM_VERSION]]            the step before everything else; upgrades and reboots where MODE says so
#   driver.sh verify MODE [INSTALL [VLLM_VERSION]]     the step after it, over a new connection
#   driver.sh libraries MODE [INSTALL [VLLM_VERSION]]  the compatibility libraries, where they were chosen; a part of the install
#
# MODE is auto, compat, upgrade or keep; driver.py decides. Root is used for apt, for the reboot and for nothing else.
set -euo pipefail
# shellcheck source=components/on_machine/shared/common.sh
. "$HOME/.local/share/lambda-vllm/scripts/common.sh"
# shellcheck source=components/on_machine/driver/apt.sh
. "$base/scripts/apt.sh"

step=prepare
case $1 in
    verify | libraries)
        step=$1
        shift
        ;;
esac
mode=$1 install=${2:-wheel} version=${3:-$VLLM_VERSION}

package=nvidia-driver-580-server-open
compat_package=cuda-compat-13-0
compat_folder=/usr/local/cuda-13.0/compat
# NVIDIA's own, where the package is when the machine's package sources do not have it. The folder is ours, root is not needed.
compat_repositories=${CUDA_REPOSITORIES:-https://developer.download.nvidia.com/compute/cuda/repos}
own_compat_folder="$base/$compat_package"
ubuntu=$(lsb_release -rs 2>/dev/null || sed -n 's/^VERSION_ID="\?\([0-9.]*\)"\?$/\1/p' /etc/os-release)
boot_id=$(</proc/sys/kernel/random/boot_id)

manifest() { python3 "$base/scripts/manifest.py" "$@"; }

# Sets `action` and `reason`.
decide() {
    local pending=no decision
    if manifest is driver upgrade && [[ $(manifest get driver boot_id) == "$boot_id" ]]; then
        pending=pending
    fi
    decision=$(python3 "$base/scripts/driver.py" "$mode" "$install" "$version" "$ubuntu" "$pending")
    action=${decision%%$'\n'*} reason=${decision#*$'\n'}
}

remember() { manifest record driver "$action" "mode=$mode" "reason=$reason" "boot_id=$boot_id" "driver=$(driver_version)"; }

driver_version() { nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true; }

# The environment of everything that computes on this machine.
write_environment() {
    cat >"$base/cuda.env.new" <<ENV
VLLM_ENABLE_CUDA_COMPATIBILITY=1
VLLM_CUDA_COMPATIBILITY_PATH=$compat_folder
LD_LIBRARY_PATH=$compat_folder
ENV
    mv "$base/cuda.env.new" "$base/cuda.env"
}

has_apts_libraries() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$compat_package" 2>/dev/null) == installed ]]
}

# Lambda's package sources lack them as far as was seen, so that NVIDIA's repository is the usual way, which takes seconds.
install_libraries() {
    if has_apts_libraries; then
        :
    elif [[ -n $(apt-cache madison "$compat_package" 2>/dev/null) ]]; then
        say "as root: apt-get install $compat_package"
        { apt_as_root update && apt_as_root install -y "$compat_package"; } ||
            fail "$compat_package cannot be installed, see above: run \`pulumi up\` again, or set \`driver: upgrade\`"
    else
        compat_folder=$own_compat_folder
        python3 "$base/scripts/compat.py" "$compat_repositories" "$ubuntu" "$(uname -m)" "$compat_folder" ||
            fail "$compat_package cannot be had, see above: run \`pulumi up\` again, or set \`driver: upgrade\`"
    fi
    write_environment
}

lambda_version() {
    apt-cache madison "$package" | awk -F '|' '{gsub(/ /, "", $2); print $2}' |
        grep -E "^580\..*-0lambda0\.${ubuntu//./\\.}" | sort -V | tail -n 1 || true
}

upgrade() {
    local wanted
    # An upgrade under a running kernel leaves library and kernel module of two versions.
    say "as root: stopping apt-daily and unattended-upgrades for good, which would change the driver behind our back"
    sudo systemctl disable --now apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service >&2 2>&1 || true
    sudo systemctl stop apt-daily.service apt-daily-upgrade.service >&2 2>&1 || true
    apt_as_root update || fail "apt-get update fails, see above: run \`pulumi up\` again, or set \`driver: compat\`"
    wanted=$(lambda_version)
    [[ -n $wanted ]] ||
        fail "apt knows no $package of Lambda's for this machine: use imageFamily lambda-stack-24-04, or set \`driver: compat\`"
    say "as root: apt-get install $package=$wanted"
    apt_as_root install -y "$package=$wanted" ||
        fail "$package=$wanted cannot be installed, see above: run \`pulumi up\` again, or set \`driver: compat\`"
}

# Nobody may connect to the boot that ends, and take it for the new one: the SSH server stops first. Should the reboot not come, it
# starts again after a minute, so that the machine is not lost.
reboot() {
    local unit listening=()
    for unit in ssh.socket ssh.service; do
        ! systemctl is-active --quiet "$unit" || listening+=("$unit")
    done
    action=upgrade
    remember
    say "as root: rebooting for the driver"
    if ((${#listening[@]})); then
        sudo systemd-run --quiet --collect --on-active=60 systemctl start "${listening[@]}" >&2
        sudo systemctl stop "${listening[@]}" >&2
    fi
    sudo systemd-run --quiet --collect --on-active=2 --timer-property=AccuracySec=100ms systemctl reboot >&2
    say "rebooting"
}

prepare() {
    decide
    [[ $action != refuse ]] || fail "$reason"
    say "driver: $reason"
    if [[ $action == upgrade ]]; then
        rm -f "$base/cuda.env"
        upgrade
    fi
    if [[ $action == upgrade || $action == reboot ]]; then
        reboot
    else
        remember
    fi
}

verify() {
    decide
    case $action in
        keep | compat | cpu)
            remember
            say "driver: $reason"
            ;;
        reboot)
            # `pulumi up` does not repeat the step before, which ended well.
            reboot
            fail "the machine had not rebooted for its driver, and does so now: run \`pulumi up\` again"
            ;;
        upgrade) fail "driver $(driver_version) after the upgrade: see /var/log/apt/term.log on the machine, or set \`driver: compat\`" ;;
        *) fail "$reason" ;;
    esac
}

libraries() {
    decide
    case $action in
        compat) install_libraries ;;
        keep | cpu) rm -f "$base/cuda.env" ;;
        refuse) fail "$reason" ;;
        *) fail "the driver is to be upgraded first: run \`pulumi up\` again" ;;
    esac
}

# In a function, so that the whole file is read before it runs: a later `pulumi up` may replace it meanwhile.
main() {
    case $step in
        prepare) prepare ;;
        verify) verify ;;
        libraries) libraries ;;
    esac
}

# One line: what follows `main` is read after it, from a file that may be another one by then.
main; exit
